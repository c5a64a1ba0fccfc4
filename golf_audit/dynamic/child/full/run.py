"""The run of one rank, from the recorder in place to the last message."""

from __future__ import annotations

import os
import sys
from typing import Any

from golf_audit.dynamic.child.context import Context, replace
from golf_audit.dynamic.child.run import Outlet, executed
from golf_audit.dynamic.job import Job
from golf_audit.dynamic.messages import Message, Start
from golf_audit.dynamic.wire import Sender


def run(script: str, argv: tuple[str, ...], data: str, pipe: int, rank: int, world: int) -> int:
    """Execute the script under the recorder. Returns the exit status of the process."""
    import torch

    from golf_audit.dynamic.child import mode
    from golf_audit.dynamic.child import script as scripts
    from golf_audit.dynamic.child.full.recorder import FullRecorder

    job = Job(
        script=script,
        submission="",
        data=data,
        work=os.getcwd(),
        val_tokens="",
        vocab=0,
        seconds=0.0,
        argv=argv,
        device="cuda",  # whatever it is: no device is replaced
        message_fd=pipe,
    )
    context = Context(job, _of_this_process(Outlet(Sender(pipe))), rank)
    context.send(Start(python=sys.version.split()[0], torch=torch.__version__, targets=0))
    replace(torch, compile=_plain)
    recorder = FullRecorder(context, rank, world)
    recorder.install()
    scripts.install(context)
    mode.everywhere(mode.Everything(context, recorder))
    end = executed(context)
    context.send(end)
    sys.stdout.flush()
    return end.status


def _of_this_process(send: Any) -> Any:
    """Messages of this process alone: workers that it forks hold the same pipe."""
    process = os.getpid()

    def sending(message: Message) -> None:
        if os.getpid() == process:
            send(message)

    return sending


def _plain(model: Any = None, **options: Any) -> Any:
    """torch.compile without compiling: the calls inside stay visible."""
    return (lambda function: function) if model is None else model
