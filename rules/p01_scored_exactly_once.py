"""The reported number scores each validation token exactly once.

Law    One left-to-right pass; rescoring with a filled cache or adapted weights was ruled out
       (organiser on #846 and others, 2026-03-27, in #677; #991).
Look   Count the scores of each position behind the reported number. Missing less than one
       evaluation sequence per rank at the end, or repeats inside the last window (#549 family), is
       noted in windows.
Blind  Diagnostic evaluations before the reported one are normal and do not count.
"""

from golf_audit.joining import joined
from golf_audit.law import ONE_PASS
from golf_audit.model import Assessment, Certainty, Example, Finding, Precedent, Rule, Severity, Verdict
from golf_audit.static.asking import basis, certainty, dormant, place, premises, witness
from golf_audit.static.example import BYTE_COUNTS, HASHED, SCORED_THEN_TRAINED, TWO_PASSES, files
from golf_audit.static.leaks import Kind, leaks
from golf_audit.static.tables import rescored
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Overlap, Score

PRECEDENTS = (
    Precedent(846, "closed", "rescored with the cache of a first pass"),
    Precedent(991, "closed"),
    Precedent(549, "accepted", "repeats only inside the last window"),
)


def check(case: Case) -> Assessment:
    timeline = case.submission.timeline
    findings = [
        _finding(case, x.score, x.adapt, x.overlap) for x in leaks(timeline) if x.kind is Kind.RESCORE
    ]
    findings += [_finding(case, x.score, x.table, x.overlap) for x in rescored(timeline)]
    read = Assessment(
        tuple(findings),
        premises(case),
        dormant(case, "P01", lambda score, adapt: f"the number {_twice(score, adapt)}"),
        basis(case),
    )
    return joined(case, "P01", read, ONE_PASS, precedents=PRECEDENTS)


def _twice(score: Score, adapt: Adapt) -> str:
    return (
        f"scores tokens ({place(score.where)}) after an earlier pass over them has filled "
        f"{adapt.parameters} ({place(adapt.where)})"
    )


def _finding(case: Case, score: Score, adapt: Adapt, overlap: Overlap) -> Finding:
    sure = certainty(case.submission.timeline, score, adapt, overlap)
    evidence = (
        *witness("the score that is reported", score),
        *witness(f"{adapt.parameters} was filled here, by an earlier pass over the same tokens", adapt),
    )
    return Finding(
        f"the claimed number {_twice(score, adapt)}",
        Certainty.LIKELY if overlap is Overlap.POSSIBLE else sure,
        ONE_PASS,
        evidence,
        "report the first pass: score a token, then learn from it, and never come back",
        PRECEDENTS,
    )


RULE = Rule(
    id="P01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(ONE_PASS,),
    precedents=PRECEDENTS,
    examples=(
        Example("A fixed model is scored.", files(), Verdict.PASS),
        Example("Adaptation after each score.", files(SCORED_THEN_TRAINED), Verdict.PASS),
        Example(
            "One pass with a cache of what came before (Q01 judges the mixture).", files(HASHED), Verdict.PASS
        ),
        Example(
            "Scores first, then one pass over the text with a cache of what came before.",
            files(BYTE_COUNTS),
            Verdict.PASS,
        ),
        Example(
            "A first pass fills the cache, a second is scored with it.",
            files(TWO_PASSES),
            Verdict.FAIL,
            "earlier pass",
        ),
    ),
)
