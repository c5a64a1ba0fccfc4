"""A virtual clock: each look at it takes a fixed time, so that schedules by wall clock repeat exactly."""

from __future__ import annotations

import time
from typing import Any

from golf_audit.dynamic.child.context import Context

STEP = 1e-4
"""Seconds that pass between two looks at the clock."""
START = 1_760_000_000.0
"""What time.time() says at first."""


class Clock:
    """Seconds since the start, one step later at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def look(self) -> float:
        """The next instant."""
        self.now += STEP
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass without waiting."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.now += seconds


def install(context: Context) -> None:
    """Replace the clocks of the time module. The process's own CPU time stays: nothing schedules by it."""
    clock = Clock()
    context.originals["monotonic"] = time.monotonic
    patched: dict[str, Any] = {
        "time": lambda: START + clock.look(),
        "perf_counter": clock.look,
        "monotonic": clock.look,
        "time_ns": lambda: int((START + clock.look()) * 1e9),
        "perf_counter_ns": lambda: int(clock.look() * 1e9),
        "monotonic_ns": lambda: int(clock.look() * 1e9),
        "sleep": clock.sleep,
    }
    for name, function in patched.items():
        setattr(time, name, function)
