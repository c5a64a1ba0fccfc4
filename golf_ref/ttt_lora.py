"""Test-time training of a low-rank adapter per document, scored first, with optional pauses for global SGD.

    y = W x + (alpha / rank) B A x,   A ~ U(+-1/sqrt(in)), B = 0 at the start of every document        (#1530)
    sites per executed layer (each pass through a looped layer has its own adapter):
        q, k, v read the attention input; o reads it too and adds to the attention's output;
        mlp reads the MLP input and adds to its output; one lm_head adapter adds to the logits

    for each group of documents of similar length, longest first:
        for each chunk of the documents, in order:
            1. one forward of the windows that end with this chunk; its losses of the chunk are scored
            2. rows that still have a later chunk take one AdamW step on those same losses

Phases (#1610, #1626): once p/P of `prefix` documents are scored, the base model itself is trained on scored
documents, then the queue goes on with fresh adapters. The records' ranks raced for groups, which made their
results irreproducible; here rank r takes the groups r, r + world, ... and a pause comes after the round of
`world` groups that crosses the boundary.

Shapes: N positions, b documents of a group, L positions of their windows, D width of a site, r rank.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from golf_ref.attention import Segments
from golf_ref.config import ModelCfg, TTTCfg
from golf_ref.distributed import ALONE, Ranks
from golf_ref.evaluate import Score, Scoreboard, device_of
from golf_ref.log import RunLog
from golf_ref.model import GPT, executed_layers
from golf_ref.ttt_sgd import global_sgd


class Document(NamedTuple):
    """Positions start..end-1: they predict the document's tokens and the BOS that follows it."""

    start: int
    end: int


class Group(NamedTuple):
    """Documents that are adapted side by side; `number` counts from the shortest group."""

    number: int
    documents: list[Document]


