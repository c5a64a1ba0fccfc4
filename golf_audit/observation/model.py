"""What a run in miniature showed: the observed timeline, every printed result with what stands behind it, and
the words of the probes. Plain data; `golf-audit trace` writes it, `check --trace` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from golf_audit.timeline import Timeline

Spans = tuple[tuple[int, int], ...]
"""Half-open spans of token positions: (3, 7) holds the targets 3, 4, 5 and 6 of the validation stream."""


def count(spans: Spans) -> int:
    """How many positions spans hold."""
    return sum(stop - start for start, stop in spans)


WHILE_TRAINING = "while training"
"""The figure of attempts to reach the network between the first step and the evaluation (N01)."""


class Word(Enum):
    """What a probe says about one rule."""

    CLEAN = "clean"  # tried, and nothing was seen
    VIOLATION = "violation"  # seen
    NOTE = "note"  # seen, decides nothing
    VOID = "void"  # could not be tried; `says` tells why


@dataclass(frozen=True)
class Outcome:
    """A probe's word on one reported line, or on the whole run (`line` None).

    `places` are "file:line" of the submission; figures are named counts (rows changed, rows compared)."""

    probe: str
    word: Word
    says: str  # one sentence, no absolute path
    rules: tuple[str, ...] = ()  # whose question this answers: "M01", "Q01" ...
    line: int | None = None  # index of the Print message that holds the number, among all Print messages
    places: tuple[str, ...] = ()
    figures: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Tried:
    """A probe that was asked, and what its answers can and cannot mean."""

    name: str
    shows: str
    cannot: str


@dataclass(frozen=True)
class Curve:
    """Losses along the stream: the mean over each `block` neighbouring positions, from 1 on; None without a
    score."""

    block: int
    means: tuple[float | None, ...]


@dataclass(frozen=True)
class Result:
    """A line of the run that prints a result, and the scores behind its number.

    `attested`: the mean of our own ledger over the rows that reached the number equals the printed one, to
    its digits. Only then do the counts below mean anything; `why` says what is amiss otherwise. Positions
    whose target counts 0 bytes (the next document's BOS) are left out of `late` and counted in `exempt`."""

    index: int  # of its Print among all Print messages of the run
    text: str
    name: str  # as trainlog normalises tags
    event: int  # of its Report in the timeline
    attested: bool
    why: str
    targets: int = 0  # validation positions there are
    rows: int = 0  # scores that reached the number
    missing: Spans = ()  # positions that it does not count
    repeated: Spans = ()  # positions that it counts more than once
    rescored: Spans = ()  # of which it takes a second score at one line, with the same parameters
    window: int = 0  # targets of the longest scored sequence
    late: Spans = ()  # counted after a gradient on them
    undone: Spans = ()  # the same, but the parameters were put back in between
    exempt: int = 0
    inversions: int = 0  # places where the first counts go backwards in the stream
    losses: str = ""  # fingerprint of the counted losses, in order of position
    curve: Curve | None = None  # None also in a trace of an earlier version


@dataclass(frozen=True)
class Observation:
    """All that one trace has to say. Equal runs give equal observations: no times, no absolute paths."""

    fingerprint: str  # of the folder that was run
    folder: str
    probes: str  # quick, full
    device: str
    sandboxed: bool
    ending: str  # of the baseline: "ok", "failed" ...
    reason: str
    timeline: Timeline
    results: tuple[Result, ...] = ()
    claimed: int | None = None  # index in `results`
    not_produced: tuple[str, ...] = ()  # results of the submission's own log that the miniature never printed
    tried: tuple[Tried, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    settings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()  # why the miniature is not the declared run
    stand_ins: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    errors: tuple[str, ...] = field(default=())  # last lines of the output of a run that failed

    @property
    def result(self) -> Result | None:
        """The result that stands for the claimed number; None when the miniature did not print it."""
        return self.results[self.claimed] if self.claimed is not None else None

    def about(self, rule: str) -> tuple[Outcome, ...]:
        """The words on one rule that concern the claimed result or the whole run."""
        return tuple(o for o in self.outcomes if rule in o.rules and self.concerns(o))

    def concerns(self, outcome: Outcome) -> bool:
        """True for words on the whole run, on the claimed result, and on a result of the very same scores."""
        if outcome.line is None:
            return True
        claimed = self.result
        return claimed is not None and any(
            r.index == outcome.line and (r is claimed or (r.losses and r.losses == claimed.losses))
            for r in self.results
        )
