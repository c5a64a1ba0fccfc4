"""The one place through which every torch call of the submission passes."""

from __future__ import annotations

import threading
from typing import Any

from torch.overrides import TorchFunctionMode

from golf_audit.dynamic.child.context import Context, replace
from golf_audit.dynamic.child.recorder import Recorder
from golf_audit.dynamic.child.shims import devices


class Everything(TorchFunctionMode):
    """Rewrites devices, then lets the recorder see the call."""

    def __init__(self, context: Context, recorder: Recorder | None) -> None:
        super().__init__()
        self.on_cpu = context.job.device == "cpu"
        self.recorder = recorder

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        if self.on_cpu:
            args, options = devices.rewrite(args, options)
        if self.recorder is None:
            return function(*args, **options)
        return self.recorder.called(function, args, options)


def everywhere(mode: Everything) -> None:
    """Enter the mode in this thread and in every thread that starts from now on."""
    mode.__enter__()  # type: ignore[no-untyped-call]
    real = threading.Thread.run

    def run(self: threading.Thread) -> None:
        with mode:
            real(self)

    replace(threading.Thread, run=run)
