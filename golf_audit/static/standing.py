"""A claim that no print is tied to: which results of the program can stand behind it.

A result that the logs show to be worse than the claim is not what is claimed. What holds of each of the
others holds of the claim, whichever of them it is. Figures that a loop prints on its way are no results.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from golf_audit.static.atoms import Sc, Taint, Tok
from golf_audit.static.attribution import LITERAL, filled
from golf_audit.static.interpreter.state import Printed

NEAR = 2e-3
"""bpb; a result this close above the claim may be what is claimed, by a slip or a rounding."""

CANDIDATES = 8
"""Different results that are looked at; a program that prints more is not told apart."""
LINE = 400
"""Characters of a line that can be a result's; printed programs and tables are longer."""
Extents = Mapping[int, frozenset[Tok]]
"""The tokens of each score, by its event."""

_NUMBER = re.compile(r"\d+\.\d+")


def standing(
    printed: Sequence[Printed], extents: Extents, claim: float, logs: Iterable[str]
) -> tuple[Printed, ...]:
    """The results that the logs do not show to be worse than the claim, one of each kind; none where the logs
    show no result of this program, or its last result is not among them."""
    results = [p for p in printed if score_of(p) and not _running(p, extents)]
    every = (line for log in logs for line in log.splitlines() if len(line) <= LINE)
    lines = [line for line in every if "bpb" in line.lower()]
    values = [_values(p, lines) for p in results]
    kept = [p for p, found in zip(results, values, strict=True) if not found or min(found) <= claim + NEAR]
    if not any(values) or not kept or kept[-1] is not results[-1]:
        return ()
    distinct = tuple({score_of(p): p for p in kept}.values())
    return distinct if len(distinct) <= CANDIDATES else ()


def _running(printed: Printed, extents: Extents) -> bool:
    """True while a loop goes over the tokens that the printed score is of: more of them are to come."""
    live = {mark.loop for mark in printed.loops}
    atoms = [atom for atom in score_of(printed) if isinstance(atom, Sc)]
    marks = [a.marks.union(*(tok.marks for tok in extents.get(a.event, ()))) for a in atoms]
    return any(loop in live for found in marks for loop, _ in found)


def score_of(printed: Printed) -> Taint:
    """The facts of a printed score; nothing for another print."""
    holes = [p for p in printed.parts if not isinstance(p, str)]
    return frozenset().union(*(hole for hole in holes if any(isinstance(a, Sc) for a in hole)))


def _values(printed: Printed, lines: Iterable[str]) -> list[float]:
    """The numbers that the logs show in the holes of a print that hold a score."""
    literal = [part.strip() for part in printed.parts if isinstance(part, str)]
    if sum(map(len, literal)) < LITERAL:
        return []
    longest = max(literal, key=len)
    found: list[float] = []
    for line in lines:
        groups = filled(printed.parts, line) if longest.split()[0] in line else None
        holes = [p for p in printed.parts if not isinstance(p, str)]
        for hole, text in zip(holes, groups or (), strict=False):
            if any(isinstance(a, Sc) for a in hole):
                found += [float(number) for number in _NUMBER.findall(text)]
    return found
