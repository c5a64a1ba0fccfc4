"""How regions relate: the one question behind every rule about order."""

from __future__ import annotations

import pytest

from golf_audit.timeline import Mark, Overlap, Region, Stream


def val(*marks: tuple[int, int], cuts: tuple[int, ...] = (), widened: bool = False) -> Region:
    """Validation tokens indexed by these (loop, iteration)s."""
    made = tuple(Mark(loop, frozenset({iteration})) for loop, iteration in marks)
    return Region(Stream.VAL, made, widened=widened, cuts=frozenset(cuts))


def both(*pieces: Region) -> Region:
    first, *rest = pieces
    return Region(first.stream, first.marks, cuts=first.cuts, also=tuple(rest))


@pytest.mark.parametrize(
    ("a", "b", "overlap"),
    [
        pytest.param(val((1, 0)), val((1, 1)), Overlap.NONE, id="two iterations of one loop are disjoint"),
        pytest.param(val((1, 0), (2, 0)), val((1, 1), (3, 0)), Overlap.NONE, id="whatever loops are inside"),
        pytest.param(val((1, 0)), Region(Stream.TRAIN), Overlap.NONE, id="two streams never meet"),
        pytest.param(both(val((1, 0)), val((1, 1))), val((1, 2)), Overlap.NONE, id="every piece is disjoint"),
        pytest.param(both(val((1, 0)), val((1, 1))), val((1, 1)), Overlap.SHOWN, id="one piece is shared"),
        pytest.param(val((1, 0)), val((2, 0)), Overlap.SHOWN, id="no common loop: one pass after the other"),
        pytest.param(val((1, 0), cuts=(5,)), val((1, 0), cuts=(5,)), Overlap.SHOWN, id="the same slice"),
        pytest.param(
            val((1, 0), cuts=(5,)), val((1, 0), cuts=(5, 6)), Overlap.SHOWN, id="a part of the slice"
        ),
        pytest.param(
            val((1, 0), cuts=(5,)), val((1, 0), cuts=(6,)), Overlap.POSSIBLE, id="two slices of one iteration"
        ),
        pytest.param(
            val((1, 0), cuts=(5,)), val((2, 0), cuts=(6,)), Overlap.SHOWN, id="slices that loops move"
        ),
        pytest.param(
            val(cuts=(-5,)), val(cuts=(-6,)), Overlap.POSSIBLE, id="two halves, each with fixed bounds"
        ),
        pytest.param(
            val((1, 0), widened=True), val((2, 0)), Overlap.POSSIBLE, id="a region that was widened"
        ),
    ],
)
def test_how_two_regions_relate(a: Region, b: Region, overlap: Overlap) -> None:
    assert a.overlap(b) is overlap
    assert b.overlap(a) is overlap
