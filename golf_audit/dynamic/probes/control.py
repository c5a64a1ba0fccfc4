"""The same run again, before any other comparison: what does not repeat cannot be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from golf_audit.dynamic.contract import Outcome, Probe, RunResult, Variation, Word
from golf_audit.dynamic.messages import Read, Score, Write
from golf_audit.dynamic.probes.artifact import Artifact
from golf_audit.dynamic.probes.compare import pair

FILES = "the same run twice writes different files, so a changed file shows nothing"
SAYS = "the same run twice gives different scores, so a changed score shows nothing"


class Controlled:
    """Probes that compare runs, behind a control run on the same data.

    Where the run does not repeat to the last bit their violations and clean words become void."""

    name = "control"

    def __init__(self, probes: tuple[Probe, ...]) -> None:
        self.probes = probes
        self.shows = "; ".join(f"{probe.name}: {probe.shows}" for probe in probes)
        self.cannot = "; ".join(f"{probe.name}: {probe.cannot}" for probe in probes)

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """The control run, then those of the probes."""
        return (Variation("control"), *(v for probe in self.probes for v in probe.variations(baseline)))

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """The control's word, then the words of the probes."""
        control, rest = self._control(baseline, extra[0]), list(extra[1:])
        outcomes = [control]
        for probe in self.probes:
            count = len(probe.variations(baseline))
            said = probe.compare(baseline, rest[:count])
            del rest[:count]
            why = "" if control.word is Word.CLEAN else SAYS
            if not why and isinstance(probe, Artifact) and _written(baseline) != _written(extra[0]):
                why = FILES
            outcomes += [_void(outcome, why) if why else outcome for outcome in said]
        return outcomes

    def _control(self, baseline: RunResult, again: RunResult) -> Outcome:
        found = pair(baseline, again)
        if isinstance(found, str):
            return Outcome(self.name, Word.VOID, f"the run does not repeat: {found}")
        differing = _differing(baseline, again)
        if differing is None:
            return Outcome(self.name, Word.CLEAN, "the same run twice gives the same scores to the last bit")
        return Outcome(self.name, Word.VOID, SAYS, places=(f"{differing.site[0]}:{differing.site[1]}",))


def _void(outcome: Outcome, says: str) -> Outcome:
    return outcome if outcome.word is Word.NOTE else replace(outcome, word=Word.VOID, says=says)


def _written(result: RunResult) -> list[tuple[str, str]]:
    """What a run wrote and read back, with its digests."""
    back = {m.path for m in result.of(Read) if m.stream == "artifact"}
    return [(m.path, m.digest) for m in result.of(Write) if m.path in back]


def _differing(one: RunResult, other: RunResult) -> Score | None:
    """The first score that differs between two runs."""
    for a, b in zip(one.of(Score), other.of(Score), strict=True):
        if list(a.fingerprints) != list(b.fingerprints) or list(a.losses) != list(b.losses):
            return a
    return None
