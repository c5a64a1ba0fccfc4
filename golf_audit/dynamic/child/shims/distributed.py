"""torch.distributed with one process: each collective gives back what one rank would get."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist

from golf_audit.dynamic.child.context import Context


class Work:
    """The handle of an asynchronous collective that is already done."""

    def wait(self, *args: Any) -> bool:
        return True

    def is_completed(self) -> bool:
        return True

    def get_future(self) -> Work:
        return self

    def then(self, function: Any) -> Any:
        return function(self)

    def value(self) -> list[Any]:
        return []

    def result(self) -> list[Any]:
        return []


class Group:
    """The process group with one member."""

    def rank(self) -> int:
        return 0

    def size(self) -> int:
        return 1

    def name(self) -> str:
        return "world"


WORLD = Group()


def _done(asynchronous: bool) -> Work | None:
    return Work() if asynchronous else None


def in_place(tensor: Any, *args: Any, async_op: bool = False, **options: Any) -> Work | None:
    """all_reduce, reduce, broadcast, send: the sum, mean or copy over one rank is the tensor itself."""
    return _done(async_op)


def into(output: Any, given: Any, *args: Any, async_op: bool = False, **options: Any) -> Work | None:
    """all_gather_into_tensor, reduce_scatter_tensor, all_to_all_single: a copy."""
    with torch.no_grad():
        output.copy_(given.reshape(output.shape))
    return _done(async_op)


def into_list(outputs: Any, given: Any, *args: Any, async_op: bool = False, **options: Any) -> Work | None:
    """all_gather, gather: the list's only entry is the tensor."""
    if outputs:
        with torch.no_grad():
            outputs[0].copy_(given)
    return _done(async_op)


def from_list(
    output: Any, given: Any = None, *args: Any, async_op: bool = False, **options: Any
) -> Work | None:
    """reduce_scatter, scatter: the tensor is the list's only entry."""
    if given:
        with torch.no_grad():
            output.copy_(given[0])
    return _done(async_op)


def objects(outputs: Any, given: Any = None, *args: Any, **options: Any) -> None:
    """all_gather_object, gather_object: the list's only entry is the object."""
    if outputs:
        outputs[0] = given


class State:
    """Whether the script has opened its process group."""

    def __init__(self, context: Context) -> None:
        self.open = False
        self.context = context

    def begin(self, *args: Any, **options: Any) -> None:
        self.open = True
        self.context.used("torch.distributed", "one process")

    def end(self, *args: Any, **options: Any) -> None:
        self.open = False


def install(context: Context) -> None:
    """Replace the collectives and the questions about ranks."""
    state = State(context)
    functions: dict[str, Any] = {
        "init_process_group": state.begin,
        "destroy_process_group": state.end,
        "is_initialized": lambda: state.open,
        "is_available": lambda: True,
        "get_rank": lambda *args, **options: 0,
        "get_world_size": lambda *args, **options: 1,
        "get_backend": lambda *args, **options: "nccl",
        "new_group": lambda *args, **options: WORLD,
        "new_subgroups": lambda *args, **options: (WORLD, [WORLD]),
        "barrier": lambda *args, async_op=False, **options: _done(async_op),
        "monitored_barrier": lambda *args, **options: None,
        **dict.fromkeys(("all_reduce", "reduce", "broadcast", "isend", "all_reduce_coalesced"), in_place),
        **dict.fromkeys(
            (
                "all_gather_into_tensor",
                "reduce_scatter_tensor",
                "all_to_all_single",
                "_all_gather_base",
                "_reduce_scatter_base",
            ),
            into,
        ),
        **dict.fromkeys(
            ("all_gather", "gather"), lambda a, b, *args, **options: _gathered(a, b, *args, **options)
        ),
        **dict.fromkeys(("reduce_scatter", "scatter"), from_list),
        **dict.fromkeys(
            ("all_gather_object", "gather_object"), lambda a, b=None, *args, **options: _objects(a, b)
        ),
        "broadcast_object_list": lambda *args, **options: None,
    }
    module: Any = dist
    for name, function in functions.items():
        setattr(module, name, function)
    module.group = type("group", (), {"WORLD": WORLD})
    if not hasattr(module, "ReduceOp"):
        module.ReduceOp = type("ReduceOp", (), dict.fromkeys(("SUM", "AVG", "MAX", "MIN", "PRODUCT"), 0))


def _gathered(first: Any, second: Any, *args: Any, **options: Any) -> Work | None:
    """gather takes the tensor first, all_gather the list."""
    outputs, given = (first, second) if isinstance(first, list) else (second, first)
    return into_list(outputs, given, *args, **options)


def _objects(first: Any, second: Any) -> None:
    """gather_object takes the object first, all_gather_object the list."""
    outputs, given = (first, second) if isinstance(first, list) and first[:1] == [None] else (second, first)
    objects(outputs if isinstance(outputs, list) else None, given)
