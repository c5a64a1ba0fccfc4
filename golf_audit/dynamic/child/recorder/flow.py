"""How ids pass through torch's functions: moved, summed, merged element by element, or lost.

A function that only moves elements is run a second time on the ids themselves, so slicing, gathering, masks
and concatenation need no rule of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from golf_audit.dynamic.child.recorder.ledger import Ints, Ledger


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


MOVES = words(
    """
    reshape view flatten unflatten __getitem__ permute transpose t T mT squeeze unsqueeze expand
    expand_as repeat tile cat concat concatenate stack hstack vstack chunk split tensor_split unbind
    index_select gather take take_along_dim masked_select where masked_fill roll flip clone
    contiguous narrow select pad movedim moveaxis swapaxes repeat_interleave scatter index_copy
    index_fill masked_scatter diagonal ravel view_as reshape_as broadcast_to atleast_1d tril triu
    rot90 unfold index_put as_strided
    """
)
SUMS = words("sum mean nansum nanmean")
PRODUCTS = words("mul __mul__ __rmul__ __imul__ mul_ multiply multiply_")
LOST = words(
    """
    zeros_like ones_like empty_like full_like rand_like randn_like new_zeros new_ones new_empty new_full
    new_tensor sign sgn
    max min amax amin median std var cumsum cumprod argmax argmin sort topk quantile norm logsumexp
    softmax log_softmax prod any all matmul __matmul__ mm bmm linear einsum outer cross_entropy
    nll_loss kl_div backward retain_grad register_hook requires_grad_ size dim numel stride
    storage_offset data_ptr untyped_storage is_contiguous isnan isfinite isinf histc bincount cov
    corrcoef searchsorted bucketize unique
    """
)
CLEARS = words("zero_ fill_ normal_ uniform_ random_ exponential_ bernoulli_")
LOGS = words("log log2 log10 log1p logaddexp logaddexp2 log_")
CHOOSES = words("minimum maximum clamp clamp_ clamp_min clamp_max clip fmin fmax where_min")


class Flow:
    """Applies a call's meaning to ids."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def touched(self, args: Any, options: Any) -> bool:
        """True when any tensor among the arguments carries ids."""
        if self.ledger.empty:
            return False
        for value in args:
            if isinstance(value, torch.Tensor):
                if self.ledger.has(value):
                    return True
            elif isinstance(value, (list, tuple)) and any(self.ledger.has(t) for t in tensors(value)):
                return True
        return bool(options) and any(self.ledger.has(t) for t in tensors(options))

    def passed(self, name: str, function: Any, args: Any, options: Any, before: Any, result: Any) -> None:
        """Mark the result of a call on tensors with ids. `before`: ids of the arguments at the call."""
        if name in LOST:
            return
        if name in CLEARS:
            self.ledger.mark(args[0], np.zeros(tuple(args[0].shape), dtype=np.int64))
        elif name in (
            "__setitem__",
            "index_put_",
            "copy_",
            "masked_fill_",
            "scatter_",
            "index_copy_",
            "index_fill_",
        ):
            self._written(name, function, args, options, before)
        elif name in ("index_add_", "scatter_add_", "index_add", "scatter_add"):
            self._scattered(name, args, options, before, result)
        elif name in SUMS:
            self._summed(args, options, before, result)
        elif name in MOVES:
            self._moved(function, args, options, before, result)
        elif isinstance(result, torch.Tensor):
            self._merged(name, args, options, before, result)
        elif isinstance(result, (list, tuple)) and name.startswith("_foreach"):
            return

    # -- kinds

    def _moved(self, function: Any, args: Any, options: Any, before: Any, result: Any) -> None:
        found = result if isinstance(result, (list, tuple)) else (result,)
        if not found or not isinstance(found[0], torch.Tensor):
            return
        if all(self.ledger.has(part) and _shares(part, before) for part in found):
            return  # views: their storage carries the ids already
        moved = function(*as_ids(args, before), **as_ids(options, before))
        for part, ids in zip(found, moved if isinstance(moved, (list, tuple)) else (moved,), strict=True):
            if part.dtype.is_floating_point and (ids != 0).any():
                self.ledger.mark(part, ids.numpy())

    def _written(self, name: str, function: Any, args: Any, options: Any, before: Any) -> None:
        """Writes into args[0]: the ids are written the same way."""
        target = args[0]
        if not isinstance(target, torch.Tensor) or not target.dtype.is_floating_point:
            return
        ids = before.get(id(target))
        ids = (
            torch.zeros(tuple(target.shape), dtype=torch.int64)
            if ids is None
            else torch.from_numpy(ids.copy())
        )
        moved = as_ids(args[1:], before)
        function(ids, *moved, **as_ids(options, before))
        self.ledger.mark(target, ids.numpy())

    def _scattered(self, name: str, args: Any, options: Any, before: Any, result: Any) -> None:
        target, dim, index, source = (*args, *options.values())[:4]
        index = index.cpu()
        places = torch.arange(target.numel()).reshape(target.shape)
        places = places.index_select(dim, index) if name.startswith("index") else places.gather(dim, index)
        base = before.get(id(target))
        flat = np.zeros(target.numel(), dtype=np.int64) if base is None else base.reshape(-1).copy()
        ids = before.get(id(source))
        if ids is None:
            return
        for at, new in zip(places.reshape(-1).tolist(), ids.reshape(-1).tolist(), strict=False):
            flat[at] = self.ledger.bag(np.array([flat[at], new]))
        self.ledger.mark(result, flat)

    def _summed(self, args: Any, options: Any, before: Any, result: Any) -> None:
        ids = before.get(id(args[0])) if args else None
        if ids is None or not isinstance(result, torch.Tensor):
            return
        dim = options.get("dim", options.get("axis", args[1] if len(args) > 1 else None))
        axes = (
            None
            if dim is None or dim == ()
            else tuple(d % max(ids.ndim, 1) for d in (dim if isinstance(dim, (tuple, list)) else (dim,)))
        )
        if isinstance(dim, torch.dtype):
            axes = None
        if ids.ndim == 0:
            axes = None
        self.ledger.mark(result, self.ledger.summed(ids, axes))

    def _merged(self, name: str, args: Any, options: Any, before: Any, result: Any) -> None:
        """Element by element; a factor of zero takes its row out."""
        if not result.dtype.is_floating_point:
            return
        shape = tuple(result.shape)
        merged: Ints = np.zeros(shape, dtype=np.int64)
        for tensor in tensors((args, options)):
            ids = before.get(id(tensor))
            if ids is None:
                continue
            try:
                merged = self.ledger.added(merged, np.broadcast_to(ids, shape))
            except ValueError:
                return  # not element by element: lost
        if name in PRODUCTS or name in ("dot", "inner"):
            for tensor in tensors((args, options)):
                if id(tensor) not in before and tuple(tensor.shape) != ():
                    try:
                        zero = (tensor.detach() == 0).cpu().numpy()
                        merged = np.where(np.broadcast_to(zero, shape), 0, merged)
                    except ValueError:
                        continue
        self.ledger.mark(result, merged)


