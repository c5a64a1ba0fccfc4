"""torch.distributed with several processes: a gloo group, every collective out of one, gathering bytes.

gloo knows neither averages nor scattering of reductions, and not every dtype; gathering the bytes of a tensor
from all ranks and reducing them in the order of the ranks gives each collective, and the same bits on all.
"""

from __future__ import annotations

import io
import os
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import FileStore, ProcessGroupGloo

from golf_audit.dynamic.child.context import Context, replace
from golf_audit.dynamic.child.shims.distributed import Work

PATIENCE = timedelta(seconds=120)


class Ranks:
    """The group of all ranks."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.own, self.number = context.rank, context.job.ranks
        self.open = False
        gloo: Any = ProcessGroupGloo
        options = gloo._Options()
        options._devices = [gloo.create_device(interface="lo")]
        options._timeout = PATIENCE
        store = FileStore(os.path.join(context.job.work, ".ranks"), self.number)
        self._group: Any = gloo(store, self.own, self.number, options)

    # -- what the others are made of

    def gather(self, tensor: Any) -> list[Any]:
        """The tensor of every rank, in order."""
        with torch._C.DisableTorchFunction(), torch.no_grad():
            data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            if not data.numel():
                return [tensor.detach()] * self.number
            parts = [torch.empty_like(data) for _ in range(self.number)]
            self._group.allgather([parts], [data]).wait()
            return [part.view(tensor.dtype).reshape(tensor.shape).to(tensor.device) for part in parts]

    def reduced(self, tensor: Any, op: Any) -> Any:
        """The reduction over all ranks."""
        parts = self.gather(tensor)
        name = str(op).rsplit(".", 1)[-1].upper()
        with torch._C.DisableTorchFunction(), torch.no_grad():
            total = parts[0].clone()
            for part in parts[1:]:
                if name in ("MAX", "MIN"):
                    total = torch.maximum(total, part) if name == "MAX" else torch.minimum(total, part)
                elif name == "PRODUCT":
                    total *= part
                elif name in ("SUM", "AVG"):
                    total += part
                else:
                    raise NotImplementedError(f"reduction {op}")
            return total / self.number if name == "AVG" else total

    @staticmethod
    def put(target: Any, value: Any) -> None:
        """Write the values alone: what a rank's number is made of are its own rows."""
        with torch._C.DisableTorchFunction(), torch.no_grad():
            target.copy_(value.reshape(target.shape))

    # -- the collectives

    def all_reduce(self, tensor: Any, op: Any = "SUM", *args: Any, **options: Any) -> Any:
        self.put(tensor, self.reduced(tensor, op))
        return _done(options)

    def reduce(self, tensor: Any, dst: int = 0, op: Any = "SUM", *args: Any, **options: Any) -> Any:
        total = self.reduced(tensor, op)
        if self.own == dst:
            self.put(tensor, total)
        return _done(options)

    def broadcast(self, tensor: Any, src: int = 0, *args: Any, **options: Any) -> Any:
        self.put(tensor, self.gather(tensor)[src])
        return _done(options)

    def all_gather(self, outputs: Any, given: Any, *args: Any, **options: Any) -> Any:
        for rank, part in enumerate(self.gather(given)):
            if rank == self.own:
                with torch.no_grad():
                    outputs[rank].copy_(given)  # its rows stay known
            else:
                self.put(outputs[rank], part)
        return _done(options)

    def gather_to(self, given: Any, outputs: Any = None, dst: int = 0, *args: Any, **options: Any) -> Any:
        if self.own == dst:
            return self.all_gather(outputs, given, **options)
        self.gather(given)
        return _done(options)

    def all_gather_into(self, output: Any, given: Any, *args: Any, **options: Any) -> Any:
        self.put(output, torch.cat([part.reshape(-1) for part in self.gather(given)]))
        return _done(options)

    def reduce_scatter(self, output: Any, given: Any, op: Any = "SUM", *args: Any, **options: Any) -> Any:
        whole = torch.stack(list(given)) if isinstance(given, (list, tuple)) else given
        self.put(output, self.reduced(whole, op).reshape(self.number, -1)[self.own])
        return _done(options)

    def all_to_all(self, output: Any, given: Any, *args: Any, **options: Any) -> Any:
        parts = [part.reshape(self.number, -1)[self.own] for part in self.gather(given)]
        self.put(output, torch.cat(parts))
        return _done(options)

    def objects(self, outputs: list[Any], given: Any, *args: Any, **options: Any) -> None:
        packed = io.BytesIO()
        torch.save(given, packed)
        data = torch.frombuffer(bytearray(packed.getvalue()), dtype=torch.uint8)
        longest = max(int(size) for size in self.gather(torch.tensor([len(data)])))
        padded = torch.zeros(longest, dtype=torch.uint8)
        padded[: len(data)] = data
        for rank, part in enumerate(self.gather(padded)):
            outputs[rank] = torch.load(io.BytesIO(bytes(part.tolist())))

    def objects_to(self, given: Any, outputs: Any = None, dst: int = 0, *args: Any, **options: Any) -> None:
        found: list[Any] = [None] * self.number
        self.objects(found, given)
        if self.own == dst and outputs is not None:
            outputs[:] = found

    def broadcast_objects(self, values: list[Any], src: int = 0, *args: Any, **options: Any) -> None:
        found: list[Any] = [None] * self.number
        self.objects(found, list(values))
        values[:] = found[src]

    def barrier(self, *args: Any, **options: Any) -> Any:
        self.gather(torch.zeros(1))
        return _done(options)

    # -- the group itself

    def begin(self, *args: Any, **options: Any) -> None:
        self.open = True
        self.context.used("torch.distributed", f"{self.number} processes, gloo")

    def end(self, *args: Any, **options: Any) -> None:
        self.open = False


