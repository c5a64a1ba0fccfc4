"""torch.compile and its settings: compiled code does what the code says, so the code itself runs."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

from golf_audit.dynamic.child.context import Context, Quiet, module, replace

LIMITS = {"cache_size_limit": 8, "recompile_limit": 8, "accumulated_cache_size_limit": 256}
"""Settings that scripts read before they raise them."""


class Knob(int):
    """A setting that may be read as a number, changed, or hold further settings."""

    def __new__(cls, name: str = "") -> Knob:
        return super().__new__(cls, 0)

    def __getattr__(self, name: str) -> Knob:
        if name.startswith("__"):
            raise AttributeError(name)
        return Knob(name)


class Compiled(nn.Module):
    """What torch.compile makes of a module: around `_orig_mod`, whose attributes it shows as its own.

    Scripts unwrap it in a loop, strip its prefix from names of parameters, and copy it."""

    def __init__(self, inner: nn.Module) -> None:
        object.__setattr__(self, "_inner", inner)  # super() sets attributes, which go to the inner module
        super().__init__()
        self._modules["_orig_mod"] = inner

    def forward(self, *args: Any, **options: Any) -> Any:
        return self._inner(*args, **options)

    @property
    def training(self) -> bool:
        return bool(self._inner.training)

    @training.setter
    def training(self, value: bool) -> None:
        if "_modules" in self.__dict__ and self._modules:
            self._inner.training = value

    def __getattr__(self, name: str) -> Any:
        return self._inner if name == "_orig_mod" else getattr(self.__dict__["_inner"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            super().__setattr__(name, value)
        else:
            setattr(self._inner, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._inner, name)

    def __len__(self) -> int:
        return len(self._inner)

    def __bool__(self) -> bool:
        return True  # a module with no length is not empty

    def __reduce__(self) -> tuple[type[Compiled], tuple[nn.Module]]:
        return type(self), (self._inner,)


def compiled(model: Any = None, **options: Any) -> Any:
    """torch.compile: the function itself; a module within a Compiled; with options alone, a decorator."""
    if model is None:
        return compiled
    return Compiled(model) if isinstance(model, nn.Module) else model


def install(context: Context) -> None:
    """Replace torch.compile, torch.compiler's switches, torch._dynamo and torch._inductor's settings."""

    def compile_(model: Any = None, **options: Any) -> Any:
        context.used("torch.compile", "code runs as written")
        return compiled(model, **options)

    replace(torch, compile=compile_)
    replace(torch.jit, script=_first)
    replace(nn.Module, compile=lambda self, *args, **kwargs: None)
    for name in ("disable", "allow_in_graph", "assume_constant_result"):
        setattr(torch.compiler, name, _first)
    for name in ("reset", "cudagraph_mark_step_begin", "set_stance"):
        setattr(torch.compiler, name, Quiet(name))
    _dynamo()


def _first(function: Any = None, *args: Any, **options: Any) -> Any:
    """A decorator, with or without options, that changes nothing."""
    return (lambda inner: inner) if function is None else function


def _dynamo() -> None:
    """torch._dynamo takes two seconds to import and has nothing to do here."""
    if "torch._dynamo" in sys.modules:
        return
    dynamo: Any = module("torch._dynamo", disable=_first, allow_in_graph=_first, is_compiling=lambda: False)
    dynamo.__path__ = []
    for name in (
        "optimize",
        "reset",
        "mark_dynamic",
        "mark_static",
        "maybe_mark_dynamic",
        "graph_break",
        "mark_static_address",
        "forbid_in_graph",
        "explain",
    ):
        setattr(dynamo, name, Quiet(name))
    dynamo.optimize = lambda *args, **kwargs: _first
    dynamo.config = module("torch._dynamo.config", **LIMITS, **{"__getattr__": Knob})
    for name in ("utils", "eval_frame", "external_utils", "backends", "comptime"):
        module(f"torch._dynamo.{name}", **{"__getattr__": Quiet})
    if "torch._inductor" not in sys.modules:
        inductor: Any = module("torch._inductor", **{"__getattr__": Quiet})
        inductor.__path__ = []
        module("torch._inductor.config", **{"__getattr__": Knob})
        module("torch._inductor.utils", **{"__getattr__": Quiet})
