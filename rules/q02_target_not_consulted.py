"""Nothing about the target enters key, gate or mixture before it is scored.

Law    The probability of a token is fixed before the token is seen: a hashed cache whose key holds the
       target was ruled out (organiser on #779, 2026-03-27), and gates that read the target had to go
       before #2135 was accepted (#2146).
Look   Where a table is mixed into the reported probability: the positions of the tokens that were hashed
       into its key, against the position that is scored. Keys over the prefix (#1514, #2135) pass. The
       target that selects its own column of a whole distribution is not consulted. That such a mixture
       is no distribution is Q01's.
Blind  Keys and gates that native helpers compute, and positions that arithmetic hides: undetermined, left
       to the run. Gates in the reading's sight are followed only as far as they are keys.
"""

from golf_audit.joining import joined
from golf_audit.law import CACHES_UNRULED, TARGET_UNSEEN
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
from golf_audit.static.asking import basis, dormant, first_of, place, premises, witness
from golf_audit.static.example import SCORED_THEN_TRAINED, files
from golf_audit.static.example_caches import CONTEXT_KEY, DICTIONARY, HASHED, TARGET_COLUMN
from golf_audit.static.whichever import whichever
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Score

PRECEDENTS = (
    Precedent(779, "closed", "the key of the cache holds the target"),
    Precedent(1514, "accepted", "a tilt whose key is the prefix"),
    Precedent(2135, "accepted", "after its gates were over the prefix alone"),
    Precedent(968, "contested", "the same key under Dirichlet smoothing"),
)


@whichever
def check(case: Case) -> Assessment:
    timeline = case.timeline
    mixed = {score.where: score for score in reversed(timeline.scores()) if score.table}
    findings = tuple(_finding(case, s) for s in mixed.values() if s.consults_target)
    notes = dormant(case, "Q02", _hashed)
    unmet = premises(case)
    if not mixed and not unmet:
        nothing = Assessment(
            notes=notes, not_applicable="no table or gate is mixed into the scored probability"
        )
        return joined(case, "Q02", nothing, TARGET_UNSEEN, precedents=PRECEDENTS)
    unclear = [s for s in mixed.values() if s.consults_target is None]
    unmet = (
        *unmet,
        *(
            Unmet(
                f"what is mixed into the score ({place(s.where)}) is looked up under a key that could not be "
                "told apart from the target",
                "golf-audit trace FOLDER",
            )
            for s in unclear
        ),
    )
    rests = tuple(
        Evidence(Kind.SOURCE, "what is mixed in here is looked up under tokens before the target", s.where)
        for s in mixed.values()
    )
    read = Assessment(findings, unmet, notes, (*rests, *basis(case)) if mixed else ())
    return joined(case, "Q02", read, TARGET_UNSEEN, precedents=PRECEDENTS)


def _finding(case: Case, score: Score) -> Finding:
    timeline = case.timeline
    found = (timeline.by_id[i] for i in sorted(score.holding or score.table))
    tables = first_of(event for event in found if isinstance(event, Adapt))
    evidence = [Evidence(Kind.SOURCE, "the target is scored here", score.where)]
    for table in tables[:3]:
        evidence += witness("the table under that key is filled here", table)[:3]
    return Finding(
        _hashed(score, tables[0]),
        Certainty.LIKELY if timeline.blocking_gaps() else Certainty.SHOWN,
        CACHES_UNRULED if score.smoothed else TARGET_UNSEEN,
        tuple(evidence),
        "look up under the prefix alone, and form the distribution over all tokens (#1514)",
        PRECEDENTS,
    )


def _hashed(score: Score, table: Adapt) -> str:
    return (
        f"the target that is scored ({place(score.where)}) is hashed into the key under which counts are "
        "looked up for its own probability"
    )


RULE = Rule(
    id="Q02",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(TARGET_UNSEEN, CACHES_UNRULED),
    precedents=PRECEDENTS,
    examples=(
        Example("Nothing is mixed in.", files(), Verdict.NOT_APPLICABLE),
        Example("Adaptation is not a mixture.", files(SCORED_THEN_TRAINED), Verdict.NOT_APPLICABLE),
        Example(
            "A hashed key over the context alone.", files(CONTEXT_KEY), Verdict.PASS, "before the target"
        ),
        Example(
            "The target selects its column of a table's row.",
            files(TARGET_COLUMN),
            Verdict.PASS,
            "before the target",
        ),
        Example("The target is in the key.", files(HASHED), Verdict.FAIL, "hashed into the key"),
        Example(
            "Contexts in a dictionary: their positions are not known.",
            files(DICTIONARY),
            Verdict.UNDETERMINED,
            "could not be told",
        ),
    ),
)
