"""torch.load: onto the CPU, and as older versions loaded by default."""

from __future__ import annotations

from typing import Any

import torch

from golf_audit.dynamic.child.context import Context, replace


def install(context: Context) -> None:
    """Replace torch.load. Inside the sandbox unpickling endangers nothing."""
    real = torch.load
    context.originals["torch.load"] = real

    def load(file: Any, map_location: Any = None, *args: Any, **options: Any) -> Any:
        options["weights_only"] = False
        options.pop("mmap", None)
        return real(file, "cpu" if context.job.device == "cpu" else map_location, *args, **options)

    replace(torch, load=load)
