"""Are counted losses those of whole, normalised distributions? The recorder computed each a second time."""

from __future__ import annotations

from collections.abc import Sequence

from golf_audit.dynamic.contract import Outcome, RunResult, Variation, Word
from golf_audit.dynamic.probes.lines import Line, lines

TOLERANCE = 1e-4
"""Nats. Honest scripts differ from a float64 recount by 4e-6 at most."""


class Whole:
    """Each loss against minus the log of a softmax over all tokens."""

    name = "normalisation"
    shows = "that a counted loss is not that of a softmax over the vocabulary, or that it is"
    cannot = "judge mixtures of which only the probability of the target is computed"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """No run: the baseline holds it."""
        return ()

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome for each attested result."""
        return tuple(self._line(line) for line in lines(baseline))

    def _line(self, line: Line) -> Outcome:
        scores = [line.ledger.scores[event] for event in line.events]
        offs = [score.off for score in scores if score.off is not None]
        unseen = [score for score in scores if score.off is None]
        places = tuple(dict.fromkeys(f"{s.site[0]}:{s.site[1]}" for s in unseen))[:5]
        figures = (("largest difference", max(offs, default=0.0)), ("scores", float(len(scores))))
        if any(off > TOLERANCE for off in offs):
            bad = [s for s in scores if s.off is not None and s.off > TOLERANCE]
            places = tuple(dict.fromkeys(f"{s.site[0]}:{s.site[1]}" for s in bad))[:5]
            word, says = (
                Word.VIOLATION,
                f"losses differ from those of the whole distribution by {max(offs):.2g} nats",
            )
        elif unseen:
            word = Word.VOID
            says = (
                f"{len(unseen)} of {len(scores)} scores were computed without a whole distribution in sight"
            )
        else:
            word, says = (
                Word.CLEAN,
                "every counted loss is minus the log of a softmax over the whole vocabulary",
            )
        return Outcome(self.name, word, says, ("Q01",), line.index, places, figures)
