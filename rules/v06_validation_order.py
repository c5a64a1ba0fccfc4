"""The validation stream is scored in its official order.

Law    Practice: documents sorted by length with per-document reset were accepted (#77), with shared
       state merged and contested (#1610, #1626, #1736, #1855).
Look   Only where the model adapts on validation tokens: whether the scored documents or windows were
       sorted, shuffled or permuted, and whether what is learned from one of them is kept for the next. An
       order computed from losses or targets is P02's. A run tells whether scores far behind a document
       depend on it: where none does, none depends on the order.
Blind  Queues shared between processes: the order is decided at run time.
"""

from golf_audit.joining import joined
from golf_audit.law import ORDER_UNRULED
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
    Verdict,
)
from golf_audit.static.asking import basis, behind, place, premises, witness
from golf_audit.static.example import DOCUMENTS, SCORED_THEN_TRAINED, files
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Reorder, Score, Stream, Timeline

PRECEDENTS = (
    Precedent(77, "accepted", "documents sorted by length, the adapter reset for each"),
    Precedent(1855, "accepted", "sorted by length, with weights that are kept from document to document"),
    Precedent(1536, "contested", "moved off the record track by its author for the same"),
)
RESET = "each starts from the same state, so that no score depends on the order (a run shows it)"


def check(case: Case) -> Assessment:
    return joined(case, "V06", _read(case), ORDER_UNRULED, precedents=PRECEDENTS)


def _read(case: Case) -> Assessment:
    timeline = case.timeline
    scores = timeline.scores()
    unmet = premises(case)
    if not unmet and not any(_learned(timeline, score) for score in scores):
        return Assessment(
            not_applicable="nothing is learned from validation tokens, so no order changes a score"
        )
    turned = {i: score for score in reversed(scores) for i in score.order}
    shared = {i for score in scores for i in score.order if _shared(timeline, score)}
    orders = [e for e in (timeline.by_id[i] for i in sorted(turned)) if isinstance(e, Reorder)]
    findings = tuple(_finding(case, e, turned[e.id]) for e in orders if e.id in shared)
    notes = tuple(
        Evidence(
            Kind.SOURCE, f"documents are scored in the order of {e.by} ({place(e.where)}); {RESET}", e.where
        )
        for e in orders
        if e.id not in shared
    )
    rests = (*notes, *basis(case)) if orders else (*_straight(scores), *basis(case))
    return Assessment(findings, unmet, notes, rests)


def _ordered(event: Reorder) -> str:
    return f"documents are scored in the order of `{event.by}` ({place(event.where)})"


def _learned(timeline: Timeline, score: Score) -> list[Adapt]:
    found = (e for e in behind(timeline, score) if isinstance(e, Adapt))
    return [e for e in found if e.region.stream is Stream.VAL]


def _shared(timeline: Timeline, score: Score) -> bool:
    """True when a score depends on what was learned in another round of the outermost loop of both, and the
    round of the score has not started those parameters anew."""
    for adapt in _learned(timeline, score):
        for mine in score.region.pieces:
            for theirs in adapt.region.pieces:
                rounds = {m.loop: m.iterations for m in theirs.marks}
                common = sorted((m.loop, m.iterations) for m in mine.marks if m.loop in rounds)
                if not common or not (common[0][1] & rounds[common[0][0]] or _anew(score, adapt, *common[0])):
                    return True
    return False


def _anew(score: Score, adapt: Adapt, loop: int, rounds: frozenset[int]) -> bool:
    return all((adapt.parameters, loop, i) in score.renewed for i in rounds)


def _straight(scores: tuple[Score, ...]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(Kind.SOURCE, "validation targets are scored in the order of the stream", s.where)
        for s in scores[:1]
    )


def _finding(case: Case, event: Reorder, score: Score) -> Finding:
    learned = _learned(case.timeline, score)
    evidence = [
        *witness("the order is made here", event),
        *witness("the targets are scored in that order", score),
    ]
    if learned:
        evidence += witness(f"{learned[0].parameters} learns here, for later documents too", learned[0])
    return Finding(
        f"{_ordered(event)}, and what is learned from one of them is kept for the next",
        Certainty.LIKELY if case.timeline.blocking_gaps() else Certainty.SHOWN,
        ORDER_UNRULED,
        tuple(evidence),
        "score the documents in the order of the stream, or start each from the same state (#77)",
        PRECEDENTS,
    )


RULE = Rule(
    id="V06",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="T X",
    check=check,
    cites=(ORDER_UNRULED,),
    precedents=PRECEDENTS,
    examples=(
        Example("Nothing is learned.", files(), Verdict.NOT_APPLICABLE),
        Example(
            "Chunks in the order of the stream.", files(SCORED_THEN_TRAINED), Verdict.PASS, "of the stream"
        ),
        Example(
            "Documents by length, the adapter made anew for each.",
            files(DOCUMENTS.format(per_document="    other = copy.deepcopy(model)", before="")),
            Verdict.PASS,
            "same state",
        ),
        Example(
            "Documents by length, one adapter for all of them.",
            files(DOCUMENTS.format(per_document="    pass", before="other = copy.deepcopy(model)")),
            Verdict.NEEDS_RULING,
            "kept for the next",
        ),
        Example(
            "The same in the order of the stream.",
            files(
                DOCUMENTS.format(per_document="    pass", before="other = copy.deepcopy(model)").replace(
                    "key=lambda document: document[1]", "key=lambda document: document[0]"
                )
            ),
            Verdict.PASS,
            "of the stream",
        ),
    ),
)
