"""Ids in numpy: an array that carries the ids of the tensor it came from through arithmetic."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

from golf_audit.dynamic.child.context import replace
from golf_audit.dynamic.child.recorder.ledger import Ints, Ledger

_LINEAR = {np.add, np.subtract, np.negative, np.positive, np.multiply, np.divide}
_LOGS = {np.log, np.log2, np.log10, np.log1p, np.logaddexp, np.logaddexp2}


class Followed:
    """What arrays of one run share: the ledger, and what to do with logarithms and numbers."""

    ledger: Ledger
    recorder: Any = None


class Traced(np.ndarray[Any, Any]):
    """An array with ids beside its elements (`_ids`, the same shape; None: lost)."""

    _ids: Ints | None

    def __array_finalize__(self, other: Any) -> None:
        self._ids = None

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.get("out")
        if out is not None:
            options["out"] = tuple(_plain(x) for x in out)
        result = getattr(ufunc, method)(*(_plain(x) for x in inputs), **options)
        if out is not None and isinstance(out[0], Traced):
            out[0]._ids = self._after(ufunc, method, inputs, options, result)
            return out[0]
        ids = self._after(ufunc, method, inputs, options, result)
        return result if ids is None else traced(result, ids)

    def _after(self, ufunc: Any, method: str, inputs: Any, options: Any, result: Any) -> Ints | None:
        if method == "reduce" and ufunc is np.add:
            ids = _ids(inputs[0])
            axis = options.get("axis", 0)
            if ids is None:
                return None
            axes = (
                None
                if axis is None
                else tuple(a % ids.ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
            )
            return Followed.ledger.summed(ids, axes)
        if method != "__call__" or not isinstance(result, (np.ndarray, np.generic)):
            return None
        if result.dtype.kind != "f":
            return None
        merged: Ints | None = None
        for one in inputs:
            ids = _ids(one)
            if ids is not None:
                wide = np.broadcast_to(ids, np.shape(result))
                merged = wide if merged is None else Followed.ledger.added(merged, wide)
        if merged is not None and ufunc is np.multiply:
            for one in inputs:
                if _ids(one) is None and np.ndim(one):
                    merged = np.where(np.broadcast_to(np.asarray(one) == 0, np.shape(result)), 0, merged)
        if merged is not None and ufunc in _LOGS:
            new: Ints = Followed.recorder.logged(
                np.asarray(result), np.array(merged), 2 if ufunc is np.log2 else None
            )
            return new
        return merged

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function in _MOVES:
            result = function(*_plain(args), **_plain(options))
            if not _any_ids(args):
                return result
            ids = function(*_as_ids(args), **{k: v for k, v in options.items() if k != "dtype"})
            return traced(result, ids)
        if function in (np.sum, np.mean) and _ids(args[0]) is not None:
            axis = options.get("axis", args[1] if len(args) > 1 else None)
            return _summing(args[0], function(*_plain(args), **_plain(options)), axis)
        return super().__array_function__(function, types, args, options)  # its ufuncs come back here

    def __getitem__(self, key: Any) -> Any:
        result = _plain(self)[key]
        if self._ids is None:
            return result
        ids = self._ids[key]
        if isinstance(result, np.ndarray):
            return traced(result, ids)
        return traced(np.asarray(result), np.asarray(ids)) if ids else result

    def __setitem__(self, key: Any, value: Any) -> None:
        _plain(self)[key] = _plain(value)
        if self._ids is not None:
            ids = _ids(value)
            self._ids[key] = 0 if ids is None else ids
        elif (new := _ids(value)) is not None:
            self._ids = np.zeros(self.shape, dtype=np.int64)
            self._ids[key] = new

    def __float__(self) -> float:
        return self._leaves(float(_plain(self)))

    def item(self, *args: Any) -> Any:
        if args:
            return self[args].item() if isinstance(self[args], Traced) else _plain(self).item(*args)
        value = _plain(self).item()
        return self._leaves(value) if isinstance(value, float) else value

    def tolist(self) -> Any:
        plain = _plain(self)
        if self._ids is not None:
            self._leaves(float(plain.sum()))
        return plain.tolist()

    def sum(self, axis: Any = None, *args: Any, **options: Any) -> Any:
        return _summing(self, _plain(self).sum(axis, *args, **options), axis)

    def mean(self, axis: Any = None, *args: Any, **options: Any) -> Any:
        return _summing(self, _plain(self).mean(axis, *args, **options), axis)

    def astype(self, *args: Any, **options: Any) -> Any:
        result = _plain(self).astype(*args, **options)
        return result if self._ids is None or result.dtype.kind != "f" else traced(result, self._ids)

    def copy(self, *args: Any, **options: Any) -> Any:
        result = _plain(self).copy(*args, **options)
        return result if self._ids is None else traced(result, self._ids)

    def reshape(self, *args: Any, **options: Any) -> Any:
        result = _plain(self).reshape(*args, **options)
        return (
            result if self._ids is None else traced(result, self._ids.reshape(*args, **options), share=True)
        )

    def _leaves(self, value: float) -> float:
        if self._ids is not None and Followed.recorder is not None:
            Followed.recorder.left(value, self._ids)
        return value


def _summing(array: Traced, result: Any, axis: Any) -> Any:
    ids = array._ids
    if ids is None:
        return result
    axes = (
        None if axis is None else tuple(a % ids.ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
    )
    return traced(np.asarray(result), Followed.ledger.summed(ids, axes))


_MOVES = {
    np.concatenate,
    np.stack,
    np.where,
    np.reshape,
    np.ravel,
    np.transpose,
    np.squeeze,
    np.expand_dims,
    np.take,
    np.take_along_axis,
    np.copy,
    np.vstack,
    np.hstack,
    np.repeat,
    np.pad,
    np.roll,
}


def traced(array: Any, ids: Any, *, share: bool = False) -> Any:
    """An array with ids; the plain array when there are none."""
    ids = np.asarray(ids, dtype=np.int64)
    if not ids.any():
        return array
    made = np.asarray(array).view(Traced)
    made._ids = ids if share else np.array(ids)
    return made


def watch_makers(ledger: Ledger) -> None:
    """Let arrays keep their ids on the way back into tensors."""
    for name in ("from_numpy", "tensor", "as_tensor", "asarray"):
        replace(torch, **{name: _maker(getattr(torch, name), ledger)})


def _maker(real: Any, ledger: Ledger) -> Any:
    @functools.wraps(real)
    def make(data: Any, *args: Any, **options: Any) -> Any:
        made = real(_plain(data) if isinstance(data, Traced) else data, *args, **options)
        ids = _ids(data)
        if ids is not None and made.dtype.is_floating_point:
            ledger.mark(made, np.array(ids))
        return made

    return make


def _ids(value: Any) -> Ints | None:
    return value._ids if isinstance(value, Traced) else None


def _plain(value: Any) -> Any:
    if isinstance(value, Traced):
        return value.view(np.ndarray)
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(v) for v in value)
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return value


def _any_ids(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_any_ids(v) for v in value)
    return _ids(value) is not None


def _as_ids(value: Any) -> Any:
    """Arguments with ids in place of numbers, zero for arrays without."""
    if isinstance(value, Traced):
        return value._ids if value._ids is not None else np.zeros(value.shape, dtype=np.int64)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return np.zeros(value.shape, dtype=np.int64)
    if isinstance(value, float):
        return 0
    if isinstance(value, (list, tuple)):
        return type(value)(_as_ids(v) for v in value)
    return value
