"""A rerun reproduces the claim.

Law    Results must be reproducible; what cannot be reproduced can be disqualified (README, FAQ).
Look   The claim against the finished runs of a ledger (`--ledger`): the same seeds in pairs, other seeds by
       Welch. The 90 % interval of the difference inside 0.005 nats per token: pass. Wholly beyond it on the
       worse side: fail. Across the border: undetermined, with the seeds that would decide. On other hardware
       or data than the rule's it is a note, never a confirmation, and never held against anybody.
Blind  A program that prints a number instead of computing it: reading and `trace` look for that. Nothing is
       inferred from the claimed logs here.
"""

from __future__ import annotations

from collections.abc import Iterator

from golf_audit.awaiting import awaits
from golf_audit.law import REPRODUCIBLE
from golf_audit.model import (
    Assessment,
    Awaits,
    Certainty,
    Evidence,
    Finding,
    Kind,
    Precedent,
    Rule,
    Severity,
    Unmet,
)
from golf_audit.reruns import Reproduction, reproduction, reruns_of
from golf_audit.stats import Outcome
from golf_audit.submission import Case

PRECEDENTS = (Precedent(86, "contested", "an organiser's rerun gave 1.1864 against 1.1502"),)
_SUPPLY = "golf-audit rerun FOLDER --ledger FILE"
_NOT_RUN = awaits(Awaits.RERUN)


def check(case: Case) -> Assessment:
    if case.ledger is None:
        return _NOT_RUN(case)
    if case.ledger.problems:
        first = case.ledger.problems[0]
        return _missing(f"the ledger does not hold together (line {first.line}: {first.says})")
    found = reproduction(case)
    notes = tuple(_notes(case, found))
    if found is None:
        waits = None if reruns_of(case).runs else Awaits.RERUN
        return Assessment(unmet=(Unmet(_why_not(case), _SUPPLY, waits),), notes=notes)
    if not found.place.as_the_rule:
        label = f"{found.says}; {'; '.join(found.place.differs)}: a note, never a confirmation"
        return Assessment(unmet=(Unmet(label, _SUPPLY),), notes=notes)
    outcome = found.comparison.outcome
    evidence = Evidence(Kind.RUN, found.says)
    if outcome is Outcome.UNDETERMINED:
        return Assessment(unmet=(Unmet(found.says, _SUPPLY),), notes=notes)
    if outcome is Outcome.WORSE:
        change = "claim what a rerun gives, or say what a rerun needs to give the claimed score"
        finding = Finding(found.says, Certainty.SHOWN, REPRODUCIBLE, (evidence, *notes), change, PRECEDENTS)
        return Assessment((finding,))
    return Assessment(notes=notes, basis=(evidence,))


def _missing(says: str) -> Assessment:
    return Assessment(unmet=(Unmet(says, _SUPPLY),))


def _why_not(case: Case) -> str:
    """Why a ledger decides nothing about this submission."""
    runs = reruns_of(case)
    if runs.scored:
        return "neither the reruns nor the claim print a loss, so 0.005 nats per token are not known in bpb"
    if runs.runs:
        return f"no rerun came to a score: seed {runs.runs[-1].seed} {runs.runs[-1].why}"
    if runs.foreign:
        return "the ledger holds runs of another program or configuration only"
    return "the ledger holds no run of this submission"


def _notes(case: Case, found: Reproduction | None) -> Iterator[Evidence]:
    """Each seed with its entry, every test, the runs that gave no score, and the ledger's head."""
    if found is not None:
        yield from (Evidence(Kind.RUN, row) for row in found.rows())
        yield from (Evidence(Kind.COMPUTED, test) for test in found.tests())
    runs = reruns_of(case)
    for run in runs.failed:
        yield Evidence(Kind.RUN, f"seed {run.seed}: {run.why} (ledger entry {run.entry})")
    yield Evidence(Kind.RUN, f"ledger head {runs.head}")


RULE = Rule(
    id="S03",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="X",
    check=check,
    cites=(REPRODUCIBLE,),
    precedents=PRECEDENTS,
)
