"""A token's reported score is its first pass, not a later adaptation epoch.

Law    The score of a token is taken before the model learned from it (README, restrictions on
       evaluation); organiser on #568, 2026-03-24.
Look   Inside a loop of epochs over the same tokens, the score that reaches the reported sum must
       come from the pass before the first step on them. T01 then passes with a note that points
       here.
Blind  Epochs that are unrolled by hand look like separate passes; P01 or T01 then speaks.
"""

from golf_audit.joining import joined
from golf_audit.law import LAST_EPOCH
from golf_audit.model import Assessment, Example, Finding, Precedent, Rule, Severity, Verdict
from golf_audit.static.asking import basis, certainty, dormant, place, premises, witness
from golf_audit.static.example import LAST_OF_THREE, SCORED_THEN_TRAINED, files
from golf_audit.static.leaks import Kind, Leak, leaks
from golf_audit.static.whichever import whichever
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Score

PRECEDENTS = (
    Precedent(568, "closed", "scored on the last epoch"),
    Precedent(549, "accepted", "three epochs on each chunk, after its only score"),
)


@whichever
def check(case: Case) -> Assessment:
    found = leaks(case.timeline)
    findings = tuple(_finding(case, leak) for leak in found if leak.kind is Kind.EPOCH)
    read = Assessment(
        findings,
        premises(case),
        dormant(case, "T02", lambda score, adapt: f"the {_late(score, adapt)}"),
        basis(case),
    )
    return joined(case, "T02", read, LAST_EPOCH, precedents=PRECEDENTS)


def _late(score: Score, adapt: Adapt) -> str:
    return (
        f"score ({place(score.where)}) is taken in a loop whose earlier rounds have trained "
        f"{adapt.parameters} on the same tokens ({place(adapt.where)})"
    )


def _finding(case: Case, leak: Leak) -> Finding:
    score, adapt = leak.score, leak.adapt
    evidence = (
        *witness("scored here, in every round or the last", score),
        *witness(f"{adapt.parameters} learns here from the same tokens", adapt),
    )
    return Finding(
        f"the reported {_late(score, adapt)}",
        certainty(case.timeline, score, adapt, leak.overlap),
        LAST_EPOCH,
        evidence,
        "report the score of the first pass, taken before the first step on these tokens (#549)",
        PRECEDENTS,
    )


RULE = Rule(
    id="T02",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(LAST_EPOCH,),
    precedents=PRECEDENTS,
    examples=(
        Example("A fixed model is scored.", files(), Verdict.PASS),
        Example("Three epochs after the only score.", files(SCORED_THEN_TRAINED), Verdict.PASS),
        Example(
            "The last of three epochs is the score.", files(LAST_OF_THREE), Verdict.FAIL, "earlier rounds"
        ),
    ),
)
