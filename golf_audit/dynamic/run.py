"""One job -> one result: start the child in the sandbox, listen, watch what it takes, and end all of it.

Whatever happens (success, limit, forged messages, Ctrl-C) the namespace is dead before this returns, and the
temporary folder is gone. Nothing is read back but the messages and the last lines of the output.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from golf_audit.dynamic import watch
from golf_audit.dynamic.contract import Ending, RunResult, Usage
from golf_audit.dynamic.job import Job
from golf_audit.dynamic.messages import WHERE, End, Message, Probe
from golf_audit.dynamic.sandbox import (
    INSIDE,
    JOB,
    PYTHON,
    TOOL,
    Bind,
    Descriptors,
    Limits,
    command,
    stage_parent,
    text_file,
)
from golf_audit.dynamic.seccomp import filter_for
from golf_audit.dynamic.wire import BadMessage, Receiver
from golf_audit.scratch import scratch

TICK = 0.1
TAIL = 16_384
GRACE = 5.0
"""Seconds for the process to end after its end message: interpreters and threads take a moment."""
_CHUNK = 1 << 16
_MESSAGES = "messages"
_CHILD = (
    "import sys; sys.path[0:1] = [{tool!r}]; import runpy; sys.argv = ['golf_audit.dynamic.child', {job!r}]; "
    "runpy.run_module('golf_audit.dynamic.child', run_name='__main__', alter_sys=True)"
)


@dataclass(frozen=True)
class Hosts:
    """Where the folders of a job lie on the host."""

    submission: Path
    data: Path


@dataclass(frozen=True)
class Way:
    """How runs are made. `child` is the command inside, with {job} for the path of the job."""

    limits: Limits = field(default_factory=Limits)
    sandbox: bool = True
    child: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()


class Listener(Protocol):
    """What wants to know while a run goes on."""

    def __call__(self, message: Message | None, seconds: float) -> None:
        """A message has come, or (None) a tenth of a second has passed."""


def run(job: Job, hosts: Hosts, way: Way | None = None, listen: Listener | None = None) -> RunResult:
    """Run one job and return when nothing of it lives any more."""
    return _Run(job, hosts, way or Way(), listen).result()


class _Stop(Exception):
    """The run has to end now."""

    def __init__(self, ending: Ending, reason: str) -> None:
        super().__init__(reason)
        self.ending, self.reason = ending, reason


class _Run:
    """The state of one run while it lasts."""

    def __init__(self, job: Job, hosts: Hosts, way: Way, listen: Listener | None) -> None:
        self._job, self._hosts, self._way, self._listen = job, hosts, way, listen
        self._receivers = [Receiver() for _ in range(job.ranks)]
        self._receiver = self._receivers[0]
        self._tail = bytearray()
        self._written = 0
        self._status = b""
        self._first: int | None = None  # stands for process 1 of the namespace
        self._start = time.monotonic()
        self._ended: float | None = None  # when the end message came
        self._usage = Usage()

    def result(self) -> RunResult:
        """Start, listen, end."""
        try:
            with self._process() as (process, pipes):
                watch.follow(process, pipes.ours, self._take, self._tick, TICK)
            ending, reason = self._verdict(process.returncode)
        except _Stop as stop:
            ending, reason = stop.ending, stop.reason
        usage = replace(self._usage, seconds=time.monotonic() - self._start)
        tail = bytes(self._tail).decode("utf-8", "replace")
        said, *others = (tuple(receiver.messages) for receiver in self._receivers)
        return RunResult(self._job, ending, reason, said, tail, usage, tuple(others))

    @contextlib.contextmanager
    def _process(self) -> Iterator[tuple[subprocess.Popen[bytes], _Pipes]]:
        """The running process with the ends that we hold. On the way out everything of it is dead."""
        with contextlib.ExitStack() as stack:
            parent = stage_parent() if self._way.sandbox else None
            stage = stack.enter_context(scratch("run", parent))
            stage.chmod(0o711)
            pipes = _Pipes(stack, sandbox=self._way.sandbox, ranks=self._job.ranks)
            first, *rest = (pipes.theirs[name] for name in pipes.theirs if name.startswith(_MESSAGES))
            self._job = replace(self._job, message_fd=first, rank_fds=tuple(rest))
            line, environ, folder = self._command(stage, pipes)
            process = subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=pipes.theirs["output"],
                stderr=pipes.theirs["output"],
                pass_fds=pipes.inherited,
                env=environ,
                cwd=folder,
                start_new_session=True,
            )
            try:
                pipes.close_theirs()
                yield process, pipes
            finally:
                self._end(process, pipes)

    def _command(self, stage: Path, pipes: _Pipes) -> tuple[list[str], Mapping[str, str] | None, str]:
        job = self._job.to_json().encode("ascii")
        environ = environment(self._job)
        if self._way.sandbox:
            child = self._way.child or (
                PYTHON,
                "-c",
                _CHILD.format(tool=os.path.dirname(TOOL), job=JOB),
            )
            pipes.add("filter", text_file(filter_for() or b""))
            pipes.add("job", text_file(job))
            fds = Descriptors(pipes.theirs["filter"], pipes.theirs["status"], pipes.theirs["job"])
            binds = (
                Bind(self._hosts.submission, INSIDE.submission),
                Bind(self._hosts.data, INSIDE.data),
            )
            inside = [part.replace("{job}", JOB) for part in child]
            devices = self._way.devices
            line = command(inside, binds, environ, self._way.limits, stage=stage, fds=fds, devices=devices)
            return line, None, "/"
        path = stage / "job.json"
        path.write_bytes(job)
        place_folders(self._job, self._hosts)
        tool = str(Path(__file__).resolve().parents[2])
        child = self._way.child or (PYTHON, "-c", _CHILD.format(tool=tool, job=str(path)))
        return [part.replace("{job}", str(path)) for part in child], environ, self._job.work

    def _take(self, name: str, data: bytes) -> None:
        if name == "status":
            self._status = (self._status + data)[:4096]
            if self._first is None:
                self._first = self._open_first()
        elif name == "output":
            self._written += len(data)
            self._tail += data
            del self._tail[:-TAIL]
            if self._written > self._way.limits.output:
                megabytes = self._way.limits.output >> 20
                raise _Stop(Ending.FLOOD, f"it wrote more than {megabytes} MiB of output")
        else:
            self._hear(data, int(name.removeprefix(_MESSAGES)))

    def _hear(self, data: bytes, rank: int) -> None:
        receiver = self._receivers[rank]
        try:
            new = receiver.feed(data)
        except BadMessage as error:
            raise _Stop(Ending.FORGED, f"message {len(receiver.messages)}: {error}") from None
        for message in new if rank == 0 else ():
            if isinstance(message, End):
                self._ended = time.monotonic()
            if self._listen is not None:
                self._listen(message, time.monotonic() - self._start)

    def _tick(self, process: subprocess.Popen[bytes]) -> None:
        """Compare with the limits what the run has taken so far."""
        seconds = time.monotonic() - self._start
        if self._listen is not None:
            self._listen(None, seconds)
        processes = watch.tree(process.pid)
        now = watch.taken(processes)
        before = self._usage
        self._usage = Usage(
            0.0,
            max(before.cpu_seconds, now.cpu_seconds),
            max(before.peak_bytes, now.resident),
            max(before.processes, now.processes),
        )
        limits = self._way.limits
        if now.processes > limits.processes:
            raise _Stop(Ending.PROCESSES, f"more than {limits.processes} processes at one time")
        if now.resident > limits.memory and (
            now.resident > 4 * limits.memory or watch.proportional(processes) > limits.memory
        ):
            raise _Stop(Ending.MEMORY, f"more than {limits.memory / 2**30:.1f} GiB of memory")
        if self._usage.cpu_seconds > self._job.seconds:
            raise _Stop(
                Ending.TIMEOUT, f"not at its end after {self._job.seconds:.0f} s of CPU time{self._at}"
            )
        if seconds > limits.patience * self._job.seconds:
            raise _Stop(Ending.TIMEOUT, f"not at its end after {seconds:.0f} s{self._at}")
        if self._ended is not None and time.monotonic() > self._ended + GRACE:
            raise _Stop(*self._verdict(0))

    @property
    def _at(self) -> str:
        """Where a run was when its time was almost used up, as it says."""
        found = [m.site for m in self._receiver.messages if isinstance(m, Probe) and m.name == WHERE]
        name, line = found[-1] if found else ("", 0)
        return f"; it was at {name}, line {line}" if line else ""

    def _verdict(self, status: int) -> tuple[Ending, str]:
        """How the run ended, by its last message and the status of its process."""
        try:
            for receiver in self._receivers:
                receiver.finish()
        except BadMessage as error:
            if status == 0:
                return Ending.FORGED, str(error)
        messages = self._receiver.messages
        last = messages[-1] if messages else None
        if isinstance(last, End):
            good = last.how == "ok" or (last.how == "exit" and last.status == 0)
            if good:
                return self._others() or (Ending.OK, "the script came to its end")
            return Ending.FAILED, last.detail or f"it ended with status {last.status}"
        if last is None:
            return Ending.NEVER_STARTED, self._last_line() or f"status {status} before the first message"
        killed = status - 128 if status > 128 else -status
        if killed > 0:
            return Ending.KILLED, f"ended by signal {killed}"
        return Ending.FAILED, f"it ended with status {status} and without an end message"

    def _others(self) -> tuple[Ending, str] | None:
        """The first other rank that did not come to its end."""
        for rank, receiver in enumerate(self._receivers):
            last = receiver.messages[-1] if receiver.messages else None
            if rank and not (isinstance(last, End) and last.status == 0):
                detail = last.detail if isinstance(last, End) else "no end message"
                return Ending.FAILED, f"rank {rank}: {detail}"
        return None

    def _last_line(self) -> str:
        lines = bytes(self._tail).decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:200] if lines else ""

    def _end(self, process: subprocess.Popen[bytes], pipes: _Pipes) -> None:
        if not self._way.sandbox:
            watch.end_tree(process)
            return
        if self._first is None and select.select([pipes.ours["status"]], [], [], 0)[0]:
            self._take("status", os.read(pipes.ours["status"], _CHUNK))  # written before the child ran
        try:
            watch.end_namespace(process, self._first)
        finally:
            if self._first is not None:
                os.close(self._first)

    def _open_first(self) -> int | None:
        """Process 1 of the namespace as bubblewrap reports it, in the numbers of the host."""
        try:
            said = json.loads(self._status.split(b"\n")[0])
        except ValueError:
            return None
        first = said.get("child-pid") if isinstance(said, dict) else None
        return watch.open_process(first) if isinstance(first, int) and first > 1 else None


class _Pipes:
    """The descriptors between us and the run: our ends by name, and theirs."""

    def __init__(self, stack: contextlib.ExitStack, *, sandbox: bool, ranks: int) -> None:
        self._stack = stack
        self._open: set[int] = set()
        self.ours: dict[str, int] = {}
        self.theirs: dict[str, int] = {}
        stack.callback(self._close_all)
        messages = [f"{_MESSAGES}{rank}" for rank in range(ranks)]
        for name in (*messages, "output", *(("status",) if sandbox else ())):
            self.ours[name], self.theirs[name] = os.pipe()
            self._open |= {self.ours[name], self.theirs[name]}

    def add(self, name: str, descriptor: int) -> None:
        """One more that the run inherits."""
        self.theirs[name] = descriptor
        self._open.add(descriptor)

    @property
    def inherited(self) -> tuple[int, ...]:
        return tuple(fd for name, fd in self.theirs.items() if name != "output")

    def close_theirs(self) -> None:
        for descriptor in self.theirs.values():
            self._open.discard(descriptor)
            os.close(descriptor)

    def _close_all(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)


def environment(job: Job) -> dict[str, str]:
    """What the child starts with; it then gives the script exactly `job.environ`."""
    threads = str(job.threads)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": job.work,
        "USER": "golf",
        "LOGNAME": "golf",
        "TMPDIR": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
    }


def place_folders(job: Job, hosts: Hosts) -> None:
    """Without a sandbox: put the folders where the job says, and empty the run folder."""
    for host, target in ((hosts.submission, job.submission), (hosts.data, job.data)):
        if Path(target) != host:
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(host, target)
    shutil.rmtree(job.work, ignore_errors=True)
    Path(job.work).mkdir(parents=True)
