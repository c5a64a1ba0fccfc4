"""What a score owes to training tokens, and no file that the program writes holds (V03)."""

from __future__ import annotations

from golf_audit.timeline import WRITTEN, Adapt, Calibrate, Save, Stream, Timeline


def unpaid(timeline: Timeline) -> list[Adapt | Calibrate]:
    """Events on training tokens behind the reported scores that never went through a file.

    A step counts once the weights have been written outside its own loop; a table counts always, since it
    is not part of the weights. Programs that write nothing are not judged."""
    saves = [e for e in timeline.events if isinstance(e, Save)]
    held = frozenset[int]().union(*(save.holds for save in saves))
    behind = frozenset[int]().union(*(score.state | score.table for score in timeline.scores()))
    return [
        event
        for event in timeline.events
        if event.id in behind - held
        and isinstance(event, (Adapt, Calibrate))
        and event.region.stream is Stream.TRAIN
        and not all(WRITTEN in piece.cuts for piece in event.region.pieces)
        and any(_table(event) or _before(save, event) for save in saves)
    ]


def _table(event: Adapt | Calibrate) -> bool:
    return isinstance(event, Adapt) and event.kind == "table"


def _before(save: Save, event: Adapt | Calibrate) -> bool:
    live = {mark.loop for mark in save.loops}
    return save.id < event.id and not any(mark.loop in live for mark in event.loops)


__all__ = ["unpaid"]
