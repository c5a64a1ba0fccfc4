"""What one trace says about one rule: violations with their evidence, or that nothing showed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from golf_audit.joining.settle import HOOK_FREE
from golf_audit.model import Evidence, Kind, Where
from golf_audit.observation import Observation, Outcome, Result, Spans, Word
from golf_audit.static.leaks import leaks, training_on_validation
from golf_audit.static.tables import filled_before
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Event, Overlap, Score, Stream

E = TypeVar("E", bound=Event)

INFLUENCE = frozenset({"M01", "T01"})
"""Rules whose probes change later tokens and look at earlier scores."""


@dataclass(frozen=True)
class Violation:
    """Something that the run shows. `sure` is False where another explanation is left."""

    says: str
    evidence: tuple[Evidence, ...]
    sure: bool = True


@dataclass(frozen=True)
class Seen:
    """`clean`: why the run speaks for the submission (empty: it does not). `missing`: why it cannot speak."""

    violations: tuple[Violation, ...] = ()
    clean: str = ""
    notes: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()


def silent(observation: Observation) -> str:
    """Why the run says nothing of the claimed number; empty when it does."""
    if observation.ending != "ok":
        return f"the run in miniature did not come to its end: {observation.reason}"
    result = observation.result
    if result is None:
        names = ", ".join(observation.not_produced[:3])
        return f"the run in miniature did not print the claimed result{f' ({names})' if names else ''}"
    if not result.attested:
        return f"the claimed number is not attested by the run: {result.why}"
    return ""


def by_outcomes(
    case: Case, observation: Observation, rule: str, outcomes: tuple[Outcome, ...] | None = None
) -> Seen:
    """The words of the probes that answer this rule's question, or those given."""
    if outcomes is None:
        outcomes = observation.about(rule)
    violations = tuple(Violation(o.says, evidence_of(case, o)) for o in outcomes if o.word is Word.VIOLATION)
    notes = tuple(e for o in outcomes if o.word is Word.NOTE for e in evidence_of(case, o)[:1])
    clean = [o for o in outcomes if o.word is Word.CLEAN]
    asked = any(not o.probe.startswith(HOOK_FREE) for o in clean)
    void = tuple(
        f"{o.probe}: {o.says}"
        for o in outcomes
        if o.word is Word.VOID and not (asked and o.probe.startswith(HOOK_FREE))  # settle.py asks for it
    )
    says = "; ".join(dict.fromkeys(o.says for o in clean)) if clean and not violations and not void else ""
    return Seen(violations, says, notes, void)


def evidence_of(case: Case, outcome: Outcome) -> tuple[Evidence, ...]:
    figures = ", ".join(f"{name} {value:g}" for name, value in outcome.figures)
    first = Evidence(Kind.TRACE, f"{outcome.probe}: {outcome.says}" + (f" ({figures})" if figures else ""))
    places = [_place(case, place) for place in outcome.places]
    return (
        first,
        *(Evidence(Kind.TRACE, "the scores in question", place) for place in places if place is not None),
    )


def _place(case: Case, place: str) -> Where | None:
    name, _, line = place.rpartition(":")
    if not line.isdecimal() or not int(line):
        return None
    return quoted(case, Where(name, int(line)))


def quoted(case: Case, where: Where) -> Where:
    """A place of the run with the submission's own line; the innermost layer for places in unpacked text."""
    module = case.submission.sources.modules.get(where.file)
    if module is None or where.line is None or where.layer >= len(module.layers):
        return where
    return module.layers[where.layer].at(where.line)


def influence(observation: Observation) -> Word | None:
    """Whether changing later tokens changed earlier scores of the claimed number; None: not tried.

    A part of the stream alone changes schedules too: what it costs tells nothing here."""
    asked = (o for rule in INFLUENCE for o in observation.about(rule))
    words = {o.word for o in asked if not o.probe.startswith(HOOK_FREE)}
    return next((w for w in (Word.VIOLATION, Word.VOID, Word.CLEAN) if w in words), None)


def share(result: Result, found: Spans) -> str:
    """How many of the targets, in words."""
    count = sum(stop - start for start, stop in found)
    return f"{count:,} of {result.targets:,} targets"


def owner_of(case: Case, observation: Observation) -> str:
    """Whose violation late scores are: what was read decides, else what the run shows (CATALOGUE: one
    violation is one rule's)."""
    predicted = _predicted(case)
    if predicted is not None:
        return predicted
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


def late_events(observation: Observation) -> tuple[list[Adapt], list[Score]]:
    """The adaptations on tokens that the claimed number counts later, and those scores."""
    adapts: dict[int, Adapt] = {}
    scores: dict[int, Score] = {}
    for score, adapt, _ in observation.timeline.adapted_before_score():
        if adapt.region.stream is Stream.VAL:
            adapts.setdefault(adapt.id, adapt)
            scores.setdefault(score.id, score)
    return list(adapts.values()), list(scores.values())


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
    owner = _unseen_owner(case, observation)
    if owner is None:
        says = "earlier scores depend on later tokens without a gradient on their targets: see M01"
        return Seen(notes=(Evidence(Kind.TRACE, says),), missing=(says,))
    if owner != rule:
        says = f"earlier scores depend on later tokens: see {owner}"
        return Seen(notes=(Evidence(Kind.TRACE, says),) if rule == "T01" else ())
    moved = [o for r in sorted(INFLUENCE) for o in observation.about(r) if o.word is Word.VIOLATION]
    outcomes = list(dict.fromkeys(moved))
    evidence = tuple(e for o in outcomes for e in evidence_of(case, o))
    return Seen((Violation(f"in the run, {outcomes[0].says}", evidence),))


