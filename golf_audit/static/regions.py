"""Extents: which loop iterations index a piece of a token stream; a set of them becomes one Region."""

from __future__ import annotations

from golf_audit.static.atoms import Marks, Tok
from golf_audit.timeline import Mark, Region

PIECES = 24
"""Pieces of one region; more are covered by one that is larger."""


def split_live(marks: Marks, live: frozenset[int]) -> Marks:
    """Marks of live loops only: those of a finished loop would invent disjointness."""
    if not marks:
        return marks
    return frozenset(mark for mark in marks if mark[0] in live)


def region_of(extents: frozenset[Tok]) -> Region:
    """One region that holds all extents; `widened` when it covers more than their union."""
    plain = sorted({(_marks(e.marks), tuple(sorted(e.cuts))) for e in extents}, key=repr)
    stream = next(iter(extents)).stream
    if len(plain) > PIECES:
        loops = [frozenset(mark.loop for mark in marks) for marks, _ in plain]
        marks = tuple(
            Mark(
                loop,
                frozenset().union(*(m.iterations for marks, _ in plain for m in marks if m.loop == loop)),
            )
            for loop in sorted(frozenset.intersection(*loops))
        )
        return Region(stream, marks, widened=True, cuts=frozenset(c for _, cuts in plain for c in cuts))
    pieces = [Region(stream, marks, cuts=frozenset(cuts)) for marks, cuts in plain]
    first = pieces[0]
    return Region(stream, first.marks, cuts=first.cuts, also=tuple(pieces[1:]))


def _marks(marks: Marks) -> tuple[Mark, ...]:
    """The iterations of each loop together."""
    loops: dict[int, set[int]] = {}
    for loop, iteration in marks:
        loops.setdefault(loop, set()).add(iteration)
    return tuple(Mark(loop, frozenset(found)) for loop, found in sorted(loops.items()))
