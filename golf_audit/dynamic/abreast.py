"""Runs side by side: after the baseline no run of a trace waits for another one's result."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

T = TypeVar("T")
MOST = 2
"""Runs at one time where nobody says how many: one script takes up to 1.2 GB, and a trace promises 3 GB."""

Task = Callable[[Event], T]
"""Work that looks at the event now and then, and raises Stopped once it is set."""


class Stopped(Exception):
    """Somebody asked all runs to end."""


def usual() -> int:
    """How many runs this machine makes at one time by default."""
    return min(MOST, len(os.sched_getaffinity(0)))


def abreast(tasks: Sequence[Task[T]], jobs: int) -> list[T]:
    """The results of all tasks, in their order, at most `jobs` at one time.

    Threads suffice: each only listens to the process of its run. Whatever one raises, and Ctrl-C, ends the
    others before this returns."""
    stop = Event()
    if jobs == 1:
        return [task(stop) for task in tasks]
    with ThreadPoolExecutor(jobs, "run") as pool:
        futures = [pool.submit(task, stop) for task in tasks]
        try:
            return [future.result() for future in futures]
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            raise
