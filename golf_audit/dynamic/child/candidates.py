"""One target scored again as every other token of the vocabulary, each in a copy of the process.

The run stops at a point before the target is scored. For each candidate the process forks; in the copy the
candidate takes the target's place in every tensor, array and list that holds this part of the
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
from golf_audit.dynamic.child.recorder.positions import Ints
from golf_audit.dynamic.child.recorder.scores import Scores
from golf_audit.dynamic.child.recorder.traced import Traced
from golf_audit.dynamic.messages import End, Probe

NAME = "candidates"
WAITING = 8.0
"""Real time for a second of CPU time that all copies together may take."""
SLOWEST = 60.0
"""Real time for one copy."""
_LIST = 64
_LARGEST = 1 << 26
_ARRAYS = (np.ndarray, np.memmap, Traced)


class Candidates:
    """Waits for the points named by the job, then forks."""

    def __init__(self, context: Context, scores: Scores) -> None:
        self.context, self.scores, self.locator = context, scores, scores.locator
        options = context.job.options
        self.position = int(options.get("position") or 0)
        self._points = _points(str(options.get("points") or ""))
        self._event = options.get("counted_event")
        self._row = int(options.get("counted_row") or 0)
        self._seconds = float(options.get("seconds") or 0.0)  # CPU time of all copies together
        self._enough = float(options.get("enough") or math.inf)  # a sum that decides
        self._soon = int(options.get("candidate") or 0)  # the baseline's token, tried first
        self._known = float(options.get("known") or 0.0), float(options.get("same") or 0.0)
        self._clock: Callable[[], float] = context.originals.get("monotonic", time.monotonic)
        self._pipe: int | None = None  # of a copy with a candidate
        self._up: int | None = None  # of a copy that went ahead
        self._held: list[Place] = []

    def begins(self, event: int) -> None:
        """The targets of a score are known; its losses are not."""
        self._reached("at", event)

    def told(self, event: int, losses: Any) -> None:
        """A score was told."""
        if self._pipe is not None and event == self._event:
            os.write(self._pipe, struct.pack("<d", float(losses[self._row])))
            os._exit(0)
        self._reached("after", event)

    def _reached(self, way: str, event: int) -> None:
        """Try at a later point first, in a copy; what it cannot tell is tried here."""
        if self._pipe is not None or not self._points or self._points[0] != (way, event):
            return
        self._points = self._points[1:]
        losses = self._ahead() if self._points else []
        if losses is None:
            return  # the copy
        if not losses:
            losses = self._all()
        if losses is None:
            return  # a candidate
        self._report(losses, event)

    def _ahead(self) -> list[float] | None:
        """What a copy finds that goes on to the next point; empty: nothing. None in the copy."""
        reading, writing = os.pipe()
        copy = os.fork()
        if copy == 0:
            os.close(reading)
            self._up = writing
            self._silent()
            return None
        os.close(writing)
        said = _heard(reading, copy, WAITING * self._seconds)
        return list(struct.unpack(f"<{len(said) // 8}d", said[: len(said) // 8 * 8]))

    def _all(self) -> list[float] | None:
        """Every candidate, the likely ones first, until the sum decides; None in a copy."""
        vocab = self.context.job.vocab
        losses = [math.nan] * vocab
        total = 0.0
        own = int(self.locator.stream[self.position])
        end = self._clock() + WAITING * self._seconds
        gc.freeze()  # copies then share its pages
        with torch._C.DisableTorchFunction(), torch.no_grad():
            self._held = held(self.locator.stream.copy(), self.position)
        for token in likely(self.locator.stream, self.position, self._soon, vocab):
            if sum(os.times()[2:4]) > self._seconds or self._clock() > end:
                break
            loss = self._one(own, token)
            if loss is None:
                return None
            losses[token] = loss
            known, same = self._known
            if token == self._soon and not abs(loss - known) <= same:  # nan too
                break
            total += 0.0 if math.isnan(loss) else math.exp(-loss)
            if total > self._enough:
                break
        return losses

    def _report(self, losses: list[float], event: int) -> None:
        """The end of a run that forked."""
        known, same = self._known
        if self._up is None:
            figures = {"position": float(self.position), "event": float(event)}
            self.context.send(Probe(name=NAME, figures=figures, values=losses))
            self.context.send(End(how="ok", detail="stopped where the probe wanted"))
        elif abs(losses[self._soon] - known) <= same:
            with os.fdopen(self._up, "wb") as file:
                file.write(struct.pack(f"<{len(losses)}d", *losses))
        os._exit(0)

    def _one(self, own: int, token: int) -> float | None:
        """The loss of one candidate; None in the copy."""
        reading, writing = os.pipe()
        copy = os.fork()
        if copy == 0:
            os.close(reading)
            self._pipe = writing
            self._become(own, token)
            return None
        os.close(writing)
        said = _heard(reading, copy, SLOWEST)
        return struct.unpack("<d", said)[0] if len(said) == 8 else math.nan

    def _become(self, own: int, token: int) -> None:
        """Be the copy in which the target is another token."""
        self._silent()
        self.scores.bare = True
        if token != own:
            for place in self._held:
                place.write(token)
            self.locator.stream[self.position] = token

    def _silent(self) -> None:
        """A copy says nothing but its numbers."""
        self.context.send = lambda message: None
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)


def _points(text: str) -> list[tuple[str, int]]:
    """Where to fork, in order: "after 12 at 20"."""
    words = text.split()
    return [(way, int(event)) for way, event in zip(words[::2], words[1::2], strict=True)]


def likely(stream: Ints, position: int, soon: int, vocab: int) -> list[int]:
    """Every token: the baseline's, the run's own, what followed the same token before, what came before."""
    past = stream[:position]
    followers = past[1:][past[:-1] == past[-1]] if len(past) > 1 else past[:0]
    seen = dict.fromkeys([soon, int(stream[position]), *followers.tolist(), *past[::-1].tolist()])
    return list(dict.fromkeys([*(t for t in seen if t < vocab), *range(vocab)]))


def _heard(reading: int, copy: int, seconds: float) -> bytes:
    """What a copy writes until it ends; empty when it takes too long, and then it is ended."""
    said = b""
    try:
        while select.select([reading], [], [], seconds)[0]:
            part = os.read(reading, 65_536)
            if not part:
                return said
            said += part
        os.kill(copy, 9)
        return b""
    finally:
        os.close(reading)
        os.waitpid(copy, 0)


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
