"""The scores of a run, row by row: the loss, the position, and when positions were adapted on."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from golf_audit.dynamic.messages import LOOSE, Gradient, Message, Score, Sink, Site, Step, expand

Rows = tuple[tuple[int, int, int, int], ...]
"""(score event, first row, length, times), as a sink names them."""


@dataclass(frozen=True)
class Moment:
    """A row of a score, comparable by time: number of the message, then the row."""

    n: int
    row: int

    def __lt__(self, other: Moment) -> bool:
        return (self.n, self.row) < (other.n, other.row)


@dataclass(frozen=True)
class Counts:
    """A set of rows by position. `times` holds -1 for rows that are no validation target."""

    rows: int
    times: dict[int, int]
    first: dict[int, Moment]  # the first row that counts a position
    loss: dict[int, float]  # the loss of that row
    window: int  # rows of the longest stretch of positions in one event
    digest: str  # of the first counted losses, in order of position


class Ledger:
    """All scores of a run with their losses."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.scores = [m for m in messages if isinstance(m, Score)]
        self.sinks = [m for m in messages if isinstance(m, Sink) and m.rows]
        self._sums = [(0.0, *accumulate(score.losses)) for score in self.scores]
        self._positions: dict[int, list[int]] = {}
        self._model = {score.n: score.model for score in self.scores}
        self.first_with: dict[str, int] = {}  # parameters and buffers -> the first score made with them
        for score in self.scores:
            self.first_with.setdefault(score.model, score.n)
        self._in_modules: dict[
            int, int
        ] = {}  # position -> message of the first gradient that changed a module
        self._elsewhere: dict[int, int] = {}  # position -> message of the first other gradient
        self._gradients(messages)

    def _gradients(self, messages: Sequence[Message]) -> None:
        """Sort gradients by what the step after them changed. What nobody stepped may have gone anywhere."""
        waiting: list[Gradient] = []
        for message in messages:
            if isinstance(message, Gradient):
                waiting.append(message)
            elif isinstance(message, Step):
                loose = all(name.startswith(LOOSE) for name in message.names)
                for gradient in waiting:
                    self._enter(gradient, changes_module=gradient.into == "parameters" and not loose)
                waiting = []
        for gradient in waiting:
            self._enter(gradient, changes_module=False)

    def _enter(self, gradient: Gradient, *, changes_module: bool) -> None:
        found = self._in_modules if changes_module else self._elsewhere
        for position in self.positions_of(gradient.event, gradient.rows):
            if position > 0:
                found.setdefault(position, gradient.n)

    def positions(self, event: int) -> list[int]:
        """The position of every row of a score; -1 where it is no validation target."""
        if event not in self._positions:
            self._positions[event] = expand(self.scores[event].positions)
        return self._positions[event]

    def positions_of(self, event: int, rows: Sequence[tuple[int, int]]) -> Iterator[int]:
        """The positions of some rows of a score, given as runs."""
        positions = self.positions(event)
        for first, length in rows:
            yield from positions[first : first + length]

    def adapted_before(self, position: int, moment: Moment) -> bool:
        """True when a gradient on this position came before that moment, and what it changed had not been put
        back: a score was made with the very same parameters and buffers before the gradient."""
        if self._elsewhere.get(position, moment.n) < moment.n:
            return True
        first = self.first_with[self._model[moment.n]]
        return self._in_modules.get(position, first) < first

    def touched_before(self, position: int, moment: Moment) -> bool:
        """True when a gradient on this position came before that moment, put back or not."""
        places = (self._elsewhere, self._in_modules)
        return any(found.get(position, moment.n) < moment.n for found in places)

    def total(self, rows: Rows) -> tuple[float, int]:
        """The sum of the losses of these rows and their number."""
        total, count = 0.0, 0
        for event, first, length, times in rows:
            sums = self._sums[event]
            total += times * (sums[first + length] - sums[first])
            count += times * length
        return total, count

    def counts(self, rows: Rows) -> Counts:
        """How often each position is counted, and where first."""
        times: dict[int, int] = {}
        first_of: dict[int, Moment] = {}
        loss_of: dict[int, float] = {}
        number, window = 0, 0
        for event, first, length, often in rows:
            score, positions = self.scores[event], self.positions(event)
            number += often * length
            for row in range(first, first + length):
                position = positions[row]
                times[position] = times.get(position, 0) + often
                moment = Moment(score.n, row)
                if position not in first_of or moment < first_of[position]:
                    first_of[position], loss_of[position] = moment, score.losses[row]
        for event in {row[0] for row in rows}:
            window = max(window, *(n for first, n in self.scores[event].positions if first > 0), 0)
        first_of.pop(-1, None)
        loss_of.pop(-1, None)
        digest = hashlib.sha256(b"".join(struct.pack("<qd", p, loss_of[p]) for p in sorted(first_of)))
        return Counts(number, times, first_of, loss_of, window, digest.hexdigest()[:16])

    def rescored(self, rows: Rows) -> set[int]:
        """Positions whose score here is a second one: the same line had given a number for them before, with
        the same parameters and buffers, and these rows leave that number out."""
        counted = {row[0] for row in rows}
        found: set[int] = set()
        times: dict[tuple[Site, str, str], dict[int, int]] = {}
        for event in sorted(counted):
            score = self.scores[event]
            first = times.setdefault((score.site, score.scorer, score.model), {})
            for position in self.positions(event):
                first.setdefault(position, score.n)
        for sink in self.sinks:
            for event, start, length, _ in sink.rows:
                score = self.scores[event]
                own = times.get((score.site, score.scorer, score.model))
                if event in counted or own is None:
                    continue
                for position in self.positions(event)[start : start + length]:
                    if position > 0 and score.n < own.get(position, -1):
                        found.add(position)
        return found
