"""DistributedDataParallel over one process: the module itself behind the same attributes."""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from golf_audit.dynamic.child.context import Context, replace


class OneProcess(torch.nn.Module):
    """DistributedDataParallel and DataParallel."""

    def __init__(self, module: Any, *args: Any, **options: Any) -> None:
        super().__init__()
        self.module = module
        self.require_backward_grad_sync = True
        self.static_graph = bool(options.get("static_graph"))

    def forward(self, *args: Any, **options: Any) -> Any:
        return self.module(*args, **options)

    def no_sync(self) -> Any:
        return contextlib.nullcontext()

    def _set_static_graph(self) -> None: ...

    def register_comm_hook(self, state: Any, hook: Any) -> None: ...


def install(context: Context) -> None:
    """Replace the wrappers under each name."""
    replace(torch.nn.parallel, DistributedDataParallel=OneProcess, DataParallel=OneProcess)
    replace(torch.nn.parallel.distributed, DistributedDataParallel=OneProcess)
    replace(torch.nn, DataParallel=OneProcess)
