"""Extents: which loop iterations index a piece of a token stream, and how a set of them becomes one Region."""

from __future__ import annotations

from golf_audit.static.values import Marks, Tok
from golf_audit.timeline import Mark, Region


def split_live(marks: Marks, live: frozenset[int]) -> Marks:
    """Marks of live loops only: those of a finished loop would invent disjointness."""
    if not marks:
        return marks
    return frozenset(mark for mark in marks if mark[0] in live)


def region_of(extents: frozenset[Tok]) -> Region:
    """One region that covers all extents; `widened` when it covers more than their union."""
    stream = next(iter(extents)).stream
    plain = {extent.marks for extent in extents}
    cuts = frozenset[int]().union(*(extent.cuts for extent in extents))
    loops = [frozenset(loop for loop, _ in marks) for marks in plain]
    common = frozenset.intersection(*loops)
    marks = []
    varied = 0
    for loop in sorted(common):
        iterations = frozenset(i for extent in plain for number, i in extent if number == loop)
        varied += len({frozenset(i for n, i in extent if n == loop) for extent in plain}) > 1
        marks.append(Mark(loop, iterations))
    dropped = any(names != common for names in loops)
    return Region(stream, tuple(marks), widened=dropped or varied > 1, cuts=cuts)
