"""From the targets of a loss to positions in the validation stream, by value alone.

Whatever slicing, gathering and padding built a target tensor, four neighbours in a row name one place of the
stream: no pair of neighbours occurs twice in it (miniature/tokens.py). Short pieces are placed by pairs,
single targets by the inputs that the model was just given.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

LONG = 4
"""Neighbours that place a piece beyond doubt: they occur elsewhere about once in 10^9."""


class Locator:
    """Finds targets in the validation stream."""

    def __init__(self, stream: Ints, vocab: int) -> None:
        self.stream = stream.astype(np.int64)
        self.vocab = max(vocab, int(stream.max()) + 1)
        self._tables = {n: self._table(n) for n in (2, LONG)}
        self._inputs: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def _table(self, n: int) -> tuple[Ints, Ints]:
        """The keys of all pieces of n tokens, sorted, and where each begins."""
        keys = self._keys(self.stream[None, :], n)[0]
        order = np.argsort(keys)
        return keys[order], order.astype(np.int64)

    def _keys(self, rows: Ints, n: int) -> Ints:
        """One number for each piece of n neighbours; -1 for pieces with anything but tokens."""
        width = rows.shape[1] - n + 1
        keys = np.zeros((rows.shape[0], max(width, 0)), dtype=np.int64)
        valid = np.ones_like(keys, dtype=bool)
        for shift in range(n):
            part = rows[:, shift : shift + width]
            keys = keys * 65_537 + part if n > 3 else keys * self.vocab + part
            valid &= (part > 0) & (part < self.vocab)
        return np.where(valid, keys, -1)

    def _starts(self, rows: Ints, n: int) -> Ints:
        """For each piece of n neighbours, where it begins in the stream; -1 elsewhere."""
        keys = self._keys(rows, n)
        known, order = self._tables[n]
        at = np.searchsorted(known, keys)
        at = np.minimum(at, len(known) - 1)
        found = np.where((known[at] == keys) & (keys >= 0), order[at], -1)
        for shift in range(n):  # a key that wrapped around proves nothing
            part = rows[:, shift : shift + keys.shape[1]]
            found = np.where((found >= 0) & (self.stream[np.maximum(found, 0) + shift] == part), found, -1)
        return found

    def locate(self, targets: Any) -> Ints:
        """Positions of targets of any shape, flat; -1 for those that are not in the validation stream.

        The inputs come first where they explain most targets: in a flattened batch the end of one row and the
        start of the next may by chance look like neighbours. Where they explain few they are those of an
        earlier call and mean nothing."""
        values = np.asarray(targets, dtype=np.int64)
        rows = values.reshape(1, -1) if values.ndim < 2 else values.reshape(-1, values.shape[-1])
        found = np.full(rows.shape, -1, dtype=np.int64)
        likely = self._from_inputs(values.reshape(-1)).reshape(rows.shape)
        tokens = (rows > 0) & (rows < self.vocab)
        if 2 * (likely > 0).sum() > tokens.sum():
            found = likely.copy()
        if rows.shape[1] >= LONG and (found < 0).any():
            self._spread(found, self._starts(rows, LONG), LONG)
        if (found < 0).any():
            self._short(rows, found)
        return np.where(found == 0, -1, found).reshape(-1)  # the first token is nobody's target

    @staticmethod
    def _spread(found: Ints, starts: Ints, n: int) -> None:
        """Give each member of a placed piece its position."""
        for shift in range(n):
            part = found[:, shift : shift + starts.shape[1]]
            np.copyto(part, starts + shift, where=(starts >= 0) & (part < 0))

    def _short(self, rows: Ints, found: Ints) -> None:
        """Pieces of two or three targets between borders or padding."""
        valid = (rows > 0) & (rows < self.vocab)
        for r in np.flatnonzero(((found < 0) & valid).any(axis=1)):
            for first, end in _pieces(valid[r]):
                if 2 <= end - first < LONG and (found[r, first:end] < 0).all():
                    self._spread(found[r : r + 1, first:end], self._starts(rows[r : r + 1, first:end], 2), 2)

    def saw_inputs(self, tokens: Any) -> None:
        """Remember the inputs that an embedding was just given."""
        values = np.asarray(tokens, dtype=np.int64)
        rows = values.reshape(1, -1) if values.ndim < 2 else values.reshape(-1, values.shape[-1])
        found = np.full(rows.shape, -1, dtype=np.int64)
        if rows.shape[1] >= LONG:
            self._spread(found, self._starts(rows, LONG), LONG)
        if (found >= 0).any():  # an embedding of hashed pairs comes after that of the tokens
            self._inputs = np.ravel(found)

    def after_inputs(self) -> Ints:
        """The position that follows each of the last inputs; -1 where that is not known."""
        return np.where((self._inputs >= 0) & (self._inputs + 1 < len(self.stream)), self._inputs + 1, -1)

    def _from_inputs(self, values: Ints) -> Ints:
        """For each target the position after the input at the same place, if that token stands there."""
        if len(self._inputs) != len(values):
            return np.full(len(values), -1, dtype=np.int64)
        after = self.after_inputs()
        return np.where((after > 0) & (self.stream[np.maximum(after, 0)] == values), after, -1)


def _pieces(valid: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of true values as half-open spans."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], valid.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def read_stream(path: str) -> Ints:
    """The tokens of a shard."""
    return np.fromfile(path, dtype="<u2", offset=1024).astype(np.int64)
