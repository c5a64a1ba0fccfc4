"""The claim agrees with its own figures and with the logs.

Law    A train log, produced by the script, shows the claimed score (README).
Look   The claimed bpb against the submission's own per-seed figures, and against every result after
       quantisation in the logs. Outside its own figures, or better than every line of its own logs: which
       run is this? Worse than the log, rounding, a mean or the best of several seeds: a note.
Blind  A log that was edited; a value that some other line of a long log shows by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from golf_audit import specimen
from golf_audit.claims import Claims
from golf_audit.law import LOGS_SHOW
from golf_audit.model import (
    Assessment,
    Certainty,
    Evidence,
    Example,
    Finding,
    Kind,
    Precedent,
    Rule,
    Severity,
    Unmet,
    Verdict,
)
from golf_audit.submission import Case
from golf_audit.support import Unmatched, agrees
from golf_audit.trainlog import Final, Run

PRECEDENTS = (Precedent(86, "accepted", "found later: its only log belongs to an older run"),)
_ASK = "say which run the number comes from, and add its log"


def check(case: Case) -> Assessment:
    claims, support = case.submission.claims, case.submission.support
    if claims.file is None:
        return Assessment(not_applicable="there is no submission.json; see R01")
    if claims.bpb is None:
        return Assessment(unmet=(Unmet("submission.json states no score to compare", "state val_bpb"),))
    stated = Evidence(Kind.CLAIM, f"claims {claims.bpb.text}", claims.bpb.where(claims.file or ""))
    findings = [*_outside_own_figures(case, stated), *_better_than_the_logs(case, stated)]
    notes = list(_among_own_figures(claims))
    value = f"{support.value:.6f}" if support.value is not None else ""
    if support.verdict == "exact":
        says = f"{claims.bpb.text} is {'the mean of ' if support.mean else ''}what the logs show ({value})"
        return Assessment(tuple(findings), notes=tuple(notes), basis=(Evidence(Kind.LOG, says), stated))
    if support.verdict in ("near", "worse"):
        shown = f"the logs show {value or _nearest(support.unmatched)}, the claim is {claims.bpb.text}"
        side = (
            "a difference under 0.002"
            if support.verdict == "near"
            else "the claim is not better than its logs"
        )
        return Assessment(
            tuple(findings), notes=tuple(notes), basis=(Evidence(Kind.LOG, f"{shown}: {side}"), stated)
        )
    if findings:
        return Assessment(tuple(findings), notes=tuple(notes))
    best = min((final.bpb for _, final in _quantised(case)), default=None)
    if best is not None:  # the claim equals a score before quantisation, and is no better than after it
        says = f"{claims.bpb.text} is a score before quantisation; after it the logs show {best}"
        return Assessment(notes=tuple(notes), basis=(Evidence(Kind.LOG, says), stated))
    what = "no log shows a result after quantisation" if case.submission.logs else "the folder holds no log"
    missing = Unmet(f"{what} to compare {claims.bpb.text} with", _ASK)
    return Assessment(unmet=(missing,), notes=tuple(notes))


def _quantised(case: Case) -> list[tuple[Run, Final]]:
    runs = [run for log in case.submission.logs for run in log.runs]
    return [(run, final) for run in runs for final in run.finals if final.stage == "post"]


def _better_than_the_logs(case: Case, stated: Evidence) -> Iterator[Finding]:
    """Claimed numbers, the headline or a seed's, that lie under every quantised result of their logs.

    Where the logs show the headline, the seeds' own figures state another of their results."""
    support = case.submission.support
    for missed in support.unmatched if support.verdict != "exact" else ():
        results = [
            (run, final)
            for run, final in _quantised(case)
            if missed.seed in (None, run.any_seed, run.seed_from_name)
        ]
        best = min(results, key=lambda pair: pair[1].bpb, default=None)
        if best is None or missed.claimed.value >= best[1].bpb or agrees(best[1].bpb, missed.claimed):
            continue
        run, final = best
        whose = "its own logs" if missed.seed is None else f"the log of seed {missed.seed}"
        before = missed.verdict == "pre-quantisation"
        why = "; only a score before quantisation equals it" if before else ""
        beaten = f"better than every result of {whose} (best {final.bpb})"
        yield Finding(
            f"{missed.claimed.text} is {beaten}{why}: which run is this?",
            Certainty.SHOWN,
            LOGS_SHOW,
            (
                stated,
                Evidence(
                    Kind.LOG, f"best result of {whose}: {final.bpb} ({final.tag})", final.where(run.file)
                ),
            ),
            _ASK,
            PRECEDENTS,
        )


