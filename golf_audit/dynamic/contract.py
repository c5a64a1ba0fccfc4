"""What the two halves of the dynamic engine owe each other, besides Job and Message.

miniature/  gives   prepare(submission, folder, places) -> Miniature
probes/     gives   QUICK, FULL: tuple[Probe, ...]   in the order in which they run
child/      gives   python -m golf_audit.dynamic.child JOB.json
run.py      gives   RunResult
trace.py    asks    Miniature for jobs, run.py for results, each Probe for its extra runs and its word
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol, TypeVar

from golf_audit.dynamic.job import Job, Perturbation, Value
from golf_audit.dynamic.messages import Message
from golf_audit.observation import Outcome, Word

M = TypeVar("M", bound=Message)


class Ending(Enum):
    """How a run ended."""

    OK = "the script came to its end"
    FAILED = "the script failed"
    TIMEOUT = "the run took too long"
    MEMORY = "the run took too much memory"
    PROCESSES = "the run started too many processes"
    FLOOD = "the run wrote too much output"
    FORGED = "the messages of the run are not those of the recorder"
    KILLED = "the run was ended by a signal"
    NEVER_STARTED = "the run did not start"


@dataclass(frozen=True)
class Usage:
    """What a run took. Never part of a trace file."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0  # resident, all processes together
    processes: int = 0  # the most at one time


@dataclass(frozen=True)
class RunResult:
    """One run, after its namespace is dead. `messages` are well formed and in order, not believed."""

    job: Job
    ending: Ending
    reason: str  # a sentence with the detail: the exception, the limit
    messages: tuple[Message, ...] = ()
    tail: str = ""  # the last lines of its output, unescaped
    usage: Usage = field(default_factory=Usage)
    others: tuple[tuple[Message, ...], ...] = ()  # what ranks 1, 2 ... said
    tokens: Sequence[int] = ()  # the validation stream as our process wrote it
    counted: Sequence[int] = ()  # bytes behind each target by our own count, from 0; empty: not known
    differing: tuple[str, ...] = ()  # switches that the script has otherwise by default (Miniature.differing)

    def of(self, kind: type[M]) -> list[M]:
        """The messages of one kind, in order."""
        return [m for m in self.messages if isinstance(m, kind)]


@dataclass(frozen=True)
class Variation:
    """How an extra run differs from the baseline; everything else, paths included, stays the same."""

    name: str  # "control", "perturb-order" ...; unique within a trace
    perturbation: Perturbation | None = None
    exchanged: tuple[str, ...] = ()  # streams that later read other tokens: "train" (job.Moment says when)
    environ: tuple[tuple[str, str], ...] = ()  # settings that differ
    defaults: bool = False  # the script's own defaults in place of the declared configuration
    ranks: int = 1
    options: tuple[tuple[str, Value], ...] = ()  # asked of the recorder
    seconds: float | None = None


class Probe(Protocol):
    """Asks for extra runs and compares them; pure apart from the runs that others make."""

    name: str
    shows: str  # what a violation or a clean outcome means
    cannot: str  # what it cannot show

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """The runs that are needed, in order; may be empty."""

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """What these runs show, one result per variation and in their order."""


@dataclass(frozen=True)
class Places:
    """The folders of a run as the child sees them."""

    submission: str
    data: str
    work: str


class Miniature(Protocol):
    """The small world of one submission: data on disk and the settings that shrink the run."""

    @property
    def data(self) -> Path:
        """The baseline's folder on the host; bound at `places.data`."""

    @property
    def job(self) -> Job:
        """The baseline, with the paths of `places`."""

    @property
    def settings(self) -> tuple[str, ...]:
        """ "NAME=value (declared)", "NAME=value (shrunk)": for the trace file."""

    @property
    def problems(self) -> tuple[str, ...]:
        """Why this is not the declared configuration, in sentences."""

    @property
    def differing(self) -> tuple[str, ...]:
        """Switches that the script's own defaults set otherwise than the declared configuration."""

    def vary(self, variation: Variation, folder: Path) -> tuple[Job, Path]:
        """The job of an extra run and the host folder with its data, written below `folder` if it differs."""


__all__ = [
    "Ending",
    "Miniature",
    "Outcome",
    "Places",
    "Probe",
    "RunResult",
    "Usage",
    "Variation",
    "Word",
]
