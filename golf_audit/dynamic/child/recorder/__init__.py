"""The recorder: which validation positions were scored, adapted on and printed, in order.

positions.py  targets -> positions, by value            ledger.py   what each number is made of
scores.py     the ways of computing losses              flow.py     how ids pass through torch's functions
fused.py      losses out of one call
traced.py     how they pass through numpy               weights.py  parameters and buffers: what changed when
outside.py    files, programs, network, output lines
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from golf_audit.dynamic.child.context import Context
from golf_audit.dynamic.child.recorder import flow as flows
from golf_audit.dynamic.child.recorder.flow import Flow
from golf_audit.dynamic.child.recorder.fused import losses_of, watch_functions
from golf_audit.dynamic.child.recorder.ledger import Ledger
from golf_audit.dynamic.child.recorder.outside import Outside
from golf_audit.dynamic.child.recorder.positions import Locator, read_stream
from golf_audit.dynamic.child.recorder.scores import Scores
from golf_audit.dynamic.child.recorder.traced import Followed, traced, watch_makers
from golf_audit.dynamic.child.recorder.weights import Weights
from golf_audit.dynamic.child.shims.customops import Op
from golf_audit.dynamic.messages import Sink

_NUMBERS = ("item", "__float__", "tolist", "__format__", "__int__")
_PICKS = ("gather", "take_along_dim")
_FREE = flows.words(
    """
    shape dtype device grad dim size stride numel is_sparse is_complex is_floating_point requires_grad is_cuda
    ndim layout is_leaf grad_fn data_ptr is_contiguous is_quantized is_meta storage_offset element_size nbytes
    itemsize _set_grad_enabled get_device untyped_storage _version is_nested
    """
)
"""Questions that compute nothing, most of all calls."""


def _name(function: Any) -> str:
    """The name of a function; of the property whose getter it is."""
    name = str(getattr(function, "__name__", ""))
    return str(getattr(function.__self__, "__name__", "")) if name == "__get__" else name


class Recorder:
    """Sees every torch call through mode.py."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.vocab = context.job.vocab
        self.ledger = Ledger()
        self.locator = Locator(read_stream(context.job.val_tokens), context.job.vocab)
        self.weights = Weights(context)
        self.scores = Scores(context, self.ledger, self.locator, self.weights)
        self.flow = Flow(self.ledger)
        self.outside = Outside(context)
        self._names: dict[Any, str] = {}
        Followed.ledger, Followed.recorder = self.ledger, self

    def install(self) -> None:
        """Watch modules, optimizers, files and output; torch calls come through the mode."""
        self.weights.install()
        self.outside.install()
        self.scores.on_score = lambda event: self.outside.scored()
        Op.watcher = self.fused
        watch_functions(self.fused)
        watch_makers(self.ledger)

    def called(self, function: Any, args: Any, options: Any) -> Any:
        """Make a call of the submission, and note what it means."""
        name = self._names.get(function)
        if name is None:
            name = self._names[function] = _name(function)
        if name in _FREE:
            return function(*args, **options)
        if function is F.cross_entropy:
            return self.scores.cross_entropy(function, args, options)
        if function is F.nll_loss:
            return self.scores.nll_loss(function, args, options)
        if name == "embedding":
            self._embedded(args, options)
        touched = self.flow.touched(args, options)
        if not touched:
            result = function(*args, **options)
            if name in _PICKS or name == "__getitem__":
                self._picked(name, args, options, result)
            return result
        if name in _NUMBERS:
            return self._number(name, function, args, options)
        before = self._before(args, options)
        result = function(*args, **options)
        if name == "numpy":
            return traced(result, before[id(args[0])])
        if name in flows.LOGS or name in flows.CHOOSES:
            self._derived(name, args, options, before, result)
        else:
            self.flow.passed(name, function, args, options, before, result)
        return result

    def fused(self, args: tuple[Any, ...], result: Any) -> None:
        """A call that torch cannot look into: a loss is known by its shapes, unless it has ids already."""
        found = losses_of(args, result, self.vocab)
        if found is not None and self.ledger.ids(found[0]) is None:
            losses, rows, targets = found
            numbers = [a for a in args if isinstance(a, (int, float)) and not isinstance(a, bool) and a > 0]
            self.scores.fused(losses, rows, targets, numbers[:4])

    def _before(self, args: Any, options: Any) -> dict[Any, Any]:
        """Ids of all arguments as they are before the call, and the storages that carry ids."""
        before: dict[Any, Any] = {"storages": set()}
        for tensor in flows.tensors((args, options)):
            ids = self.ledger.ids(tensor)
            if ids is not None:
                before[id(tensor)] = np.array(ids)
                before["storages"].add(tensor.untyped_storage()._cdata)
        return before

    def _embedded(self, args: Any, options: Any) -> None:
        for value in (*args, *options.values()):
            if (
                isinstance(value, torch.Tensor)
                and not value.dtype.is_floating_point
                and value.dtype != torch.bool
            ):
                self.locator.saw_inputs(value.detach().cpu().numpy())

    def _picked(self, name: str, args: Any, options: Any, result: Any) -> None:
        """gather(-1, targets), rows[range, targets]: losses of targets taken out of distributions."""
        source = args[0]
        if not isinstance(source, torch.Tensor) or not isinstance(result, torch.Tensor):
            return
        if not source.dtype.is_floating_point or source.dim() < 1 or source.shape[-1] != self.vocab:
            return
        if name == "__getitem__":
            key = args[1] if isinstance(args[1], tuple) else (args[1],)
            targets: Any = key[-1] if key else None
            if (
                len(key) != source.dim()
                or len(key) < 2
                or not _whole(targets)
                or tuple(targets.shape) != tuple(result.shape)
            ):
                return
            rows = source[key[:-1]]
        else:
            targets = options.get("index", options.get("indices", args[-1] if len(args) > 1 else None))
            if (
                targets is None
                or not _whole(targets)
                or targets.shape[-1] != 1
                or targets.dim() != source.dim()
            ):
                return
            if tuple(targets.shape[:-1]) != tuple(source.shape[:-1]):
                return
            targets, rows = targets[..., 0], source
            if result.requires_grad or result.dim():
                self.scores.picked(result[..., 0], rows, targets, "gather")
                return
        if targets is not None and rows.numel() // self.vocab == targets.numel():
            self.scores.picked(result, rows, targets, "index")

    def _derived(self, name: str, args: Any, options: Any, before: Any, result: Any) -> None:
        """A logarithm of mixed probabilities, a minimum of losses: a new loss of the same position."""
        self.flow.passed("derived", None, args, options, before, result)
        ids = self.ledger.ids(result)
        if ids is None or not ids.any():
            return
        scale = {"log2": math.log(2), "log10": math.log(10)}.get(name, 1.0)
        losses = -result.detach() * scale if name in flows.LOGS else result.detach()
        self.scores.derived(result, np.array(ids), losses, "custom")

    def logged(self, values: Any, ids: Any, base: int | None) -> Any:
        """A logarithm in numpy: new ids for its elements."""
        marked = torch.from_numpy(np.array(values, dtype=np.float64).reshape(np.shape(ids)))
        losses = -marked * (math.log(2) if base == 2 else 1.0)
        if not self.scores.derived(marked, ids, losses, "numpy"):
            return ids
        return np.array(self.ledger.ids(marked))

    def _number(self, name: str, function: Any, args: Any, options: Any) -> Any:
        """A number leaves the tensors."""
        result = function(*args, **options)
        ids = self.ledger.ids(args[0])
        if ids is not None and ids.any() and args[0].dtype.is_floating_point:
            total = args[0].detach().double().sum()
            self.left(float(total), np.array(ids))
        return result

    def left(self, value: float, ids: Any) -> None:
        """Tell about a number and its rows."""
        rows = self.ledger.sink(np.asarray(ids))
        if rows:
            self.context.send(Sink(value=value, rows=rows, site=self.context.site()))


def _whole(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype in (torch.int64, torch.int32)
