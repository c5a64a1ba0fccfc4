"""No optimisation on the region being scored by tensors made per batch and thrown away.

Law    Unwritten: SLOT, context-only SLOT and online logit bias were discussed (#1336, #1240) and
       never ruled; no such record was merged. Needs a ruling at most.
Look   Tensors created inside the scoring loop, optimised on its tokens and discarded. The finding
       says whether other positions' scores change when a target is flipped.
Blind  Masks that separate context from scored positions are compared by the run only.
"""

from golf_audit.joining import joined
from golf_audit.law import SCRATCH_UNRULED
from golf_audit.model import Assessment, Example, Finding, Precedent, Rule, Severity, Verdict
from golf_audit.static.asking import basis, certainty, place, premises, witness
from golf_audit.static.example import BIAS_AFTER, SLOT, files
from golf_audit.static.leaks import Kind, Leak, leaks
from golf_audit.static.whichever import whichever
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Timeline

PRECEDENTS = (
    Precedent(1240, "withdrawn", "its author showed 240 of 240 pairs of positions to leak"),
    Precedent(1217, "contested", "the context-only form"),
)


@whichever
def check(case: Case) -> Assessment:
    timeline = case.timeline
    found = leaks(timeline)
    findings = tuple(_finding(case, leak) for leak in found if leak.kind is Kind.SCRATCH)
    unmet = premises(case)
    if not findings and not unmet and not _scratch(timeline):
        read = Assessment(not_applicable="nothing made for a batch is optimised behind the claimed number")
    else:
        read = Assessment(findings, unmet, (), basis(case))
    return joined(case, "Q03", read, SCRATCH_UNRULED, precedents=PRECEDENTS)


def _scratch(timeline: Timeline) -> bool:
    states = frozenset[int]().union(*(score.state for score in timeline.scores()))
    return any(isinstance(e, Adapt) and e.scratch for e in timeline.events if e.id in states)


def _finding(case: Case, leak: Leak) -> Finding:
    score, adapt = leak.score, leak.adapt
    message = (
        f"tensors made for the batch are optimised on validation tokens ({place(adapt.where)}) that the same "
        f"round then scores ({place(score.where)}); flipping a target would change other positions' scores"
    )
    evidence = (*witness("optimised here", adapt), *witness("scored here, with the result", score))
    return Finding(
        message,
        certainty(case.timeline, score, adapt, leak.overlap),
        SCRATCH_UNRULED,
        evidence,
        "optimise only on tokens that are already scored, and score others",
        PRECEDENTS,
    )


RULE = Rule(
    id="Q03",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(SCRATCH_UNRULED,),
    precedents=PRECEDENTS,
    examples=(
        Example("A bias is updated only after each score.", files(BIAS_AFTER), Verdict.PASS),
        Example("Nothing is optimised per batch.", files(), Verdict.NOT_APPLICABLE),
        Example(
            "A delta is optimised on the targets that it then scores.",
            files(SLOT),
            Verdict.NEEDS_RULING,
            "flipping a target",
        ),
    ),
)
