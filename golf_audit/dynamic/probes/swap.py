"""Does the distribution at a position depend on the token that it predicts?"""

from __future__ import annotations

from collections.abc import Sequence

from golf_audit.dynamic.contract import Outcome, RunResult, Variation, Word
from golf_audit.dynamic.job import Perturbation
from golf_audit.dynamic.messages import Start
from golf_audit.dynamic.probes.compare import chosen, pair
from golf_audit.dynamic.probes.lines import lines

_AT = 0.55
"""Where in the stream the one token lies."""


class Swap:
    """One target exchanged for another token."""

    name = "swap"
    shows = "that the distribution which scores a target was made with knowledge of that target"
    cannot = "see it where only the probability of the target is ever computed, or at other positions"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """One run."""
        at = _position(baseline)
        return (Variation("swap", Perturbation("swap", ((at, at + 1),), seed=3)),)

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome for each attested result."""
        runs = pair(baseline, extra[0])
        if isinstance(runs, str):
            return (Outcome(self.name, Word.VOID, runs),)
        at = _position(baseline)
        outcomes = []
        for line in lines(baseline):
            rows = [
                m
                for m in chosen(line, lambda e, r, p: p == at)
                if runs.before.scores[m[0]].fingerprints[m[1]]
            ]
            found = runs.changed(rows)
            figures = (("position", float(at)), ("rows compared", float(found.compared)))
            if not rows:
                word, says = Word.VOID, f"no whole distribution was seen at position {at}"
            elif found.changed:
                word, says = Word.VIOLATION, f"the distribution at position {at} changed with its own target"
            else:
                word, says = Word.CLEAN, f"the distribution at position {at} does not depend on its target"
            outcomes.append(Outcome(self.name, word, says, ("Q02", "M01"), line.index, found.places, figures))
        return outcomes


def _position(baseline: RunResult) -> int:
    return int(_AT * next((m.targets for m in baseline.of(Start)), 0)) + 3
