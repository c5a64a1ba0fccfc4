"""What every rule about order shares: premises, the witness of an event, and what a pass rests on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from golf_audit.model import Certainty, Evidence, Kind, Unmet, Where
from golf_audit.static.because import because, kind_of
from golf_audit.static.leaks import leaks, unguarded
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Calibrate, Event, Overlap, Report, Score, Stream, Timeline

_TTT = re.compile(r"(?<![a-z])ttt(?![a-z])|test[-_ ]time[-_ ]train", re.IGNORECASE)


def premises(case: Case) -> tuple[Unmet, ...]:
    """Why no order rule may pass: what could not be followed on the way to the claimed number."""
    timeline = case.timeline
    found = [
        Unmet(_sentence(gap.reason, gap.where), "golf-audit trace FOLDER") for gap in timeline.blocking_gaps()
    ]
    if timeline.reported is not None and not _trained(timeline):
        found.append(
            Unmet(
                "no training on training tokens was followed, so something was missed",
                "golf-audit trace FOLDER",
            )
        )
    if _claims_adaptation(case) and not any(_adapts_on_val(timeline, s) for s in timeline.scores()):
        found.append(
            Unmet(
                "the claimed line names test-time training and none was followed", "golf-audit trace FOLDER"
            )
        )
    return tuple(found)


def _sentence(reason: str, where: Where | None) -> str:
    return reason if where is None or where.line is None else f"{reason} ({where.file}, line {where.line})"


def _trained(timeline: Timeline) -> bool:
    return any(
        isinstance(e, Adapt) and e.kind != "table" and e.region.stream is Stream.TRAIN
        for e in timeline.events
    )


def _claims_adaptation(case: Case) -> bool:
    report = case.timeline.reported
    return report is not None and _TTT.search(report.tag) is not None


def _adapts_on_val(timeline: Timeline, score: Score) -> bool:
    return any(isinstance(e, Adapt) and e.region.stream is Stream.VAL for e in behind(timeline, score))


def behind(timeline: Timeline, score: Score) -> list[Event]:
    """The events that the model was changed by before it computed a score."""
    return [timeline.by_id[i] for i in sorted(score.state) if i in timeline.by_id]


def certainty(timeline: Timeline, score: Score, event: Event, overlap: Overlap) -> Certainty:
    """Shown only where the overlap is exact, the number has a log, and no unknown test guards the event."""
    exact = overlap is Overlap.SHOWN and unguarded(score, event) and not timeline.blocking_gaps()
    return Certainty.SHOWN if exact else Certainty.LIKELY


def place(where: Where) -> str:
    """A position for a sentence."""
    return f"line {where.line}" + (f" of layer {where.layer}" if where.layer else "")


def witness(says: str, event: Event) -> list[Evidence]:
    """An event with the chain of calls that leads to it, outermost last."""
    found = [Evidence(Kind.SOURCE, says, event.where)]
    found += [Evidence(Kind.SOURCE, f"calls {call.function}", call.where) for call in reversed(event.path)]
    return found


def conditions_of(case: Case, event: Event) -> list[Evidence]:
    """The settings that opened the way to an event, and the tests on its way that could not be told."""
    return because(case, event) + [Evidence(Kind.COMPUTED, f"if {c}") for c in event.conditions]


def dormant(case: Case, rule: str, says: Callable[[Score, Adapt], str]) -> tuple[Evidence, ...]:
    """Notes on what would break a rule if a switch of the run stood otherwise, each where it was set."""
    found = []
    for would in case.timeline.dormant:
        setting = case.submission.config.setting(would.switch)
        if would.rule == rule and setting is not None:
            told = f"{would.change}, {says(would.score, would.adapt)}"
            stands = f"{setting.name}={setting.value} in this run"
            found.append(Evidence(kind_of(setting), f"{stands}: {told}", setting.where))
    return tuple(found)


def basis(case: Case) -> tuple[Evidence, ...]:
    """What a pass rests on: the claimed print, its scores, their model, and the adaptation behind them."""
    timeline = case.timeline
    report = timeline.reported
    if report is None or not timeline.scores():
        return ()
    scores = timeline.scores()
    models = sorted({s.model for s in scores if s.model})
    found = [
        Evidence(Kind.SOURCE, f'the claimed number is printed as "{report.tag.strip()}"', report.where),
        *(
            Evidence(
                Kind.SOURCE,
                f"validation targets are scored here by {', '.join(models) or 'the model'}",
                where,
            )
            for where in dict.fromkeys(s.where for s in scores)
        ),
    ]
    early = {leak.adapt.where for leak in leaks(timeline)}  # what another rule speaks of, or this one
    adapted = [e for s in scores for e in behind(timeline, s) if isinstance(e, Adapt)]
    adapted = [e for e in adapted if not e.scratch and e.where not in early]
    found += [
        Evidence(Kind.SOURCE, f"{e.parameters} adapts here, on tokens that are already scored", e.where)
        for e in first_of(e for e in adapted if e.region.stream is Stream.VAL)
    ]
    return tuple(found)


def first_of(events: Iterable[Adapt]) -> list[Adapt]:
    """The first event of every place."""
    places: dict[Where, Adapt] = {}
    for event in sorted(events, key=lambda e: e.id):
        places.setdefault(event.where, event)
    return list(places.values())


__all__ = [
    "Calibrate",
    "Report",
    "basis",
    "behind",
    "certainty",
    "conditions_of",
    "dormant",
    "first_of",
    "place",
    "premises",
    "witness",
]
