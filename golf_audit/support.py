"""Which log lines stand behind the claim: decided once, for every rule (DESIGN section 7).

A claimed seed is sought in the runs of that seed, its value among their results after quantisation, the last
result first; a file named after the seed but printing another counts too, and says so. Without claimed values
the headline is sought as one line, else as the mean over seeds. Subsets are never tried: with three decimals
some combination always fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from golf_audit.claims import Claim, Claims, SeedClaim
from golf_audit.trainlog import Final, Log, Run

How = Literal["seed+value", "name+value", "value", "seed+near", "mean", "near", "seed"]
Verdict = Literal["exact", "near", "worse", "better", "pre-quantisation", "none"]

_NEAR = 2e-3
"""bpb; a claim this close to a log is a slip or a rounding, not another run."""


@dataclass(frozen=True)
class Supported:
    """One line of a log that stands behind a claimed number."""

    seed: int | None  # as claimed; without claimed seeds, as the run says
    run: Run
    final: Final
    how: How
    claimed: Claim[float] | None  # None: the claim is only the mean, or names the seed without a score
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
    verdict, mean, value, apart = search.headline(lines)
    lines += apart
    lines += search.unscored(lines)
    return Support(
        lines=tuple(lines),
        unmatched=tuple(search.unmatched),
        others=_others(runs, lines, claims),
        verdict=verdict,
        mean=mean,
        value=value,
        difference=value - claims.bpb.value if value is not None and claims.bpb is not None else None,
        claim_in_words=_words(claims),
    )


def agrees(logged: float, claim: Claim[float]) -> bool:
    """True when a logged value, rounded or cut to the claim's decimals, is the claim; from five decimals on
    the last digit may differ by one either way, as means of rounded values do."""
    decimals = min(claim.decimals or 8, 8)
    unit = float(10.0**-decimals)
    lower, upper = (0.51, 0.99) if decimals < 5 else (1.01, 1.01)
    return -lower * unit <= logged - claim.value <= upper * unit


def _rounds(logged: float, claim: Claim[float]) -> bool:
    """True when a logged value rounds to the claim, so that nothing was cut off."""
    return abs(logged - claim.value) <= 0.51 * 10.0 ** -min(claim.decimals or 8, 8)


class _Search:
    def __init__(self, claims: Claims, runs: Sequence[Run]) -> None:
        self.claims = claims
        # programs' output first; a file of notes may only repeat what was claimed
        self.runs = sorted((r for r in runs if r.finals), key=lambda r: not r.measured)
        self.unmatched: list[Unmatched] = []

    def lines(self) -> list[Supported]:
        """One line per claimed seed that a log confirms; without any, what stands behind the headline."""
        scored = self.claims.scored_seeds
        found = [line for seed in scored if (line := self._seed(seed)) is not None]
        claimed = self.claims.bpb
        if found or claimed is None:
            return found
        means = self._means(claimed)
        fits = bool(means) and agrees(_mean(means[0]), claimed)
        if fits and len(self._listed()) > 1:
            return means[0]  # the seeds were named, and all of them give the headline
        single = _equal(self.runs, claimed)
        cut = single is not None and not _rounds(single[1].bpb, claimed)
        if single is not None and not (cut and fits and _rounds(_mean(means[0]), claimed)):
            return [_supported(single, "value", claimed)]
        return means[0] if fits else self._near(claimed, means)

    def unscored(self, lines: list[Supported]) -> list[Supported]:
        """Seeds that the claim names without a score, each by its only run with a result: they count too."""
        known = {seed for line in lines for seed in (line.seed, line.run.any_seed)}
        found = []
        for seed in (s for s in self.claims.seeds if lines and s.bpb is None and s.seed not in known):
            own, named = self._of_seed(seed.seed)
            runs = [run for run in own or named if run.measured and _last([run]) is not None]
            pair = (_last_named(runs, lines[0].final.name) or _last(runs)) if len(runs) == 1 else None
            found += [_supported(pair, "seed", None, seed.seed)] if pair is not None else []
        return found

    def headline(self, lines: list[Supported]) -> tuple[Verdict, bool, float | None, list[Supported]]:
        """How the headline relates to the lines: (verdict, whether it is their mean, the logged value,
        the line that gives it when it is that of yet another run)."""
        claimed = self.claims.bpb
        if claimed is None:
            return "none", False, None, []
        options = [(True, _mean(lines))] if len(lines) > 1 else []
        options += [(False, line.final.bpb) for line in lines]
        for is_mean, value in options:
            if agrees(value, claimed):
                return "exact", is_mean, value, []
        single = _equal(self.runs, claimed)
        if single is not None:
            apart = (
                [] if any(line.run is single[0] for line in lines) else [_supported(single, "value", claimed)]
            )
            return "exact", False, single[1].bpb, apart
        for is_mean, value in options:
            if abs(value - claimed.value) <= _NEAR:
                return "near", is_mean, value, []
        missed = _miss(None, claimed, self.runs)
        self.unmatched.append(missed)
        return missed.verdict, len(lines) > 1, options[0][1] if options else None, []

    def _seed(self, seed: SeedClaim) -> Supported | None:
        """The line behind one claimed seed; what cannot be tied to a line is remembered as unmatched."""
        assert seed.bpb is not None
        own, named = self._of_seed(seed.seed)
        sources: tuple[tuple[list[Run], How], ...] = (
            (own, "seed+value"),
            (named, "name+value"),
            (self.runs, "value"),
        )
        for runs, how in sources:
            pair = _equal(runs, seed.bpb)
            if pair is not None:
                return _supported(pair, how, seed.bpb, seed.seed)
        close = _closest([*own, *named], seed.bpb)
        if close is not None and abs(close[1].bpb - seed.bpb.value) <= _NEAR:
            return _supported(close, "seed+near", seed.bpb, seed.seed)
        self.unmatched.append(_miss(seed.seed, seed.bpb, [*own, *named]))
        return None

    def _of_seed(self, seed: int | None) -> tuple[list[Run], list[Run]]:
        """Runs that print the seed, and runs named after it by their file that print none or another."""
        if seed is None:
            return [], []
        own = [run for run in self.runs if run.seed is not None and run.seed.value == seed]
        named = [run for run in self.runs if run.seed_from_name == seed and run not in own]
        return own, named

    def _means(self, claimed: Claim[float]) -> list[list[Supported]]:
        """One result per seed, the same one for every seed, for each result they share; nearest mean first.

        The seeds are the listed ones, else those of the folder; logs that share a seed count one each."""
        measured = [run for run in self.runs if run.measured] or self.runs
        groups = _by_seed(measured)
        listed = [groups[seed] for seed in self._listed() if seed in groups]
        chosen = listed if len(listed) > 1 else list(groups.values())
        if len(chosen) < 2:
            chosen = [[run] for run in measured]
        if not 2 <= len(chosen) <= 12:
            return []
        rows = [[_last_named(runs, name) for runs in chosen] for name in _common_names(chosen)]
        rows.append([_last(runs) for runs in chosen])
        means = [[_supported(pair, "mean", None) for pair in row if pair is not None] for row in rows]
        return sorted((m for m in means if len(m) == len(chosen)), key=lambda m: _error(m, claimed))

    def _listed(self) -> list[int]:
        return [seed.seed for seed in self.claims.seeds if seed.seed is not None]

    def _near(self, claimed: Claim[float], means: list[list[Supported]]) -> list[Supported]:
        """The closest line or mean, when it is close enough to be meant."""
        single = _closest(self.runs, claimed)
        options = [*means[:1], *([[_supported(single, "near", claimed)]] if single is not None else [])]
        best = min(options, key=lambda lines: _error(lines, claimed), default=None)
        return best if best is not None and _error(best, claimed) <= _NEAR else []


_Pair = tuple[Run, Final]


def _supported(pair: _Pair, how: How, claimed: Claim[float] | None, seed: int | None = None) -> Supported:
    run, final = pair
    difference = final.bpb - claimed.value if claimed is not None else 0.0
    return Supported(seed if seed is not None else run.any_seed, run, final, how, claimed, difference)


def _mean(lines: Sequence[Supported]) -> float:
    return fmean(line.final.bpb for line in lines)


def _error(lines: Sequence[Supported], claimed: Claim[float]) -> float:
    return abs(_mean(lines) - claimed.value)


def _results(runs: Iterable[Run]) -> list[_Pair]:
    """Every result after quantisation, the last of a run first."""
    return [(run, final) for run in runs for final in reversed(run.finals) if final.stage == "post"]


def _equal(runs: Iterable[Run], claimed: Claim[float]) -> _Pair | None:
    """The result that equals a claim at its precision: a program's output before notes, a rounded value
    before one that was cut, the line with the most digits, the last."""
    hits = [pair for pair in _results(runs) if agrees(pair[1].bpb, claimed)]

    def rank(pair: _Pair) -> tuple[bool, bool, int]:
        rounded = round(pair[1].bpb, claimed.decimals or 8)
        return not pair[0].measured, abs(rounded - claimed.value) > 1e-9, -min(pair[1].decimals, 8)

    return min(hits, key=rank, default=None)


def _closest(runs: Iterable[Run], claimed: Claim[float]) -> _Pair | None:
    return min(_results(runs), key=lambda pair: abs(pair[1].bpb - claimed.value), default=None)


def _miss(seed: int | None, claimed: Claim[float], runs: Sequence[Run]) -> Unmatched:
    """Why a claimed number has no line: only scores before quantisation equal it, or all results differ."""
    early = [(run, final) for run in runs for final in run.finals if final.stage == "pre"]
    early += [(run, run.validation) for run in runs if run.validation is not None]
    for run, final in early:
        if agrees(final.bpb, claimed):
            return Unmatched(seed, claimed, "pre-quantisation", (run, final), final.bpb - claimed.value)
    measured = [run for run in runs if run.measured] or runs
    nearest = _closest(measured, claimed)
    if nearest is None:
        return Unmatched(seed, claimed, "none", None, None)
    best = min(final.bpb for _, final in _results(measured))
    verdict: Verdict = "better" if claimed.value < best else "worse"
    return Unmatched(seed, claimed, verdict, nearest, nearest[1].bpb - claimed.value)


def _by_seed(runs: Sequence[Run]) -> dict[int, list[Run]]:
    groups: dict[int, list[Run]] = {}
    for run in runs:
        if run.any_seed is not None:
            groups.setdefault(run.any_seed, []).append(run)
    return groups


def _common_names(groups: Sequence[list[Run]]) -> list[str]:
    """Names of results that every seed has, the one printed last first."""
    names = [[final.name for _, final in _results(runs)] for runs in groups]
    return [name for name in dict.fromkeys(names[0]) if all(name in other for other in names)]


def _last_named(runs: Sequence[Run], name: str) -> _Pair | None:
    """The last result of that name, with the most digits."""
    pairs = [pair for pair in _results(reversed(runs)) if pair[1].name == name]
    return max(pairs, key=lambda pair: min(pair[1].decimals, 8), default=None)


def _last(runs: Sequence[Run]) -> _Pair | None:
    """The last result of all; an evaluation of saved weights comes after the training it evaluates."""
    pairs = _results(sorted(runs, key=lambda run: run.trained))
    return pairs[0] if pairs else None


def _others(runs: Sequence[Run], lines: Sequence[Supported], claims: Claims) -> tuple[Other, ...]:
    used = {id(line.run) for line in lines}
    return tuple(Other(r.file, r.first_line, _why(r, lines, claims), r) for r in runs if id(r) not in used)


def _why(run: Run, lines: Sequence[Supported], claims: Claims) -> str:
    """The first reason that applies for a run that does not stand behind the claim."""
    claimed = {seed.seed for seed in claims.seeds}
    evaluated = [
        line.run.file for line in lines if line.run.any_seed == run.any_seed and not line.run.trained
    ]
    if not run.measured:
        return "notes, not the output of a run"
    if run.crash is not None and not run.finals:
        return "ended with an error before a result"
    if run.trained and run.any_seed is not None and evaluated:
        return f"the training of seed {run.any_seed}, evaluated in {evaluated[0]}"
    if not any(final.stage == "post" for final in run.finals):
        return "holds no result after quantisation"
    if claimed and run.any_seed is not None and run.any_seed not in claimed:
        return f"seed {run.any_seed} is not claimed"
    sizes = {line.run.world_size.value for line in lines if line.run.world_size is not None}
    if run.world_size is not None and sizes and run.world_size.value not in sizes:
        return f"on {run.world_size.value} GPUs, and no result equals a claimed score"
    if run.any_seed is not None and any(line.seed == run.any_seed for line in lines):
        return f"another run of seed {run.any_seed}, whose result is not the claimed one"
    return "no result equals a claimed score"


def _words(claims: Claims) -> str:
    """ "claims 1.06108 (3 seeds)" for the head of a report."""
    if claims.bpb is None:
        return ""
    seeds = len({seed.seed for seed in claims.seeds if seed.seed is not None})
    number = claims.bpb.text.strip() or repr(claims.bpb.value)
    return f"claims {number}" + (f" ({seeds} seed{'s' if seeds > 1 else ''})" if seeds else "")