def tensors(value: Any) -> list[Any]:
    """The tensors among arguments, in lists and tuples too."""
    found: list[Any] = []
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, torch.Tensor):
            found.append(one)
        elif isinstance(one, (list, tuple)):
            stack.extend(reversed(one))
        elif isinstance(one, dict):
            stack.extend(reversed(list(one.values())))
    return found


def as_ids(value: Any, before: Any) -> Any:
    """Arguments with each tensor of numbers replaced by its ids, plain fractions by 0."""
    if isinstance(value, torch.Tensor):
        ids = before.get(id(value))
        if ids is not None:
            return torch.from_numpy(np.ascontiguousarray(ids))
        if value.dtype.is_floating_point:
            return torch.zeros(tuple(value.shape), dtype=torch.int64)
        return value.cpu()  # where ids lie
    if isinstance(value, float):
        return 0
    if isinstance(value, (list, tuple)):
        return type(value)(as_ids(v, before) for v in value) if type(value) in (list, tuple) else value
    if isinstance(value, dict):
        return {key: as_ids(v, before) for key, v in value.items() if key not in ("dtype", "device")}
    return value


def _shares(result: Any, before: Any) -> bool:
    """True when the result looks into the storage of an argument that carries ids."""
    return result.untyped_storage()._cdata in before["storages"]
