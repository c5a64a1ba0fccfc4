"""What a trace says about data: training on validation (V01), statistics of it (V02), training data at
evaluation (V03), documents (M02) and their order (V06), the network (N01)."""

from __future__ import annotations

from golf_audit.joining.owner import late_events, late_violation, owner_of
from golf_audit.joining.seen import (
    Seen,
    Violation,
    by_outcomes,
    evidence_of,
    first_places,
    influence,
    share,
)
from golf_audit.joining.seen import quoted as quoted_place
from golf_audit.model import Evidence, Kind
from golf_audit.observation import WHILE_TRAINING, Observation, Word
from golf_audit.static.unpaid import unpaid
from golf_audit.submission import Case


def learned_in_training(case: Case, observation: Observation, rule: str) -> Seen:
    """V01: the step of the training loop takes validation tokens too."""
    result = observation.result
    assert result is not None
    if not result.late:
        return Seen(clean=f"no step took any of {result.targets:,} validation targets before its score")
    moved = influence(observation)
    if owner_of(case, observation) != rule:
        adapts, _ = late_events(observation)
        places = [quoted_place(case, a.where) for a in first_places(adapts)]
        says = (
            "validation targets are adapted on before their score, and not by the step of the training loop"
        )
        return Seen(notes=tuple(Evidence(Kind.TRACE, says, where) for where in places[:1]))
    if moved is Word.CLEAN:
        says = f"{share(result, result.late)} were in a training step, and no score depends on it"
        return Seen(notes=(Evidence(Kind.TRACE, says),), missing=(says,))
    return Seen((late_violation(case, observation, result, sure=moved is Word.VIOLATION),))


def calibrated(case: Case, observation: Observation, rule: str) -> Seen:
    """V02: the artifact changes with validation tokens, and no gradient on them explains it."""
    found = by_outcomes(case, observation, rule)
    result = observation.result
    assert result is not None
    if not found.violations:
        return found
    moved = influence(observation)
    if result.late and moved is not Word.CLEAN:
        says = f"what was written depends on validation tokens: see {owner_of(case, observation)}"
        return Seen(notes=(Evidence(Kind.TRACE, says),))
    first = found.violations[0]
    if moved is not Word.VIOLATION:
        says = f"{first.says}, but no score was seen to depend on later tokens"
        return Seen(notes=(Evidence(Kind.TRACE, says),), missing=(says,))
    says = f"without any gradient on validation tokens, {first.says}, and scores depend on later tokens"
    more = tuple(
        e for o in observation.about("M01") if o.word is Word.VIOLATION for e in evidence_of(case, o)
    )
    return Seen((Violation(says, (*first.evidence, *more)),))


def unpaid_training_data(case: Case, observation: Observation, rule: str) -> Seen:
    """V03: the probe sees files. Tokens kept in memory escape it, so it takes nothing back that was read."""
    found = by_outcomes(case, observation, rule)
    if found.clean and unpaid(case.timeline):
        return Seen(notes=found.notes, missing=(f"{found.clean}; what is kept in memory is not seen",))
    return found


def borders(case: Case, observation: Observation, rule: str) -> Seen:
    """M02: the next document's scores change with a document although no state is carried along."""
    found = by_outcomes(case, observation, rule)
    near = [o for o in observation.about("M02") if o.word is Word.NOTE]
    carried = any(o.word is not Word.CLEAN for o in observation.about("V06") if o.probe == "documents")
    alone = any(score.by_document for score in case.timeline.scores())
    if not near or carried or not alone:
        return found
    says = f"documents are evaluated one by one, no state is carried along, and {near[0].says}"
    return Seen((Violation(says, evidence_of(case, near[0]), sure=False),), notes=found.notes)


def order_of_documents(case: Case, observation: Observation, rule: str) -> Seen:
    """V06: another order than the stream's matters where state is carried from document to document."""
    result = observation.result
    assert result is not None
    if not result.inversions:
        return Seen(clean=f"{result.targets:,} targets are first counted in the order of the stream")
    says = f"the order of the first scores goes backwards in the stream {result.inversions:,} times"
    carried = [o for o in observation.about("V06") if o.probe == "documents"]
    words = {o.word for o in carried}
    if words == {Word.CLEAN}:
        clean = f"{says}, and no score depends on the order: {carried[0].says}"
        return Seen(clean=clean, notes=(Evidence(Kind.TRACE, clean),))
    if Word.NOTE in words:
        return Seen((Violation(f"{says}, and {carried[0].says}", evidence_of(case, carried[0])),))
    return Seen(
        notes=(Evidence(Kind.TRACE, says),), missing=(f"{says}; whether state is carried was not tried",)
    )


def reached(case: Case, observation: Observation, rule: str) -> Seen:
    """N01: an attempt while evaluating stands. While training a run cannot tell a download from a message to
    a tracker; a run that asks nothing settles nothing, since native code is not seen."""
    found = by_outcomes(case, observation, rule)
    doubts = tuple(
        Violation(o.says, evidence_of(case, o), sure=False)
        for o in observation.about(rule)
        if o.word is Word.NOTE and dict(o.figures).get(WHILE_TRAINING)
    )
    return Seen((*found.violations, *doubts), notes=found.notes)
