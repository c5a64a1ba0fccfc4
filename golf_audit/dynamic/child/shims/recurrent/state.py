"""The state that linear recurrences carry: a matrix per head that decays and takes in outer products.

A step-by-step loop is the definition. Here a stretch of steps is computed at once: what a step reads of an
earlier one is a masked product, as in attention, and what it reads of all before the stretch is the state.
The sums are the same, and a later step enters an earlier one with weight zero.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

STRETCH = 64
"""Steps computed at once."""


class Stretch:
    """The decay inside some steps: tensors (batch, heads, steps, ...), the state (batch, heads, n, dim)."""

    def __init__(self, log_decay: Any) -> None:
        steps = log_decay.shape[-1]
        self.since = log_decay.cumsum(-1)
        """The logarithm of what is left of the state from before, after each step."""
        later = torch.ones(steps, steps, dtype=torch.bool, device=log_decay.device).triu(1)
        gone = (self.since[..., :, None] - self.since[..., None, :]).masked_fill(later, -torch.inf)
        self.left = torch.exp(gone)
        """[t, s]: what is left of step s after step t; zero where s is later."""

    def read(self, queries: Any, keys: Any, values: Any, state: Any) -> Any:
        """y[t] = S[t]^T queries[t]. Keys and values: one for each step, or r for each, one after another."""
        left = self.left.repeat_interleave(keys.shape[2] // queries.shape[2], dim=-1)
        before = torch.exp(self.since)[..., None] * (queries @ state)
        return (queries @ keys.mT * left) @ values + before

    def last(self, keys: Any, values: Any, state: Any) -> Any:
        """S after the last step."""
        left = self.left[..., -1, :].repeat_interleave(keys.shape[2] // self.left.shape[-1], dim=-1)
        return torch.exp(self.since[..., -1])[..., None, None] * state + keys.mT @ (left[..., None] * values)


def decayed(log_decay: Any, keys: Any, values: Any, queries: Any, state: Any = None) -> tuple[Any, Any]:
    """S[t] = e^log_decay[t] S[t-1] + sum over r of keys[t, r] values[t, r]^T;  y[t] = S[t]^T queries[t].

    log_decay: (batch, length, heads). keys, values: (batch, length, heads, r, n or dim). queries: (batch,
    length, heads, n). state: (batch, heads, n, dim), zero where None. Gives y (batch, length, heads, dim) and
    the last state."""
    if state is None:
        state = values.new_zeros(values.shape[0], values.shape[2], keys.shape[-1], values.shape[-1])
    outputs = []
    for parts in zip(*(x.split(STRETCH, dim=1) for x in (log_decay, keys, values, queries)), strict=True):
        decay, key, value, query = (part.transpose(1, 2) for part in parts)
        stretch, key, value = Stretch(decay), key.flatten(2, 3), value.flatten(2, 3)
        outputs.append(stretch.read(query, key, value, state))
        state = stretch.last(key, value, state)
    return torch.cat(outputs, dim=2).transpose(1, 2), state


def corrected(
    log_decay: Any, keys: Any, values: Any, rate: Any, queries: Any, state: Any = None
) -> tuple[Any, Any]:
    """The gated delta rule: the state is moved towards giving values[t] for keys[t].

    S[t] = e^log_decay[t] S[t-1] + keys[t] u[t]^T, where u[t] = rate[t] (values[t] - e^log_decay[t] S[t-1]^T
    keys[t]);  y[t] = S[t]^T queries[t]. Shapes as in `decayed` without r; rate: (batch, length, heads). The u
    of a stretch solve a triangular system: each needs those before it alone."""
    if state is None:
        state = values.new_zeros(values.shape[0], values.shape[2], keys.shape[-1], values.shape[-1])
    outputs = []
    inputs = (log_decay, keys, values, rate, queries)
    for parts in zip(*(x.split(STRETCH, dim=1) for x in inputs), strict=True):
        decay, key, value, step, query = (part.transpose(1, 2) for part in parts)
        stretch, step = Stretch(decay), step[..., None]
        read = torch.tril(step * (key @ key.mT) * stretch.left, -1)
        wanted = step * (value - torch.exp(stretch.since)[..., None] * (key @ state))
        update = torch.linalg.solve_triangular(read, wanted, upper=False, unitriangular=True)
        outputs.append(stretch.read(query, key, update, state))
        state = stretch.last(key, update, state)
    return torch.cat(outputs, dim=2).transpose(1, 2), state


def shared(x: Any, heads: int, dim: int = 2) -> Any:
    """Fewer heads than `heads` serve neighbours alike, as in grouped-query attention."""
    group = heads // x.shape[dim]
    return x.repeat_interleave(group, dim=dim) if group > 1 else x


class Pieces:
    """The pieces of one packed row (1, length, ...), as a batch padded with zeros, and back.

    A recurrence of which a step of zeros changes nothing runs over the batch; no piece sees another."""

    def __init__(self, offsets: Any, length: int) -> None:
        ends = [int(one) for one in offsets]
        self.lengths = [end - start for start, end in pairwise(ends)]
        if ends[0] != 0 or ends[-1] != length or min(self.lengths) < 0:
            raise ValueError(f"offsets must rise from 0 to the {length} positions of the row, and are {ends}")

    def split(self, x: Any) -> Any:
        """(1, length, ...) to (pieces, longest, ...)."""
        if x.shape[0] != 1:
            raise ValueError(f"packed sequences need a batch of 1, not {x.shape[0]}")
        return pad_sequence(x[0].split(self.lengths), batch_first=True)

    def join(self, x: Any) -> Any:
        """(pieces, longest, ...) to (1, length, ...)."""
        return torch.cat([row[:length] for row, length in zip(x, self.lengths, strict=True)])[None]

    def last(self, x: Any) -> Any:
        """What stands at the last position of each piece."""
        if 0 in self.lengths:
            raise ValueError("an empty piece has no last position")
        at = torch.tensor(self.lengths, device=x.device) - 1
        return x[torch.arange(len(self.lengths), device=x.device), at]
