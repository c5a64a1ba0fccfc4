"""What one trace says about one rule: violations with their evidence, or that nothing showed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from golf_audit.joining.settle import HOOK_FREE
from golf_audit.model import Evidence, Kind, Where
from golf_audit.observation import Observation, Outcome, Result, Spans, Word, count
from golf_audit.submission import Case
from golf_audit.timeline import Event

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


def influenced(observation: Observation) -> tuple[Outcome, ...]:
    """The outcomes that show such a change, each once."""
    asked = (o for rule in sorted(INFLUENCE) for o in observation.about(rule))
    return tuple(dict.fromkeys(o for o in asked if o.word is Word.VIOLATION))


def share(result: Result, found: Spans) -> str:
    """How many of the targets, in words."""
    return f"{count(found):,} of {result.targets:,} targets"


def first_places(events: Iterable[E]) -> list[E]:
    """The first event of every place, three at most."""
    places: dict[Where, E] = {}
    for event in events:
        places.setdefault(event.where, event)
    return list(places.values())[:3]
