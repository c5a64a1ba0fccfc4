"""Small differences between this machine and the one a script expects."""

from __future__ import annotations

from typing import Any

import torch

from golf_audit.dynamic.child.context import Context


def install(context: Context) -> None:
    """Capturable optimizers, on a CPU."""
    if context.job.device != "cpu":
        return
    for name in ("Adam", "AdamW", "SGD", "NAdam", "RAdam", "Adagrad"):
        _plain(getattr(torch.optim, name))


def _plain(optimizer: Any) -> None:
    """Without `capturable`, which needs a GPU; `fused` works on a CPU."""
    original = optimizer.__init__

    def init(self: Any, *args: Any, **options: Any) -> None:
        if options.get("capturable"):
            options["capturable"] = False
        original(self, *args, **options)

    optimizer.__init__ = init
