"""Half precision: bfloat16 is float32 here, and autocast does nothing.

The order of events does not depend on rounding, and a CPU computes float32 faster. float16 stays: scripts
store scales in it and count its bytes.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from golf_audit.dynamic.child.context import Context, replace


class NoAutocast(contextlib.ContextDecorator):
    """torch.autocast: accepts what it accepts and leaves every dtype alone."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.device = "cuda"
        self.fast_dtype = torch.float32

    def __enter__(self) -> NoAutocast:
        return self

    def __exit__(self, *exception: object) -> None:
        return None


def no_grad_for_inference(mode: Any = True) -> Any:
    """torch.inference_mode: no_grad. Eager autograd refuses inference tensors that compiled code may keep."""
    if callable(mode):
        return torch.no_grad()(mode)
    return torch.no_grad() if mode else torch.set_grad_enabled(torch.is_grad_enabled())


def install(context: Context) -> None:
    """Replace bfloat16, autocast and inference mode."""
    context.used("bfloat16", "computed in float32")
    replace(
        torch,
        bfloat16=torch.float32,
        BFloat16Tensor=torch.FloatTensor,
        autocast=NoAutocast,
        get_autocast_dtype=lambda *args: torch.float32,
        get_autocast_gpu_dtype=lambda *args: torch.float32,
        inference_mode=no_grad_for_inference,
        is_inference_mode_enabled=lambda: False,
    )
    replace(torch.Tensor, bfloat16=lambda self, *args, **kwargs: self.float())
    replace(torch.nn.Module, bfloat16=lambda self: self.float())
    for place in (torch.amp, torch.amp.autocast_mode, torch.cuda.amp):
        replace(place, autocast=NoAutocast)
