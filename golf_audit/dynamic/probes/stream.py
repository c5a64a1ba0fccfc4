"""Does a prediction depend on tokens that follow it in the stream? Cut early, in the middle and late."""

from __future__ import annotations

from collections.abc import Sequence

from golf_audit.dynamic.contract import Outcome, RunResult, Variation, Word
from golf_audit.dynamic.job import Perturbation
from golf_audit.dynamic.messages import Start
from golf_audit.dynamic.probes.compare import SENSITIVE, Pair, chosen, pair
from golf_audit.dynamic.probes.lines import Line, lines

SHARES = (("early", 0.1), ("middle", 0.5), ("late", 0.9))


class Cuts:
    """All tokens from a position on drawn anew, at three positions."""

    name = "stream"
    shows = "that a counted score changes with tokens that follow it in the validation stream"
    cannot = "tell a permuted order of documents, which is a note, from other look-ahead in it"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """Three runs."""
        targets = _targets(baseline)
        return tuple(
            Variation(f"stream {name}", Perturbation(name, ((int(share * targets), targets + 1),), seed=2))
            for name, share in SHARES
        )

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome for each attested result and cut."""
        outcomes = []
        targets = _targets(baseline)
        found = lines(baseline)
        for (name, share), other in zip(SHARES, extra, strict=True):
            runs = pair(baseline, other, found)
            if isinstance(runs, str):
                outcomes.append(Outcome(self.name, Word.VOID, f"{name} cut: {runs}"))
                continue
            outcomes += [self._line(line, name, int(share * targets), runs) for line in found]
        return outcomes

    def _line(self, line: Line, name: str, at: int, runs: Pair) -> Outcome:
        kept = runs.changed(chosen(line, lambda e, r, p: p <= at and runs.comparable(e, r, p)))
        after = runs.changed(chosen(line, lambda e, r, p: p > at))
        figures = (
            ("cut", float(at)),
            ("rows compared", float(kept.compared)),
            ("rows changed", float(len(kept.changed))),
            ("rows after the cut", float(after.compared)),
            ("of these changed", float(len(after.changed))),
        )
        if kept.changed and line.in_order:
            word = Word.VIOLATION
            says = (
                f"{len(kept.changed):,} of {kept.compared:,} predictions up to position {at} changed with "
                "later tokens"
            )
        elif kept.changed:
            word = Word.NOTE
            says = (
                f"positions are counted in another order than the stream's; {len(kept.changed):,} of "
                f"{kept.compared:,} predictions up to position {at} depend on later tokens of the stream"
            )
        elif not after.compared or len(after.changed) < SENSITIVE * after.compared:
            word, says = Word.VOID, f"predictions after position {at} hardly react to the change"
        else:
            word, says = Word.CLEAN, f"none of {kept.compared:,} predictions up to position {at} changed"
        return Outcome(
            self.name, word, f"{name} cut: {says}", ("M01", "V06"), line.index, kept.places, figures
        )


def _targets(baseline: RunResult) -> int:
    return next((m.targets for m in baseline.of(Start)), 0)
