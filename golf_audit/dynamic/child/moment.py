"""A moment in a run at which a probe wants something to happen: the end of the run, or other training shards.

It is the reading back of the nth artifact, or a score; the probe took its number from the baseline, and runs
repeat. Everything before it goes on as in the baseline.
"""

from __future__ import annotations

import builtins
import io
import os
import sys
from typing import Any

from golf_audit.dynamic.child.context import Context
from golf_audit.dynamic.child.recorder.outside import Outside
from golf_audit.dynamic.messages import End
from golf_audit.dynamic.miniature.data import OTHER

STOP, EXCHANGE = "stop", "exchange"


class Moment:
    """Waits for the moment that the job names, if any."""

    def __init__(self, context: Context, outside: Outside) -> None:
        self.context, self.outside = context, outside
        options = context.job.options
        self.then = options.get("then")
        self._reads = options.get("artifact_reads")
        self._event = options.get("score_event")
        self._seen = 0
        self.passed = False

    def install(self) -> None:
        """Listen for it, and prepare the exchange of shards."""
        self.outside.on_artifact = self.artifact
        if self.then == EXCHANGE:
            _redirect(self)

    def artifact(self) -> None:
        """An artifact is about to be read back."""
        self._seen += 1
        if self._seen == self._reads:
            self._come()

    def score(self, event: int) -> None:
        """A score is about to be told."""
        if event == self._event:
            self._come()

    def place(self, file: Any) -> Any:
        """Where a file is read: a training shard elsewhere once the moment has passed."""
        if not self.passed or not isinstance(file, (str, bytes, os.PathLike)):
            return file
        full = os.path.realpath(os.fsdecode(file))
        if self.outside.stream_of(full) != "train":
            return file
        return os.path.join(self.outside.data, OTHER, os.path.basename(full))

    def _come(self) -> None:
        self.passed = True
        if self.then == STOP:
            self.outside.finish()
            self.context.send(End(how="ok", detail="stopped where the probe wanted"))
            sys.stdout.flush()
            os._exit(0)


def _redirect(moment: Moment) -> None:
    """Let open(), through which numpy and pathlib read too, ask for the place."""
    real = builtins.open

    def opened(file: Any, *args: Any, **options: Any) -> Any:
        return real(moment.place(file), *args, **options)

    for module in (builtins, io):
        setattr(module, "open", opened)  # noqa: B010 - a plain assignment would be taken for a mistake
