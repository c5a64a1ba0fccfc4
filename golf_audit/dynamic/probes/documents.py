"""Does a document's score depend on another document? One is exchanged, all others are compared."""

from __future__ import annotations

from collections.abc import Sequence

from golf_audit.dynamic.contract import Outcome, RunResult, Variation, Word
from golf_audit.dynamic.job import Perturbation
from golf_audit.dynamic.messages import Start
from golf_audit.dynamic.probes.compare import chosen, pair
from golf_audit.dynamic.probes.lines import lines

_SPAN = (0.3, 0.33)


class Documents:
    """A stretch in the first third exchanged; what lies far behind it is compared."""

    name = "documents"
    shows = "whether scores depend on text beyond the reach of a context window: state is carried along"
    cannot = (
        "say whether carrying state from one document to the next is allowed: that is a question of the rules"
    )

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """One run."""
        return (Variation("documents", Perturbation("documents", (_span(baseline),), seed=4)),)

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One note for each attested result."""
        runs = pair(baseline, extra[0])
        if isinstance(runs, str):
            return (Outcome(self.name, Word.VOID, runs),)
        first, end = _span(baseline)
        outcomes = []
        for line in lines(baseline):
            ahead = runs.changed(chosen(line, lambda e, r, p: p <= first))
            far = runs.changed(chosen(line, lambda e, r, p: p >= end + 512))
            figures = (
                ("rows before", float(ahead.compared)),
                ("of these changed", float(len(ahead.changed))),
                ("rows far behind", float(far.compared)),
                ("of these changed too", float(len(far.changed))),
            )
            carried = "depend" if far.changed else "do not depend"
            says = f"scores 512 and more positions behind a changed stretch {carried} on it"
            outcomes.append(Outcome(self.name, Word.NOTE, says, ("M02", "V06"), line.index, (), figures))
        return outcomes


def _span(baseline: RunResult) -> tuple[int, int]:
    targets = next((m.targets for m in baseline.of(Start)), 0)
    return int(_SPAN[0] * targets), int(_SPAN[1] * targets)
