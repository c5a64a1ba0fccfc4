"""A Timeline as a picture: which events are drawn, what each says, and which pairs a rule is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from golf_audit.figures.model import Gap, Kind, Moment, Pair, Picture, Spans
from golf_audit.observation import Observation
from golf_audit.static.leaks import leaks
from golf_audit.timeline import (
    Adapt,
    Calibrate,
    Event,
    Fetch,
    Origin,
    Overlap,
    Read,
    Region,
    Report,
    Save,
    Score,
    Select,
    Stream,
    Timeline,
)

MOMENTS = 400
"""Events that a picture holds; #1855 has 143 before neighbours are joined."""
FINE = 500
"""Parts of the stream that a picture can tell apart; gaps between spans below one part are closed."""


def predicted(timeline: Timeline) -> Picture:
    """What the code will do, with the pairs that rules of order speak of."""
    pairs = [
        Pair(leak.kind.value, leak.adapt.id, leak.score.id, leak.overlap is Overlap.SHOWN)
        for leak in leaks(timeline)
    ]
    for score, calibrated in timeline.calibrated_on(Stream.VAL):
        pairs.append(Pair("V02", calibrated.id, score.id, not calibrated.region.widened))
    gaps = tuple(Gap(gap.reason, gap.where) for gap in timeline.blocking_gaps())
    return _picture(timeline, pairs, gaps, 0)


def observed(seen: Observation) -> Picture:
    """What the run in miniature did. A pair is an adaptation on targets that are counted late."""
    result = seen.result
    late = result.late if result is not None and result.attested else ()
    targets = max((r.targets for r in seen.results), default=0)
    gaps = tuple(Gap(gap.reason, gap.where) for gap in seen.timeline.gaps)
    return _picture(seen.timeline, list(_late(seen.timeline, late)), gaps, targets)


def _late(timeline: Timeline, late: Spans) -> Iterator[Pair]:
    """The first adaptation that made targets of a score late, once per place of both."""
    region = Region(Stream.VAL, spans=late)
    known = set()
    for score, adapt, _ in timeline.adapted_before_score():
        places = (score.where, adapt.where)
        touched = adapt.region.overlap(region) is not Overlap.NONE
        if touched and score.region.overlap(region) is not Overlap.NONE and places not in known:
            known.add(places)
            yield Pair("T01", adapt.id, score.id, sure=True)


def _picture(timeline: Timeline, pairs: Sequence[Pair], gaps: tuple[Gap, ...], targets: int) -> Picture:
    taken = _taken_from(timeline)
    pairs = [replace(p, first=taken.get(p.first, p.first), then=taken.get(p.then, p.then)) for p in pairs]
    behind = {taken.get(number, number) for number in _behind(timeline)}
    named = {number for pair in pairs for number in (pair.first, pair.then)}
    moments, stands_for = _joined(
        _moment(event, event.id in behind or event.id in named, max(1, targets // FINE))
        for event in timeline.events
        if _kind(event) is not None and event.id not in taken
    )
    kept = _fitting(moments, {stands_for[n] for n in named})
    drawn = {moment.id for moment in kept}
    told = (replace(p, first=stands_for[p.first], then=stands_for[p.then]) for p in pairs)
    return Picture(
        origin="observed" if timeline.origin is Origin.OBSERVED else "predicted",
        moments=tuple(kept),
        pairs=tuple(p for p in dict.fromkeys(told) if {p.first, p.then} <= drawn),
        gaps=gaps,
        omitted=len(moments) - len(kept),
        targets=targets,
    )


def _taken_from(timeline: Timeline) -> dict[int, int]:
    """A reported score that is a part of an earlier one, by number, and the event in which it was computed:
    the reading writes such a part down at the end, with the report, and it is drawn where it happened."""
    whole: dict[tuple[object, ...], int] = {}
    found = {}
    for event in timeline.events:
        if isinstance(event, Score):
            first = whole.setdefault(
                (event.where, event.path, event.loops, event.state, event.model), event.id
            )
            if first != event.id and timeline.reported and event.id in timeline.reported.scores:
                found[event.id] = first
    return found


def _behind(timeline: Timeline) -> set[int]:
    """The claimed report, its scores and selections, and the state that these scores were computed in."""
    report = timeline.reported
    if report is None:
        return set()
    found = {report.id, *report.scores, *report.selections}
    for score in timeline.scores():
        found |= score.state
    return found


def _joined(moments: Iterable[Moment]) -> tuple[list[Moment], dict[int, int]]:
    """Neighbours alike become one; and for each event the one that it was joined to."""
    made: list[Moment] = []
    stands_for: dict[int, int] = {}
    for moment in moments:
        last = made[-1] if made else None
        if last is not None and _alike(last, moment):
            made[-1] = replace(last, times=last.times + 1, spans=_union(last.spans, moment.spans))
            stands_for[moment.id] = last.id
        else:
            made.append(moment)
            stands_for[moment.id] = moment.id
    return made, stands_for


def _alike(a: Moment, b: Moment) -> bool:
    """One kind at one place on one stream. A printed number stays alone."""
    same = (a.kind, a.where, a.stream, a.behind, a.says) == (b.kind, b.where, b.stream, b.behind, b.says)
    return same and a.kind != "report"


def _fitting(moments: Sequence[Moment], named: set[int]) -> list[Moment]:
    """At most MOMENTS of them: what rules name first, then what stands behind the number, in order."""
    if len(moments) <= MOMENTS:
        return list(moments)
    rank = {
        m.id: (m.id not in named and not m.claimed, not m.behind, place) for place, m in enumerate(moments)
    }
    kept = {m.id for m in sorted(moments, key=lambda m: rank[m.id])[:MOMENTS]}
    return [m for m in moments if m.id in kept]


def _kind(event: Event) -> Kind | None:
    """None for what is no step in time of its own (mixes, attention, orders)."""
    kinds: dict[type[Event], Kind] = {
        Read: "read",
        Score: "score",
        Adapt: "adapt",
        Calibrate: "calibrate",
        Select: "select",
        Save: "save",
        Fetch: "fetch",
        Report: "report",
    }
    return kinds.get(type(event))


def _moment(event: Event, behind: bool, fine: int) -> Moment:
    kind = _kind(event)
    assert kind is not None
    region = _region(event)
    stream = event.stream if isinstance(event, Read) else region.stream if region is not None else None
    return Moment(
        id=event.id,
        kind=kind,
        says=_says(event),
        stream=stream.value if stream is not None else "",
        extent=_extent(region) if region is not None else "",
        spans=_coarse(region.spans, fine) if region is not None and region.spans is not None else (),
        where=event.where,
        behind=behind,
        conditions=event.conditions,
        claimed=isinstance(event, Report) and event.claimed,
        scratch=isinstance(event, Adapt) and event.scratch,
    )


def _region(event: Event) -> Region | None:
    if isinstance(event, Score | Adapt | Calibrate):
        return event.region
    return event.by if isinstance(event, Select) else None


def _says(event: Event) -> str:
    if isinstance(event, Read):
        return f"{event.pattern or 'a file'} is opened"
    if isinstance(event, Score):
        return f"{event.model or 'the model'} scores"
    if isinstance(event, Adapt):
        how = {"gradient": "learns", "table": "is filled"}.get(event.kind, "changes")
        return f"{event.parameters} {how}"
    if isinstance(event, Calibrate):
        return f"{event.statistic or 'a statistic'} is derived"
    if isinstance(event, Save):
        return f"{event.file or 'a file'} is written"
    if isinstance(event, Select):
        return f"one of {len(event.among)} scores is kept"
    if isinstance(event, Fetch):
        return f"{event.what} is called"
    assert isinstance(event, Report)
    return f'"{event.tag.strip()}" is printed'


def _extent(region: Region) -> str:
    """How much of the stream, in words; of a run its spans say more."""
    if region.spans is not None:
        count = sum(stop - start for start, stop in region.spans)
        return f"{count:,} targets"
    words = "a part for each round of a loop" if any(piece.marks for piece in region.pieces) else "the whole"
    return f"{words}, at most" if region.widened else words


def _coarse(spans: Spans, fine: int) -> Spans:
    """The spans with gaps closed that no picture shows."""
    made: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if made and start - made[-1][1] <= fine:
            made[-1] = (made[-1][0], max(stop, made[-1][1]))
        else:
            made.append((start, stop))
    return tuple(made)


def _union(a: Spans, b: Spans) -> Spans:
    return _coarse((*a, *b), 0)
