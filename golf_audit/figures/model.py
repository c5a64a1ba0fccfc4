"""What can be drawn of one submission, as frozen data. Every position is one that a reader can open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from golf_audit.model import Where

Spans = tuple[tuple[int, int], ...]
"""Half-open spans of positions in the validation stream."""

Kind = Literal["read", "score", "adapt", "calibrate", "select", "save", "fetch", "report"]


@dataclass(frozen=True)
class Moment:
    """One event, or neighbours that are alike (`times` of them). `behind`: the claimed number depends on it.

    `extent` says in words how much of the stream it touches; `spans` where, when a run showed it."""

    id: int
    kind: Kind
    says: str
    stream: str  # "" for an event that touches no tokens
    extent: str
    spans: Spans
    where: Where
    behind: bool
    times: int = 1
    conditions: tuple[str, ...] = ()
    claimed: bool = False  # the report of the number that is claimed
    scratch: bool = False  # what it changes is thrown away with the batch


@dataclass(frozen=True)
class Pair:
    """Two events that `rule` is about: what happened `first`, and the reported score that came `then`."""

    rule: str
    first: int
    then: int
    sure: bool  # they are shown to share tokens; else it is possible


@dataclass(frozen=True)
class Gap:
    """What could not be followed on the way to the claimed number."""

    says: str
    where: Where | None


@dataclass(frozen=True)
class Picture:
    """The events of one timeline in order. `omitted` counts those that did not fit."""

    origin: Literal["predicted", "observed"]
    moments: tuple[Moment, ...]
    pairs: tuple[Pair, ...]
    gaps: tuple[Gap, ...]
    omitted: int = 0
    targets: int = 0  # positions of the validation stream; 0 where no run showed them


@dataclass(frozen=True)
class Score:
    """Bits per byte of one seed, with its line in a log or its entry in the ledger."""

    seed: int | None
    bpb: float
    where: Where | None = None
    entry: int | None = None


@dataclass(frozen=True)
class Scores:
    """The claim, its seeds, what reruns gave, and the record before it. `asked`: what beats that record by
    the README's 0.005 nats per token."""

    claim: float | None
    claimed: tuple[Score, ...]
    logged: tuple[Score, ...]
    reruns: tuple[Score, ...]
    reruns_on: str  # where they ran
    baseline: tuple[Score, ...]
    baseline_name: str
    asked: float | None


@dataclass(frozen=True)
class Count:
    """The bytes of one run's artifact; None: the log does not print them."""

    seed: int | None
    total: int | None
    model: int | None
    code: int | None
    where: Where | None


@dataclass(frozen=True)
class Sizes:
    """The bytes of the claimed runs under the cap."""

    cap: int
    counts: tuple[Count, ...]


@dataclass(frozen=True)
class Probe:
    """A probe's word on the claimed number, with its figures."""

    name: str
    word: Literal["clean", "violation", "note", "void"]
    says: str
    rules: tuple[str, ...]
    figures: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Run:
    """A run in miniature: how it ended, the losses along the stream, and the probes."""

    ending: str
    reason: str
    sandboxed: bool
    device: str
    probes: str  # quick, full
    attested: bool
    text: str  # the line that stands for the claimed number
    block: int  # positions per point of `losses`; 0: no curve
    losses: tuple[float | None, ...]
    late: Spans  # targets counted after a gradient on them
    words: tuple[Probe, ...]


@dataclass(frozen=True)
class Excerpt:
    """Lines of a file or of a layer unpacked from it, from `first` on; long ones are cut."""

    file: str
    layer: int
    payload_line: int | None
    unpacked: str  # how the layer was packed: "base85, lzma"; empty for the file itself
    first: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """All of it. `problems` say what could not be drawn, and why."""

    predicted: Picture | None = None
    observed: Picture | None = None
    run: Run | None = None
    scores: Scores | None = None
    sizes: Sizes | None = None
    code: tuple[Excerpt, ...] = ()
    problems: tuple[str, ...] = ()
