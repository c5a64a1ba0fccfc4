"""torch.library.custom_op and its relatives without the dispatcher: the Python function and its gradient.

The real one hides a call from the modes through which a recorder looks, and checks devices by name. What it
promises is kept: one callable, also as torch.ops.<namespace>.<name>, with the registered gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from golf_audit.dynamic.child.context import Context


class Op:
    """A custom operator: the function, `register_fake`, `register_autograd`, `register_kernel`."""

    watcher: Callable[[tuple[Any, ...], Any], None] | None = None  # the recorder

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        self.function = function
        self.default = self
        self._opname = name.rsplit("::", 1)[-1]
        self.__name__ = self._opname
        self._backward: Callable[..., Any] | None = None
        self._setup: Callable[..., Any] | None = None
        _ops(name, self)

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self._backward is None or not torch.is_grad_enabled() or not _needs_gradient(args, options):
            result = self.function(*args, **options)
        else:
            result = _apply(self, args, options)
        if Op.watcher is not None:
            Op.watcher((*args, *options.values()), result)
        return result

    def register_fake(self, function: Any = None, **options: Any) -> Any:
        """Shapes for the compiler: not needed."""
        return function if function is not None else (lambda inner: inner)

    register_vmap = register_torch_dispatch = register_fake

    def register_kernel(self, devices: Any = None, function: Any = None) -> Any:
        """Another implementation; one for a GPU is the function that scripts rely on."""

        def register(inner: Callable[..., Any]) -> Callable[..., Any]:
            if devices is None or "cuda" in devices or "cpu" in devices:
                self.function = inner
            return inner

        return register(function) if function is not None else register

    def register_autograd(self, backward: Any, *, setup_context: Any = None) -> None:
        """The gradient, as torch.library takes it."""
        self._backward, self._setup = backward, setup_context

    def set_kernel_enabled(self, *args: Any, **options: Any) -> Any:
        """Kernels are always on."""
        return SimpleNamespace(__enter__=lambda: None)


def _needs_gradient(args: Any, options: Any) -> bool:
    values = (*args, *options.values())
    return any(isinstance(value, torch.Tensor) and value.requires_grad for value in values)


def _apply(op: Op, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The operator as a node of the graph whose gradient is the registered function."""
    names = list(options)

    class Node(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *given: Any) -> Any:
            plain, named = given[: len(args)], dict(zip(names, given[len(args) :], strict=True))
            output = op.function(*plain, **named)
            if op._setup is not None:
                op._setup(ctx=ctx, inputs=given, output=output) if _by_name(op._setup) else op._setup(
                    ctx, given, output
                )
            return tuple(output) if isinstance(output, list) else output

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            assert op._backward is not None
            found = op._backward(ctx, *gradients)
            found = found if isinstance(found, tuple) else (found,)
            return found + (None,) * (len(args) + len(names) - len(found))

    Node.__name__ = op._opname
    apply: Any = Node.apply
    return apply(*args, *options.values())


def _by_name(setup: Any) -> bool:
    names = getattr(getattr(setup, "__code__", None), "co_varnames", ())
    return names[:3] == ("ctx", "inputs", "output")


def _ops(name: str, op: Op) -> None:
    """Make the operator reachable as torch.ops.<namespace>.<name>."""
    space, _, own = name.partition("::")
    holder = torch.ops.__dict__.get(space)
    if not isinstance(holder, SimpleNamespace):
        holder = SimpleNamespace()
        torch.ops.__dict__[space] = holder
    setattr(holder, own.split(".")[0], op)


class Library:
    """torch.library.Library: definitions are taken from the implementations."""

    def __init__(self, namespace: str, *args: Any, **options: Any) -> None:
        self.namespace = namespace
        self.ops: dict[str, Op] = {}

    def define(self, schema: str, *args: Any, **options: Any) -> str:
        """Only the name of a schema matters."""
        return schema.split("(")[0]

    def impl(self, name: Any, function: Any = None, dispatch_key: str = "", **options: Any) -> Any:
        """Register an implementation; the one for meta tensors or gradients is left out."""

        def register(inner: Any) -> Any:
            if dispatch_key not in ("Meta", "Autograd", "AutogradCUDA"):
                own = str(name).split("::")[-1]
                self.ops[own] = Op(f"{self.namespace}::{own}", inner)
            return inner

        return register(function) if function is not None else register


def custom_op(name: str, function: Any = None, /, **options: Any) -> Any:
    """torch.library.custom_op and triton_op."""
    return Op(name, function) if function is not None else (lambda inner: Op(name, inner))


def install(context: Context) -> None:
    """Replace the ways of defining an operator."""

    def told(name: str, function: Any = None, /, **options: Any) -> Any:
        context.used("custom operators", "called directly")
        return custom_op(name, function, **options)

    library: Any = torch.library
    library.custom_op = told
    library.triton_op = told
    library.wrap_triton = lambda kernel: kernel
    library.Library = Library
    library.register_fake = lambda op, function=None, **options: (
        function if function else (lambda inner: inner)
    )
    library.impl_abstract = library.register_fake
    library.register_autograd = _register_autograd
    library.register_kernel = _register_kernel


def _find(op: Any) -> Op:
    if isinstance(op, Op):
        return op
    space, _, own = str(op).partition("::")
    found = getattr(torch.ops.__dict__.get(space), own.split(".")[0], None)
    if not isinstance(found, Op):
        raise NotImplementedError(f"the operator {op} is not one that the script has defined")
    return found


def _register_autograd(op: Any, backward: Any, *, setup_context: Any = None, **options: Any) -> None:
    _find(op).register_autograd(backward, setup_context=setup_context)


def _register_kernel(op: Any, devices: Any = None, function: Any = None, **options: Any) -> Any:
    return _find(op).register_kernel(devices, function)
