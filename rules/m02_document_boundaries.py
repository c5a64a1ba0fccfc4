"""No mixing across a document boundary where documents are evaluated as independent.

Law    Organiser's audit note on #1797 (2026-04-26) for the previous-token mix without BOS mask;
       disputed in #1988. Needs a ruling at most, and only after that date.
Look   In per-document evaluation, every forward path must mask the previous-token mix at BOS.
       Dense-stream evaluation (baseline, #549, #1019, #1204) is not bound. A run exchanges one document and
       compares the scores of the next.
Blind  Mixing inside native kernels, and a mask that is made in another function.
"""

import datetime as dt

from golf_audit.joining import joined
from golf_audit.law import SMEAR
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
from golf_audit.static.asking import basis, place, premises, witness
from golf_audit.static.example import BY_DOCUMENT, SMEAR_MASKED, SMEAR_PLAIN, files
from golf_audit.submission import Case
from golf_audit.timeline import Mix, Timeline

PRECEDENTS = (
    Precedent(1797, "contested", "the mix crossed the beginning of a document in packed streams"),
    Precedent(1851, "accepted", "the gate is masked at BOS in both forward paths"),
    Precedent(1667, "accepted", "before the date of the note"),
)


def check(case: Case) -> Assessment:
    read = _read(case)
    if read.not_applicable:  # by its date, or since the stream is evaluated densely: a run changes neither
        return read
    return joined(case, "M02", read, SMEAR, precedents=PRECEDENTS)


def _read(case: Case) -> Assessment:
    if case.as_of < SMEAR.since:
        return Assessment(not_applicable=f"the note on previous-token mixes dates from {SMEAR.since}")
    timeline = case.timeline
    unmet = premises(case)
    mixes = _mixes(timeline)
    if not unmet and not any(score.by_document for score in timeline.scores()):
        return Assessment(not_applicable="the stream is evaluated densely, not document by document")
    if not unmet and not mixes:
        return Assessment(not_applicable="no token's vector takes in the one before it")
    findings = tuple(_finding(case, mix) for mix in mixes if mix.masked is False)
    unclear = tuple(
        Unmet(
            f"whether the previous-token mix ({place(m.where)}) is masked could not be told",
            "golf-audit trace FOLDER",
        )
        for m in mixes
        if m.masked is None
    )
    rests = tuple(
        Evidence(Kind.SOURCE, "the previous-token mix is masked where a document begins", m.where)
        for m in mixes
        if m.masked
    )
    return Assessment(findings, (*unmet, *unclear), (), (*rests, *basis(case)) if rests else ())


def _mixes(timeline: Timeline) -> list[Mix]:
    """The previous-token mixes that ran, once per place, those without a mask first."""
    found = [e for e in timeline.events if isinstance(e, Mix)]
    found.sort(key=lambda e: (e.masked is not False, e.masked is not None, e.id))
    return list({e.where: e for e in reversed(found)}.values())


def _finding(case: Case, mix: Mix) -> Finding:
    return Finding(
        f"documents are scored as independent, and the first token of one takes in the last of another "
        f"({place(mix.where)}): no mask at BOS",
        Certainty.LIKELY if case.timeline.blocking_gaps() else Certainty.SHOWN,
        SMEAR,
        tuple(witness("each token's vector takes in the one before it", mix)),
        "multiply the gate by (ids != BOS) in every forward path (#1851)",
        PRECEDENTS,
    )


RULE = Rule(
    id="M02",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(SMEAR,),
    precedents=PRECEDENTS,
    examples=(
        Example("No mix.", files(BY_DOCUMENT), Verdict.NOT_APPLICABLE),
        Example("A mix in a dense evaluation.", files(**SMEAR_PLAIN), Verdict.NOT_APPLICABLE, "densely"),
        Example(
            "A mix without mask before the note.",
            files(BY_DOCUMENT, **SMEAR_PLAIN),
            Verdict.NOT_APPLICABLE,
            "dates from",
            as_of=dt.date(2026, 4, 20),
        ),
        Example("A mix with the mask.", files(BY_DOCUMENT, **SMEAR_MASKED), Verdict.PASS, "is masked"),
        Example(
            "A mix without mask, document by document.",
            files(BY_DOCUMENT, **SMEAR_PLAIN),
            Verdict.NEEDS_RULING,
            "no mask at BOS",
        ),
    ),
)
