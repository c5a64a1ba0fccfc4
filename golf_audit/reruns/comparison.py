"""The claim against its finished reruns: the numbers that S03 and the rerun's report print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from golf_audit.premises import loss_beside
from golf_audit.reruns.place import Place, place_of
from golf_audit.reruns.view import Rerun, reruns_of
from golf_audit.stats import README_NATS, Claimed, Comparison, Difference, Outcome, compare
from golf_audit.submission import Case, Submission
from golf_audit.support import agrees


@dataclass(frozen=True)
class Reproduction:
    """One comparison: the runs of one place. `entries` are the ledger's numbers of each seed's results."""

    place: Place
    claimed: Claimed
    rerun: Mapping[int, float]
    entries: Mapping[int, Sequence[int]]
    comparison: Comparison
    nats: float  # the margin in nats per token

    @property
    def says(self) -> str:
        """The outcome with its numbers, in one sentence."""
        found, ran = self.comparison, self.comparison.rerun
        assert ran is not None
        claim = self._claim
        against = f" against the claimed {claim:.5f}" if claim is not None else ""
        where = "" if self.place.as_the_rule else f" on {self.place.label}"
        head = f"{found.outcome.value}{where}: {ran.mean:.5f} over {_seeds(ran.n)}{against}"
        margin = f"+-{found.margin:.5f} bpb ({self.nats} nats per token)"
        if found.decisive is None:
            return f"{head}, {self.step}; no spread to test against {margin}{self._needed}"
        return f"{head}: {self.step}; {_interval(found.decisive, found.margin)} {margin}{self._needed}"

    @property
    def step(self) -> str:
        """How far and which way: "worse than claimed by 0.00021 bpb"."""
        found = self.comparison
        mean = found.decisive.mean if found.decisive is not None else fmean(found.per_seed.values() or [0.0])
        direction = found.direction
        return direction if mean == 0 else f"{direction} by {abs(mean):.5f} bpb"

    @property
    def _claim(self) -> float | None:
        if self.claimed.headline is not None or self.claimed.sample is None:
            return self.claimed.headline
        return self.claimed.sample.mean

    @property
    def _needed(self) -> str:
        found = self.comparison
        if found.outcome is not Outcome.UNDETERMINED:
            return ""
        if found.seeds_needed is not None and found.decisive is None:
            return f"; about {found.seeds_needed} seeds would decide if reruns are spread like the claim"
        if found.seeds_needed is not None:
            return f"; about {found.seeds_needed} seeds would decide at this spread"
        ours = set(self.rerun) & set(self.claimed.seeds)
        if ours and found.decisive is None:
            return "; two claimed seeds are the least that can be compared in pairs"
        if self.claimed.seeds and len(ours) < 2:
            return "; the claimed seeds are spread too widely to compare others with: rerun the claimed seeds"
        return "; no number of seeds decides a difference this close to the margin"

    def tests(self) -> tuple[str, ...]:
        """Every difference that was computed, the decisive one first, a sentence each."""
        found = self.comparison
        first = (found.decisive,) if found.decisive is not None else ()
        return tuple(_test(difference, found.margin) for difference in (*first, *found.others))

    def rows(self) -> tuple[str, ...]:
        """A sentence per seed, naming the ledger's entries."""
        return tuple(self._row(seed) for seed in sorted(self.rerun))

    def _row(self, seed: int) -> str:
        entries = ", ".join(str(n) for n in self.entries[seed])
        value = f"seed {seed}: {self.rerun[seed]:.8f}"
        if seed not in self.comparison.per_seed:
            return f"{value}, not a claimed seed (ledger entry {entries})"
        apart = self.comparison.per_seed[seed]
        return f"{value}, {apart:+.8f} from the claim (ledger entry {entries})"


def reproduction(case: Case) -> Reproduction | None:
    """The comparison on the rule's hardware and data, else on the place with the most runs.

    Several runs of one seed count as their mean, whoever made them: nobody chooses among them."""
    by_place: dict[Place, list[Rerun]] = {}
    for run in reruns_of(case).scored:
        by_place.setdefault(place_of(case, run), []).append(run)
    if not by_place:
        return None
    place = max(by_place, key=lambda p: (p.as_the_rule, len(by_place[p])))
    runs = by_place[place]
    ratio = next((r.loss / r.bpb for r in runs if r.loss and r.bpb), None) or _ratio(case)
    if ratio is None:
        return None
    scores: dict[int, list[float]] = {}
    entries: dict[int, list[int]] = {}
    for run in runs:
        if run.bpb is not None:
            scores.setdefault(run.seed, []).append(run.bpb)
            entries.setdefault(run.seed, []).append(run.entry)
    rerun = {seed: fmean(values) for seed, values in scores.items()}
    claimed = claimed_scores(case.submission)
    return Reproduction(
        place, claimed, rerun, entries, compare(claimed, rerun, README_NATS / ratio), README_NATS
    )


def claimed_scores(submission: Submission) -> Claimed:
    """What submission.json states by seed, else its logs show; and how far the headline lies from it."""
    claims, support = submission.claims, submission.support
    seeds = {s.seed: s.bpb.value for s in claims.seeds if s.seed is not None and s.bpb is not None}
    if not seeds:
        seeds = {line.seed: line.final.bpb for line in support.lines if line.seed is not None}
    if claims.bpb is None:
        return Claimed(seeds, None)
    headline = claims.bpb.value
    values = list(seeds.values())
    meant = [fmean(values), *values] if values else []
    fits = not meant or any(agrees(value, claims.bpb) for value in meant)
    return Claimed(seeds, headline, 0.0 if fits else round(fmean(values) - headline, 10))


def _ratio(case: Case) -> float | None:
    """val_loss / val_bpb of the claim."""
    for line in case.submission.support.lines:
        pair = loss_beside(line.run, line.final)
        if pair is not None and pair.loss is not None:
            return pair.loss / pair.bpb
    claims = case.submission.claims
    return claims.loss.value / claims.bpb.value if claims.loss is not None and claims.bpb else None


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count != 1)}"


def _interval(difference: Difference, margin: float) -> str:
    interval = difference.interval()
    inside = -margin < interval.low and interval.high < margin
    outside = interval.low > margin or interval.high < -margin
    relation = "inside" if inside else "outside" if outside else "across a border of"
    if not difference.se:
        return f"no spread over the seeds, {relation}"
    return f"{interval.confidence:.0%} interval {interval.low:+.5f} to {interval.high:+.5f}, {relation}"


def _test(difference: Difference, margin: float) -> str:
    interval = difference.interval()
    return (
        f"{difference.how}: {difference.mean:+.5f} bpb, sd {difference.sd:.5f}, t {difference.t:.2f}, "
        f"df {difference.df:.1f}, p {difference.p:.3f}, {interval.confidence:.0%} interval "
        f"{interval.low:+.5f} to {interval.high:+.5f}, equivalence p {difference.equivalence(margin):.3f}"
    )
