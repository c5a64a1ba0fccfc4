"""A record beats the one before it by 0.005 nats at p < 0.01.

Law    The README's own criterion. The leaderboard was built on a weaker one (S02, #1902), and few merged
       records meet this, so falling short never fails a submission.
Look   The claimed seeds against the record of the day before: the step in bpb, nats per token and nats
       per byte, and a one-sided Welch test that it exceeds 0.005 nats per token. Reruns of a ledger, pooled
       with the claimed seeds, are a note.
Blind  The waiver for pure systems improvements; seeds that were chosen; whether the logs are true.
"""

from __future__ import annotations

from golf_audit import specimen
from golf_audit.law import README_SIGNIFICANCE
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
from golf_audit.stats import README_NATS, README_P
from golf_audit.submission import Case

PRECEDENTS = (
    Precedent(1493, "accepted", "0.0030 nats"),
    Precedent(1529, "accepted", "0.0105 nats, p < 0.01"),
)


def check(case: Case) -> Assessment:
    if record_before(case) is None:
        return Assessment(not_applicable="no record came before this date")
    found = margin(case)
    if found is None:
        return Assessment(unmet=(*logs_of_the_claim(case), Unmet("no score is stated", "state val_bpb")))
    if found.step.per_token is None and found.step.bpb > 0:
        missing = Unmet("no claimed line prints a loss, so nats per token are not known", "log val_loss")
        return Assessment(unmet=logs_of_the_claim(case) or (missing,))
    test = found.beyond_readme
    p = f"one-sided Welch against that step p = {test.p:.4f}" if test is not None else found.untested
    says = f"{found.says}; the README asks for {README_NATS} nats per token better, {p}"
    evidence = (
        Evidence(Kind.COMPUTED, says),
        Evidence(Kind.TABLE, f"{found.record.name}: {found.record.source}"),
    )
    enough = found.step.per_token is not None and found.step.per_token >= README_NATS
    notes = _pooled(case)
    if enough and test is not None and test.p < README_P:
        return Assessment(notes=notes, basis=evidence)
    change = found.advice("more seeds narrow the test; a smaller step is judged by the practice of S02")
    finding = Finding(says, Certainty.SHOWN, README_SIGNIFICANCE, evidence, change, PRECEDENTS)
    return Assessment((finding,), notes=notes)


def _pooled(case: Case) -> tuple[Evidence, ...]:
    """The same test with the reruns of a ledger pooled into the claimed seeds: a note."""
    found = pooled(case)
    if found is None or found.beyond_readme is None:
        return ()
    return (Evidence(Kind.RUN, found.says(found.beyond_readme)),)


def _seeds(*scores: float) -> dict[str, str]:
    return specimen.several(dict(zip((42, 7, 314), scores, strict=False)))


RULE = Rule(
    id="S01",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="L",
    check=check,
    cites=(README_SIGNIFICANCE,),
    precedents=PRECEDENTS,
    tracks=(Track.RECORD,),
    examples=(
        Example("Well beyond the margin.", _seeds(1.0400, 1.0402, 1.0401), Verdict.PASS, "nats per token"),
        Example(
            "A real step of half the margin.",
            _seeds(1.0555, 1.0556, 1.0557),
            Verdict.NEEDS_RULING,
            "the README asks for 0.005 nats",
        ),
        Example(
            "A claim that is worse than the record needs no log to tell.",
            specimen.folder(submission=specimen.claim(1.2)),
            Verdict.NEEDS_RULING,
            "worse by",
        ),
        Example("One seed cannot be tested.", _seeds(1.0400), Verdict.NEEDS_RULING, "no test"),
        Example(
            "Off the record track nothing has to be beaten.",
            _seeds(1.2),
            Verdict.NOT_APPLICABLE,
            track=Track.NON_RECORD,
        ),
    ),
)
