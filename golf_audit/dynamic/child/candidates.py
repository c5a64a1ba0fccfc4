"""One target scored again as every other token of the vocabulary, each in a copy of the process.

The run stops behind the score before the target is first touched. For each candidate the process forks; in
the copy the candidate takes the target's place in every tensor, array and list that holds this part of the
validation stream, and the copy goes on until the counted score of that position. What the copies say are
probabilities of the candidates after the same past. Whether memory was changed completely is seen by our
process: the run reads another token there than the baseline did, and one candidate is the baseline's.
"""

from __future__ import annotations

import ctypes
import gc
import math
import os
import select
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from golf_audit.dynamic.child.context import Context
from golf_audit.dynamic.child.recorder.positions import Ints, Locator
from golf_audit.dynamic.child.recorder.traced import Traced
from golf_audit.dynamic.messages import End, Probe

NAME = "candidates"
WAITING = 8.0
"""Real time for a second of CPU time that all copies together may take."""
SLOWEST = 20.0
"""Real time for one copy."""
_LIST = 64
_LARGEST = 1 << 26
_ARRAYS = (np.ndarray, np.memmap, Traced)


class Candidates:
    """Waits for the score named by the job, then forks."""

    def __init__(self, context: Context, locator: Locator) -> None:
        self.context, self.locator = context, locator
        options = context.job.options
        self.position = int(options.get("position") or 0)
        self._after, self._event = options.get("after_event"), options.get("counted_event")
        self._row = int(options.get("counted_row") or 0)
        self._seconds = float(options.get("seconds") or 0.0)  # CPU time of all copies together
        self._soon = int(options.get("candidate") or 0)  # the one that must not be left out
        self._clock: Callable[[], float] = context.originals.get("monotonic", time.monotonic)
        self._pipe: int | None = None  # of a copy
        self._held: list[Place] = []

    def told(self, event: int, losses: Any) -> None:
        """A score was told."""
        if self._pipe is not None:
            if event == self._event:
                os.write(self._pipe, struct.pack("<d", float(losses[self._row])))
                os._exit(0)
        elif self._after is not None and event == self._after:
            self._all()

    def _all(self) -> None:
        """Every candidate, the likely ones first; in a copy this returns, else the run ends."""
        vocab = self.context.job.vocab
        losses = [math.nan] * vocab
        own = int(self.locator.stream[self.position])
        earlier = [int(t) for t in np.unique(self.locator.stream[: self.position])]
        order = dict.fromkeys([own, self._soon, *(t for t in earlier if t < vocab), *range(vocab)])
        end = self._clock() + WAITING * self._seconds
        gc.freeze()  # copies then share its pages
        with torch._C.DisableTorchFunction(), torch.no_grad():
            self._held = held(self.locator.stream.copy(), self.position)
        for token in order:
            if sum(os.times()[2:4]) > self._seconds or self._clock() > end:
                break
            loss = self._one(own, token)
            if loss is None:
                return  # a copy
            losses[token] = loss
        figures = {"position": float(self.position), "own": float(own)}
        self.context.send(Probe(name=NAME, figures=figures, values=losses))
        self.context.send(End(how="ok", detail="stopped where the probe wanted"))
        os._exit(0)

    def _one(self, own: int, token: int) -> float | None:
        """The loss of one candidate; None in the copy."""
        reading, writing = os.pipe()
        copy = os.fork()
        if copy == 0:
            os.close(reading)
            self._become(own, token, writing)
            return None
        os.close(writing)
        try:
            ready = select.select([reading], [], [], SLOWEST)[0]
            said = os.read(reading, 8) if ready else b""
            if not ready:
                os.kill(copy, 9)
        finally:
            os.close(reading)
            os.waitpid(copy, 0)
        return struct.unpack("<d", said)[0] if len(said) == 8 else math.nan

    def _become(self, own: int, token: int, pipe: int) -> None:
        """Be the copy in which the target is another token; silent but for its one number."""
        self._pipe = pipe
        self.context.send = lambda message: None
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        if token != own:
            for place in self._held:
                place.write(token)
            self.locator.stream[self.position] = token


@dataclass(frozen=True)
class Place:
    """Where memory holds the target: an array or a list, and an index."""

    holder: Any
    index: Any

    def write(self, token: int) -> None:
        """Write, into memory that is marked as read-only too: the copy of the process does not live long."""
        if type(self.holder) is list or self.holder.flags.writeable:
            self.holder[self.index] = token
            return
        value = np.array(token, dtype=self.holder.dtype)
        offset = sum(i * s for i, s in zip(self.index, self.holder.strides, strict=True))
        ctypes.memmove(self.holder.ctypes.data + int(offset), value.ctypes.data, value.nbytes)


def held(stream: Ints, position: int) -> list[Place]:
    """Every place of memory that holds a validation target beside one of its neighbours."""
    after = int(stream[position + 1]) if position + 1 < len(stream) else -1
    around = (int(stream[position - 1]), int(stream[position]), after)
    found = [
        Place(array, np.unravel_index(at, array.shape)) for array in _arrays() for at in _flat(array, around)
    ]
    return found + [Place(one, at) for one in _lists() for at in _flat(np.array(one), around)]


def _arrays() -> Iterator[Any]:
    """Every array of whole numbers, once: of numpy, and the memory of tensors."""
    seen: set[int] = set()
    for one in _reachable():
        if issubclass(type(one), torch.Tensor):
            if one.device.type != "cpu" or one.dtype.is_floating_point or one.dtype is torch.bool:
                continue
            if one.is_complex() or not one.is_contiguous() or one.layout is not torch.strided:
                continue
            one = one.detach().numpy()
        if type(one) not in _ARRAYS or one.dtype.kind not in "iu" or not 1 < one.size < _LARGEST:
            continue
        plain = one.view(np.ndarray)
        key = hash((plain.ctypes.data, plain.size, plain.dtype.str, plain.strides))
        if key not in seen:
            seen.add(key)
            yield plain


def _reachable() -> Iterator[Any]:
    """Objects that the collector knows, what they refer to, and the variables of running functions."""
    frame: Any = sys._getframe()
    while frame is not None:
        yield from frame.f_locals.values()
        frame = frame.f_back
    objects = gc.get_objects()
    yield from objects
    for first in range(0, len(objects), 1000):
        yield from (x for x in gc.get_referents(*objects[first : first + 1000]) if type(x) in _ARRAYS)


def _lists() -> Iterator[list[Any]]:
    for one in gc.get_objects():
        if type(one) is list and len(one) >= _LIST and all(type(x) is int for x in one):
            yield one


def _flat(array: Any, around: tuple[int, int, int]) -> list[int]:
    """Flat indices of the target: it stands beside its neighbour on either side."""
    flat = array.reshape(-1)
    before, own, after = around
    return [
        int(at)
        for at in np.flatnonzero(flat == own)
        if (at > 0 and flat[at - 1] == before) or (at + 1 < len(flat) and flat[at + 1] == after)
    ]
