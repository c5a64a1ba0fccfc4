"""Significance and units, as the challenge's organisers compute them. Pure; numbers in, numbers out.

bpb              bits per byte, the score
nats per byte    bpb * ln 2
nats per token   bpb * (val_loss / val_bpb): what this community calls "nats"
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

README_NATS = 0.005
"""Nats per token by which the README asks a record to beat the last one."""
README_P = 0.01
"""The README's level for that improvement."""
PRACTICE_P = 0.25
"""The cut-off of the leaderboard audit of 2026-04-28 (#1902), for any improvement at all."""


@dataclass(frozen=True)
class Sample:
    """Scores of one configuration over seeds. `sd` has ddof 1 and is None under two values."""

    mean: float
    sd: float | None
    n: int


@dataclass(frozen=True)
class Welch:
    """One-sided Welch test that the new scores are lower: statistic, degrees of freedom, p."""

    t: float
    df: float
    p: float


@dataclass(frozen=True)
class Improvement:
    """How much lower the new mean is, in every unit. `per_token` is None where val_loss is not known."""

    bpb: float
    per_byte: float
    per_token: float | None


def sample(values: Sequence[float]) -> Sample:
    """Mean, sample deviation and size. Raises ValueError for no values."""
    if not values:
        raise ValueError("a sample needs at least one value")
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return Sample(mean, None, n)
    return Sample(mean, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1)), n)


def welch(new: Sample, old: Sample, margin: float = 0.0) -> Welch | None:
    """Test H0: new is not lower than old by more than `margin` (in bpb, like the means).

    None when it cannot be computed: fewer than two values on a side, or no spread on either.
    """
    if new.sd is None or old.sd is None or new.sd == old.sd == 0.0:
        return None
    from scipy.special import stdtr  # lazily: scipy costs more than a whole check of a small folder

    ours, theirs = new.sd**2 / new.n, old.sd**2 / old.n
    t = (new.mean + margin - old.mean) / math.sqrt(ours + theirs)
    df = (ours + theirs) ** 2 / (ours**2 / (new.n - 1) + theirs**2 / (old.n - 1))
    return Welch(t, df, float(stdtr(df, t)))


def improvement(new: float, old: float, loss_per_bpb: float | None) -> Improvement:
    """The step from `old` to `new` (bpb). `loss_per_bpb` is val_loss / val_bpb of the new tokenizer."""
    bpb = old - new
    return Improvement(bpb, bpb * math.log(2), None if loss_per_bpb is None else bpb * loss_per_bpb)
