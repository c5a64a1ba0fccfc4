"""A record is better than the one before it at p < 0.25.

Law    The practice of the leaderboard since 2026-04-28 (#1902): a one-sided Welch test on val_bpb against
       the record before it in order of pull requests, without a margin. Falling short never fails.
Look   The claimed seeds against that record's, from the dated table of accepted records.
       Reruns of a ledger, pooled with the claimed seeds as organisers did for #1855, are a note.
Blind  Reproductions that no ledger holds.
"""

from __future__ import annotations

import datetime as dt

from golf_audit import specimen
from golf_audit.law import PRACTICE_SIGNIFICANCE
from golf_audit.margin import margin, pooled, record_before
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
    Track,
    Unmet,
    Verdict,
)
from golf_audit.premises import logs_of_the_claim
from golf_audit.stats import PRACTICE_P
from golf_audit.submission import Case

PRECEDENTS = (
    Precedent(1769, "accepted", "p = 0.063"),
    Precedent(1855, "accepted", "p = 0.188 with reproductions"),
)


def check(case: Case) -> Assessment:
    if record_before(case) is None:
        return Assessment(not_applicable="no record came before this date")
    found = margin(case)
    if found is None:
        return Assessment(unmet=(*logs_of_the_claim(case), Unmet("no score is stated", "state val_bpb")))
    test = found.any_at_all
    p = (
        f"one-sided Welch p = {test.p:.3f} (t {test.t:.2f}, df {test.df:.1f})"
        if test is not None
        else found.untested
    )
    says = f"{found.says}; {p}"
    evidence = (
        Evidence(Kind.COMPUTED, says),
        Evidence(Kind.TABLE, f"{found.record.name}: {found.record.source}"),
    )
    if case.as_of < PRACTICE_SIGNIFICANCE.since:
        return Assessment(
            not_applicable=f"the practice dates from {PRACTICE_SIGNIFICANCE.since}", notes=evidence
        )
    notes = _pooled(case)
    if test is not None and test.p < PRACTICE_P:
        return Assessment(notes=notes, basis=evidence)
    return Assessment(
        notes=notes,
        findings=(
            Finding(
                says,
                Certainty.SHOWN,
                PRACTICE_SIGNIFICANCE,
                evidence,
                found.advice("add seeds"),
                PRECEDENTS,
            ),
        ),
    )


def _pooled(case: Case) -> tuple[Evidence, ...]:
    """The same test with the reruns of a ledger pooled into the claimed seeds; organisers may ask for it."""
    found = pooled(case)
    if found is None or found.any_at_all is None:
        return ()
    return (Evidence(Kind.RUN, found.says(found.any_at_all)),)


def _seeds(*scores: float) -> dict[str, str]:
    return specimen.several(dict(zip((42, 7, 314), scores, strict=False)))


RULE = Rule(
    id="S02",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="L",
    check=check,
    cites=(PRACTICE_SIGNIFICANCE,),
    precedents=PRECEDENTS,
    tracks=(Track.RECORD,),
    examples=(
        Example(
            "A small step of steady seeds.", _seeds(1.0555, 1.0556, 1.0557), Verdict.PASS, "Welch p = 0.0"
        ),
        Example(
            "A step inside the noise.", _seeds(1.0550, 1.0565, 1.0580), Verdict.NEEDS_RULING, "Welch p = 0."
        ),
        Example("Worse than the record.", _seeds(1.0800, 1.0801, 1.0802), Verdict.NEEDS_RULING, "worse by"),
        Example("One seed cannot be tested.", _seeds(1.0400), Verdict.NEEDS_RULING, "no test"),
        Example(
            "Before the practice began it does not bind.",
            _seeds(1.0800, 1.0801, 1.0802),
            Verdict.NOT_APPLICABLE,
            "dates from",
            as_of=dt.date(2026, 4, 20),
        ),
        Example(
            "Off the record track nothing has to be beaten.",
            _seeds(1.2),
            Verdict.NOT_APPLICABLE,
            track=Track.NON_RECORD,
        ),
    ),
)
