"""Which log lines stand behind the claim: decided once, for every rule (DESIGN section 7).

A claimed seed is sought in the runs of that seed, its value among their results after quantisation, the last
result first; a file named after the seed but printing another counts too, and says so. The headline is tied to one
seed, else to the mean over seeds. Subsets are never tried blindly: with three decimals some combination always fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from golf_audit.claims import Claim, Claims, SeedClaim
from golf_audit.trainlog import Final, Log, Run

How = Literal["seed+value", "name+value", "value", "seed+mean"]
Verdict = Literal["exact", "near", "worse", "better", "pre-quantisation", "none"]

_NEAR = 2e-3
"""bpb; a claim this close to a log of its own seed is a slip or a rounding, not another run."""


@dataclass(frozen=True)
class Supported:
    """One line of a log that stands behind a claimed number."""

    seed: int | None  # as claimed; without claimed seeds, as the run says
    run: Run
    final: Final
    how: How
    claimed: Claim[float] | None  # None: the claim is only the mean
    difference: float  # logged minus claimed, in bpb; 0.0 where only the mean is claimed

    @property
    def mislabelled(self) -> bool:
        """True when the run prints another seed than the one it is claimed for."""
        printed = self.run.seed.value if self.run.seed is not None else None
        return self.seed is not None and printed is not None and printed != self.seed


@dataclass(frozen=True)
class Unmatched:
    """A claimed score that no result after quantisation equals, and the closest thing the logs hold."""

    seed: int | None  # None: the headline
    claimed: Claim[float]
    verdict: Verdict
    nearest: tuple[Run, Final] | None
    difference: float | None  # nearest minus claimed, in bpb


@dataclass(frozen=True)
class Other:
    """A run that does not stand behind the claim, and why."""

    file: str
    line: int
    why: str
    run: Run


@dataclass(frozen=True)
class Support:
    """What stands behind the claim. `verdict` speaks of the headline:

    exact             a line, or the mean of the lines, equals it at its own precision
    near              within 0.002 bpb of one
    worse, better     every comparable line is lower, or higher, than what is claimed
    pre-quantisation  only a score before quantisation equals it
    none              no log, no result or no claim to compare"""

    lines: tuple[Supported, ...] = ()
    unmatched: tuple[Unmatched, ...] = ()
    others: tuple[Other, ...] = ()
    verdict: Verdict = "none"
    mean: bool = False  # the headline is the mean of `lines`
    value: float | None = None  # the supported headline, from the logs
    difference: float | None = None  # value minus claimed headline, in bpb
    claim_in_words: str = ""

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs that stand behind the claim, in seed order, each once."""
        return tuple({id(line.run): line.run for line in self.lines}.values())


def find_support(claims: Claims, logs: Sequence[Log]) -> Support:
    """Decide which run and which result line stands behind each claimed seed and behind the headline."""
    runs = [run for log in logs for run in log.runs]
    search = _Search(claims, runs)
    lines = search.lines()
    verdict, mean, value, headline = search.headline(lines)
    used = {id(line.run) for line in lines}
    return Support(
        lines=tuple(lines),
        unmatched=tuple(search.unmatched + headline),
        others=tuple(_other(run, claims) for run in runs if id(run) not in used),
        verdict=verdict,
        mean=mean,
        value=value,
        difference=value - claims.bpb.value if value is not None and claims.bpb is not None else None,
        claim_in_words=_words(claims),
    )


def tolerance(claim: Claim[float]) -> float:
    """How far a logged value may lie from a claim that was rounded (or cut) to its printed decimals."""
    return 1.01 * 10.0 ** -min(claim.decimals or 8, 8)


