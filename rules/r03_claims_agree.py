"""The claim agrees with its own figures and with the logs.

Law    A train log, produced by the script, shows the claimed score (README).
Look   The claimed bpb against the submission's own per-seed figures, and against every result in every
       log of the folder. Outside its own figures, or better than every line of its own logs: which run
       is this? Worse than the log, rounding, a mean or the best of several seeds: a note.
Blind  A log that was edited; a value that some other line of a long log shows by chance.
"""

from __future__ import annotations

from collections.abc import Iterator

from golf_audit import specimen
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
    Where,
)
from golf_audit.submission import Case
from golf_audit.trainlog import Final, Run

PRECEDENTS = (Precedent(86, "contested", "merged; its only log belongs to an older run"),)
_ASK = "say which run the number comes from, and add its log"


def check(case: Case) -> Assessment:
    claims, support = case.submission.claims, case.submission.support
    if claims.bpb is None:
        return Assessment(unmet=(Unmet("submission.json states no score to compare", "state val_bpb"),))
    slack = 1.5 * 10.0**-claims.bpb.decimals
    where = Where(claims.file or "", claims.bpb.line, claims.bpb.column, pointer=claims.bpb.pointer)
    stated = Evidence(Kind.CLAIM, f"claims {claims.bpb.value}", where)
    findings = list(_against_own_figures(case, claims.bpb.value, slack, stated))
    notes = list(_among_own_figures(case, claims.bpb.value, slack))
    results = [(run, final) for log in case.submission.logs for run in log.runs for final in run.finals]
    if support.runs:
        says = f"{claims.bpb.value} is {'the mean of' if len(support.runs) > 1 else ''} what the logs show"
        basis = (Evidence(Kind.LOG, " ".join(says.split())),)
        return Assessment(tuple(findings), notes=tuple(notes), basis=basis)
    if not results:
        missing = Unmet("no log of the folder prints a result", "add the log of each claimed seed")
        return Assessment(tuple(findings), (missing,), tuple(notes))
    best_run, best = min(results, key=lambda pair: pair[1].bpb)
    shown = Evidence(Kind.LOG, f"best result of all logs: {best.bpb} ({best.tag})", best.where(best_run.file))
    if claims.bpb.value < best.bpb - slack:
        beaten = f"better than every line of its own logs (best {best.bpb})"
        message = f"{claims.bpb.value} is {beaten}: which run is this?"
        findings.append(Finding(message, Certainty.SHOWN, LOGS_SHOW, (stated, shown), _ASK, PRECEDENTS))
        return Assessment(tuple(findings), notes=tuple(notes))
    return _worse_or_unknown(claims.bpb.value, results, (stated, shown), findings, notes)


def _worse_or_unknown(
    value: float,
    results: list[tuple[Run, Final]],
    evidence: tuple[Evidence, Evidence],
    findings: list[Finding],
    notes: list[Evidence],
) -> Assessment:
    """No line gives the number: harmless when every log ends better, a question otherwise."""
    last = [run.finals[-1].bpb for run in {id(run): run for run, _ in results}.values()]
    if value >= max(last):
        says = f"{value} is worse than the logs, which end at {max(last)} or better"
        return Assessment(tuple(findings), notes=tuple(notes), basis=(Evidence(Kind.LOG, says), *evidence))
    unmet = Unmet(f"no line of the logs gives {value}: which run is this?", _ASK)
    return Assessment(tuple(findings), (unmet,), (*notes, *evidence))


def _own_figures(case: Case) -> list[float]:
    return [seed.bpb.value for seed in case.submission.claims.seeds if seed.bpb is not None]


def _against_own_figures(case: Case, value: float, slack: float, stated: Evidence) -> Iterator[Finding]:
    own = _own_figures(case)
    if own and not min(own) - slack <= value <= max(own) + slack:
        per_seed = ", ".join(str(v) for v in own)
        evidence = Evidence(Kind.CLAIM, f"its own figures per seed: {per_seed}", stated.where)
        message = f"{value} lies outside its own figures per seed ({per_seed}): which run is this?"
        yield Finding(message, Certainty.SHOWN, LOGS_SHOW, (stated, evidence), _ASK, PRECEDENTS)


def _among_own_figures(case: Case, value: float, slack: float) -> Iterator[Evidence]:
    """How the claim stands to its own seeds where it is not their mean."""
    own = _own_figures(case)
    if len(own) < 2 or abs(value - sum(own) / len(own)) <= slack:
        return
    if abs(value - min(own)) <= slack:
        yield Evidence(
            Kind.CLAIM, f"{value} is the best of {len(own)} seeds, their mean is {sum(own) / len(own):.5f}"
        )
    else:
        yield Evidence(
            Kind.CLAIM, f"{value} is not the mean of its {len(own)} seeds, {sum(own) / len(own):.5f}"
        )


_SEEDS = {42: 1.0799, 7: 1.0801, 314: 1.0803}


def _three(claimed: float) -> dict[str, str]:
    logs = [specimen.log(seed, value) for seed, value in _SEEDS.items()]
    return specimen.folder(*logs, submission=specimen.claim(claimed, _SEEDS))


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
            "worse than the logs",
        ),
        Example(
            "Better than every line of its own log.",
            specimen.folder(specimen.log(bpb=1.0801), submission=specimen.claim(1.0702)),
            Verdict.FAIL,
            "which run is this?",
        ),
        Example(
            "A digit lost: outside its own seeds.", _three(0.1080), Verdict.FAIL, "outside its own figures"
        ),
        Example(
            "Between the lines of the log.",
            specimen.folder(specimen.log(bpb=1.0801), submission=specimen.claim(1.0850)),
            Verdict.UNDETERMINED,
            "which run is this?",
        ),
        Example("No log to compare with.", specimen.folder(), Verdict.UNDETERMINED, "no log"),
    ),
)