class BatchedLora(nn.Module):
    """One adapter per document and site, seen by the model as `adapters`."""

    def __init__(
        self, cfg: ModelCfg, slots: int, documents: int, rank: int, alpha: float, generator: torch.Generator
    ):
        super().__init__()
        D = cfg.model_dim
        kv_dim = cfg.num_kv_heads * (D // cfg.num_heads)
        widths = {"q": (D, D), "k": (D, kv_dim), "v": (D, kv_dim), "o": (D, D), "mlp": (D, D)}
        shapes = {f"{site}_{slot}": w for site, w in widths.items() for slot in range(slots)}
        shapes["lm_head_0"] = (D, cfg.vocab_size)
        self.documents = documents
        self.scale = alpha / rank
        self.generator = generator
        self.A = nn.ParameterDict({k: torch.empty(documents, rank, i) for k, (i, _) in shapes.items()})
        self.B = nn.ParameterDict({k: torch.empty(documents, o, rank) for k, (_, o) in shapes.items()})
        self.restart(redraw_a=True)

    @torch.no_grad()
    def restart(self, redraw_a: bool) -> None:
        """Forget: B = 0. A is drawn anew, or kept as a warm start (#1767)."""
        for B in self.B.values():
            B.zero_()
        if redraw_a:
            for A in self.A.values():
                bound = 1 / math.sqrt(A.shape[-1])
                drawn = torch.empty(A.shape).uniform_(-bound, bound, generator=self.generator)
                A.copy_(drawn)

    def delta(self, site: str, slot: int, x_TD: Tensor) -> Tensor:
        key = f"{site}_{slot}"
        x_bLD = x_TD.view(self.documents, -1, x_TD.shape[-1])
        A_brD, B_bOr = self.A[key].to(x_TD.dtype), self.B[key].to(x_TD.dtype)
        delta_bLO = x_bLD @ A_brD.transpose(1, 2) @ B_bOr.transpose(1, 2)
        return (self.scale * delta_bLO).flatten(0, 1)


def split_documents(val_tokens: Tensor, bos_id: int) -> list[Document]:
    """The documents of a stream; together their positions are 0..N-1. The stream must start with BOS."""
    if len(val_tokens) == 0 or int(val_tokens[0]) != bos_id:
        raise ValueError(f"the stream does not start with BOS ({bos_id}): documents cannot be told apart")
    N = len(val_tokens) - 1
    starts = (val_tokens[:N] == bos_id).nonzero().flatten().tolist()
    return [Document(a, b) for a, b in zip(starts, [*starts[1:], N], strict=True)]


def group_documents(documents: list[Document], size: int) -> list[Group]:
    """Groups of `size` documents of similar length, in the order of the queue: longest group first."""
    by_length = sorted(documents, key=lambda d: (d.end - d.start, d.start))
    groups = [Group(i // size, by_length[i : i + size]) for i in range(0, len(by_length), size)]
    return groups[::-1]


def evaluate_lora_ttt(
    model: GPT,
    val_tokens: Tensor,
    target_bytes_N: Tensor,
    cfg: TTTCfg,
    phases: int,
    seed: int,
    log: RunLog,
    ranks: Ranks = ALONE,
) -> Score:
    """Document LoRA over the stream, with `phases` pauses for global SGD; ttt_lora_rank 0 = no adapters."""
    board = Scoreboard(target_bytes_N, device_of(model), ranks)
    queue = group_documents(split_documents(val_tokens, model.cfg.bos_id), cfg.ttt_batch_size)
    prefix = min(cfg.phased_ttt_prefix_docs, sum(len(group.documents) for group in queue))
    boundaries = [prefix * (p + 1) // phases for p in range(phases)]
    log.line(f"ttt_lora: groups:{len(queue)} num_phases:{phases} boundaries:{boundaries}")
    generator = torch.Generator().manual_seed(seed + ranks.rank)
    lora: BatchedLora | None = None
    scored_groups: list[Group] = []
    documents_scored = 0
    for i in range(0, len(queue), ranks.world):
        model.requires_grad_(False)
        model.eval()
        for group in queue[i + ranks.rank : i + ranks.rank + 1]:  # none on the last ranks of the last round
            lora = adapter_for(group, lora, model, cfg, generator)
            score_group(model, lora, group.documents, val_tokens, board, cfg)
        scored_groups += queue[i : i + ranks.world]
        documents_scored += sum(len(group.documents) for group in queue[i : i + ranks.world])
        more = i + ranks.world < len(queue)
        if more and boundaries and documents_scored >= boundaries[0]:
            board.share(0, len(target_bytes_N))
            chosen = shortest_scored(scored_groups, boundaries.pop(0))
            phase = f"{phases - len(boundaries)}/{phases}"
            log.line(f"ttpp: phase:{phase} pd:{documents_scored} gd:{len(chosen)}")
            positions = torch.cat([torch.arange(d.start, d.end) for d in chosen])
            global_sgd(model, val_tokens, positions, board, cfg, cfg.ttt_eval_seq_len)
            lora = None  # drops a warm A: it was fitted to the base model of before
    return board.score()


def shortest_scored(scored_groups: list[Group], count: int) -> list[Document]:
    """The first `count` scored documents by group number: what #1626 takes, the shortest of those scored."""
    documents = [d for group in sorted(scored_groups) for d in group.documents]
    return documents[:count]


def adapter_for(
    group: Group, lora: BatchedLora | None, model: GPT, cfg: TTTCfg, generator: torch.Generator
) -> BatchedLora | None:
    """The adapter of the last group, restarted; a new one where there is none of this size."""
    if cfg.ttt_lora_rank == 0:
        return None
    if lora is not None and lora.documents == len(group.documents):
        lora.restart(redraw_a=not cfg.ttt_warm_start_a)
        return lora
    encoder, decoder = executed_layers(model.cfg, model.looping)
    slots = len(encoder) + len(decoder)
    rank, alpha = cfg.ttt_lora_rank, cfg.ttt_lora_alpha
    lora = BatchedLora(model.cfg, slots, len(group.documents), rank, alpha, generator)
    return lora.to(device_of(model))


def score_group(
    model: GPT,
    lora: BatchedLora | None,
    documents: list[Document],
    val_tokens: Tensor,
    board: Scoreboard,
    cfg: TTTCfg,
) -> None:
    """Score the documents chunk by chunk; the adapter learns from a chunk after its losses were added."""
    longest = max(d.end - d.start for d in documents)
    optimizer = None if lora is None else lora_optimizer(lora, cfg)
    for chunk_start in range(0, longest, cfg.ttt_chunk_size):
        ids_bL, targets_bL, positions_bL, scored_bL, later_b = chunk_windows(
            documents, val_tokens, chunk_start, cfg
        )
        b, L = ids_bL.shape
        segments = Segments.rows(b, L, device_of(model))
        ids_T, targets_T = ids_bL.flatten().to(device_of(model)), targets_bL.flatten().to(device_of(model))
        with torch.set_grad_enabled(lora is not None):
            loss_bL = model.nll(ids_T, targets_T, segments, adapters=lora).view(b, L)
        board.add(positions_bL[scored_bL], loss_bL.detach()[scored_bL.to(loss_bL.device)])
        if optimizer is None or not later_b.any():
            continue
        learned_bL = scored_bL & later_b[:, None]
        board.require_scored(positions_bL[learned_bL])
        # sum over documents with a later chunk of their mean loss on this chunk
        loss = loss_bL[learned_bL.to(loss_bL.device)].sum() / cfg.ttt_chunk_size
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def chunk_windows(
    documents: list[Document], val_tokens: Tensor, chunk_start: int, cfg: TTTCfg
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The window of each document that ends with its chunk, as rows padded with token 0.

    Returns ids, targets and positions [b, L], which of them lie in the chunk [b, L], and which documents have
    a later chunk [b]. A document that has ended has an empty row. Padding follows the window, where causal
    attention hides it from every real token.
    """
    lengths = [d.end - d.start for d in documents]
    chunk_end = chunk_start + cfg.ttt_chunk_size
    ends = [min(chunk_end, length) if chunk_start < length else 0 for length in lengths]
    starts = [max(0, end - cfg.ttt_eval_seq_len) for end in ends]
    b, L = len(documents), max(end - start for start, end in zip(starts, ends, strict=True))
    positions_bL = torch.zeros(b, L, dtype=torch.long)
    real_bL = torch.zeros(b, L, dtype=torch.bool)
    scored_bL = torch.zeros(b, L, dtype=torch.bool)
    for i, (document, start, end) in enumerate(zip(documents, starts, ends, strict=True)):
        positions_bL[i, : end - start] = torch.arange(document.start + start, document.start + end)
        real_bL[i, : end - start] = True
        scored_bL[i, chunk_start - start : end - start] = True
    ids_bL = torch.where(real_bL, val_tokens[positions_bL].long(), 0)
    targets_bL = torch.where(real_bL, val_tokens[positions_bL + 1].long(), 0)
    later_b = torch.tensor([chunk_end < length for length in lengths])
    return ids_bL, targets_bL, positions_bL, scored_bL, later_b


def lora_optimizer(lora: BatchedLora, cfg: TTTCfg) -> torch.optim.Optimizer:
    """A new AdamW per group: moments and step counters start at zero with every document."""
    return torch.optim.AdamW(
        lora.parameters(),
        lr=cfg.ttt_lora_lr,
        betas=(cfg.ttt_beta1, cfg.ttt_beta2),
        eps=cfg.ttt_eps,
        weight_decay=cfg.ttt_weight_decay,
    )
