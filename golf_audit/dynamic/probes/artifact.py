"""Is what was written, and read back to be scored, the same whatever the validation tokens are?"""

from __future__ import annotations

from collections.abc import Sequence

from golf_audit.dynamic.contract import Ending, Outcome, RunResult, Variation, Word
from golf_audit.dynamic.job import Perturbation
from golf_audit.dynamic.messages import Score, Start, Write
from golf_audit.dynamic.probes.lines import Line
from golf_audit.dynamic.probes.moments import Begin, last_begin

_NAMES = 3


class Artifact:
    """Every validation token drawn anew; the run ends where the evaluation begins."""

    name = "artifact"
    shows = "that the scored weights were made with knowledge of validation tokens, by whatever way"
    cannot = "tell weights from a figure stored beside them, nor see what the author put in before"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """One run, of training alone."""
        found = last_begin(baseline)
        if found is None:
            return ()
        targets = next((m.targets for m in baseline.of(Start)), 0)
        _, at = found
        # without an artifact that is read back, the weights at the first score are compared
        until = at if at.artifacts else Begin(at.n, 0, at.event + 1)
        change = Perturbation("artifact", ((1, targets + 1),), seed=5)
        return (Variation("artifact", change, options=until.options("stop")),)

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome, on the last attested result."""
        found = last_begin(baseline)
        if found is None or not extra:
            return (Outcome(self.name, Word.VOID, "no printed result is attested", ("V02",)),)
        line, at = found
        other = extra[0]
        if other.ending is not Ending.OK:
            return (self._said(line, Word.VOID, f"the extra run did not come to its end: {other.reason}"),)
        before = _digests(baseline, at)
        after = _digests(other, Begin(len(other.messages), at.artifacts, at.event))
        if not before or not set(before) <= set(after):
            return (self._said(line, Word.VOID, "the extra run did not write what the baseline wrote"),)
        moved = [name for name, digest in before.items() if after[name] != digest]
        figures = (("compared", float(len(before))), ("changed", float(len(moved))))
        if moved:
            says = f"{', '.join(moved[:_NAMES])} changed when the validation tokens did"
            return (self._said(line, Word.VIOLATION, says, figures),)
        what = ", ".join(list(before)[:_NAMES])
        says = f"{what}: the same bytes with every validation token drawn anew"
        return (self._said(line, Word.CLEAN, says, figures),)

    def _said(
        self, line: Line, word: Word, says: str, figures: tuple[tuple[str, float], ...] = ()
    ) -> Outcome:
        return Outcome(self.name, word, says, ("V02",), line.index, (), figures)


def _digests(result: RunResult, at: Begin) -> dict[str, str]:
    """What the evaluation read back, by name; the weights of its first score where it read nothing back."""
    if not at.artifacts:
        first = next((s for s in result.of(Score) if s.event == at.event), None)
        return {} if first is None else {"the weights at the first score": first.model}
    return {m.path: m.digest for m in result.of(Write) if m.n < at.n and m.digest}
