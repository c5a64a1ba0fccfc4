"""The printed number alone, without the recorder: validation cut short must cost what its part cost.

An extra run has only the first part of the validation stream and prints its mean loss. The baseline's losses
of the same targets must give it again: then what the recorder says about them is what the script itself
prints when nothing follows. Half of the stream is tried. Where the script adapts, a schedule may depend on
how much validation there is (a cosine over its chunks); so the targets that are counted before it adapts for
the second time are tried alone as well: the first adaptation still meets the schedule's beginning.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from golf_audit.dynamic.contract import Ending, Outcome, RunResult, Variation, Word
from golf_audit.dynamic.job import Perturbation
from golf_audit.dynamic.messages import Gradient, Start
from golf_audit.dynamic.probes.lines import Line, lines

SHARE = 0.5
ROUNDING = 5e-7
"""Relative: float32 sums in another order."""
LEAST = 64
"""Targets that a shorter part must hold."""


class Prefix:
    """The first half of the validation stream, and the part before a second adaptation."""

    name = "prefix"
    shows = "that the recorded losses of a first part are what the script prints when the rest is not there"
    cannot = "be judged where schedules depend on the length of validation: a difference is no violation"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """One run on the first half, and one on the part before a second adaptation if there is any."""
        targets = _targets(baseline)
        return tuple(
            Variation(f"prefix {end}", Perturbation("truncate", ((end + 1, targets + 1),)))
            for _, end in _parts(baseline)
        )

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome for each attested result and part that the short run prints too."""
        outcomes: list[Outcome] = []
        for (name, end), other in zip(_parts(baseline), extra, strict=True):
            if other.ending is not Ending.OK:
                says = f"{name}: the short run did not come to its end: {other.reason}"
                outcomes.append(Outcome(self.name, Word.VOID, says))
                continue
            short = {line.name: line for line in lines(other)}
            ours = [line for line in lines(baseline) if line.name in short]
            outcomes += [self._line(line, short[line.name], name, end) for line in ours]
        return tuple(outcomes)

    def _line(self, line: Line, short: Line, name: str, end: int) -> Outcome:
        """The printed mean of the short run against the baseline's losses of the targets that it counts."""
        losses = {p: line.ledger.scores[e].losses[r] for e, r, p in reversed(list(line.members()))}
        tail = end - max(short.counts.window, 1)
        total, number = 0.0, 0
        for event, first, length, times in short.rows:
            positions, own = short.ledger.positions(event), short.ledger.scores[event].losses
            for row in range(first, first + length):
                position = positions[row]
                # the last window ends sooner than in the baseline: there the short run's own losses count
                known = losses.get(position) if 0 < position <= tail else None
                total += times * (own[row] if known is None else known)
                number += times
        mean = total / number if number else 0.0
        if short.loss is None:
            says = f"{name}: it prints no loss"
            return Outcome(self.name, Word.VOID, says, ("T01", "M01", "P03"), line.index)
        printed = short.loss
        figures = (("targets", float(end)), ("recorded mean", mean), ("printed", printed))
        if tail > 0 and abs(mean - printed) <= short.half + ROUNDING * abs(printed):
            word = Word.CLEAN
            says = f"{name}: alone it is printed as {printed}, as its losses were recorded"
        elif tail <= 0:
            word, says = Word.VOID, f"{name}: it is shorter than one window"
        else:
            word = Word.VOID
            says = (
                f"{name}: alone it is printed as {printed}, its recorded losses give {mean:.8f}; a schedule "
                "may depend on the length of validation"
            )
        return Outcome(self.name, word, says, ("T01", "M01", "P03"), line.index, (), figures)


def _parts(baseline: RunResult) -> list[tuple[str, int]]:
    """The parts that are tried: what each is called, and its last target."""
    found = lines(baseline)
    if not found:
        return []
    targets = _targets(baseline)
    half = int(SHARE * targets)
    parts = [("the first half", half)]
    early = _before_second(baseline, found[-1])
    if LEAST <= early < half:
        parts.append((f"the first {early:,} targets", early))
    return parts


def _before_second(baseline: RunResult, line: Line) -> int:
    """How many targets, all at the beginning, are counted before the second adaptation; 0 where other
    targets are among them or nothing adapts twice."""
    learned = [
        m.n
        for m in baseline.of(Gradient)
        if m.n > line.since and any(p > 0 for p in line.ledger.positions_of(m.event, m.rows))
    ]
    counted = sorted((moment.n, position) for position, moment in line.counts.first.items())
    second = 0
    for before, after in pairwise(learned):
        if bisect_left(counted, (before, 0)) < bisect_left(counted, (after, 0)):
            second = after
            break
    early = sorted(position for n, position in counted if n < second)
    return len(early) if early == list(range(1, len(early) + 1)) else 0


def _targets(baseline: RunResult) -> int:
    return next((m.targets for m in baseline.of(Start)), 0)
