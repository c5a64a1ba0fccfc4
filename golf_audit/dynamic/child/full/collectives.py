"""Collectives of all ranks: a clock that they share, and sums whose parts lie on several ranks.

The n-th collective of the whole group is the n-th on every rank. What one rank adapted on before it can be in
the weights of another after it, and not before: that orders events of different ranks. Barriers carry nothing
and do not count. Groups of some ranks only, and the C++ of DistributedDataParallel, are not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from golf_audit.dynamic.child.context import replace
from golf_audit.dynamic.child.full.tallies import ALL, Tallies
from golf_audit.dynamic.messages import Given, Message

SMALL = 16
"""So few numbers in float64 may be sums of losses even where this rank gave none. Gradients are never marked:
ids in them would go on into all weights."""
_SUMS = ("all_reduce", "reduce")
_GATHERS = ("all_gather", "all_gather_into_tensor", "gather")
_OTHERS = (
    *("broadcast", "scatter", "reduce_scatter", "reduce_scatter_tensor", "all_to_all", "all_to_all_single"),
    *("broadcast_object_list", "all_gather_object", "gather_object", "scatter_object_list"),
)


class Clock:
    """Collectives of the whole group so far."""

    def __init__(self) -> None:
        self.epoch = 0

    def tick(self) -> int:
        self.epoch += 1
        return self.epoch


class Collectives:
    """Counts them, and lets the ids of losses through those that add or gather."""

    def __init__(self, clock: Clock, ledger: Tallies, send: Callable[[Message], None]) -> None:
        self._clock, self._ledger, self._send = clock, ledger, send

    def install(self) -> None:
        """Wrap the functions of torch.distributed under the names that scripts use."""
        if not dist.is_available():
            return
        for names, after in ((_SUMS, self._summed), (_GATHERS, self._gathered), (_OTHERS, None)):
            for name in names:
                if hasattr(dist, name):
                    replace(dist, **{name: self._watched(getattr(dist, name), after)})

    def _watched(self, real: Any, after: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            group = options.get("group") or next((a for a in args if isinstance(a, dist.ProcessGroup)), None)
            if group is not None and group is not dist.group.WORLD:
                return real(*args, **options)
            number = self._clock.tick()
            given = self._give(number, args, options) if after is not None else None
            result = real(*args, **options)
            if given is not None:
                after(number, args, options)
            return result

        return call

    def _give(self, number: int, args: Any, options: Any) -> Any:
        """Tell what this rank puts in; None when the numbers cannot be losses."""
        tensor = _given(args, options)
        if tensor is None or not tensor.dtype.is_floating_point:
            return None
        ids = self._ledger.ids(tensor)
        if ids is not None:
            flat = np.array(ids).reshape(-1)
            for element in np.flatnonzero(flat):
                tally = self._ledger.tell(flat[element : element + 1])
                self._send(Given(collective=number, element=int(element), tally=tally))
        likely = tensor.dtype == torch.float64 and tensor.numel() <= SMALL
        return tensor if likely or (ids is not None and ids.any()) else None

    def _summed(self, number: int, args: Any, options: Any) -> None:
        tensor = _given(args, options)
        operation = options.get("op", next((a for a in args if isinstance(a, dist.ReduceOp.RedOpType)), None))
        if operation in (None, dist.ReduceOp.SUM, dist.ReduceOp.AVG):
            ids = [self._ledger.shared(number, element, ALL) for element in range(tensor.numel())]
        else:
            ids = [0] * tensor.numel()  # the largest or smallest of them is no sum
        self._ledger.mark(tensor, np.array(ids, dtype=np.int64))

    def _gathered(self, number: int, args: Any, options: Any) -> None:
        tensor = _given(args, options)
        out = args[0] if len(args) > 1 else options.get("tensor_list", options.get("output_tensor"))
        if out is None or tensor is None:
            return
        parts = list(out) if isinstance(out, (list, tuple)) else list(out.reshape(-1, tensor.numel()))
        for rank, part in enumerate(parts):
            ids = [self._ledger.shared(number, element, rank) for element in range(tensor.numel())]
            self._ledger.mark(part, np.array(ids, dtype=np.int64))


def _given(args: Any, options: Any) -> Any:
    """The tensor that this rank gives: of all_gather(outputs, tensor) the second, else the first."""
    for name in ("tensor", "input_tensor"):
        if name in options:
            return options[name]
    tensors = [a for a in args if isinstance(a, torch.Tensor)]
    return tensors[-1] if tensors else None
