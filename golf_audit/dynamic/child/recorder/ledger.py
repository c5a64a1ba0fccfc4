"""What each number is made of: an id beside every element of every tensor that losses went into.

A positive id is one row of one score. A negative id is a bag: a sum over other ids. Ids lie beside the
storage of a tensor, so views share them and in-place writes through a view are seen everywhere.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Ints = NDArray[np.int64]

MOST = 4_000_000
"""Elements of a storage that may carry ids."""


class Ledger:
    """Ids of storages, bags of ids, rows of scores."""

    def __init__(self) -> None:
        self.most = MOST
        self._beside: dict[int, Ints] = {}
        self._bags: list[Ints] = [np.zeros(0, dtype=np.int64)]  # bag 0 is never used
        self._flat: dict[int, tuple[Ints, Ints]] = {}
        self.bases: list[int] = []  # first row of each score
        self.rows = 0
        self.positions: list[Ints] = []

    # -- rows

    def score(self, positions: Ints) -> Ints:
        """The ids of a new score's rows."""
        first = self.rows
        self.bases.append(first)
        self.positions.append(positions)
        self.rows += len(positions)
        return np.arange(first + 1, first + len(positions) + 1, dtype=np.int64)

    def position(self, row: Ints) -> Ints:
        """Validation positions of row ids."""
        event = np.searchsorted(self.bases, row - 1, side="right") - 1
        return np.array(
            [self.positions[e][r - 1 - self.bases[e]] for e, r in zip(event, row, strict=True)],
            dtype=np.int64,
        )

    # -- ids beside storages

    @property
    def empty(self) -> bool:
        """True while no tensor carries ids."""
        return not self._beside

    def has(self, tensor: Any) -> bool:
        """True when a storage carries ids (perhaps none in this view)."""
        return bool(self._beside) and tensor.untyped_storage()._cdata in self._beside

    def ids(self, tensor: Any) -> Ints | None:
        """The ids of a tensor in its shape, a view; None when its storage carries none."""
        beside = self._beside.get(tensor.untyped_storage()._cdata)
        return None if beside is None else _strided(beside, tensor)

    def mark(self, tensor: Any, ids: Ints) -> None:
        """Set the ids of a tensor."""
        beside = self._open(tensor)
        if beside is not None:
            np.copyto(_strided(beside, tensor), ids.reshape(tuple(tensor.shape)))

    def _open(self, tensor: Any) -> Ints | None:
        storage = tensor.untyped_storage()
        beside = self._beside.get(storage._cdata)
        if beside is None:
            size = storage.nbytes() // tensor.element_size()
            if size > self.most:
                return None
            beside = self._beside[storage._cdata] = np.zeros(size, dtype=np.int64)
            weakref.finalize(storage, self._beside.pop, storage._cdata, None)
        return beside

    # -- bags

    def bag(self, members: Ints) -> int:
        """The id of a sum over ids; a sum over one is itself, over none is 0."""
        members = members[members != 0]
        if len(members) < 2:
            return int(members[0]) if len(members) else 0
        self._bags.append(members.copy())
        return 1 - len(self._bags)

    def summed(self, ids: Ints, axes: tuple[int, ...] | None) -> Ints:
        """The ids of a sum over axes (None: all)."""
        if axes is None:
            return np.array(self.bag(ids.reshape(-1)), dtype=np.int64)
        kept = [a for a in range(ids.ndim) if a not in axes]
        moved = ids.transpose(*kept, *axes).reshape(*(ids.shape[a] for a in kept), -1)
        rows = moved.reshape(-1, moved.shape[-1])
        flat = np.array([self.bag(row) for row in rows], dtype=np.int64)
        return flat.reshape(moved.shape[:-1])

    def added(self, a: Ints, b: Ints) -> Ints:
        """The ids of an elementwise sum; equal ids stay one, since a part of a row is still that row."""
        a, b = np.broadcast_arrays(a, b)
        both = (a != 0) & (b != 0) & (a != b)
        merged = np.where(a != 0, a, b)
        for at in zip(*np.nonzero(both), strict=True) if both.ndim else ([()] if both else []):
            merged[at] = self.bag(np.array([a[at], b[at]]))
        return merged

    def rows_of(self, ids: Ints) -> tuple[Ints, Ints]:
        """Row ids and how often each occurs in a sum over these ids."""
        flat = ids.reshape(-1)
        rows, times = [flat[flat > 0]], [np.ones(int((flat > 0).sum()), dtype=np.int64)]
        for bag in flat[flat < 0]:
            found, count = self._flatten(int(bag))
            rows.append(found)
            times.append(count)
        return _counted(np.concatenate(rows), np.concatenate(times))

    def _flatten(self, bag: int) -> tuple[Ints, Ints]:
        """The rows of one bag; the answer is kept, since running totals hold the bag before."""
        waiting = [bag]
        while waiting:
            members = self._bags[-waiting[-1]]
            open_ = [int(m) for m in members[members < 0] if int(m) not in self._flat]
            if open_:
                waiting += open_
                continue
            plain = members[members > 0]
            parts = [(plain, np.ones(len(plain), dtype=np.int64))]
            parts += [self._flat[int(m)] for m in members[members < 0]]
            self._flat[waiting.pop()] = _counted(*(np.concatenate(side) for side in zip(*parts, strict=True)))
        return self._flat[bag]

    def sink(self, ids: Ints) -> tuple[tuple[int, int, int, int], ...]:
        """The rows of a number as messages give them: (score, first row, length, times)."""
        rows, times = self.rows_of(ids)
        if not len(rows):
            return ()
        event = np.searchsorted(self.bases, rows - 1, side="right") - 1
        own = rows - 1 - np.array(self.bases, dtype=np.int64)[event]
        cut = np.flatnonzero((np.diff(own) != 1) | (np.diff(event) != 0) | (np.diff(times) != 0)) + 1
        firsts = np.concatenate(([0], cut))
        lengths = np.diff(np.concatenate((firsts, [len(rows)])))
        return tuple(
            (int(event[f]), int(own[f]), int(n), int(times[f])) for f, n in zip(firsts, lengths, strict=True)
        )

    def single_positions(self, ids: Ints) -> Ints:
        """For each element the one validation position it is made of; -1 for none or several."""
        flat = ids.reshape(-1)
        out = np.full(len(flat), -1, dtype=np.int64)
        plain = flat > 0
        out[plain] = self.position(flat[plain])
        for at in np.flatnonzero(flat < 0):
            out[at] = self._single(int(flat[at]))
        return out

    def _single(self, number: int) -> int:
        """The one position behind a sum, whose number is negative; -1 for none or several."""
        found = np.unique(self.position(self._flatten(number)[0]))
        return int(found[0]) if len(found) == 1 else -1


def _counted(rows: Ints, times: Ints) -> tuple[Ints, Ints]:
    unique, inverse = np.unique(rows, return_inverse=True)
    count = np.zeros(len(unique), dtype=np.int64)
    np.add.at(count, inverse, times)
    return unique, count


def _strided(beside: Ints, tensor: Any) -> Ints:
    """The part of a storage's ids that a tensor shows."""
    with torch._C.DisableTorchFunction():
        shape, strides, offset = tuple(tensor.shape), tensor.stride(), tensor.storage_offset()
    return np.lib.stride_tricks.as_strided(
        beside[offset:], shape, tuple(8 * s for s in strides), writeable=True
    )
