"""When evaluation begins: the last reading of an artifact before the first score behind a printed result."""

from __future__ import annotations

from dataclasses import dataclass

from golf_audit.dynamic.contract import RunResult
from golf_audit.dynamic.job import Value
from golf_audit.dynamic.messages import Read
from golf_audit.dynamic.probes.lines import Line, lines


@dataclass(frozen=True)
class Begin:
    """The moment, as a message of the baseline and as what the recorder of another run waits for."""

    n: int
    artifacts: int  # readings of artifacts up to it; 0: none, the first score is the moment
    event: int

    @property
    def says(self) -> str:
        """For a sentence."""
        return "the artifact was read back" if self.artifacts else "the first score behind the number"

    def options(self, then: str) -> tuple[tuple[str, Value], ...]:
        """What the job of an extra run says."""
        if self.artifacts:
            return (("artifact_reads", self.artifacts), ("then", then))
        return (("score_event", self.event), ("then", then))


def begin(baseline: RunResult, line: Line) -> Begin | None:
    """The beginning of the evaluation behind a line; None when it counts no validation target."""
    first = min(line.counts.first.values(), default=None)
    if first is None:
        return None
    event = next(s.event for s in line.ledger.scores if s.n == first.n)
    reads = [m for m in baseline.of(Read) if m.stream == "artifact" and m.n < first.n]
    return Begin(reads[-1].n, len(reads), event) if reads else Begin(first.n, 0, event)


def last_begin(baseline: RunResult) -> tuple[Line, Begin] | None:
    """The last attested result, and the beginning of its evaluation; None where there is neither."""
    found = lines(baseline)
    at = begin(baseline, found[-1]) if found else None
    return (found[-1], at) if at is not None else None
