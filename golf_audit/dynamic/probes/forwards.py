"""Before anything has adapted, does the adapted evaluation predict what the plain one predicts?

Both begin with the first document of the stream, so its first targets have the same context in both. With
adapters at their first values the two forward passes must then give the same losses.
"""

from __future__ import annotations

from collections.abc import Sequence

from golf_audit.dynamic.contract import Outcome, RunResult, Variation, Word
from golf_audit.dynamic.messages import Change, Gradient, Step
from golf_audit.dynamic.probes.lines import Line, lines

TOLERANCE = 1e-3
"""Nats. Batches of other shapes differ by 1e-5."""
LEAST = 8
"""Targets that must be compared."""


class Forwards:
    """The first targets of an adapted evaluation against those of the plain one before it."""

    name = "forwards"
    shows = "that the forward pass which is adapted predicts what the plain one does before anything adapts"
    cannot = "compare more than the first document, or a script that prints no plain evaluation"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """No run: the baseline holds it."""
        return ()

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome for each attested result that adapts; none for scripts that never do."""
        found = lines(baseline)
        outcomes = []
        for place, line in enumerate(found):
            gradient = _first_gradient(baseline, line)
            if gradient is None:
                continue
            plain = [p for p in found[:place] if _first_gradient(baseline, p) is None]
            if not plain:
                says = "no plain evaluation is printed before it"
                outcomes.append(Outcome(self.name, Word.VOID, says, ("M03",), line.index))
            else:
                outcomes.append(self._line(baseline, line, plain[-1], gradient))
        return tuple(outcomes)

    def _line(self, baseline: RunResult, line: Line, plain: Line, gradient: int) -> Outcome:
        word, says = Word.VOID, ""
        figures: tuple[tuple[str, float], ...] = ()
        ours = _start(line, baseline.counted, before=gradient)
        theirs = _start(plain, baseline.counted)
        common = [p for p in ours if p in theirs]
        apart = max((abs(ours[p] - theirs[p]) for p in common), default=0.0)
        if len(common) < LEAST:
            says = f"only {len(common)} targets have the same context in both"
        elif apart > TOLERANCE and _between(baseline, line, plain):
            says = "the losses differ, but so do the weights: they changed between the two evaluations"
        else:
            figures = (("targets", float(len(common))), ("largest difference", apart))
            word = Word.CLEAN if apart <= TOLERANCE else Word.VIOLATION
            agree = "has" if word is Word.CLEAN else "does not have"
            says = (
                f"before anything adapts, the first document {agree} the losses of the plain evaluation "
                f'("{plain.text.strip()[:40]}")'
            )
        return Outcome(self.name, word, says, ("M03",), line.index, (), figures)


def _first_gradient(baseline: RunResult, line: Line) -> int | None:
    """The first gradient on validation tokens between the result before and the last score of a line."""
    last = max(line.ledger.scores[event].n for event in line.events)
    for message in baseline.of(Gradient):
        inside = line.since < message.n < last
        if inside and any(p > 0 for p in line.ledger.positions_of(message.event, message.rows)):
            return message.n
    return None


def _between(baseline: RunResult, line: Line, plain: Line) -> bool:
    """True when weights changed after the last score of the plain line and before the first of the other."""
    last = max(plain.ledger.scores[event].n for event in plain.events)
    first = min(line.ledger.scores[event].n for event in line.events)
    return any(isinstance(m, (Step, Change)) and last < m.n < first for m in baseline.messages)


def _start(line: Line, counted: Sequence[int], before: int | None = None) -> dict[int, float]:
    """Losses of the targets 1, 2, 3 ... of the first document, as far as the event that counts 1 goes on."""
    first = line.counts.first.get(1)
    if first is None or not counted:
        return {}
    end = next((p for p in range(2, len(counted)) if counted[p] == 0), len(counted))
    score = next(s for s in line.ledger.scores if s.n == first.n)
    if before is not None and score.n > before:
        return {}
    positions = line.ledger.positions(score.event)
    found: dict[int, float] = {}
    for row in range(first.row, len(positions)):
        position = row - first.row + 1
        if positions[row] != position or position >= end:
            break
        found[position] = score.losses[row]
    return found