class _Search:
    def __init__(self, claims: Claims, runs: Sequence[Run]) -> None:
        self.claims = claims
        # programs' output first; a file of notes may only repeat what was claimed
        self.runs = sorted((r for r in runs if r.finals), key=lambda r: not r.measured)
        self.unmatched: list[Unmatched] = []

    def lines(self) -> list[Supported]:
        """One line per claimed seed that a log confirms, else the line that equals the headline."""
        found = [line for seed in self._seeds() if (line := self._seed(seed)) is not None]
        if found:
            return found
        claimed = self.claims.bpb
        if claimed is None:
            return []
        single = _equal(self.runs, claimed)
        if single is not None:
            run, final = single
            return [Supported(run.any_seed, run, final, "value", claimed, final.bpb - claimed.value)]
        return self._mean_lines(claimed)

    def headline(self, lines: list[Supported]) -> tuple[Verdict, bool, float | None, list[Unmatched]]:
        """How the headline relates to the lines: (verdict, is a mean, logged value, what is unmatched)."""
        claimed = self.claims.bpb
        if claimed is None:
            return "none", False, None, []
        near = _headline(lines, claimed)
        if near is not None and abs(near[1] - claimed.value) <= tolerance(claimed):
            return "exact", near[0], near[1], []
        single = _equal(self.runs, claimed)
        if single is not None:
            return "exact", False, single[1].bpb, []
        if near is not None and abs(near[1] - claimed.value) <= _NEAR:
            return "near", near[0], near[1], []
        missed = _miss(None, claimed, self.runs)
        value = near[1] if near is not None else None
        return missed.verdict, bool(near and near[0]), value, [missed]

    def _seeds(self) -> list[SeedClaim]:
        return [seed for seed in self.claims.seeds if seed.seed is not None or seed.bpb is not None]

    def _seed(self, seed: SeedClaim) -> Supported | None:
        """The line behind one claimed seed; what cannot be tied to a line is remembered as unmatched."""
        if seed.bpb is None:
            return None  # only listed: the mean decides
        own, named = self._of_seed(seed.seed)
        for runs, how in ((own, "seed+value"), (named, "name+value"), (self.runs, "value")):
            pair = _equal(runs, seed.bpb)
            if pair is not None:
                return Supported(seed.seed, pair[0], pair[1], how, seed.bpb, pair[1].bpb - seed.bpb.value)  # type: ignore[arg-type]
        close = _closest([*own, *named], seed.bpb)
        if close is not None and abs(close[1].bpb - seed.bpb.value) <= _NEAR:
            return Supported(seed.seed, *close, "seed+value", seed.bpb, close[1].bpb - seed.bpb.value)
        self.unmatched.append(_miss(seed.seed, seed.bpb, [*own, *named]))
        return None

    def _of_seed(self, seed: int | None) -> tuple[list[Run], list[Run]]:
        """Runs that print the seed, and runs whose file is named after it while they print none or another."""
        if seed is None:
            return [], []
        own = [run for run in self.runs if run.seed is not None and run.seed.value == seed]
        named = [run for run in self.runs if run.seed_from_name == seed and run not in own]
        return own, named

    def _mean_lines(self, claimed: Claim[float]) -> list[Supported]:
        """The runs whose mean is the headline: those of the listed seeds, else one run per seed of the folder."""
        listed = [seed.seed for seed in self.claims.seeds if seed.seed is not None]
        groups = _by_seed([run for run in self.runs if run.measured] or self.runs)
        seeds = [seed for seed in listed if seed in groups] or list(groups)
        if len(seeds) < 2:
            return []
        for name in _common_names([groups[seed] for seed in seeds]):
            chosen = [(seed, *_last_named(groups[seed], name)) for seed in seeds]
            if abs(fmean(final.bpb for _, _, final in chosen) - claimed.value) <= tolerance(claimed):
                return [Supported(seed, run, final, "seed+mean", None, 0.0) for seed, run, final in chosen]
        return []


def _equal(runs: Iterable[Run], claimed: Claim[float]) -> tuple[Run, Final] | None:
    """The result after quantisation that equals a claim at its precision: measured runs first, the last line first."""
    hits = [
        (run, final)
        for run in runs
        for final in reversed(run.finals)
        if final.stage == "post" and abs(final.bpb - claimed.value) <= tolerance(claimed)
    ]
    # the line with the most digits says it best: `_exact` beside its four-decimal twin
    return min(hits, key=lambda h: (not h[0].measured, round(abs(h[1].bpb - claimed.value), 9)), default=None)


