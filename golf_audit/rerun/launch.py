"""One program of a stranger on this machine: started in the sandbox, followed, ended with all its processes.

Everything it writes goes to a file of bounded size and is never believed. Without the sandbox (`sandbox`
False) it runs in a temporary folder with the rights of whoever started us.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Literal

from golf_audit.dynamic import watch
from golf_audit.dynamic.sandbox import Bind, Descriptors, Limits, command, stage_parent, text_file
from golf_audit.dynamic.seccomp import filter_for
from golf_audit.errors import AuditError
from golf_audit.scratch import scratch

How = Literal["finished", "failed", "timeout", "memory", "flood", "killed", "interrupted", "not started"]
TICK = 0.5
MESSAGES = "/golf/messages"
_ERRORS_KEPT = 16_384


@dataclass(frozen=True)
class Task:
    """What to run: a command line, the folders it sees read only, its whole environment, and its limits."""

    inside: tuple[str, ...]
    binds: tuple[Bind, ...]
    environ: Mapping[str, str]
    seconds: float
    limits: Limits
    devices: tuple[str, ...] = ()
    network: bool = False  # only for installing packages
    errors_apart: bool = False  # keep stderr out of the output file
    ranks: int = 0  # pipes that the run finds below MESSAGES: rank0, rank1 ...


@dataclass(frozen=True)
class Ended:
    """How a task ended, after every process of it is dead. `errors` holds the end of an apart stderr."""

    how: How
    reason: str
    wall_s: float
    errors: str = field(default="", repr=False)


Tick = Callable[[float], None]
"""Called about twice a second with the seconds that have passed."""
Hear = Callable[[int, bytes], None]
"""Called with what a rank wrote into its pipe."""


class _Stop(Exception):
    """The task has to end now."""

    def __init__(self, how: How, reason: str) -> None:
        super().__init__(reason)
        self.how, self.reason = how, reason


def run_task(
    task: Task, output: Path, *, sandbox: bool, tick: Tick | None = None, hear: Hear | None = None
) -> Ended:
    """Run a task, its output into a new file. KeyboardInterrupt ends it and goes on to the caller."""
    with output.open("xb") as file:
        return _Running(task, file, sandbox, tick, hear).result()


class _Running:
    """One task while it lasts."""

    def __init__(
        self, task: Task, file: IO[bytes], sandbox: bool, tick: Tick | None, hear: Hear | None
    ) -> None:
        self._task, self._file, self._sandbox = task, file, sandbox
        self._tick, self._hear = tick, hear
        self._began = time.monotonic()
        self._written = 0
        self._errors = bytearray()
        self._status = b""
        self._first: int | None = None

    def result(self) -> Ended:
        try:
            with self._process() as (process, pipes):
                watch.follow(process, pipes, self._take, self._look, TICK)
            how, reason = self._verdict(process.returncode)
        except _Stop as stop:
            how, reason = stop.how, stop.reason
        errors = bytes(self._errors).decode("utf-8", "replace")
        return Ended(how, reason, time.monotonic() - self._began, errors)

    @contextlib.contextmanager
    def _process(self) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, int]]]:
        """The running process and our ends of its pipes; on the way out everything of it is dead."""
        with contextlib.ExitStack() as stack:
            stage = _folder(stack, self._sandbox)
            names = ["output", *(["errors"] if self._task.errors_apart else [])]
            names += ["status"] if self._sandbox else []
            ours: dict[str, int] = {}
            theirs: dict[str, int] = {}
            for name in names:
                ours[name], theirs[name] = os.pipe()
                stack.callback(os.close, ours[name])
            if self._task.ranks:
                ours |= self._rank_pipes(stack)
            inherited: tuple[int, ...] = ()
            if self._sandbox:
                theirs["filter"] = text_file(filter_for(gpu=bool(self._task.devices)) or b"")
                inherited = (theirs["filter"], theirs["status"])
            line, environ, folder = self._command(stage, theirs)
            try:
                process = subprocess.Popen(
                    line,
                    stdin=subprocess.DEVNULL,
                    stdout=theirs["output"],
                    stderr=theirs.get("errors", theirs["output"]),
                    pass_fds=inherited,
                    env=environ,
                    cwd=folder,
                    start_new_session=True,
                )
            finally:
                for descriptor in theirs.values():
                    os.close(descriptor)
            try:
                yield process, ours
            finally:
                self._end(process)

    def _rank_pipes(self, stack: contextlib.ExitStack) -> dict[str, int]:
        """A pipe with a name for each rank, in a folder of their own, and our ends of them."""
        folder = _folder(stack, self._sandbox)
        ours = {}
        for rank in range(self._task.ranks):
            path = folder / f"rank{rank}"
            os.mkfifo(path)
            path.chmod(0o622)
            ours[f"rank{rank}"] = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            stack.callback(os.close, ours[f"rank{rank}"])
        self._task = replace(self._task, binds=(*self._task.binds, Bind(folder, MESSAGES)))
        return ours

    def _command(
        self, stage: Path, theirs: Mapping[str, int]
    ) -> tuple[list[str], Mapping[str, str] | None, str]:
        task = self._task
        if not self._sandbox:
            folder = stage / "run"
            folder.mkdir()
            return list(_outside(task)), _places(task), str(folder)
        fds = Descriptors(theirs["filter"], theirs["status"])
        line = command(
            task.inside,
            task.binds,
            {**task.environ, "TMPDIR": "/tmp"},
            task.limits,
            stage=stage,
            fds=fds,
            devices=task.devices,
            network=task.network,
        )
        return line, None, "/"

    def _take(self, name: str, data: bytes) -> None:
        if name == "status":
            self._status = (self._status + data)[:4096]
            if self._first is None:
                self._first = _first_process(self._status)
        elif name.startswith("rank"):
            if self._hear is not None:
                self._hear(int(name[4:]), data)
        elif name == "errors":
            self._errors += data
            del self._errors[:-_ERRORS_KEPT]
        else:
            self._written += len(data)
            if self._written > self._task.limits.output:
                raise _Stop("flood", f"it wrote more than {self._task.limits.output >> 20} MiB of output")
            try:
                self._file.write(data)
                self._file.flush()
            except OSError as error:
                raise AuditError(f"cannot write {self._file.name}: {error.strerror}") from error

    def _look(self, process: subprocess.Popen[bytes]) -> None:
        """Compare with the limits what the task has taken so far."""
        seconds = time.monotonic() - self._began
        if self._tick is not None:
            self._tick(seconds)
        processes = watch.tree(process.pid)
        now, limits = watch.taken(processes), self._task.limits
        if now.processes > limits.processes:
            raise _Stop("killed", f"more than {limits.processes} processes at one time")
        if now.resident > limits.memory and watch.proportional(processes) > limits.memory:
            raise _Stop("memory", f"more than {limits.memory / 2**30:.1f} GiB of memory")
        if seconds > self._task.seconds:
            raise _Stop("timeout", f"not at its end after {self._task.seconds:.0f} s")

    def _verdict(self, status: int) -> tuple[How, str]:
        if status == 0:
            return "finished", "it came to its end"
        killed = status - 128 if status > 128 else -status
        if killed > 0:
            return "killed", f"ended by signal {killed}"
        return "failed", f"it ended with status {status}"

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        try:
            if self._sandbox:
                watch.end_namespace(process, self._first)
            else:
                watch.end_tree(process)
        finally:
            if self._first is not None:
                os.close(self._first)
                self._first = None


def _folder(stack: contextlib.ExitStack, sandbox: bool) -> Path:
    """An empty folder for as long as the task runs, which the user that it becomes can enter."""
    made = stack.enter_context(scratch("rerun", stage_parent() if sandbox else None))
    made.chmod(0o711)
    return made


def _first_process(status: bytes) -> int | None:
    """A descriptor for process 1 of the namespace, as bubblewrap reports it; None until it has."""
    import json

    try:
        said = json.loads(status.split(b"\n")[0])
    except ValueError:
        return None
    number = said.get("child-pid") if isinstance(said, dict) else None
    return watch.open_process(number) if isinstance(number, int) and number > 1 else None


def _places(task: Task) -> dict[str, str]:
    """Without a sandbox the folders stay where they are, and the environment names them."""
    moved = {bind.inside: str(bind.host) for bind in task.binds}
    return {name: moved.get(value, value) for name, value in task.environ.items()}


def _outside(task: Task) -> Sequence[str]:
    moved = {bind.inside: str(bind.host) for bind in task.binds}
    return [moved.get(part, part) for part in task.inside]


def refuse_without_sandbox(unsafe: bool) -> None:
    """Raises AuditError when there is no sandbox, or when the unsafe way is asked for where it is refused."""
    from golf_audit.dynamic.sandbox import require_sandbox

    if not unsafe:
        require_sandbox()
    elif os.environ.get("CI", "").lower() == "true":
        raise AuditError("--unsafe-no-sandbox is refused when CI=true: a stranger's code would run there")


def python() -> str:
    """The interpreter of the run: that of this environment."""
    return os.path.abspath(sys.executable)


def shell() -> str:
    """Where sh is."""
    return shutil.which("sh") or "/bin/sh"
