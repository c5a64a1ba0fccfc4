"""A submission's sources and configuration -> the predicted Timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from golf_audit.model import Where
from golf_audit.runconfig import RunConfig
from golf_audit.source import Layer, Sources
from golf_audit.static.atoms import Blend, Cnt, Dep, Lost, Sc, Sel, Taint, Tok
from golf_audit.static.attribution import Claimed, Match, guard_of, guards_of, match
from golf_audit.static.dormant import dormant
from golf_audit.static.interpreter.program import Interpreter
from golf_audit.static.interpreter.state import STEP_CAP, Printed
from golf_audit.static.regions import region_of
from golf_audit.static.standing import score_of, standing
from golf_audit.static.witness import foreign, unseen
from golf_audit.support import Support
from golf_audit.timeline import Adapt, Calibrate, Event, Gap, Origin, Region, Report, Score, Stream, Timeline
from golf_audit.trainlog import Final

NO_PRINT = "no print of the program writes the claimed line"
UNTRACED = "the claimed number could not be traced to losses of validation targets"
FOREIGN = 'the claimed log holds a result that no text of the script writes ("{}"): which script ran?'
NO_LOG = "no log line stands behind the claim, so the claimed number cannot be tied to a print"


_PAST = 3
"""Exceptions that the logs show not to have happened: so many are gone past."""
_TELLING = 6
"""Decimals from which two lines of a run with one number print one result."""
_MORE, _ENOUGH = 2, 100_000
"""What all runs with a switch turned may take together: times the steps of the run, and at least so many."""


@dataclass(frozen=True)
class Told:
    """The texts of the claimed logs and of all logs, and the lowest score that is claimed."""

    claimed: Sequence[str] = ()
    every: Sequence[str] = ()
    score: float | None = None


def predict(sources: Sources, config: RunConfig, support: Support, told: Told = Told()) -> Timeline:
    """Follow the program under its configuration and trace the claimed number back to its scores. What the
    claimed logs do not show of a branch is held against what happens there."""
    lines = claimed_lines(support)
    claimed = lines or result_lines(support)
    main, run = _first_run(sources, config)
    if claimed and main is not None:
        run = _went_on(run, main)
    found = _best(run.printed, claimed)
    if found is None and claimed and main is not None:
        for line in claimed:
            forced = guards_of(main, line)
            if forced:
                again = Interpreter(sources, config, main, forced)
                again.run()
                found = _best(again.printed, claimed)
                if found is not None:
                    run = again
                    break
    untied = NO_PRINT if lines else NO_LOG
    real = _doubted(_timeline(run, found, untied, tied=bool(lines)), sources, told.claimed)
    strange = foreign(sources, [final for claimed_run in support.runs for final in claimed_run.finals])
    if strange is not None:
        real = replace(real, gaps=(*real.gaps, Gap(FOREIGN.format(strange.strip()[:60]), None, True)))
    if run.stopped or real.reported is None:
        return real
    if strange is not None or found is None or not lines:
        real = replace(real, standing=tuple(_standing(sources, run, told)))
    turned = _Turned(sources, run, claimed, untied, max(_MORE * run.steps, _ENOUGH))
    return replace(real, dormant=dormant(run, real, turned.timelines))


def _standing(sources: Sources, run: Interpreter, told: Told) -> Iterator[Timeline]:
    """What each result rests on that the claim can be, by the logs."""
    if told.score is None:
        return
    for printed in standing(run.printed, run.extents, told.score, told.claimed or told.every):
        match = Match(printed, 0, score_of(printed))
        yield _doubted(_timeline(run, match, "", tied=True), sources, told.claimed)


def _doubted(timeline: Timeline, sources: Sources, logs: Sequence[str]) -> Timeline:
    """The timeline with a condition on what happens in branches that the claimed logs do not show."""
    branches: dict[tuple[Where, ...], Where | None] = {}  # many events share one chain of calls

    def doubt(event: Event) -> Event:
        if not isinstance(event, (Adapt, Calibrate)) or event.region.stream is not Stream.VAL:
            return event
        places = (event.where, *(call.where for call in event.path))
        if places not in branches:
            branches[places] = unseen(sources, places, logs)
        branch = branches[places]
        if branch is None:
            return event
        says = (
            f"line {branch.line} ran, though the claimed logs hold nothing of what its branch always prints"
        )
        return replace(event, conditions=(*event.conditions, says))

    return replace(timeline, events=tuple(doubt(event) for event in timeline.events))


@dataclass
class _Turned:
    """The program with a switch turned, as often as the steps that are left allow."""

    sources: Sources
    run: Interpreter
    claimed: list[Claimed]
    untied: str
    left: int

    def timelines(self, forced: dict[int, bool], config: RunConfig) -> Iterator[Timeline]:
        """What the claimed print rests on then, and the last result that only this run prints. Where it
        ends before its time, nothing."""
        other = Interpreter(self.sources, config, self.run.main, forced)
        other.step_cap = min(STEP_CAP, self.left)
        other.run()
        self.left -= other.steps
        if other.stopped:
            return
        yield _timeline(other, _best(other.printed, self.claimed), self.untied, tied=False)
        old = {printed.where for printed in self.run.printed}
        new = _fallback([printed for printed in other.printed if printed.where not in old])
        if new is not None:
            yield _timeline(other, new, self.untied, tied=False)


def _first_run(sources: Sources, config: RunConfig) -> tuple[Layer | None, Interpreter]:
    """A run from the entry script; where that scores nothing, from the file that it hands over to."""
    entry = sources.entry_module.program if sources.entry_module is not None else None
    first = Interpreter(sources, config, entry)
    first.run()
    main = sources.main
    if main is None or main is entry or any(isinstance(event, Score) for event in first.events):
        return entry, first
    second = Interpreter(sources, config, main)
    second.run()
    scored = any(isinstance(event, Score) for event in second.events)
    return (main, second) if scored else (entry, first)


def _went_on(run: Interpreter, main: Layer) -> Interpreter:
    """The run again, past exceptions that end it by the resolved configuration: a log with results says that
    the program went on, so the test before the exception went the other way."""
    for _ in range(_PAST):
        guard = guard_of(main, run.fatal) if run.fatal is not None else None
        if guard is None:
            break
        run = Interpreter(run.sources, run.config, main, run.forced | guard)
        run.run()
    return run


def claimed_lines(support: Support) -> list[Claimed]:
    """The log lines of the claim, each once; after them other lines of the same runs that print the very
    number, for a line that was added by hand no print writes."""
    lines = [_claimed(line.final) for line in support.lines]
    twins = [
        _claimed(other)
        for line in support.lines
        for other in line.run.finals
        if other.bpb == line.final.bpb and other.decimals == line.final.decimals >= _TELLING
    ]
    return list(dict.fromkeys((*lines, *twins)))


def _claimed(final: Final) -> Claimed:
    return Claimed(final.text, f"{final.bpb:.{final.decimals}f}")


def result_lines(support: Support) -> list[Claimed]:
    """Where no line stands behind the claim: the last result that each log prints. What it rests on is told,
    and is never shown to be what the claim rests on."""
    lines = []
    for other in support.others:
        final = next((f for f in reversed(other.run.finals) if f.stage == "post"), None)
        if final is not None:
            lines.append(_claimed(final))
    return list(dict.fromkeys(lines))


def _best(printed: Sequence[Printed], claimed: Sequence[Claimed]) -> Match | None:
    for line in claimed:
        found = match(printed, line)
        scored = [m for m in found if any(isinstance(a, Sc) for a in m.facts)]
        if found:
            best = max(m.literal for m in found)
            top = [m for m in (scored or found) if m.literal == best]
            return (top or scored or found)[-1]
    return None


def _fallback(prints: Sequence[Printed]) -> Match | None:
    """Without a log: the last print of a score that speaks of bpb."""
    for printed in reversed(prints):
        facts = frozenset[object]().union(*(p for p in printed.parts if not isinstance(p, str)))
        text = "".join(p for p in printed.parts if isinstance(p, str)).lower()
        if "bpb" in text and any(isinstance(a, Sc) for a in facts):
            return Match(printed, 0, facts)  # type: ignore[arg-type]
    return None


def _timeline(run: Interpreter, found: Match | None, untied: str, *, tied: bool) -> Timeline:
    gaps: list[Gap] = []
    if run.stopped:
        gaps.append(Gap(run.stopped, None, behind_report=True))
    gaps += [Gap(reason, where, behind_report=True) for reason, where in dict.fromkeys(run.unread)]
    if found is None or not tied:
        gaps.append(Gap(untied, None, behind_report=True))
    found = found or _fallback(run.printed)
    events = list(run.events)
    facts: Taint = found.facts if found is not None else frozenset()
    gaps += [Gap(*run.gaps[a.gap], behind_report=True) for a in facts if isinstance(a, Lost)]
    events += _diagnostics(run, found)
    if found is not None:
        events += _report(run, found, gaps)
    events.sort(key=lambda e: e.id)
    settings = tuple(f"{name}={value}" for name, value in sorted(run.settings.items()))
    return Timeline(Origin.PREDICTED, tuple(events), tuple(dict.fromkeys(gaps)), settings)


def _diagnostics(run: Interpreter, found: Match | None) -> list[Event]:
    """Other printed results: diagnostics, but they tell what was scored before."""
    made: list[Event] = []
    for printed in run.printed:
        facts = frozenset[object]().union(*(p for p in printed.parts if not isinstance(p, str)))
        scores = frozenset(a.event for a in facts if isinstance(a, Sc))
        text = "".join(p for p in printed.parts if isinstance(p, str))
        if scores and "bpb" in text.lower() and (found is None or printed is not found.printed):
            made.append(
                Report(
                    id=printed.event,
                    where=printed.where,
                    path=printed.path,
                    conditions=printed.conditions,
                    loops=printed.loops,
                    tag=text[:80],
                    scores=scores,
                )
            )
    return made


def _report(run: Interpreter, found: Match, gaps: list[Gap]) -> list[Event]:
    """The report and, for scores that were indexed after they were computed, the part that it takes."""
    by_id = {event.id: event for event in run.events}
    made: list[Event] = []
    scores: set[int] = set()
    number = max([*by_id, *(p.event for p in run.printed)], default=0)
    sites = [a.site for a in found.facts if isinstance(a, Blend)]
    smoothed = bool(sites) and all(site in run.smoothed for site in sites)
    bytewise = any(site in run.bytewise for site in sites)
    even = next((run.even[site] for site in sites if site in run.even), None)
    alike = next((run.alike[site] for site in sites), None) if all(run.alike[s] for s in sites) else None
    seen: set[tuple[int, Region, frozenset[int]]] = set()
    for atom in sorted(
        (a for a in found.facts if isinstance(a, Sc)),
        key=lambda a: (a.event, sorted(a.marks), sorted(a.cuts)),
    ):
        score = by_id[atom.event]
        assert isinstance(score, Score)
        extents = run.extents[score.id]
        region = region_of(
            frozenset(Tok(e.stream, e.marks | atom.marks, e.cuts | atom.cuts) for e in extents)
        )
        met = {site: _mixed_with(run.blends[site], atom) for site in sites}
        read = frozenset[Cnt]().union(*met.values())
        tables = frozenset(a.event for a in read)
        told = {run.consulted[site] for site, found_there in met.items() if found_there}
        if (score.id, region, tables) in seen:
            continue
        seen.add((score.id, region, tables))
        if region == score.region and not tables:
            scores.add(score.id)
            continue
        number += 1
        made.append(
            replace(
                score,
                id=number,
                region=region,
                normalised=not tables,
                table=score.table | tables,
                smoothed=smoothed,
                consults_target=_worst({*told, *([score.consults_target] if score.table else [])}),
                holding=score.holding.union(*(run.holding[site] for site in sites)) & (score.table | tables),
                bytewise=bytewise,
                columns=bool(read) and all(a.column for a in read),
                even=even,
                alike=alike,
                concurrent=tables - {a.event for a in read if not a.during},
            )
        )
        scores.add(number)
    if not scores:
        gaps.append(
            Gap(
                UNTRACED,
                found.printed.where,
                behind_report=True,
            )
        )
    printed = found.printed
    made.append(
        Report(
            id=number + 1,
            where=printed.where,
            path=printed.path,
            conditions=printed.conditions,
            loops=printed.loops,
            tag="".join(p for p in printed.parts if isinstance(p, str))[:80],
            scores=frozenset(scores),
            selections=frozenset(a.event for a in found.facts if isinstance(a, Sel)),
            claimed=True,
            constant=found.constant,
        )
    )
    return made


def _mixed_with(mixed: dict[Sc, frozenset[Cnt]], score: Sc) -> frozenset[Cnt]:
    """The tables that a score met at one site; a score that was indexed afterwards is known by its event."""
    if score in mixed:
        return mixed[score]
    return frozenset[Cnt]().union(*(tables for other, tables in mixed.items() if _compatible(other, score)))


def _worst(told: set[bool | None]) -> bool | None:
    """The target is consulted where one key holds it; it is not where every key is known not to."""
    return True if True in told else None if None in told else False


def _compatible(a: Sc, b: Sc) -> bool:
    """False when a loop indexes both by different iterations."""
    loops = dict(a.marks)
    return a.event == b.event and all(loops.get(loop, iteration) == iteration for loop, iteration in b.marks)


__all__ = ["Dep", "Stream", "Told", "predict"]
