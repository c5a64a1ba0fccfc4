"""The messages of all ranks of an instrumented run, kept as far as a verdict needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golf_audit.dynamic.messages import (
    End,
    Given,
    Learned,
    Left,
    Message,
    Print,
    Shim,
    Site,
    Start,
    Tally,
    Whole,
)
from golf_audit.dynamic.wire import MAX_LINE, BadMessage, parse

MAX_BYTES = 1 << 30
"""Bytes that one rank may say."""
MAX_TOKENS = 1 << 28
NEVER = np.iinfo(np.int32).max
_PLACES = 12

Runs = NDArray[np.int64]
_NONE = np.zeros((0, 5), dtype=np.int64)


@dataclass
class Sum:
    """A tally with its runs: (first, length, times, epoch, late)."""

    runs: Runs = field(default_factory=lambda: _NONE)
    rows: int = 0
    loss: float = 0.0
    lost: int = 0
    window: int = 0
    parts: tuple[tuple[int, int], ...] = ()
    shared: tuple[tuple[int, int, int], ...] = ()


@dataclass
class Rank:
    """What one rank has said so far; `bad`: why it is heard no more."""

    tallies: dict[int, Sum] = field(default_factory=dict)
    given: dict[tuple[int, int], int] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    prints: list[Print] = field(default_factory=list)
    whole: Whole | None = None
    ended: End | None = None
    began: bool = False
    bad: str = ""
    said: int = 0
    count: int = 0
    rest: bytes = b""


class Account:
    """Hears the ranks. `learned`: by position, the collectives before the first gradient on it, any rank."""

    def __init__(self, ranks: int) -> None:
        self.ranks = [Rank() for _ in range(ranks)]
        self.learned: NDArray[np.int32] = np.zeros(0, dtype=np.int32)
        self.kept: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)  # into more than scratch tensors
        self.places: dict[Site, None] = {}  # where gradients on validation targets came from
        self.notes: dict[str, None] = {}

    def hear(self, number: int, data: bytes) -> None:
        """Bytes from a rank's pipe."""
        rank = self.ranks[number]
        if rank.bad:
            return
        rank.said += len(data)
        *lines, rank.rest = (rank.rest + data).split(b"\n")
        try:
            if rank.said > MAX_BYTES or len(rank.rest) > MAX_LINE:
                raise BadMessage(f"more than {MAX_BYTES >> 20} MiB, or one line without an end")
            for line in lines:
                self._take(rank, parse(line))
        except BadMessage as error:
            rank.bad, rank.rest = f"rank {number}: message {rank.count}: {error}"[:300], b""

    def _take(self, rank: Rank, message: Message) -> None:
        if message.n != rank.count or isinstance(message, Start) != (message.n == 0) or rank.ended:
            raise BadMessage("not the next message of a recorder")
        rank.count += 1
        taker = _TAKERS.get(type(message))
        if taker is not None:
            taker(self, rank, message)

    def _whole(self, rank: Rank, message: Whole) -> None:
        folder = PurePosixPath(message.folder)
        outside = folder.is_absolute() or ".." in folder.parts
        if message.tokens > MAX_TOKENS or rank.whole is not None or outside:
            raise BadMessage("no such stream")
        rank.whole = message
        if len(self.learned) < message.tokens:
            self.learned = np.full(message.tokens, NEVER, dtype=np.int32)
            self.kept = np.zeros(message.tokens, dtype=np.bool_)

    def _learned(self, rank: Rank, message: Learned) -> None:
        if rank.whole is None or any(not a > 0 or a + n > rank.whole.tokens for a, n in message.spans):
            raise BadMessage("gradients on positions that do not exist")
        for first, length in message.spans:
            view = self.learned[first : first + length]
            np.minimum(view, min(message.epoch, NEVER - 1), out=view)
            if message.into != "scratch":
                self.kept[first : first + length] = True
        if len(self.places) < _PLACES:
            self.places.setdefault(message.site)

    def _tally(self, rank: Rank, message: Tally) -> None:
        runs = np.array(message.runs, dtype=np.int64).reshape(-1, 5)
        limit = rank.whole.tokens if rank.whole is not None else 0
        if len(runs) and (runs[:, 0].min() < 1 or runs[:, 1].min() < 1 or runs[:, :2].sum(1).max() > limit):
            raise BadMessage("a tally of positions that do not exist")
        if any(part >= message.tally or part not in rank.tallies for part, _ in message.parts):
            raise BadMessage("a tally made of later ones")
        known = rank.tallies.setdefault(message.tally, Sum())
        known.runs = np.concatenate((known.runs, runs)) if len(known.runs) else runs
        known.rows += message.rows
        known.loss += message.loss
        known.lost += message.lost
        known.window = max(known.window, message.window)
        known.parts += message.parts
        known.shared += message.shared

    def _given(self, rank: Rank, message: Given) -> None:
        if message.tally not in rank.tallies:
            raise BadMessage("no such tally")
        rank.given[message.collective, message.element] = message.tally

    def _left(self, rank: Rank, message: Left) -> None:
        if message.tally not in rank.tallies:
            raise BadMessage("no such tally")
        rank.left.append(message)

    def _print(self, rank: Rank, message: Print) -> None:
        if rank is self.ranks[0]:
            rank.prints.append(message)

    def _shim(self, rank: Rank, message: Shim) -> None:
        if len(self.notes) < _PLACES:
            self.notes.setdefault(f"{message.name}: {message.detail}"[:300])

    def _started(self, rank: Rank, message: Start) -> None:
        rank.began = True

    def _ended(self, rank: Rank, message: End) -> None:
        rank.ended = message


_TAKERS: Mapping[type[Message], Any] = {
    Whole: Account._whole,
    Learned: Account._learned,
    Tally: Account._tally,
    Given: Account._given,
    Left: Account._left,
    Print: Account._print,
    Shim: Account._shim,
    Start: Account._started,
    End: Account._ended,
}
