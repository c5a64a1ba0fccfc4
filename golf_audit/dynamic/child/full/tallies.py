"""What a number is made of, at full size: a tally of positions in runs and of their losses as one sum.

The ids of recorder/ledger.py, but a sum over rows forgets the rows at once: it keeps which positions they
were, how often, and in which state of the run they were scored. Rows that no tally has taken are held up to a
bound, the oldest go first, and a sum over rows that went is a number without a tally.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from golf_audit.dynamic.child.recorder.ledger import Ints, Ledger
from golf_audit.dynamic.messages import Message, Tally

HELD = 1 << 28
"""Rows that are held: 2.5 GB."""
MOST = 1 << 28
"""Elements of a storage that may carry ids: a buffer for every loss of the split."""
RUNS = 50_000
"""Runs that one message carries."""
ALL = -1
"""In place of a rank: the sum over all ranks."""


@dataclass(frozen=True)
class Scored:
    """The rows of one score. `late`: the rank had adapted on the position before; `window`: the longest
    stretch of positions in a row."""

    positions: NDArray[np.int32]
    losses: NDArray[np.float32]
    late: NDArray[np.bool_]
    epoch: int
    window: int


@dataclass
class _Bag:
    """A sum: (first, length, times, epoch, late) of positions, further bags, sums of all ranks."""

    runs: Ints
    rows: int = 0
    loss: float = 0.0
    lost: int = 0  # rows that were no longer held
    window: int = 0
    parts: tuple[tuple[int, int], ...] = ()
    shared: tuple[tuple[int, int, int], ...] = field(default=())
    told: bool = False


_NONE = np.zeros((0, 5), dtype=np.int64)


class Tallies(Ledger):
    """Ids of storages, and what each sum of them is made of."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        super().__init__()
        self.most = MOST
        self._send = send
        self._scored: list[Scored | None] = []
        self._oldest, self._held = 0, 0
        self._sums: list[_Bag] = [_Bag(_NONE)]  # 0 is never used

    # -- rows

    def enter(self, scored: Scored) -> Ints:
        """The ids of a new score's rows."""
        first = self.rows
        self.bases.append(first)
        self.rows += len(scored.positions)
        self._scored.append(scored)
        self._held += len(scored.positions)
        while self._held > HELD:
            oldest = self._scored[self._oldest]
            self._held -= len(oldest.positions) if oldest is not None else 0
            self._scored[self._oldest] = None
            self._oldest += 1
        return np.arange(first + 1, first + len(scored.positions) + 1, dtype=np.int64)

    def position(self, row: Ints) -> Ints:
        """Validation positions of row ids; -1 for rows that are no longer held."""
        event = np.searchsorted(self.bases, row - 1, side="right") - 1
        found = np.full(len(row), -1, dtype=np.int64)
        for number in np.unique(event):
            scored, chosen = self._scored[number], event == number
            if scored is not None:
                found[chosen] = scored.positions[row[chosen] - 1 - self.bases[number]]
        return found

    # -- sums

    def bag(self, members: Ints) -> int:
        """The id of a sum over ids; a sum over one is itself, over none is 0."""
        members = members[members != 0]
        if len(members) < 2:
            return int(members[0]) if len(members) else 0
        return self._sum(members)

    def _sum(self, members: Ints) -> int:
        ids, times = np.unique(members, return_counts=True)
        bags = ids < 0
        made = self._rows(ids[~bags], times[~bags])
        made.parts = tuple((int(-bag), int(n)) for bag, n in zip(ids[bags], times[bags], strict=True))
        self._sums.append(made)
        return 1 - len(self._sums)

    def _rows(self, rows: Ints, times: Ints) -> _Bag:
        """A sum over rows alone."""
        made = _Bag(_NONE)
        if not len(rows):
            return made
        event = np.searchsorted(self.bases, rows - 1, side="right") - 1
        cut = np.flatnonzero(np.diff(event, prepend=-1))
        columns = []
        for start, end in zip(cut, [*cut[1:], len(rows)], strict=True):
            scored = self._scored[event[start]]
            count = times[start:end]
            made.rows += int(count.sum())
            if scored is None:
                made.lost += int(count.sum())
                continue
            made.window = max(made.window, scored.window)
            own = rows[start:end] - 1 - self.bases[event[start]]
            made.loss += float((scored.losses[own].astype(np.float64) * count).sum())
            table = np.empty((len(own), 4), dtype=np.int64)
            table[:, 0], table[:, 1] = scored.positions[own], count
            table[:, 2], table[:, 3] = scored.epoch, scored.late[own]
            columns.append(table)
        if columns:
            made.runs = _as_runs(np.concatenate(columns))
        return made

    def shared(self, collective: int, element: int, rank: int = ALL) -> int:
        """The id of a number that ranks have summed, or that one of them has given to all."""
        self._sums.append(_Bag(_NONE, shared=((collective, element, rank),)))
        return 1 - len(self._sums)

    def tell(self, ids: Ints) -> int:
        """Send what a sum over these ids is made of; the number of its tally, 0 for none."""
        members = ids.reshape(-1)
        members = members[members != 0]
        if not len(members):
            return 0
        number = -int(members[0]) if len(members) == 1 and members[0] < 0 else -self._sum(members)
        waiting = [number]
        while waiting:
            bag = self._sums[waiting[-1]]
            open_ = [part for part, _ in bag.parts if not self._sums[part].told]
            if open_ and not bag.told:
                waiting += open_
                continue
            self._say(waiting.pop(), bag)
        return number

    def _say(self, number: int, bag: _Bag) -> None:
        """One tally, its runs in as many messages as it takes; afterwards only its number is kept."""
        if bag.told:
            return
        bag.told = True
        for start in range(0, max(len(bag.runs), 1), RUNS):
            last = start + RUNS >= len(bag.runs)
            self._send(
                Tally(
                    tally=number,
                    runs=tuple(map(tuple, bag.runs[start : start + RUNS].tolist())),
                    rows=bag.rows if last else 0,
                    loss=bag.loss if last else 0.0,
                    lost=bag.lost if last else 0,
                    window=bag.window,
                    parts=bag.parts if last else (),
                    shared=bag.shared if last else (),
                )
            )
        bag.runs, bag.parts = _NONE, ()

    def _single(self, number: int) -> int:
        bag = self._sums[-number]
        first = {int(run[0]) for run in bag.runs if run[1] == 1}
        plain = not bag.parts and not bag.shared and (bag.runs[:, 1] == 1).all()
        return first.pop() if len(first) == 1 and plain else -1


def _as_runs(table: Ints) -> Ints:
    """(position, times, epoch, late) of rows -> (first, length, times, epoch, late) in order."""
    table = table[np.lexsort((table[:, 2], table[:, 0]))]
    step = np.diff(table, axis=0)
    cut = np.flatnonzero((step[:, 0] != 1) | (step[:, 1:] != 0).any(axis=1)) + 1
    firsts = np.concatenate(([0], cut)).astype(np.int64)
    lengths = np.diff(np.concatenate((firsts, [len(table)])))
    return np.column_stack((table[firsts, 0], lengths, table[firsts, 1:]))
