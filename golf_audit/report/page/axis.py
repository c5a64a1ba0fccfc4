"""A linear axis with round ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` on pixels from `start` to `stop`."""

    low: float
    high: float
    start: float
    stop: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def ticks(self, count: int = 5) -> tuple[list[float], int]:
        """About `count` round values inside, and the decimals that tell them apart."""
        raw = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return [n * step for n in range(first, last + 1)], decimals


def around(values: Sequence[float], start: float, stop: float, least: float) -> Axis:
    """An axis that holds all values with a margin, at least `least` wide. Values are finite, at least one."""
    low, high = min(values), max(values)
    room = max((high - low) * 0.12, (least - (high - low)) / 2, least * 0.05)
    return Axis(low - room, high + room, start, stop)
