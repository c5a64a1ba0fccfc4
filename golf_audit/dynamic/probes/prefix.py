"""The printed number alone, without the recorder: validation cut short must cost what its part cost.

The extra run has only the first part of the validation stream and prints its mean loss. The baseline's rows
of the same positions must give it again: then what the recorder says about them is what the script itself
prints when nothing follows.
"""

from __future__ import annotations

from collections.abc import Sequence

from golf_audit.dynamic.contract import Ending, Outcome, RunResult, Variation, Word
from golf_audit.dynamic.job import Perturbation
from golf_audit.dynamic.messages import Start
from golf_audit.dynamic.observed import printed_results
from golf_audit.dynamic.probes.lines import Line, lines

SHARE = 0.5
ROUNDING = 2e-6
"""Relative: float32 sums in another order."""


class Prefix:
    """Half of the validation stream."""

    name = "prefix"
    shows = (
        "that the recorded losses of the first half are those the script prints when the rest does not exist"
    )
    cannot = "be judged where schedules depend on the length of validation: a difference is no violation"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """One run on the first half."""
        targets = _targets(baseline)
        return (Variation("prefix", Perturbation("truncate", ((_end(targets) + 1, targets + 1),))),)

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome for each attested result that the short run prints too."""
        if extra[0].ending is not Ending.OK:
            return (
                Outcome(self.name, Word.VOID, f"the short run did not come to its end: {extra[0].reason}"),
            )
        short = {line.index: line for line in lines(extra[0])}
        named = {p.final.name: short[p.index] for p in printed_results(extra[0]) if p.index in short}
        names = {p.index: p.final.name for p in printed_results(baseline)}
        return tuple(
            self._line(line, named[names[line.index]])
            for line in lines(baseline)
            if names.get(line.index) in named
        )

    def _line(self, line: Line, short: Line) -> Outcome:
        """The printed mean of the short run against the baseline's losses of the positions that it counts."""
        losses = {p: line.ledger.scores[e].losses[r] for e, r, p in reversed(list(line.members()))}
        counted = {p: times for p, times in short.counts.times.items() if p in losses}
        number = sum(counted.values())
        mean = sum(losses[p] * times for p, times in counted.items()) / number if number else 0.0
        printed = short.loss if short.loss is not None else 0.0
        figures = (("recorded mean", mean), ("printed", printed))
        if number and abs(mean - printed) <= short.half + ROUNDING * abs(printed):
            word, says = (
                Word.CLEAN,
                f"the first half alone is printed as {printed}, as its losses were recorded",
            )
        else:
            word = Word.VOID
            says = f"the first half alone is printed as {printed}, its recorded losses give {mean:.8f}"
        return Outcome(self.name, word, says, ("T01", "M01", "P03"), line.index, (), figures)


def _targets(baseline: RunResult) -> int:
    return next((m.targets for m in baseline.of(Start)), 0)


def _end(targets: int) -> int:
    return int(SHARE * targets)
