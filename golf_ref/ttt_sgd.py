"""Test-time training of all weights by SGD on tokens that have been scored (#461, #549, #1413, #1493).

    for each chunk c of the stream:  1. score it with the weights as they are
                                     2. learn from it: ttt_epochs passes, lr_c = lr/2 (1 + cos(pi c / (n-1)))

The last chunk is scored and not learned from. The optimiser lives through all chunks.

Shapes: N positions, C positions of a chunk, T positions of a row.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from golf_ref.config import EvalCfg, TTTCfg
from golf_ref.distributed import ALONE, Ranks, mean_over_ranks
from golf_ref.evaluate import (
    Score,
    Scoreboard,
    Window,
    device_of,
    pack_rows,
    score_windows,
    sliding_windows,
)
from golf_ref.model import GPT


def evaluate_sgd_ttt(
    model: GPT,
    val_tokens: Tensor,
    target_bytes_N: Tensor,
    eval_cfg: EvalCfg,
    cfg: TTTCfg,
    ranks: Ranks = ALONE,
) -> Score:
    """Sliding-window score of the stream, chunk by chunk, learning from each chunk after it was scored."""
    N, T, C = len(target_bytes_N), eval_cfg.eval_seq_len, cfg.ttt_chunk_tokens
    if T % eval_cfg.eval_stride or C % T:
        raise ValueError(f"stride {eval_cfg.eval_stride} must divide window {T}, and it the chunk {C}")
    board = Scoreboard(target_bytes_N, device_of(model), ranks)
    bos_id = model.cfg.bos_id if eval_cfg.eval_documents else None
    n_chunks = math.ceil(N / C)
    chunk_windows: list[list[Window]] = [[] for _ in range(n_chunks)]
    for window in sliding_windows(N, T, eval_cfg.eval_stride):
        chunk_windows[window.first_scored // C].append(window)

    model.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg.ttt_lr, momentum=cfg.ttt_momentum)
    for c in range(n_chunks):
        score_windows(model, val_tokens, chunk_windows[c], board, eval_cfg)
        if c == n_chunks - 1:
            break
        board.share(c * C, (c + 1) * C)
        set_lr(optimizer, cosine_lr(cfg.ttt_lr, c, n_chunks))
        rows = torch.arange(c * C, (c + 1) * C).split(T)
        for _ in range(cfg.ttt_epochs):
            for i in range(0, len(rows), cfg.ttt_batch_seqs):
                batch = rows[i : i + cfg.ttt_batch_seqs]
                sgd_step(model, optimizer, val_tokens, batch, board, bos_id, cfg.ttt_grad_clip)
    return board.score()


def sgd_step(
    model: GPT,
    optimizer: torch.optim.Optimizer,
    val_tokens: Tensor,
    rows: tuple[Tensor, ...],
    board: Scoreboard,
    bos_id: int | None,
    grad_clip: float,
) -> None:
    """One step on the mean loss of rows of scored positions, global norm clipped; ranks share the rows."""
    board.require_scored(torch.cat(rows))
    model.train()
    optimizer.zero_grad()
    rank, world = board.ranks
    if rows[rank::world]:
        ids_T, targets_T, segments = pack_rows(val_tokens, rows[rank::world], bos_id, device_of(model))
        loss_T = model.nll(ids_T, targets_T, segments)
        # The mean over ranks of world/n * (own sum) is the mean over all n positions of the batch.
        (loss_T.sum() * world / sum(len(row) for row in rows)).backward()
    if world > 1:
        for parameter in model.parameters():
            if parameter.grad is None:  # this rank had no row
                parameter.grad = torch.zeros_like(parameter)
        mean_over_ranks([p.grad for p in model.parameters() if p.grad is not None], board.ranks)
    nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
    optimizer.step()


def global_sgd(
    model: GPT, val_tokens: Tensor, positions: Tensor, board: Scoreboard, cfg: TTTCfg, seq_len: int
) -> None:
    """One phase of #1610: SGD with a fresh optimiser on scored documents, their positions laid end to end.

    Chunks of global_ttt_chunk_tokens in order, the last one skipped; lr falls along the chunks by a cosine.
    """
    chunks = positions.split(cfg.global_ttt_chunk_tokens)
    model.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg.global_ttt_lr, momentum=cfg.global_ttt_momentum)
    for c in range(len(chunks) - 1):
        set_lr(optimizer, cosine_lr(cfg.global_ttt_lr, c, len(chunks)))
        rows = chunks[c][: len(chunks[c]) // seq_len * seq_len].split(seq_len)
        for _ in range(cfg.global_ttt_epochs):
            for i in range(0, len(rows), cfg.global_ttt_batch_seqs):
                batch, clip = rows[i : i + cfg.global_ttt_batch_seqs], cfg.global_ttt_grad_clip
                sgd_step(model, optimizer, val_tokens, batch, board, model.cfg.bos_id, clip)


def cosine_lr(lr: float, c: int, n_chunks: int) -> float:
    """lr at chunk 0, falling to 0 at chunk n_chunks - 1."""
    return lr / 2 * (1 + math.cos(math.pi * c / max(1, n_chunks - 1)))


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr
