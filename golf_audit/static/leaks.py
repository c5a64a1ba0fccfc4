"""Adaptation on tokens that are scored later: found once, and given to the one rule that owns it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from golf_audit.model import Where
from golf_audit.timeline import SOMETIMES, Adapt, Event, Overlap, Region, Report, Score, Stream, Timeline


class Kind(Enum):
    """Whose violation it is (CATALOGUE: one violation is one rule's)."""

    BEFORE = "T01"  # adapted, then scored
    EPOCH = "T02"  # the epoch loop that scores has adapted in earlier epochs
    RESCORE = "P01"  # scored, adapted, and scored again for the number
    SCRATCH = "Q03"  # tensors of the batch, thrown away
    LOADER = "V01"  # the training step, which takes training tokens at other times


Place = tuple[Kind, Where, Where]
"""Whose it is, where the score is taken, where the adaptation happens."""


@dataclass(frozen=True)
class Leak:
    """A reported score and the adaptation that it should not depend on."""

    kind: Kind
    score: Score
    adapt: Adapt
    overlap: Overlap


def leaks(timeline: Timeline) -> list[Leak]:
    """Every such pair, once per place of score and adaptation, the surest first."""
    best: dict[Place, Leak] = {}
    rank = {Overlap.SHOWN: 0, Overlap.POSSIBLE: 1, Overlap.NONE: 2}
    loaders = {event.id for event in training_on_validation(timeline) if not event.conditions}
    for score, adapt, overlap in timeline.adapted_before_score():
        if adapt.region.stream is not Stream.VAL:
            continue
        kind = Kind.LOADER if adapt.id in loaders else _kind(timeline, score, adapt)
        leak = Leak(kind, score, adapt, overlap)
        key = (leak.kind, score.where, adapt.where)
        better = (rank[overlap], len(adapt.conditions), score.id)
        if key not in best or better < (
            rank[best[key].overlap],
            len(best[key].adapt.conditions),
            best[key].score.id,
        ):
            best[key] = leak
    for score_at, adapt_at in {(s, a) for kind, s, a in best if kind is Kind.EPOCH}:
        _surer(best, rank, (Kind.EPOCH, score_at, adapt_at), (Kind.BEFORE, score_at, adapt_at))
    return sorted(best.values(), key=lambda leak: (rank[leak.overlap], leak.adapt.id, leak.score.id))


def _surer(best: dict[Place, Leak], rank: dict[Overlap, int], first: Place, second: Place) -> None:
    """Of two words for what happens at the same two places the surer stays, else the first."""
    if second in best:
        del best[first if rank[best[second].overlap] < rank[best[first].overlap] else second]


def unguarded(score: Score, event: Event) -> bool:
    """True where no test that is not known guards an event, beyond those that guard the score."""
    guards = set(event.conditions) - set(score.conditions)
    return all(guard.startswith(SOMETIMES) for guard in guards)


def training_on_validation(timeline: Timeline) -> list[Adapt]:
    """Steps that learn from both streams at one place: the training loop itself reads validation tokens."""
    taken: dict[object, set[Stream]] = {}
    adapted = [e for e in timeline.events if isinstance(e, Adapt) and e.kind != "table"]
    for event in adapted:
        taken.setdefault((event.where, event.path), set()).add(event.region.stream)
    both = {place for place, streams in taken.items() if {Stream.TRAIN, Stream.VAL} <= streams}
    return [e for e in adapted if e.region.stream is Stream.VAL and (e.where, e.path) in both]


def _kind(timeline: Timeline, score: Score, adapt: Adapt) -> Kind:
    live = {mark.loop: mark.iterations for mark in score.loops}
    common = [mark for mark in adapt.loops if mark.loop in live]
    if adapt.scratch and common:
        return Kind.SCRATCH
    earlier = [mark.loop for mark in common if not mark.iterations & live[mark.loop]]
    if any(not _indexed(loop, score.region) and not _indexed(loop, adapt.region) for loop in earlier):
        return Kind.EPOCH
    if any(_scored_before(timeline, other, adapt) for other in _other_scores(timeline, score)):
        return Kind.RESCORE
    return Kind.BEFORE


def _indexed(loop: int, region: Region) -> bool:
    return any(mark.loop == loop for piece in region.pieces for mark in piece.marks)


def _other_scores(timeline: Timeline, score: Score) -> Iterator[Score]:
    """Scores behind another printed bpb, before this one."""
    own = {s.where for s in timeline.scores()}
    for report in timeline.events:
        if isinstance(report, Report) and not report.claimed:
            for number in report.scores:
                found = timeline.by_id[number]
                if isinstance(found, Score) and found.id < score.id and found.where is not None and own:
                    yield found


def _scored_before(timeline: Timeline, first: Score, adapt: Adapt) -> bool:
    """True when `first` scored the tokens of the adaptation in the same loop, just before it."""
    live = {(m.loop, m.iterations) for m in adapt.loops}
    shared = any((m.loop, m.iterations) in live for m in first.loops)
    return first.id < adapt.id and shared and first.region.overlap(adapt.region) is not Overlap.NONE


__all__ = ["Kind", "Leak", "leaks", "training_on_validation", "unguarded"]
