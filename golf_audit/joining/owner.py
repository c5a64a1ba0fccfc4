"""Whose violation it is when scores know what comes later: one violation is one rule's (CATALOGUE)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from golf_audit.joining.seen import Violation, evidence_of, first_places, quoted, share
from golf_audit.model import Evidence, Kind
from golf_audit.observation import Observation, Result, Word
from golf_audit.static.leaks import leaks, training_on_validation
from golf_audit.static.tables import filled_before
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Event, Overlap, Score, Stream


def late_events(observation: Observation) -> tuple[list[Adapt], list[Score]]:
    """The adaptations on tokens that the claimed number counts later, and those scores."""
    adapts: dict[int, Adapt] = {}
    scores: dict[int, Score] = {}
    for score, adapt, _ in observation.timeline.adapted_before_score():
        if adapt.region.stream is Stream.VAL:
            adapts.setdefault(adapt.id, adapt)
            scores.setdefault(score.id, score)
    return list(adapts.values()), list(scores.values())


def owner_of(case: Case, observation: Observation) -> str:
    """Whose violation late scores are: what was read decides, else what the run shows (CATALOGUE: one
    violation is one rule's)."""
    known = predicted(case)
    if known is not None:
        return known
    if _chosen(case):
        return "P02"
    adapts, scores = late_events(observation)
    if adapts and all(a.scratch for a in adapts):
        return "Q03"
    if training_on_validation(case.timeline) or _by_the_training_step(observation, adapts):
        return "V01"
    if {a.where for a in adapts} >= {s.where for s in scores}:
        return "T02"  # the loss that is counted is the one that is trained on, in an earlier round too
    return "T01"


def unseen_owner(case: Case, observation: Observation) -> str | None:
    """Whose violation influence without a gradient is: what was read decides, then what the run shows."""
    result = observation.result
    if predicted(case) is not None:
        return predicted(case)
    if _by_statistics(observation):
        return "V02"
    if filled_before(case.submission.timeline):
        return "P01"
    return "P01" if result is not None and result.rescored and not _moved_before(observation) else None


def predicted(case: Case) -> str | None:
    """The one order rule that reading shows to be broken."""
    found = {k.kind.value for k in leaks(case.timeline) if k.overlap is Overlap.SHOWN}
    return found.pop() if len(found) == 1 else None


def _chosen(case: Case) -> bool:
    """True when reading shows that the claimed number keeps one of several scores: passes are for that."""
    timeline = case.submission.timeline
    return (
        timeline.reported is not None and bool(timeline.reported.selections) and not timeline.blocking_gaps()
    )


def _by_the_training_step(observation: Observation, adapts: Iterable[Adapt]) -> bool:
    """True when the step that learns from these validation targets is the one of the training loop."""
    events = observation.timeline.events
    trained = {e.path[0].where for e in events if _gradient_on(e, Stream.TRAIN) and e.path}
    steps = [a.path[0].where if a.path else None for a in adapts]
    return bool(steps) and all(where in trained for where in steps)


def _gradient_on(event: Event, stream: Stream) -> bool:
    return isinstance(event, Adapt) and event.kind == "gradient" and event.region.stream is stream


def _by_statistics(observation: Observation) -> bool:
    """True when what was written changes with validation tokens: the way is V02's where no gradient is."""
    return any(o.word is Word.VIOLATION for o in observation.about("V02"))


def _moved_before(observation: Observation) -> bool:
    """True when a result before the claimed one depends on later tokens too: no second pass explains it."""
    claimed = observation.result
    assert claimed is not None
    return any(
        o.word is Word.VIOLATION
        and o.line is not None
        and o.line < claimed.index
        and not observation.concerns(o)
        for o in observation.outcomes
        if "M01" in o.rules
    )


def late_violation(case: Case, observation: Observation, result: Result, *, sure: bool) -> Violation:
    adapts, scores = late_events(observation)
    says = (
        f"in the run {share(result, result.late)} of the claimed number were scored after a gradient on them "
        "had changed the model"
    )
    evidence = [Evidence(Kind.TRACE, f'"{result.text[:100]}": {share(result, result.late)} late')]
    evidence += [e for a in first_places(adapts) for e in _learning(case, a)]
    evidence += [
        Evidence(Kind.TRACE, "and they are scored here", quoted(case, s.where)) for s in first_places(scores)
    ]
    for outcome in observation.about("M01"):
        if outcome.word is Word.VIOLATION:
            evidence += evidence_of(case, outcome)
    return Violation(says, tuple(evidence), sure)


def _learning(case: Case, adapt: Adapt) -> Iterator[Evidence]:
    """Where the loss is computed, and where the step is taken: the loss may lie in a helper of all losses."""
    says = f"a gradient on them changes {adapt.parameters}"
    yield Evidence(Kind.TRACE, says, quoted(case, adapt.where))
    if adapt.path and adapt.path[0].where != adapt.where:
        yield Evidence(Kind.TRACE, "the step is taken here", quoted(case, adapt.path[0].where))