def _unseen_owner(case: Case, observation: Observation) -> str | None:
    """Whose violation influence without a gradient is: what was read decides, then what the run shows."""
    result = observation.result
    if _predicted(case) is not None:
        return _predicted(case)
    if _by_statistics(observation):
        return "V02"
    if filled_before(case.submission.timeline):
        return "P01"
    return "P01" if result is not None and result.rescored and not _moved_before(observation) else None


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


def _predicted(case: Case) -> str | None:
    """The one order rule that reading shows to be broken."""
    found = {k.kind.value for k in leaks(case.timeline) if k.overlap is Overlap.SHOWN}
    return found.pop() if len(found) == 1 else None


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


def first_places(events: Iterable[E]) -> list[E]:
    """The first event of every place, three at most."""
    places: dict[Where, E] = {}
    for event in events:
        places.setdefault(event.where, event)
    return list(places.values())[:3]


def passes(case: Case, observation: Observation, rule: str) -> Seen:
    """P01: every target once. Repeats in the last window, or less than one missing at the end, are noted."""
    result = observation.result
    assert result is not None
    end, window = result.targets + 1, max(result.window, 1)
    repeated = tuple(s for s in result.repeated if s[0] < end - window)
    missing = tuple(s for s in result.missing if s[0] < end - window)
    notes = []
    for what, found in (("counted more than once", result.repeated), ("not counted", result.missing)):
        if found:
            says = f"{share(result, found)} are {what}, all within the last {window} (one window)"
            notes.append(Evidence(Kind.TRACE, says))
    if repeated:
        says = f"the claimed number counts {share(result, repeated)} more than once"
        twice = 2 * sum(b - a for a, b in repeated) >= result.targets  # else perhaps the ends of documents
        return Seen((Violation(says, _counted(case, observation, result, says), sure=twice),))
    if missing:
        says = f"the claimed number leaves {share(result, missing)} out"
        return Seen((Violation(says, _counted(case, observation, result, says), sure=False),))
    unseen = influence(observation) is Word.VIOLATION and not result.late
    if unseen and _unseen_owner(case, observation) == rule:
        return _second_pass(case, observation, result)
    owner = owner_of(case, observation) if result.late and influence(observation) is not Word.CLEAN else ""
    if owner == "P01":
        return Seen(
            (late_violation(case, observation, result, sure=influence(observation) is Word.VIOLATION),)
        )
    shared = [o for o in observation.about(rule) if o.probe == "two ranks"]
    doubtful = tuple(
        Violation(o.says, evidence_of(case, o), sure=False) for o in shared if o.word is Word.VIOLATION
    )
    notes += [e for o in shared if o.word is Word.NOTE for e in evidence_of(case, o)[:1]]
    counted = f"the claimed number counts each of {result.targets:,} targets once"
    moved = influence(observation)
    if moved is Word.VIOLATION:  # counting once is no answer to a second pass
        says = f"{counted}, but scores depend on later tokens, by a second pass or in another way"
        return Seen(doubtful, notes=tuple(notes), missing=(says,))
    if moved is not Word.CLEAN and filled_before(case.submission.timeline):
        says = f"{counted}; whether an earlier pass is in these scores, the run could not tell"
        return Seen(doubtful, notes=tuple(notes), missing=(says,))
    also = [o.says for o in shared if o.word is Word.CLEAN]
    return Seen(doubtful, "" if doubtful else "; ".join([counted, *also]), tuple(notes))


def _second_pass(case: Case, observation: Observation, result: Result) -> Seen:
    """P01: what the first pass saw, later tokens included, is in the scores of the second."""
    moved = [o for r in sorted(INFLUENCE) for o in observation.about(r) if o.word is Word.VIOLATION]
    evidence = tuple(e for o in dict.fromkeys(moved) for e in evidence_of(case, o))
    says = "scores depend on tokens that a pass before had already processed"
    if result.rescored:
        says = (
            f"the claimed number takes a second score of {share(result, result.rescored)}, and it depends on "
            "tokens that the first pass had only processed after them"
        )
    return Seen((Violation(says, (*evidence, *_counted(case, observation, result, says))),))


def _counted(case: Case, observation: Observation, result: Result, says: str) -> tuple[Evidence, ...]:
    report = observation.timeline.by_id[result.event]
    return (
        Evidence(Kind.TRACE, f"{result.rows:,} scores over {result.targets:,} targets"),
        Evidence(Kind.TRACE, "printed here", quoted(case, report.where)),
    )


def from_scores(case: Case, observation: Observation, rule: str) -> Seen:
    """P03: an attested number is computed from scores."""
    result = observation.result
    assert result is not None
    return Seen(clean=f"the mean of {result.rows:,} losses gives the printed number, to its digits")


def unattested(case: Case, observation: Observation, why: str) -> Seen:
    """P03: a number that no scores of the run give again is a doubt, where the run was to print it."""
    result = observation.result
    if observation.ending != "ok" or result is None:
        return Seen(missing=(why,))
    printed = quoted(case, observation.timeline.by_id[result.event].where)
    return Seen((Violation(why, (Evidence(Kind.TRACE, "printed here", printed),), sure=False),))


def future(case: Case, observation: Observation, rule: str) -> Seen:
    """M01 and Q02: a leak that runs through gradients is the order rules' business; one that only the target
    itself makes is Q02's."""
    found = by_outcomes(case, observation, rule)
    result = observation.result
    assert result is not None
    if not found.violations:
        return found
    owner = owner_of(case, observation) if result.late else _predicted(case)
    if owner is None and influence(observation) is Word.VIOLATION:
        owner = _unseen_owner(case, observation)
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
