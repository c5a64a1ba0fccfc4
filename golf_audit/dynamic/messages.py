"""What a run says: one JSON object per line on the descriptor that the job names.

    {"kind": "score", "n": 17, "t": 3.25, ...}       n: 0, 1, 2 ... without a gap;  t: seconds since the start

wire.py writes and reads them. Nothing said here is believed without attestation (observed.py). A list may
hold 200,000 entries, a text 2,000 characters, a score 1,048,576 rows, a line 4 MiB, a run 400,000 messages.
Standard library only: the child imports this before torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

Runs = tuple[tuple[int, int], ...]
"""(first, length): positions or rows in order; a first of -1: rows that are no validation target."""
Site = tuple[str, int]
"""File within the submission ("train_gpt.py", "<layer 1>" for unpacked text) and line; ("", 0): unknown."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """`n` counts all messages of a run; `t` is real time, for progress only."""

    kind: ClassVar[str]
    n: int = 0
    t: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Start(Message):
    """The recorder is in place; the submission's first line comes next."""

    kind: ClassVar[str] = "start"
    schema: str = "golf-audit/messages/1"
    python: str
    torch: str
    targets: int  # validation positions: position p is the target that follows p tokens, 1 <= p <= targets


@dataclass(frozen=True, kw_only=True)
class Score(Message):
    """Losses of rows were computed, at least one of them of a validation target. `event` numbers the scores.

    `losses` and `fingerprints` have one entry per row; a fingerprint is a projection of the row's whole
    distribution. `off`: the largest difference between a loss and our own from the same distribution (None:
    no whole distribution was seen). `model` is a fingerprint of all parameters and buffers at that moment."""

    kind: ClassVar[str] = "score"
    event: int
    site: Site
    positions: Runs
    losses: Sequence[float]
    fingerprints: Sequence[float]
    model: str
    scorer: str = "cross_entropy"  # or gather, index, numpy, custom
    off: float | None = None
    grad: bool = False  # gradients were enabled


@dataclass(frozen=True, kw_only=True)
class Gradient(Message):
    """These rows of a score received a non-zero gradient. `into`: "parameters", or "scratch" when only
    tensors outside every module and optimizer of the model received it; "" when that is not known."""

    kind: ClassVar[str] = "gradient"
    event: int
    rows: Runs
    into: str = ""


@dataclass(frozen=True, kw_only=True)
class Step(Message):
    """An optimizer stepped and these tensors changed (names as far as they are known)."""

    kind: ClassVar[str] = "step"
    optimizer: str
    site: Site
    names: tuple[str, ...]


LOOSE = "loose tensors"
"""How the name of a step begins that changed nothing of any module."""


@dataclass(frozen=True, kw_only=True)
class Change(Message):
    """Parameters or buffers whose fingerprint changed since the last event, without a step."""

    kind: ClassVar[str] = "change"
    names: tuple[str, ...]
    site: Site = ("", 0)


@dataclass(frozen=True, kw_only=True)
class Sink(Message):
    """A number left the tensors (.item(), float(), numpy) that rows of scores went into.

    `rows`: (score event, first row, length, times)."""

    kind: ClassVar[str] = "sink"
    value: float
    rows: tuple[tuple[int, int, int, int], ...]
    site: Site = ("", 0)


@dataclass(frozen=True, kw_only=True)
class Print(Message):
    """A line that the submission wrote to its output or into a log file."""

    kind: ClassVar[str] = "print"
    text: str
    site: Site = ("", 0)


@dataclass(frozen=True, kw_only=True)
class Read(Message):
    """A file was opened for reading. `stream`: train, val, val_bytes, artifact or other."""

    kind: ClassVar[str] = "read"
    path: str
    stream: str
    site: Site = ("", 0)


@dataclass(frozen=True, kw_only=True)
class Write(Message):
    """A file that the run wrote: its size and the sha256 of its content when it is read back, or at the end.
    `digest` is empty for what is too large to be read again."""

    kind: ClassVar[str] = "write"
    path: str
    size: int
    digest: str = ""
    site: Site = ("", 0)


HERE = "this machine"
"""How an attempt ends that leaves the machine not."""


