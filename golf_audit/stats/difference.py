"""How far reruns lie from what was claimed, in bpb: above zero the rerun is worse.

A difference has a mean, a standard error and degrees of freedom; everything else (p-value, interval, the
test of equivalence) follows from these three by Student's distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from golf_audit.stats.significance import Sample, sample

LEVEL = 0.05
"""Level of each one-sided test; the interval that decides has confidence 1 - 2 * LEVEL."""

How = Literal["paired", "Welch", "one-sample"]


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval."""

    low: float
    high: float
    confidence: float


@dataclass(frozen=True)
class Difference:
    """Rerun minus claim. `sd` is that of the pairs (paired) or of the rerun (otherwise); `n` counts reruns.

    An `se` of zero is no spread at all: the same program gave the same digits, and the mean is exact."""

    how: How
    mean: float
    sd: float
    n: int
    se: float
    df: float

    @property
    def t(self) -> float:
        """The statistic against no difference; infinite without spread."""
        if self.se > 0:
            return self.mean / self.se
        return math.copysign(math.inf, self.mean) if self.mean else 0.0

    @property
    def p(self) -> float:
        """Two-sided p of no difference."""
        return min(1.0, 2 * _below(self.df, -abs(self.t)))

    def interval(self, level: float = LEVEL) -> Interval:
        """The interval with confidence 1 - 2 * level."""
        half = quantile(self.df, 1 - level) * self.se if self.se else 0.0
        return Interval(self.mean - half, self.mean + half, 1 - 2 * level)

    def equivalence(self, margin: float) -> float:
        """p of the two one-sided tests (TOST) that the difference is within +-margin: the larger."""
        if not self.se:
            return 0.0 if abs(self.mean) < margin else 1.0
        not_better = _below(self.df, -(self.mean + margin) / self.se)
        not_worse = _below(self.df, (self.mean - margin) / self.se)
        return max(not_better, not_worse)


def paired(claimed: Sequence[float], rerun: Sequence[float]) -> Difference | None:
    """The same seeds, claimed and rerun, in one order. None under two pairs.

    Differences down to the last of eight printed digits are no difference."""
    if len(claimed) != len(rerun):
        raise ValueError("pairs need both values of each seed")
    if len(rerun) < 2:
        return None
    pairs = sample([_digits(new - old) for old, new in zip(claimed, rerun, strict=True)])
    assert pairs.sd is not None
    return Difference("paired", pairs.mean, pairs.sd, pairs.n, pairs.sd / math.sqrt(pairs.n), pairs.n - 1)


def unpaired(claimed: Sample, rerun: Sample) -> Difference | None:
    """Seeds of their own on each side (Welch). None where a side has fewer than two."""
    if claimed.sd is None or rerun.sd is None:
        return None
    ours, theirs = rerun.sd**2 / rerun.n, claimed.sd**2 / claimed.n
    if ours + theirs == 0:
        df = float(rerun.n + claimed.n - 2)
    else:
        df = (ours + theirs) ** 2 / (ours**2 / (rerun.n - 1) + theirs**2 / (claimed.n - 1))
    return Difference(
        "Welch", _digits(rerun.mean - claimed.mean), rerun.sd, rerun.n, math.sqrt(ours + theirs), df
    )


def against_value(claimed: float, rerun: Sample) -> Difference | None:
    """Rerun seeds against one stated number without seeds of its own. None under two seeds."""
    if rerun.sd is None:
        return None
    se = rerun.sd / math.sqrt(rerun.n)
    return Difference("one-sample", _digits(rerun.mean - claimed), rerun.sd, rerun.n, se, rerun.n - 1)


def quantile(df: float, level: float) -> float:
    """Student's quantile."""
    from scipy.special import stdtrit

    return float(stdtrit(df, level))


def _below(df: float, t: float) -> float:
    from scipy.special import stdtr  # lazily: scipy costs more than a whole check of a small folder

    return float(stdtr(df, t))


def _digits(difference: float) -> float:
    """Logs print eight decimals; binary fractions must not turn equal ones into a spread."""
    return round(difference, 10)