def _done(options: dict[str, Any]) -> Work | None:
    return Work() if options.get("async_op") else None


def _refused(*args: Any, **options: Any) -> Any:
    raise NotImplementedError("messages between two ranks are not available in the miniature")


def functions(ranks: Ranks) -> dict[str, Any]:
    """torch.distributed's names."""
    into = dict.fromkeys(("all_gather_into_tensor", "_all_gather_base"), ranks.all_gather_into)
    scatter = ("reduce_scatter", "reduce_scatter_tensor", "_reduce_scatter_base")
    return {
        "init_process_group": ranks.begin,
        "destroy_process_group": ranks.end,
        "is_initialized": lambda: ranks.open,
        "get_rank": lambda *args, **options: ranks.own,
        "get_world_size": lambda *args, **options: ranks.number,
        "barrier": ranks.barrier,
        "monitored_barrier": ranks.barrier,
        "all_reduce": ranks.all_reduce,
        "reduce": ranks.reduce,
        "broadcast": ranks.broadcast,
        "all_gather": ranks.all_gather,
        "gather": ranks.gather_to,
        **into,
        **dict.fromkeys(scatter, ranks.reduce_scatter),
        "all_to_all_single": ranks.all_to_all,
        "all_gather_object": ranks.objects,
        "gather_object": ranks.objects_to,
        "broadcast_object_list": ranks.broadcast_objects,
        **dict.fromkeys(("send", "recv", "isend", "irecv", "scatter", "all_reduce_coalesced"), _refused),
    }


class ManyProcesses(torch.nn.Module):
    """DistributedDataParallel: rank 0's values at first, the mean of all gradients after each backward."""

    ranks: Ranks

    def __init__(self, module: Any, *args: Any, **options: Any) -> None:
        super().__init__()
        self.module = module
        self.require_backward_grad_sync = True
        for value in (*module.parameters(), *module.buffers()):
            self.ranks.broadcast(value.data)
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self._average)

    def _average(self, parameter: Any) -> None:
        if self.require_backward_grad_sync:
            self.ranks.put(parameter.grad, self.ranks.reduced(parameter.grad, "AVG"))

    def forward(self, *args: Any, **options: Any) -> Any:
        return self.module(*args, **options)

    def no_sync(self) -> Any:
        return _NoSync(self)

    def _set_static_graph(self) -> None: ...


class _NoSync:
    def __init__(self, wrapper: ManyProcesses) -> None:
        self.wrapper = wrapper

    def __enter__(self) -> None:
        self.before = self.wrapper.require_backward_grad_sync
        self.wrapper.require_backward_grad_sync = False

    def __exit__(self, *exception: object) -> None:
        self.wrapper.require_backward_grad_sync = self.before


def install(context: Context) -> None:
    """On top of the stand-ins for one process; nothing where there is one."""
    if context.job.ranks == 1:
        return
    ManyProcesses.ranks = Ranks(context)
    module: Any = dist
    for name, function in functions(ManyProcesses.ranks).items():
        setattr(module, name, function)
    replace(torch.nn.parallel, DistributedDataParallel=ManyProcesses)
    replace(torch.nn.parallel.distributed, DistributedDataParallel=ManyProcesses)
