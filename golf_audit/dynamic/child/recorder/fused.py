"""Losses that leave one call: fused kernels, custom operators, autograd functions.

No torch call inside shows them, so the call itself is recognised by its shapes: distributions (N, V) and
targets (N) go in, one loss for each target comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Watcher = Callable[[tuple[Any, ...], Any], None]


def watch_functions(watcher: Watcher) -> None:
    """Let the watcher see every call of an autograd function."""
    real = torch.autograd.Function.apply.__func__  # type: ignore[attr-defined]

    def apply(cls: Any, *args: Any, **options: Any) -> Any:
        result = real(cls, *args, **options)
        watcher((*args, *options.values()), result)
        return result

    torch.autograd.Function.apply = classmethod(apply)  # type: ignore[assignment, method-assign]


def losses_of(args: tuple[Any, ...], result: Any, vocab: int) -> tuple[Any, Any, Any] | None:
    """(losses, distributions, targets) of a call with the shapes of a loss, else None."""
    found = result[0] if isinstance(result, (tuple, list)) and result else result
    if not isinstance(found, torch.Tensor) or not found.dtype.is_floating_point:
        return None
    tensors = [a for a in args if isinstance(a, torch.Tensor)]
    targets = [t for t in tensors if t.dtype in (torch.int64, torch.int32) and t.numel() == found.numel()]
    rows = [
        t
        for t in tensors
        if t.dtype.is_floating_point
        and t.dim() > 1
        and t.shape[-1] == vocab
        and t.numel() == found.numel() * vocab
    ]
    if len(targets) != 1 or len(rows) != 1 or found.numel() < 2:
        return None
    return found, rows[0].reshape(-1, vocab), targets[0].reshape(-1)
