"""What `golf-audit trace` and `check --dynamic` share: how to run, and progress on stderr."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import click

from golf_audit.dynamic.abreast import usual
from golf_audit.dynamic.contract import Ending, Miniature, Places, RunResult
from golf_audit.dynamic.messages import Message, Phase, Print
from golf_audit.dynamic.miniature import prepare
from golf_audit.dynamic.probes import FULL, QUICK
from golf_audit.dynamic.run import Way
from golf_audit.dynamic.sandbox import Limits, cuda_devices, require_sandbox
from golf_audit.dynamic.trace import Plan, trace
from golf_audit.errors import AuditError
from golf_audit.observation import Observation
from golf_audit.report.escape import terminal
from golf_audit.submission import Submission

_CUDA_MEMORY = 24 << 30


def plan(kind: str, device: str, unsafe: bool, jobs: int | None = None) -> Plan:
    """How to run, `jobs` runs at one time (None: as the machine allows).

    Raises AuditError where the sandbox does not work and was not waived, or must not be.
    """
    if unsafe and os.environ.get("CI", "").lower() in ("true", "1"):
        raise AuditError(
            "--unsafe-no-sandbox is refused where CI=true: strangers' code would have its rights"
        )
    if not unsafe:
        require_sandbox()
    probes = FULL if kind == "full" else QUICK
    if device == "cuda":
        way = Way(Limits(memory=_CUDA_MEMORY), sandbox=not unsafe, devices=cuda_devices())
        return Plan(_Cached(), probes, kind, "cuda", way, jobs=jobs or 1)
    return Plan(_Cached(), probes, kind, "cpu", Way(sandbox=not unsafe), jobs=jobs or usual())


class _Cached:
    """prepare() with the folder that keeps tokenizers between traces."""

    def __call__(self, submission: Submission, folder: Path, where: Places) -> Miniature:
        return prepare(submission, folder, where, cache=cache_folder())


def cache_folder() -> Path | None:
    """Where tokenizers stay; None when no folder of the user can be written."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(home) / "golf-audit"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def observe(submission: Submission, how: Plan) -> Observation:
    """One submission's trace, with progress on stderr. Being asked to end leaves as little as Ctrl-C does."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _leave)
    return trace(submission, how, Console(submission.name))


def _leave(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


@dataclass
class _Under:
    """A run that is under way."""

    name: str
    seconds: float = 0.0
    phase: str = "starting"

    @property
    def line(self) -> str:
        return f"{self.name}  {self.seconds:5.1f} s  {self.phase}"


class Console:
    """Progress on stderr: one line that is rewritten on a terminal, a line per run elsewhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._live = sys.stderr.isatty()
        self._now: dict[str, _Under] = {}
        self._shown = 0.0
        self._alone = 0.0  # seconds of the first run, which goes alone

    def begins(self, run: str, number: int, of: int) -> None:
        if number == 2 and self._alone:
            more = "1 more run" if of == number else f"{of - 1} more runs"
            self._write(f"{more}, about {self._alone:.0f} s each", "\n")
        self._now[run] = _Under(f"{number}/{of} {run}" if of > 1 else run)

    def hears(self, run: str, message: Message | None, seconds: float) -> None:
        under = self._now[run]
        under.seconds = seconds
        if isinstance(message, Phase):
            under.phase = message.name
        elif isinstance(message, Print):
            under.phase = message.text.strip()
        now = time.monotonic()
        if self._live and now - self._shown > 0.2:
            self._shown = now
            room = 90 // len(self._now)
            self._write("   ".join(one.line[:room] for one in self._now.values()), "\r")

    def ends(self, run: str, result: RunResult) -> None:
        under, usage = self._now.pop(run), result.usage
        good = result.ending is Ending.OK
        self._alone = self._alone or (usage.seconds if good else 0.0)
        how = "" if good else f"  {result.reason}"
        peak = f"{usage.peak_bytes / 2**30:.1f} GB"
        self._write(f"{under.name}  {usage.seconds:5.1f} s  {peak}{how}", "\n")

    def _write(self, text: str, end: str) -> None:
        width = 100
        line = terminal(text)[: width - 2] if end == "\r" else terminal(text)
        click.echo(f"{line:<{width - 2}}" if self._live else line, err=True, nl=False)
        click.echo(end, err=True, nl=False)


__all__ = ["cache_folder", "observe", "plan"]
