"""The processes of a run as the host sees them: how many, how much memory, and the end of all of them."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
_PATIENCE = 20.0
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Taken:
    """What all processes of a run hold at one moment."""

    processes: int
    resident: int  # bytes; pages that processes share count once per process
    cpu_seconds: float


def follow(
    process: subprocess.Popen[bytes],
    pipes: Mapping[str, int],
    take: Callable[[str, bytes], None],
    look: Callable[[subprocess.Popen[bytes]], None],
    every: float,
) -> None:
    """Read until every pipe is closed or the process has ended.

    `take` gets the name of a pipe and what came through it, `look` is called about every `every` seconds;
    what either raises ends it."""
    next_look = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for name, descriptor in pipes.items():
            selector.register(descriptor, selectors.EVENT_READ, name)
        while selector.get_map():
            for key, _ in selector.select(every):
                data = os.read(key.fd, _CHUNK)
                if data:
                    take(str(key.data), data)
                else:
                    selector.unregister(key.fd)
            if time.monotonic() >= next_look:
                look(process)
                next_look = time.monotonic() + every
            if process.poll() is not None and not selector.select(0):
                return  # a process that detached itself may hold a pipe open: its namespace is dead


def tree(root: int) -> list[int]:
    """A process and all its descendants, as far as they live."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            parent = _parent(int(entry.name))
            if parent is not None:
                children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children.get(process, [])
    return found


def taken(processes: list[int]) -> Taken:
    """Their resident memory and CPU time together; those that have ended count nothing."""
    resident, ticks = 0, 0
    for process in processes:
        with contextlib.suppress(OSError, ValueError, IndexError):
            resident += int((_PROC / str(process) / "statm").read_text().split()[1]) * _PAGE
            ticks += sum(int(n) for n in _stat(process)[11:13])
    return Taken(len(processes), resident, ticks / _TICKS)


def proportional(processes: list[int]) -> int:
    """Bytes with shared pages divided among those that share them: exact, and slow to ask for."""
    total = 0
    for process in processes:
        with contextlib.suppress(OSError, ValueError, IndexError):
            for line in (_PROC / str(process) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def open_process(process: int) -> int | None:
    """A descriptor that stands for this process and no later one of the same number; None when it is gone."""
    try:
        return os.pidfd_open(process)
    except ProcessLookupError:
        return None


def end_namespace(bubblewrap: subprocess.Popen[bytes], first: int | None) -> None:
    """Kill a sandbox. `first` stands for process 1 of its namespace: the kernel ends all others with it, and
    reports its death only when they are gone. Raises TimeoutExpired when they do not go."""
    if first is not None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(first, signal.SIGKILL)
        if not select.select([first], [], [], _PATIENCE)[0]:
            raise subprocess.TimeoutExpired("the sandbox", _PATIENCE)
    elif bubblewrap.poll() is None:
        bubblewrap.kill()  # its children were told to die with it
    bubblewrap.wait(_PATIENCE)


def end_tree(root: subprocess.Popen[bytes]) -> None:
    """Kill a process that runs without a sandbox, with every descendant that is still known as such."""
    while root.poll() is None:
        for process in reversed(tree(root.pid)):
            _kill(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            root.wait(timeout=0.05)


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _parent(process: int) -> int | None:
    fields = _stat(process)
    return int(fields[1]) if fields else None


def _stat(process: int) -> list[str]:
    """The fields of /proc/N/stat after the name, which may itself hold spaces and brackets."""
    try:
        return (_PROC / str(process) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