@dataclass(frozen=True, kw_only=True)
class Network(Message):
    """A connection or a name look-up was tried: the call and whom it asks, or HERE."""

    kind: ClassVar[str] = "network"
    what: str
    site: Site = ("", 0)


@dataclass(frozen=True, kw_only=True)
class Subprocess(Message):
    """A program was started."""

    kind: ClassVar[str] = "subprocess"
    argv: tuple[str, ...]
    site: Site = ("", 0)


@dataclass(frozen=True, kw_only=True)
class Shim(Message):
    """A stand-in was used for the first time."""

    kind: ClassVar[str] = "shim"
    name: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Phase(Message):
    """The run is now in this phase: load, train, quantize, evaluate ..."""

    kind: ClassVar[str] = "phase"
    name: str


@dataclass(frozen=True, kw_only=True)
class Probe(Message):
    """What a probe measured inside the run: its name, figures, a row of numbers, and a sentence."""

    kind: ClassVar[str] = "probe"
    name: str
    figures: Mapping[str, float] = field(default_factory=dict)
    says: str = ""
    values: Sequence[float] = ()
    site: Site = ("", 0)


WHERE = "where"
"""The probe message of a run whose CPU time is almost used up; its site is the line at which it is."""


@dataclass(frozen=True, kw_only=True)
class End(Message):
    """The script came to its end. `how`: ok, exit or exception."""

    kind: ClassVar[str] = "end"
    how: str
    status: int = 0
    detail: str = ""  # exception type and message, bounded
    site: Site = ("", 0)


@dataclass(frozen=True, kw_only=True)
class Whole(Message):
    """Full size: the validation stream that this rank opened, by its folder below `data`, and its tokens."""

    kind: ClassVar[str] = "whole"
    folder: str
    tokens: int
    rank: int
    world: int


@dataclass(frozen=True, kw_only=True)
class Learned(Message):
    """Full size: gradients reached losses of these positions, for the first time on this rank. `epoch`: the
    collectives of all ranks so far; `into` as in a gradient."""

    kind: ClassVar[str] = "learned"
    spans: Runs
    epoch: int
    into: str
    site: Site


@dataclass(frozen=True, kw_only=True)
class Tally(Message):
    """Full size: what a sum of losses is made of. A tally may come in several messages.

    `runs`: (first position, length, times, epoch of the score, 1 where this rank had adapted on it before);
    `loss`: the sum over these runs; `lost`: rows whose positions are not known any more; `window`: the
    longest stretch of positions in one score of them; `parts`: (tally, times); `shared`: (collective,
    element, rank; -1 for the sum over all)."""

    kind: ClassVar[str] = "tally"
    tally: int
    runs: tuple[tuple[int, int, int, int, int], ...]
    rows: int
    loss: float
    lost: int
    window: int
    parts: tuple[tuple[int, int], ...]
    shared: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Given(Message):
    """Full size: what this rank gave to a sum over ranks."""

    kind: ClassVar[str] = "given"
    collective: int
    element: int
    tally: int


@dataclass(frozen=True, kw_only=True)
class Left(Message):
    """Full size: a number left the tensors that a tally stands for."""

    kind: ClassVar[str] = "left"
    value: float
    tally: int
    epoch: int
    site: Site


KINDS: Mapping[str, type[Message]] = {
    cls.kind: cls
    for cls in (
        *(Start, Score, Gradient, Step, Change, Sink, Print, Read, Write),
        *(Network, Subprocess, Shim, Phase, Probe, End),
        *(Whole, Learned, Tally, Given, Left),
    )
}


def runs(numbers: Sequence[int]) -> Runs:
    """Consecutive numbers as (first, length); -1 repeats."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found:
            first, length = found[-1]
            if number == (-1 if first == -1 else first + length):
                found[-1] = (first, length + 1)
                continue
        found.append((number, 1))
    return tuple(found)


def expand(found: Runs) -> list[int]:
    """The numbers of `runs`."""
    numbers: list[int] = []
    for first, length in found:
        numbers += [-1] * length if first == -1 else range(first, first + length)
    return numbers
