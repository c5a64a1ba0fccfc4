"""Bits per byte, and the two evaluations that learn nothing: whole windows and sliding windows.

    bpb = (sum of nats / ln 2) / (sum of original bytes),  over every target of the validation stream once

Nats per token depend on the tokenizer; the bytes of the text do not: only bits per byte can be compared.
Position t of the stream predicts token t+1: a stream of N+1 tokens has the positions 0..N-1, and its first
token is never a target. A BOS target counts in the loss and carries 0 bytes.

Shapes: N positions, T packed tokens of one forward, n positions scored by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from golf_ref.attention import Segments
from golf_ref.config import EvalCfg
from golf_ref.distributed import ALONE, Ranks, sum_over_ranks
from golf_ref.model import GPT
from golf_ref.ticker import tick


class Window(NamedTuple):
    """Positions start..end-1 are read, first_scored..end-1 are scored."""

    start: int
    first_scored: int
    end: int


class ScoreOrderError(RuntimeError):
    """A position was scored twice, learned from before it was scored, or never scored."""


@dataclass(frozen=True)
class Score:
    """val_loss in nats per token, val_bpb in bits per byte."""

    val_loss: float
    val_bpb: float
    tokens: int
    bytes: int


class Scoreboard:
    """Sums of nats and bytes, and one bit per position: scored or not.

    Everything that scores goes through `add`, everything that learns through `require_scored`: a position
    can be scored only once, and nothing can be learned from it before. Ranks score apart; `share` tells each
    what the others have scored, `score` adds up.
    """

    def __init__(self, target_bytes_N: Tensor, device: torch.device | str = "cpu", ranks: Ranks = ALONE):
        self.target_bytes_N = target_bytes_N
        self.ranks = ranks
        self.scored_N = torch.zeros(len(target_bytes_N), dtype=torch.bool)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)  # adding does not synchronise
        self.byte_sum = 0
        self.token_count = 0

    def add(self, positions_n: Tensor, loss_n: Tensor) -> None:
        """Score these positions with these losses (nats)."""
        if self.scored_N[positions_n].any():
            raise ScoreOrderError("a position would be scored twice")
        if not len(positions_n.unique()) == len(positions_n) == len(loss_n):
            raise ScoreOrderError("positions of one batch repeat, or do not match its losses")
        self.scored_N[positions_n] = True
        self.loss_sum += loss_n.detach().double().sum()
        self.byte_sum += int(self.target_bytes_N[positions_n].sum())
        self.token_count += len(loss_n)
        if self.ranks.rank == 0:
            tick("scored positions", self.token_count, len(self.scored_N) // self.ranks.world)

    def require_scored(self, positions_n: Tensor) -> None:
        """Refuse to learn from targets that have not been scored."""
        if not self.scored_N[positions_n].all():
            raise ScoreOrderError("learning from a position before it was scored")

    def share(self, lo: int, hi: int) -> None:
        """Make every rank know which of the positions lo..hi-1 any rank has scored."""
        if self.ranks.world > 1:
            scorers_n = self.scored_N[lo:hi].to(self.loss_sum.device, torch.int32)
            self.scored_N[lo:hi] = sum_over_ranks(scorers_n, self.ranks).bool().cpu()

    def score(self) -> Score:
        """The result over all ranks; every position must have been scored exactly once."""
        N = len(self.scored_N)
        self.share(0, N)
        counts = torch.tensor([self.byte_sum, self.token_count], device=self.loss_sum.device)
        byte_sum, token_count = sum_over_ranks(counts, self.ranks).tolist()
        loss_sum = float(sum_over_ranks(self.loss_sum, self.ranks))
        if not self.scored_N.all() or token_count != N:
            missing = N - int(self.scored_N.sum())
            raise ScoreOrderError(
                f"{missing} of {N} positions were never scored, {token_count} scores were added"
            )
        if byte_sum == 0:
            raise ValueError("the scored targets carry no bytes")
        val_loss = loss_sum / token_count
        val_bpb = loss_sum / math.log(2.0) / byte_sum
        return Score(val_loss, val_bpb, token_count, byte_sum)


def pack_rows(
    val_tokens: Tensor, rows: Sequence[Tensor], bos_id: int | None, device: torch.device
) -> tuple[Tensor, Tensor, Segments]:
    """Inputs and targets of rows of positions, side by side; a segment starts at each row and at each BOS."""
    positions_T = torch.cat(list(rows))
    ids_T, targets_T = val_tokens[positions_T].long(), val_tokens[positions_T + 1].long()
    starts_T = torch.zeros(len(ids_T), dtype=torch.bool)
    starts_T[torch.tensor([0, *(len(row) for row in rows[:-1])]).cumsum(0)] = True
    if bos_id is not None:
        starts_T |= ids_T == bos_id
    cu_seqlens = torch.cat([starts_T.nonzero().flatten(), torch.tensor([len(ids_T)])]).int()
    longest = int(cu_seqlens.diff().max())
    return ids_T.to(device), targets_T.to(device), Segments(cu_seqlens.to(device), longest)


@torch.no_grad()
def evaluate_plain(
    model: GPT, val_tokens: Tensor, target_bytes_N: Tensor, cfg: EvalCfg, ranks: Ranks = ALONE
) -> Score:
    """Windows of eval_seq_len that do not overlap: every position is scored by the window it lies in."""
    model.eval()
    board = Scoreboard(target_bytes_N, device_of(model), ranks)
    bos_id = model.cfg.bos_id if cfg.eval_documents else None
    N, T = len(target_bytes_N), cfg.eval_seq_len
    batch_tokens = max(1, cfg.val_batch_tokens // (ranks.world * T)) * T
    for lo in range(ranks.rank * batch_tokens, N, ranks.world * batch_tokens):
        hi = min(lo + batch_tokens, N)
        rows = torch.arange(lo, hi).split(T)
        ids_T, targets_T, segments = pack_rows(val_tokens, rows, bos_id, device_of(model))
        loss_T = model.nll(ids_T, targets_T, segments)
        board.add(torch.arange(lo, hi), loss_T)
    return board.score()


def sliding_windows(N: int, T: int, stride: int) -> list[Window]:
    """Windows of T positions, `stride` apart, that score each of N positions exactly once.

    The first window scores all it covers, each later one only what the one before did not reach.
    """
    starts = [0, *range(stride, N - (T - stride), stride)]
    return [Window(ws, ws if ws == 0 else ws + T - stride, min(ws + T, N)) for ws in starts]


@torch.no_grad()
def score_windows(
    model: GPT, val_tokens: Tensor, windows: Sequence[Window], board: Scoreboard, cfg: EvalCfg
) -> None:
    """Score the new positions of sliding windows, eval_batch_seqs windows per forward and rank."""
    model.eval()
    rank, world = board.ranks
    bos_id = model.cfg.bos_id if cfg.eval_documents else None
    for i in range(rank * cfg.eval_batch_seqs, len(windows), world * cfg.eval_batch_seqs):
        batch = windows[i : i + cfg.eval_batch_seqs]
        rows = [torch.arange(w.start, w.end) for w in batch]
        new_T = torch.cat([row >= w.first_scored for row, w in zip(rows, batch, strict=True)])
        ids_T, targets_T, segments = pack_rows(val_tokens, rows, bos_id, device_of(model))
        loss_T = model.nll(ids_T, targets_T, segments)
        board.add(torch.cat(rows)[new_T], loss_T[new_T.to(loss_T.device)])


def evaluate_sliding(
    model: GPT, val_tokens: Tensor, target_bytes_N: Tensor, cfg: EvalCfg, ranks: Ranks = ALONE
) -> Score:
    """Overlapping windows, eval_stride apart: all but the first positions see at least T - stride back."""
    board = Scoreboard(target_bytes_N, device_of(model), ranks)
    windows = sliding_windows(len(target_bytes_N), cfg.eval_seq_len, cfg.eval_stride)
    score_windows(model, val_tokens, windows, board, cfg)
    return board.score()


def device_of(model: GPT) -> torch.device:
    return model.tok_emb.weight.device
