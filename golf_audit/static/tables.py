"""Lookup tables filled with validation tokens: what was in them when a score was mixed with them."""

from __future__ import annotations

from dataclasses import dataclass

from golf_audit.timeline import Adapt, Overlap, Score, Stream, Timeline


@dataclass(frozen=True)
class Rescore:
    """A table that held a token before that token's reported score was taken, from an earlier pass."""

    score: Score
    table: Adapt
    overlap: Overlap


def mixed_in(timeline: Timeline, score: Score) -> list[Adapt]:
    """The tables that a score was mixed with; a prior counted in training is part of the distribution."""
    found = [e for e in (timeline.by_id[i] for i in sorted(score.table)) if isinstance(e, Adapt)]
    found.sort(key=lambda e: e.region.stream is not Stream.VAL)
    return [e for e in found if e.region.stream is Stream.VAL or not score.normalised]


def rescored(timeline: Timeline) -> list[Rescore]:
    """Reported scores mixed with a table that an earlier pass over the same tokens has filled."""
    best: dict[tuple[object, ...], Rescore] = {}
    for score in timeline.scores():
        filled = [e for e in (timeline.by_id[i] for i in sorted(score.table)) if isinstance(e, Adapt)]
        filled = [e for e in filled if e.id not in score.concurrent]  # read by the pass that fills it
        late = {table.where for table in filled if _round(score, table) > 0}
        for table in filled:
            overlap = table.region.overlap(score.region)
            if overlap is Overlap.NONE or _round(score, table) != 0:
                continue
            if any(mark.loop in {m.loop for m in table.loops} for mark in score.loops):
                if table.where not in late:
                    continue  # the same pass: what the table holds when is Q01's and Q02's
                overlap = Overlap.SHOWN  # mixed when the loop had ended: its own round is in the table too
            best.setdefault((score.where, table.where), Rescore(score, table, overlap))
    return list(best.values())


def filled_before(timeline: Timeline) -> bool:
    """True when reading shows that the number scores with a table that an earlier pass over it filled."""
    return any(found.overlap is Overlap.SHOWN for found in rescored(timeline))


def _round(score: Score, table: Adapt) -> int:
    """How many rounds after the score the table was filled, in the outermost loop in which they differ."""
    rounds = {mark.loop: min(mark.iterations) for mark in score.loops}
    for mark in table.loops:
        apart = min(mark.iterations) - rounds.get(mark.loop, min(mark.iterations))
        if apart:
            return apart
    return 0


__all__ = ["Rescore", "mixed_in", "rescored"]