def _nearest(unmatched: Sequence[Unmatched]) -> str:
    found = [missed.nearest for missed in unmatched if missed.nearest is not None]
    return f"{found[-1][1].bpb} ({found[-1][1].tag})" if found else "no result"


def _outside_own_figures(case: Case, stated: Evidence) -> Iterator[Finding]:
    """A headline beyond its own seeds, unless the logs show it: then the seeds state another result."""
    claims = case.submission.claims
    own = _own_figures(claims)
    if case.submission.support.verdict == "exact" or not own or claims.bpb is None:
        return
    if min(own) <= claims.bpb.value <= max(own) or any(agrees(value, claims.bpb) for value in own):
        return
    per_seed = ", ".join(str(value) for value in own)
    evidence = Evidence(Kind.CLAIM, f"its own figures per seed: {per_seed}", stated.where)
    message = f"{claims.bpb.text} lies outside its own figures per seed ({per_seed}): which run is this?"
    yield Finding(message, Certainty.SHOWN, LOGS_SHOW, (stated, evidence), _ASK, PRECEDENTS)


def _own_figures(claims: Claims) -> list[float]:
    return [seed.bpb.value for seed in claims.scored_seeds if seed.bpb is not None]


def _among_own_figures(claims: Claims) -> Iterator[Evidence]:
    """How the claim stands to its own seeds where it is not their mean."""
    own, mean = _own_figures(claims), claims.mean_of_seeds
    if mean is None or claims.bpb is None or agrees(mean, claims.bpb):
        return
    which = "the best of" if agrees(min(own), claims.bpb) else "not the mean of"
    exact = f"{mean:.{max(5, claims.bpb.decimals)}f}"
    yield Evidence(Kind.CLAIM, f"{claims.bpb.text} is {which} {len(own)} seeds; their mean is {exact}")


_SEEDS = {42: 1.0799, 7: 1.0801, 314: 1.0803}


def _three(claimed: float) -> dict[str, str]:
    return specimen.several(_SEEDS, claimed)


RULE = Rule(
    id="R03",
    doc=__doc__,
    severity=Severity.INCOMPLETE,
    evidence="T L",
    check=check,
    cites=(LOGS_SHOW,),
    precedents=PRECEDENTS,
    examples=(
        Example("The mean of three logs.", _three(1.0801), Verdict.PASS, "the mean of"),
        Example("One log, rounded.", specimen.folder(specimen.log(bpb=1.08013)), Verdict.PASS, "1.0801"),
        Example(
            "The best of three seeds is stated as such.", _three(1.0799), Verdict.PASS, "best of 3 seeds"
        ),
        Example(
            "A claim worse than the log is the author's modesty.",
            specimen.folder(specimen.log(bpb=1.0801), submission=specimen.claim(1.0998)),
            Verdict.PASS,
            "not better than its logs",
        ),
        Example(
            "A slip in the fourth decimal.",
            specimen.folder(specimen.log(bpb=1.0801), submission=specimen.claim(1.0796)),
            Verdict.PASS,
            "under 0.002",
        ),
        Example(
            "Better than every line of its own log.",
            specimen.folder(specimen.log(bpb=1.0801), submission=specimen.claim(1.0702)),
            Verdict.FAIL,
            "which run is this?",
        ),
        Example(
            "A score before quantisation is not the artifact's.",
            specimen.folder(
                specimen.log(after_stop=("pre-quantization post-ema val_loss:2.74 val_bpb:1.0607",)),
                submission=specimen.claim(1.0607),
            ),
            Verdict.FAIL,
            "before quantisation",
        ),
        Example(
            "A digit lost: outside its own seeds.", _three(0.1080), Verdict.FAIL, "outside its own figures"
        ),
        Example(
            "No log to compare with.", specimen.folder(), Verdict.UNDETERMINED, "the folder holds no log"
        ),
    ),
)
