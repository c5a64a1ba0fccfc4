"""One or two processes: each collective of PyTorch's own gloo group beside the stand-in's.

python collectives.py FOLDER 1|2      prints one line of JSON: what agrees, and what gloo lacks
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

from golf_audit.dynamic.child.context import Context
from golf_audit.dynamic.child.shims import distributed, parallel, ranks
from golf_audit.dynamic.job import Job

WORLD = int(sys.argv[2])
LAST = WORLD - 1
Functions = dict[str, Any]
Case = Callable[[Functions, int, Any], Any]


def given(rank: int, size: int = 4) -> Any:
    return torch.arange(float(size)) * (rank + 1) + rank


def all_reduce(f: Functions, rank: int, op: Any) -> Any:
    tensor = given(rank)
    work = f["all_reduce"](tensor, op=op, async_op=True)
    work.wait()
    return tensor


def reduce(f: Functions, rank: int, op: Any) -> Any:
    tensor = given(rank)
    f["reduce"](tensor, dst=LAST, op=op)
    return tensor if rank == LAST else None  # what the others hold afterwards is not defined


def broadcast(f: Functions, rank: int, op: Any) -> Any:
    tensor = given(rank)
    f["broadcast"](tensor, src=LAST)
    return tensor


def all_gather(f: Functions, rank: int, op: Any) -> Any:
    parts = [torch.zeros(4) for _ in range(WORLD)]
    f["all_gather"](parts, given(rank))
    return torch.stack(parts)


def all_gather_into_tensor(f: Functions, rank: int, op: Any) -> Any:
    output = torch.zeros(4 * WORLD)
    f["all_gather_into_tensor"](output, given(rank))
    return output


def gather(f: Functions, rank: int, op: Any) -> Any:
    parts = [torch.zeros(4) for _ in range(WORLD)] if rank == 0 else None
    f["gather"](given(rank), parts, dst=0)
    return torch.stack(parts) if parts is not None else None


def reduce_scatter_tensor(f: Functions, rank: int, op: Any) -> Any:
    output = torch.zeros(4 // WORLD)
    f["reduce_scatter_tensor"](output, given(rank), op=op)
    return output


def reduce_scatter(f: Functions, rank: int, op: Any) -> Any:
    output = torch.zeros(4 // WORLD)
    f["reduce_scatter"](output, list(given(rank).split(4 // WORLD)), op=op)
    return output


def all_to_all_single(f: Functions, rank: int, op: Any) -> Any:
    output = torch.zeros(4)
    f["all_to_all_single"](output, given(rank))
    return output


def all_gather_object(f: Functions, rank: int, op: Any) -> Any:
    found: list[Any] = [None] * WORLD
    f["all_gather_object"](found, {"rank": rank, "long": "x" * (rank * 100)})
    return found


def gather_object(f: Functions, rank: int, op: Any) -> Any:
    found: list[Any] | None = [None] * WORLD if rank == 0 else None
    f["gather_object"]({"rank": rank}, found, dst=0)
    return found


def broadcast_object_list(f: Functions, rank: int, op: Any) -> Any:
    values: list[Any] = [rank, "a" * rank]
    f["broadcast_object_list"](values, src=LAST)
    return values


PLAIN: tuple[Case, ...] = (
    *(broadcast, all_gather, all_gather_into_tensor, gather, all_to_all_single),
    *(all_gather_object, gather_object, broadcast_object_list),
)
REDUCING: tuple[Case, ...] = (all_reduce, reduce, reduce_scatter_tensor, reduce_scatter)
OPERATIONS = ("SUM", "MAX", "MIN", "PRODUCT", "AVG")


def gradients(wrapper: Any, rank: int) -> list[Any]:
    """Gradients of a wrapped model after two micro-steps, of which the first does not synchronise."""
    torch.manual_seed(rank)  # the wrapper has to give all ranks the values of rank 0
    wrapped = wrapper(torch.nn.Linear(3, 2))
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    with wrapped.no_sync():
        wrapped(given(rank, 3)).sum().backward()
    wrapped(given(rank, 3) * 2).pow(2).sum().backward()
    return [*(p.detach() for p in wrapped.parameters()), *(p.grad for p in wrapped.parameters())]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return bool(torch.allclose(a, b))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(a == b)


def stand_ins(context: Context) -> tuple[Functions, Any]:
    """The functions that a script finds in torch.distributed, and its wrapper."""
    if WORLD == 1:
        distributed.install(context)
        return {name: getattr(dist, name) for name in dir(dist)}, parallel.OneProcess
    ranks.ManyProcesses.ranks = ranks.Ranks(context)
    return ranks.functions(ranks.ManyProcesses.ranks), ranks.ManyProcesses


def compare(rank: int, folder: str) -> tuple[list[str], list[str]]:
    """What agrees, and what the real group does not have."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/real", rank=rank, world_size=WORLD)
    real: Functions = {name: getattr(dist, name) for name in dir(dist)}
    wrapper = torch.nn.parallel.DistributedDataParallel
    expected = {"DistributedDataParallel": gradients(wrapper, rank)}
    lacking = []
    cases = [(case, op) for case in REDUCING for op in OPERATIONS] + [(case, "") for case in PLAIN]
    for case, op in cases:
        name = f"{case.__name__} {op}".strip()
        try:
            expected[name] = case(real, rank, getattr(dist.ReduceOp, op) if op else None)
        except (RuntimeError, ValueError) as error:
            if "not" not in str(error) and "nsupported" not in str(error):
                raise
            lacking.append(name)
    job = Job("t.py", "/s", "/d", folder, "/d/v", 1024, 60.0, ranks=WORLD)
    ours, wrapper = stand_ins(Context(job, lambda message: None, rank))
    found = {"DistributedDataParallel": gradients(wrapper, rank)}
    for case, op in cases:
        found[f"{case.__name__} {op}".strip()] = case(ours, rank, getattr(dist.ReduceOp, op) if op else None)
    for name, value in expected.items():
        assert same(found[name], value), (rank, name, found[name], value)
    assert ours["barrier"](async_op=True).wait()
    return list(expected), lacking


def main() -> None:
    child = os.fork() if WORLD == 2 else 0
    told = compare(1 if WORLD == 2 and not child else 0, sys.argv[1])
    if child:
        _, status = os.waitpid(child, 0)
        assert status == 0, "the other rank disagrees"
    if child or WORLD == 1:
        print(json.dumps(told), flush=True)  # noqa: T201 - the answer to the test
    os._exit(0)


if __name__ == "__main__":
    main()
