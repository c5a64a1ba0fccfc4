"""Lookup tables filled with validation tokens: what was in them when a score was mixed with them."""

from __future__ import annotations

from dataclasses import dataclass

from golf_audit.timeline import Adapt, Overlap, Score, Timeline


@dataclass(frozen=True)
class Rescore:
    """A table that held a token before that token's reported score was taken, from an earlier pass."""

    score: Score
    table: Adapt
    overlap: Overlap


def rescored(timeline: Timeline) -> list[Rescore]:
    """Reported scores mixed with a table that an earlier pass over the same tokens has filled."""
    best: dict[tuple[object, ...], Rescore] = {}
    for score in timeline.scores():
        live = {mark.loop for mark in score.loops}
        for number in sorted(score.table):
            table = timeline.by_id[number]
            if not isinstance(table, Adapt) or any(mark.loop in live for mark in table.loops):
                continue  # the same pass: what the table holds when is Q01's and Q02's
            overlap = table.region.overlap(score.region)
            if overlap is not Overlap.NONE:
                best.setdefault((score.where, table.where), Rescore(score, table, overlap))
    return list(best.values())


__all__ = ["Rescore", "rescored"]
