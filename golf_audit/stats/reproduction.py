"""Do reruns reproduce a claim? One decision, by one interval, against one stated margin.

The 90 % interval of rerun minus claim lies
    inside +-margin       reproduced (the two one-sided tests of equivalence, each at 5 %)
    wholly above +margin  not reproduced: worse than claimed
    wholly below -margin  better than claimed
    across a border       undetermined, with the number of seeds that would decide at this spread
The same seeds on both sides are compared in pairs, other seeds by Welch, a number without seeds by itself.
Which one decides is fixed by the data at hand before any is computed; the others are printed beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from statistics import fmean

from golf_audit.stats.difference import (
    LEVEL,
    Difference,
    against_value,
    paired,
    quantile,
    unpaired,
)
from golf_audit.stats.significance import Sample, sample

POWER = 0.80
"""The chance of a decision for which seeds are counted, if the spread and the difference stay as they are."""
MOST_SEEDS = 200
"""More seeds than that are not worth naming."""


class Outcome(Enum):
    """What the reruns say of the claim."""

    REPRODUCED = "reproduced"
    WORSE = "not reproduced: worse than claimed"
    BETTER = "better than claimed"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class Claimed:
    """What is claimed: scores by seed, and the headline. `shift`: how far the headline lies below the number
    that its own seeds give (their mean, or the seed it names); 0 where it is that number."""

    seeds: Mapping[int, float]
    headline: float | None
    shift: float = 0.0

    @property
    def sample(self) -> Sample | None:
        """The claimed seeds as they would give the headline; None without any."""
        return sample([value - self.shift for value in self.seeds.values()]) if self.seeds else None


@dataclass(frozen=True)
class Comparison:
    """Reruns against a claim. `decisive` is the difference that the outcome stands on; None where no side has
    spread enough to compute one. `seeds_needed` counts reruns; None where no number of reruns decides."""

    outcome: Outcome
    margin: float  # bpb
    per_seed: Mapping[int, float] = field(default_factory=dict)  # rerun minus claim, shift included
    decisive: Difference | None = None
    others: tuple[Difference, ...] = ()
    seeds_needed: int | None = None
    rerun: Sample | None = None

    @property
    def direction(self) -> str:
        """ "worse than claimed", "better than claimed" or "as claimed", by the mean alone."""
        mean = self.decisive.mean if self.decisive is not None else fmean(self.per_seed.values() or [0.0])
        if mean == 0:
            return "as claimed"
        return "worse than claimed" if mean > 0 else "better than claimed"


def compare(claimed: Claimed, rerun: Mapping[int, float], margin: float) -> Comparison:
    """The decision. `rerun` holds one score per seed (their mean where a seed was run several times)."""
    common = [seed for seed in rerun if seed in claimed.seeds]
    per_seed = {seed: round(rerun[seed] - claimed.seeds[seed] + claimed.shift, 10) for seed in common}
    if not rerun:
        return Comparison(Outcome.UNDETERMINED, margin)
    ran, stated = sample(list(rerun.values())), claimed.sample
    options = [
        paired([claimed.seeds[s] - claimed.shift for s in common], [rerun[s] for s in common]),
        unpaired(stated, ran) if stated is not None else None,
        against_value(claimed.headline, ran) if claimed.headline is not None and stated is None else None,
    ]
    found = [difference for difference in options if difference is not None]
    if not found:
        return Comparison(
            Outcome.UNDETERMINED, margin, per_seed, seeds_needed=_from_claim(stated, ran, margin), rerun=ran
        )
    decisive, *others = found
    outcome = _outcome(decisive, margin)
    needed = None
    if outcome is Outcome.UNDETERMINED:
        needed = seeds_needed(decisive, margin, stated if decisive.how == "Welch" else None)
    return Comparison(outcome, margin, per_seed, decisive, tuple(others), needed, ran)


def seeds_needed(difference: Difference, margin: float, claimed: Sample | None = None) -> int | None:
    """How many reruns would put the interval on one side of the borders with the chance POWER, if mean and
    spread stay as they are. `claimed` is the other side of a Welch comparison, whose seeds do not grow.

    None where no number up to MOST_SEEDS does: the difference lies on the margin itself, or the claimed seeds
    alone are spread too widely."""
    gap = abs(margin - abs(difference.mean))
    if gap == 0:
        return None
    for n in range(max(2, difference.n + 1), MOST_SEEDS + 1):
        se, df = _error_at(difference, claimed, n)
        if (quantile(df, 1 - LEVEL) + quantile(df, POWER)) * se <= gap:
            return n
    return None


def _from_claim(stated: Sample | None, ran: Sample, margin: float) -> int | None:
    """After one rerun there is no spread but the claim's own: how many reruns that would ask for."""
    if stated is None or stated.sd is None:
        return None
    alone = Difference("Welch", ran.mean - stated.mean, stated.sd, ran.n, stated.sd, stated.n - 1)
    return seeds_needed(alone, margin, stated)


def _error_at(difference: Difference, claimed: Sample | None, n: int) -> tuple[float, float]:
    """Standard error and degrees of freedom with n reruns."""
    ours = difference.sd**2 / n
    if claimed is None or claimed.sd is None:
        return math.sqrt(ours), n - 1
    theirs = claimed.sd**2 / claimed.n
    if ours + theirs == 0:
        return 0.0, n - 1
    return math.sqrt(ours + theirs), (ours + theirs) ** 2 / (ours**2 / (n - 1) + theirs**2 / (claimed.n - 1))


def _outcome(difference: Difference, margin: float) -> Outcome:
    interval = difference.interval()
    if interval.low > margin:
        return Outcome.WORSE
    if interval.high < -margin:
        return Outcome.BETTER
    if -margin < interval.low and interval.high < margin:
        return Outcome.REPRODUCED
    return Outcome.UNDETERMINED
