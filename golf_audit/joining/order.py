"""What a trace says of the order of scores and gradients (T01 T02 Q03 V05) and of the future (M01 Q02)."""

from __future__ import annotations

from golf_audit.joining.owner import late_events, late_violation, owner_of, predicted, unseen_owner
from golf_audit.joining.seen import (
    Seen,
    Violation,
    by_outcomes,
    evidence_of,
    first_places,
    influence,
    influenced,
    quoted,
    share,
)
from golf_audit.model import Evidence, Kind
from golf_audit.observation import Observation, Word
from golf_audit.submission import Case


def order(case: Case, observation: Observation, rule: str) -> Seen:
    """T01, T02, Q03: counted scores whose positions had a gradient before."""
    result = observation.result
    assert result is not None
    moved = influence(observation)
    if not result.late and moved is Word.VIOLATION:
        return _unseen_way(case, observation, rule)
    if not result.late and result.undone:
        says = (
            f"{share(result, result.undone)} were in a gradient before their score, and the parameters were "
            "put back in between"
        )
        return Seen(clean=says, notes=(Evidence(Kind.TRACE, says),))
    if not result.late:
        return Seen(clean=f"no counted target had a gradient before its score ({result.targets:,} targets)")
    if moved is Word.CLEAN:
        says = (
            f"{share(result, result.late)} were in a gradient before their score, and changing what comes "
            "later changes no earlier score"
        )
        return Seen(clean=says, notes=(Evidence(Kind.TRACE, says + " (V05)"),))
    owner = owner_of(case, observation)
    if owner != rule:
        says = f"scores after gradients on their own targets: see {owner}"
        return Seen(notes=(Evidence(Kind.TRACE, says),) if rule == "T01" else ())
    return Seen((late_violation(case, observation, result, sure=moved is Word.VIOLATION),))


def _unseen_way(case: Case, observation: Observation, rule: str) -> Seen:
    """Scores depend on later tokens and no gradient was seen to carry it: reading says how, else M01."""
    owner = unseen_owner(case, observation)
    if owner is None:
        says = "earlier scores depend on later tokens without a gradient on their targets: see M01"
        return Seen(notes=(Evidence(Kind.TRACE, says),), missing=(says,))
    if owner != rule:
        says = f"earlier scores depend on later tokens: see {owner}"
        return Seen(notes=(Evidence(Kind.TRACE, says),) if rule == "T01" else ())
    outcomes = influenced(observation)
    evidence = tuple(e for o in outcomes for e in evidence_of(case, o))
    return Seen((Violation(f"in the run, {outcomes[0].says}", evidence),))


def future(case: Case, observation: Observation, rule: str) -> Seen:
    """M01 and Q02: a leak that runs through gradients is the order rules' business; one that only the target
    itself makes is Q02's."""
    found = by_outcomes(case, observation, rule)
    result = observation.result
    assert result is not None
    if not found.violations:
        return found
    owner = owner_of(case, observation) if result.late else predicted(case)
    if owner is None and influence(observation) is Word.VIOLATION:
        owner = unseen_owner(case, observation)
    if owner is None:
        alone = influence(observation) is not Word.VIOLATION or _only_targets(observation)
        owner = "Q02" if alone else "M01"
    if owner == rule:
        return found
    says = f"scores depend on what they must not know, in another way: see {owner}"
    return Seen(notes=(Evidence(Kind.TRACE, says),), missing=(says,))


def _only_targets(observation: Observation) -> bool:
    """True when nothing but the exchange of a target itself moved its distribution."""
    moved = [o for o in observation.about("M01") if o.word is Word.VIOLATION]
    return all("Q02" in o.rules for o in moved)


def warm_up(case: Case, observation: Observation, rule: str) -> Seen:
    """V05: gradients before the score without influence on it: state that was thrown away."""
    result = observation.result
    assert result is not None
    touched = result.late or result.undone
    if touched and influence(observation) is Word.CLEAN:
        says = (
            f"{share(result, touched)} were trained on before their score; the state did not last: "
            "changing what comes later changes no earlier score"
        )
        adapts, _ = late_events(observation)
        places = [
            Evidence(Kind.TRACE, f"{a.parameters} learns here", quoted(case, a.where))
            for a in first_places(adapts)
        ]
        return Seen((Violation(says, (Evidence(Kind.TRACE, says), *places)),))
    if touched:
        return Seen()
    return Seen(clean="no gradient on a validation target came before its score")
