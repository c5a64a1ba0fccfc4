"""Does a document's score depend on another document? One is exchanged, all others are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from golf_audit.dynamic.contract import Outcome, RunResult, Variation, Word
from golf_audit.dynamic.job import Perturbation
from golf_audit.dynamic.messages import Start
from golf_audit.dynamic.probes.compare import Pair, chosen, pair
from golf_audit.dynamic.probes.lines import Line, lines

_FROM = 0.25
"""Share of the stream after which the document is looked for."""
_SHORT, _LONG = 30, 900
FAR = 512
"""Positions behind the document that no context window of the miniature reaches."""


@dataclass(frozen=True)
class Place:
    """The exchanged document, its BOS left out, and the end of the document after it."""

    first: int
    end: int
    next_end: int


def document_starts(baseline: RunResult) -> list[int]:
    """Where documents begin: the first token, and every target that no byte stands behind."""
    return [0, *(p for p, n in enumerate(baseline.counted) if p and n == 0)]


def place(baseline: RunResult) -> Place | None:
    """The first document of moderate length in the middle of the stream; None where borders are not known."""
    targets = next((m.targets for m in baseline.of(Start)), 0)
    starts = document_starts(baseline)
    for start, end, after in zip(starts, starts[1:], [*starts[2:], targets + 1], strict=False):
        if start >= _FROM * targets and _SHORT <= end - start <= _LONG and after - end >= _SHORT:
            return Place(start + 1, end, after)
    return None


class Documents:
    """One document exchanged for another of the same length."""

    name = "documents"
    shows = "whether the next document's scores, and those far behind, depend on a document"
    cannot = "say whether that is allowed: where the stream is evaluated densely, it is"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """One run; none where no result is attested."""
        where = place(baseline)
        if where is None or not lines(baseline):
            return ()
        return (Variation("documents", Perturbation("documents", ((where.first, where.end),), seed=4)),)

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """For each attested result one outcome on the border, one on state that is carried along."""
        where = place(baseline)
        if where is None or not extra:
            says = "no result is attested, or the borders of documents are not known"
            return (Outcome(self.name, Word.VOID, says, ("M02", "V06")),)
        runs = pair(baseline, extra[0])
        if isinstance(runs, str):
            return (Outcome(self.name, Word.VOID, runs, ("M02", "V06")),)
        return tuple(o for line in lines(baseline) for o in self._line(line, where, runs))

    def _line(self, line: Line, where: Place, runs: Pair) -> tuple[Outcome, Outcome]:
        near = runs.changed(chosen(line, lambda e, r, p: where.end < p < where.next_end))
        far = runs.changed(chosen(line, lambda e, r, p: p >= where.end + FAR))
        own = runs.changed(chosen(line, lambda e, r, p: where.first < p < where.end))
        deaf = own.compared and len(own.changed) < 0.95 * own.compared
        next_one = f"the document after an exchanged one (positions {where.first} to {where.end - 1})"
        says = (
            f"no score of {next_one} changed"
            if not near.changed
            else f"{len(near.changed):,} of {near.compared:,} scores of {next_one} changed"
        )
        rest = f"{FAR} and more positions behind an exchanged document"
        carried = (
            f"no score {rest} changed: no state is carried from document to document"
            if not far.changed
            else f"{len(far.changed):,} of {far.compared:,} scores {rest} changed: state is carried along"
        )
        if deaf:
            says = carried = "the scores of the exchanged document itself hardly react"
        return (
            Outcome(
                self.name, _word(near.changed, near.compared, deaf), says, ("M02",), line.index, near.places
            ),
            Outcome(self.name, _word(far.changed, far.compared, deaf), carried, ("V06",), line.index),
        )


def _word(changed: Sequence[object], compared: int, deaf: object) -> Word:
    if deaf or not compared:
        return Word.VOID
    return Word.NOTE if changed else Word.CLEAN