def _closest(runs: Iterable[Run], claimed: Claim[float]) -> tuple[Run, Final] | None:
    pairs = [(run, final) for run in runs for final in run.finals if final.stage == "post"]
    return min(pairs, key=lambda p: abs(p[1].bpb - claimed.value), default=None)


def _headline(lines: Sequence[Supported], claimed: Claim[float]) -> tuple[bool, float] | None:
    """(is a mean, value): the one line, else the mean of the lines, whichever is closer to the headline."""
    if not lines:
        return None
    singles = [(False, line.final.bpb) for line in lines]
    means = [(True, fmean(line.final.bpb for line in lines))] if len(lines) > 1 else []
    return min(means + singles, key=lambda option: (abs(option[1] - claimed.value) > tolerance(claimed), not option[0], 0.0)
               if abs(option[1] - claimed.value) <= tolerance(claimed) else (True, False, abs(option[1] - claimed.value)))  # fmt: skip


def _miss(seed: int | None, claimed: Claim[float], runs: Sequence[Run]) -> Unmatched:
    """Why a claimed number has no line: only a score before quantisation, or all logs are better or worse."""
    for run in runs:
        for final in run.finals:
            if final.stage == "pre" and abs(final.bpb - claimed.value) <= tolerance(claimed):
                return Unmatched(seed, claimed, "pre-quantisation", (run, final), final.bpb - claimed.value)
    nearest = _closest([run for run in runs if run.measured] or runs, claimed)
    if nearest is None:
        return Unmatched(seed, claimed, "none", None, None)
    difference = nearest[1].bpb - claimed.value
    best = min(final.bpb for run in runs for final in run.finals if final.stage == "post")
    # "better": the claim lies under every result of the logs; "worse": some result is lower than the claim
    return Unmatched(seed, claimed, "better" if claimed.value < best else "worse", nearest, difference)


def _by_seed(runs: Sequence[Run]) -> dict[int, list[Run]]:
    groups: dict[int, list[Run]] = {}
    for run in runs:
        if run.any_seed is not None:
            groups.setdefault(run.any_seed, []).append(run)
    return groups


def _common_names(groups: Sequence[list[Run]]) -> list[str]:
    """Names of results that every seed has, the one printed last first."""
    names = [[f.name for run in runs for f in run.finals if f.stage == "post"] for runs in groups]
    first = list(dict.fromkeys(reversed(names[0])))
    return [name for name in first if all(name in other for other in names)]


def _last_named(runs: Sequence[Run], name: str) -> tuple[Run, Final]:
    return next(
        (run, f)
        for run in reversed(runs)
        for f in reversed(run.finals)
        if f.name == name and f.stage == "post"
    )


def _other(run: Run, claims: Claims) -> Other:
    """A run beside the claim, with the first reason that applies."""
    seeds = {seed.seed for seed in claims.seeds}
    if not run.measured:
        why = "notes, not the output of a run"
    elif run.crash is not None and not run.finals:
        why = "ended with an error before a result"
    elif not any(final.stage == "post" for final in run.finals):
        why = "holds no result after quantisation"
    elif seeds and run.any_seed is not None and run.any_seed not in seeds:
        why = f"seed {run.any_seed} is not claimed"
    else:
        why = "no result equals a claimed score"
    return Other(run.file, run.first_line, why, run)


def _words(claims: Claims) -> str:
    """ "claims 1.06108 (3 seeds)" for the head of a report."""
    if claims.bpb is None:
        return ""
    seeds = len({seed.seed for seed in claims.seeds if seed.seed is not None})
    number = claims.bpb.text.strip() or repr(claims.bpb.value)
    return f"claims {number}" + (f" ({seeds} seed{'s' if seeds > 1 else ''})" if seeds else "")
