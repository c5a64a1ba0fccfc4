"""Which position of the validation stream each token of a tensor is, by where the tensor came from.

Values cannot tell: real text repeats itself. So a tensor of tokens that begins where a validation shard
begins and holds its tokens is known once, and from there positions follow every slice, index, copy and write.
What is cut out in numpy, or computed, has none; a position whose token is not the stream's is dropped.
"""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from golf_audit.dynamic.child.recorder.flow import MOVES, tensors, words

Ints = NDArray[np.int64]
SHARDS = "fineweb_val_*.bin"
_HEADER = 256
_LEAST = 1024
"""Tokens of the shortest tensor that may be the stream."""
_FIRST = 64
_SAME = words("to long int short type cuda cpu pin_memory contiguous clone detach __get__")
_WRITES = words("__setitem__ copy_ index_put_ index_copy_ masked_fill_")
_CLEARS = words("fill_ zero_ random_")
_JOINS = words("cat concat concatenate stack hstack vstack")
_FILLS = words("where masked_fill pad")
"""Moves that bring in further content; all other arguments of moves are places and sizes."""


class Tokens:
    """Positions beside the storages of token tensors: 1 + the index in the stream, 0 for anything else."""

    def __init__(self) -> None:
        self.stream: NDArray[np.uint16] = np.zeros(0, dtype=np.uint16)
        self.folder: Path | None = None
        self.others: list[Path] = []  # further folders of which validation shards were opened
        self._starts: list[int] = []
        self._beside: dict[int, Any] = {}
        self._looked: set[tuple[int, int]] = set()

    # -- the stream

    def opened(self, path: Path) -> bool:
        """A validation shard was opened: the first one names the stream. True when it is read now."""
        if self.folder is None:
            self.folder = path.parent
            shards = sorted(p for p in path.parent.glob(SHARDS) if "bytes" not in p.name)
            parts = [_tokens(p) for p in shards]
            self._starts = np.cumsum([0, *(len(part) for part in parts[:-1])]).tolist()
            self.stream = np.concatenate(parts)
            return True
        if path.parent != self.folder and path.parent not in self.others:
            self.others.append(path.parent)
        return False

    def _recognise(self, tensor: Any) -> None:
        """Give a tensor that holds a shard's tokens from their first on its positions."""
        key = (tensor.untyped_storage()._cdata, tensor.storage_offset())
        if key in self._looked:
            return
        self._looked.add(key)
        weakref.finalize(tensor.untyped_storage(), self._looked.discard, key)
        first = tensor[:_FIRST].cpu().long().numpy()
        for start in self._starts:
            count = len(tensor)
            if start + count > len(self.stream) or (self.stream[start : start + len(first)] != first).any():
                continue
            if (self.stream[start : start + count] == tensor.cpu().numpy()).all():
                self._mark(tensor, torch.arange(start + 1, start + count + 1))
                return

    # -- positions

    def of(self, tensor: Any) -> Any:
        """The positions of a tensor's elements in its shape, a view; None when none is known."""
        beside = self._beside.get(tensor.untyped_storage()._cdata)
        if beside is None:
            return None
        return beside.as_strided(tuple(tensor.shape), tensor.stride(), tensor.storage_offset())

    def positions(self, targets: Any) -> Ints | None:
        """For each target its position (tokens before it), flat; -1 for what is none; None: none is known."""
        beside = self.of(targets)
        if beside is None:
            return None
        at = beside.reshape(-1).numpy() - 1
        held = self.stream[np.maximum(at, 0)] == targets.detach().reshape(-1).cpu().numpy()
        found = np.where((at > 0) & held, at, -1)  # the first token is nobody's target
        return found if (found > 0).any() else None

    def touched(self, args: Any, options: Any) -> bool:
        """True when an argument carries positions; a tensor that is the stream is known from here on."""
        if not len(self.stream):
            return False
        for tensor in tensors((args, options)) if _nested(args, options) else args:
            if not isinstance(tensor, torch.Tensor) or not _whole(tensor):
                continue
            if tensor.untyped_storage()._cdata in self._beside:
                return True
            if tensor.dim() == 1 and len(tensor) >= _LEAST and not tensor.requires_grad:
                self._recognise(tensor)
                if tensor.untyped_storage()._cdata in self._beside:
                    return True
        return False

    def followed(self, name: str, function: Any, args: Any, options: Any, result: Any) -> None:
        """After a call on tensors with positions: the positions of what came out of it."""
        if name in _WRITES or name in _CLEARS:
            self._written(name, function, args, options)
        elif name in _SAME:
            if isinstance(result, torch.Tensor) and _whole(result) and self._new(result):
                self._mark(result, self.of(args[0]))
        elif name in MOVES:
            found = result if isinstance(result, (list, tuple)) else (result,)
            if all(isinstance(part, torch.Tensor) and not self._new(part) for part in found):
                return  # views: their storage carries the positions already
            moved = self._moved(name, function, args, options)
            if moved is None:
                return
            for part, at in zip(found, moved if isinstance(moved, (list, tuple)) else (moved,), strict=True):
                if isinstance(part, torch.Tensor) and _whole(part) and self._new(part):
                    self._mark(part, at)

    def _moved(self, name: str, function: Any, args: Any, options: Any) -> Any:
        """The same move of the positions; None where what moves has none."""
        if name in _JOINS:
            return function([self._content(part) for part in args[0]], *args[1:], **_plain(options))
        if name == "where" and len(args) == 3:
            return function(args[0].cpu(), self._content(args[1]), self._content(args[2]))
        at = self.of(args[0]) if args and isinstance(args[0], torch.Tensor) else None
        if at is None:
            return None
        if name == "masked_fill":
            return function(at, args[1].cpu(), 0)
        if name == "pad":
            return function(at, args[1] if len(args) > 1 else options["pad"])
        return function(at, *_places(args[1:]), **_plain(_places(options)))

    def _written(self, name: str, function: Any, args: Any, options: Any) -> None:
        """Writes into args[0]: the last argument is content, those before it are places."""
        target = args[0]
        if not isinstance(target, torch.Tensor) or not _whole(target):
            return
        at = self.of(target)
        if at is None:
            at = self._open(target)
        if name in _CLEARS:
            at.zero_()
        elif name == "copy_":
            at.copy_(self._content(args[1]))
        else:
            function(at, *_places(args[1:-1]), self._content(args[-1]), **_plain(_places(options)))

    def _content(self, value: Any) -> Any:
        """Positions in place of tokens; 0 for everything else that is written or joined."""
        if not isinstance(value, torch.Tensor):
            return 0
        at = self.of(value) if _whole(value) else None
        return torch.zeros(tuple(value.shape), dtype=torch.int64) if at is None else at

    def _new(self, tensor: Any) -> bool:
        return tensor.untyped_storage()._cdata not in self._beside

    def _open(self, tensor: Any) -> Any:
        """Positions beside a tensor's storage, all unknown; returns the tensor's own."""
        storage = tensor.untyped_storage()
        beside = torch.zeros(storage.nbytes() // tensor.element_size(), dtype=torch.int64)
        self._beside[storage._cdata] = beside
        weakref.finalize(storage, self._beside.pop, storage._cdata, None)
        return self.of(tensor)

    def _mark(self, tensor: Any, at: Any) -> None:
        if at is not None and bool((at > 0).any()):
            self._open(tensor).copy_(at.reshape(tuple(tensor.shape)))


def _tokens(path: Path) -> NDArray[np.uint16]:
    """The tokens of a shard: as many as its header says, behind 256 numbers of 4 bytes."""
    header = np.fromfile(path, dtype="<i4", count=_HEADER)
    return np.fromfile(path, dtype="<u2", offset=4 * _HEADER, count=int(header[2]))


def _nested(args: Any, options: Any) -> bool:
    return bool(options) or any(type(value) in (list, tuple) for value in args)


def _whole(value: Any) -> bool:
    return value.dtype in (torch.int64, torch.int32, torch.int16, torch.uint16)


def _places(value: Any) -> Any:
    """Arguments as they are, tensors on the processor, where positions lie."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if type(value) in (list, tuple):
        return type(value)(_places(v) for v in value)
    return {k: _places(v) for k, v in value.items()} if type(value) is dict else value


def _plain(options: Any) -> dict[str, Any]:
    return {k: v for k, v in options.items() if k not in ("dtype", "out", "device")}
