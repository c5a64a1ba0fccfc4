"""Does a score depend on tokens that are processed after it? Asked in the order in which the run counts.

The tokens that change are (i) all that are first counted after the median scoring event and (ii) the second
half of the last stretch that is counted in it. What was counted before must keep its distribution to the last
bit, the row that predicts the first changed token included. A cut in every stretch of the median event would
be wrong: windows of one batch see each other's context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from golf_audit.dynamic.contract import Outcome, RunResult, Variation, Word
from golf_audit.dynamic.job import Perturbation
from golf_audit.dynamic.observed import spans
from golf_audit.dynamic.probes.compare import SENSITIVE, Pair, chosen, pair
from golf_audit.dynamic.probes.lines import Line, lines

LEAST = 0.05
"""Share of a line's rows that must be compared, or a clean comparison says nothing."""


@dataclass(frozen=True)
class Cut:
    """What is changed for a line. `first`: the first changed position of the median event's last stretch."""

    event: int
    first: int
    positions: frozenset[int]


def cut_of(line: Line) -> Cut | None:
    """Where the processing of a line is cut; None when it counts too little."""
    first_event = {p: _event(line, p) for p in line.counts.first}
    events = sorted(set(first_event.values()))
    if not events:
        return None
    median = events[(len(events) - 1) // 2]
    late = {p for p, event in first_event.items() if event > median}
    own = sorted(p for p, event in first_event.items() if event == median)
    order = sorted(own, key=lambda p: line.counts.first[p])
    start = len(order) - 1
    while start and order[start - 1] + 1 == order[start]:
        start -= 1
    half = order[start + (len(order) - start) // 2 :]
    if not half:
        return None
    return Cut(median, half[0], frozenset(late | set(half)))


def _event(line: Line, position: int) -> int:
    """The score event that first counts a position."""
    return _events_by_message(line)[line.counts.first[position].n]


def _events_by_message(line: Line) -> dict[int, int]:
    return {score.n: score.event for score in line.ledger.scores}


class Order:
    """A perturbation in processing order."""

    name = "order"
    shows = "that a counted score changes with tokens that are only processed after it"
    cannot = "see influence that this change of tokens happens not to trigger, or that rounding swallows"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """One run, cut for the last attested result; none without such a result."""
        cut = self._cut(baseline)
        if cut is None:
            return ()
        return (Variation("order", Perturbation("order", spans(cut.positions), seed=1)),)

    def _cut(self, baseline: RunResult) -> Cut | None:
        found = lines(baseline)
        return cut_of(found[-1]) if found else None

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome for each attested result."""
        found = lines(baseline)
        cut = cut_of(found[-1]) if found else None
        if cut is None or not extra:
            return (Outcome(self.name, Word.VOID, "no printed result is attested: nothing to compare"),)
        runs = pair(baseline, extra[0], found)
        if isinstance(runs, str):
            return (Outcome(self.name, Word.VOID, runs),)
        return tuple(self._line(line, cut, runs, last=line is found[-1]) for line in found)

    def _line(self, line: Line, cut: Cut, runs: Pair, *, last: bool) -> Outcome:
        before = _before(line, cut, last=last)
        kept = runs.changed(row for row in before if runs.comparable(*row))
        after = runs.changed(chosen(line, lambda e, r, p: p in cut.positions and p != cut.first))
        figures = (
            ("rows compared", float(kept.compared)),
            ("rows changed", float(len(kept.changed))),
            ("rows after the cut", float(after.compared)),
            ("of these changed", float(len(after.changed))),
        )
        if kept.changed:
            positions = sorted({p for p, _ in kept.changed})
            says = (
                f"{len(kept.changed):,} of {kept.compared:,} scores changed with tokens processed after them "
                f"(positions {positions[0]} to {positions[-1]})"
            )
            word = Word.VIOLATION
        elif kept.compared < LEAST * (kept.compared + after.compared):
            says = "hardly anything of it is counted before the changed tokens are known"
            word = Word.VOID
        elif after.compared and len(after.changed) < SENSITIVE * after.compared:
            word, says = Word.VOID, "scores after the change hardly react to it: a leak could hide as well"
        else:
            word, says = (
                Word.CLEAN,
                f"none of {kept.compared:,} scores changed with tokens processed after them",
            )
        return Outcome(self.name, word, says, ("T01", "M01"), line.index, kept.places, figures)


def _before(line: Line, cut: Cut, *, last: bool) -> list[tuple[int, int, int]]:
    """Counted rows that must not change: in processing order for the line of the cut, else by what the line's
    own order allows."""
    if last:
        return list(
            chosen(line, lambda e, r, p: e <= cut.event and (p not in cut.positions or p == cut.first))
        )
    if line.in_order:
        least = min(cut.positions)
        return list(chosen(line, lambda e, r, p: p <= least))
    touched = min((e for e, _, p in line.members() if p in cut.positions), default=-1)
    return list(chosen(line, lambda e, r, p: e < touched))
