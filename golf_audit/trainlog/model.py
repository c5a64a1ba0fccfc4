"""What a training or evaluation log says: typed readings with line number and text. Nothing is judged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, Literal, TypeVar

from golf_audit.model import Where

T = TypeVar("T")

_ROUNDED = 0.51e-4
"""bpb; logs print many scores twice, with four and with eight decimals."""

_FIGURE = re.compile(r"(?<![\w.])([A-Za-z_]\w{0,40})[:=] ?(-?\d[\d,_]{0,20}(?:\.\d{1,12})?)")


class Located:
    """Anything read from one line of a log."""

    line: int
    text: str

    def where(self, file: str) -> Where:
        """The position in that file, with the line as its quote."""
        return Where(file, line=self.line, quote=self.text)

    @property
    def figures(self) -> dict[str, float]:
        """Every `key:number` of the line by key: `bytes`, `subset`, `stride` ... (the first of each key)."""
        found: dict[str, float] = {}
        for key, number in _FIGURE.findall(self.text):
            digits = number.replace(",", "").replace("_", "")
            found.setdefault(key, float(digits))
        return found


@dataclass(frozen=True)
class Reading(Located, Generic[T]):
    """One value and the line that states it."""

    value: T
    line: int
    text: str


@dataclass(frozen=True)
class Final(Located):
    """A printed result. `stage` is "pre" for weights not yet quantised and for self-declared diagnostics."""

    tag: str  # as printed
    name: str  # normalised: lower case, no "exact", one separator
    key: str  # the key that held the number: val_bpb, mix_bpb ...
    bpb: float  # bits per byte
    decimals: int  # printed digits after the point
    loss: float | None  # nats per token
    stage: Literal["pre", "post"]
    line: int
    text: str


@dataclass(frozen=True)
class EvalTime(Located):
    """How long one evaluation took."""

    tag: str
    seconds: float
    line: int
    text: str


PhaseKind = Literal[
    "calibrate", "quantize", "compress", "decompress", "adapt", "precompute", "warmup", "production", "train"
]
CalibrationData = Literal["train", "self-generated", "validation", "random", "unknown"]


@dataclass(frozen=True)
class PhaseTime(Located):
    """How long something beside the training loop and the evaluations took.

    `data` says where calibration tokens come from, as far as this or an earlier line says so."""

    kind: PhaseKind
    name: str  # the line's own label
    seconds: float
    line: int
    text: str
    data: CalibrationData = "unknown"


@dataclass(frozen=True)
class Size(Located):
    """A printed size in bytes. `label` is the codec ("int8+zlib"), "compressed", "uncompressed" or empty."""

    what: Literal["model", "code", "total"]
    label: str
    bytes: int
    line: int
    text: str


@dataclass(frozen=True)
class Scored(Located):
    """How many targets an evaluation says it scored: "bytes", "tokens" or "subset" (of tokens)."""

    what: Literal["bytes", "tokens", "subset"]
    count: int
    line: int
    text: str


@dataclass(frozen=True)
class Steps(Located):
    """The furthest training step. `seconds` is exact to `precision` (clark logs print tenths of a minute)."""

    step: int
    planned: int | None
    seconds: float | None
    precision: float  # seconds
    line: int
    text: str


@dataclass(frozen=True)
class Stop(Located):
    """The line that says why training stopped."""

    reason: str
    train_time_ms: float | None
    step: int | None
    line: int
    text: str


@dataclass(frozen=True)
class Dump:
    """Source code printed into the log: its lines and the fingerprint of its text (`source_digest`)."""

    first_line: int
    last_line: int
    digest: str


@dataclass(frozen=True)
class Run:
    """One run of a program: a file holds several when logs were concatenated."""

    file: str
    first_line: int
    last_line: int
    seed: Reading[int] | None = None
    seed_from_name: int | None = None  # the file or folder name's own word: train_seed42.log
    world_size: Reading[int] | None = None
    gpu: Reading[str] | None = None
    gpu_count: int | None = None  # rows of nvidia-smi, not a count of what was used
    torch_version: Reading[str] | None = None
    python_version: Reading[str] | None = None
    hyperparameters: Mapping[str, Reading[str]] = field(default_factory=dict)
    finals: tuple[Final, ...] = ()
    validation: Final | None = None  # the last score that the training loop printed
    steps: Steps | None = None
    stop: Stop | None = None
    evals: tuple[EvalTime, ...] = ()
    total_eval: EvalTime | None = None
    phases: tuple[PhaseTime, ...] = ()
    gptq_reserve_s: Reading[float] | None = None
    sizes: tuple[Size, ...] = ()
    scored: tuple[Scored, ...] = ()
    val_tokens: Reading[int] | None = None
    train_shards: Reading[int] | None = None
    train_files: Reading[str] | None = None
    val_files: Reading[str] | None = None
    tokenizer: Reading[str] | None = None
    params: Reading[int] | None = None
    wallclock_cap_s: Reading[float] | None = None
    crash: Reading[str] | None = None
    dump: Dump | None = None

    @property
    def any_seed(self) -> int | None:
        """The seed the run prints, else the one its file is named after."""
        return self.seed.value if self.seed else self.seed_from_name

    @property
    def measured(self) -> bool:
        """True for the output of a program; a file of notes that only repeats results is not."""
        said = (self.steps, self.stop, self.world_size, self.params, self.val_tokens, self.total_eval)
        return any(said) or bool(self.evals)

    @property
    def trained(self) -> bool:
        """True when training steps were taken: an evaluation of saved weights has none."""
        return self.stop is not None or (self.steps is not None and self.steps.step > 0)

    @property
    def train_seconds(self) -> Reading[float] | None:
        """Length of the training loop in seconds: the stop line, else the last step that prints a time; steps
        that print whole seconds give way to a line that says how long training took."""
        if self.stop is not None and self.stop.train_time_ms is not None:
            return Reading(self.stop.train_time_ms / 1000.0, self.stop.line, self.stop.text)
        told = self.of_kind("train")
        if told and self.steps is not None and self.steps.precision >= 1.0:
            return Reading(told[-1].seconds, told[-1].line, told[-1].text)
        if self.steps is not None and self.steps.seconds is not None:
            return Reading(self.steps.seconds, self.steps.line, self.steps.text)
        return None

    @property
    def calibration(self) -> tuple[PhaseTime, ...]:
        """Times of collecting statistics for quantisation, including generating the tokens for it."""
        return self.of_kind("calibrate")

    @property
    def adaptation(self) -> tuple[PhaseTime, ...]:
        """Times of test-time training that are printed apart from a result line."""
        return self.of_kind("adapt")

    @property
    def byte_count(self) -> Reading[int] | None:
        """Bytes behind the last result that states them (`ppm_mix bytes=`, `N_bytes=`)."""
        for scored in reversed(self.scored):
            if scored.what == "bytes":
                return Reading(scored.count, scored.line, scored.text)
        return None

    def of_kind(self, kind: PhaseKind) -> tuple[PhaseTime, ...]:
        """The phases of one kind, in log order."""
        return tuple(phase for phase in self.phases if phase.kind == kind)

    def seconds_of(self, final: Final) -> EvalTime | None:
        """The time of the evaluation that gave this result: on its line, on that of its twin (`_exact` lines
        and aliases print a score again), else under its own tag."""
        on_line = {time.line: time for time in self.evals}
        if final.line in on_line:
            return on_line[final.line]
        twins = [f for f in self.finals if f.line in on_line and abs(f.bpb - final.bpb) <= _ROUNDED]
        if twins:
            return on_line[min(twins, key=lambda f: (f.name != final.name, abs(f.line - final.line))).line]
        named = [time for time in self.evals if final.name.startswith(time.tag)]
        return named[-1] if named else None

    @cached_property
    def model_size(self) -> Size | None:
        """The compressed model: the smallest printed model that is not the raw state."""
        return _smallest([s for s in self.sizes if s.what == "model" and not self._raw(s)])

    @cached_property
    def code_size(self) -> Size | None:
        """The code as counted by the log: the compressed figure where it prints both."""
        code = [s for s in self.sizes if s.what == "code"]
        packed = [s for s in code if "compressed" in s.label and "uncompressed" not in s.label]
        plain = [s for s in code if "uncompressed" not in s.label]
        chosen = packed or plain or code
        return chosen[-1] if chosen else None

    @cached_property
    def total_size(self) -> Size | None:
        """The artifact: of several printed totals the smallest that is a model plus code, of the log or of
        its own line (estimates are not), else the smallest, never the raw one; a figure to which another
        total adds the code is the model's (`Ternary artifact: ... bytes`)."""
        totals = [s for s in self.sizes if s.what == "total" and not self._raw(s)]
        codes = [s.bytes for s in self.sizes if s.what == "code"]
        with_code = {s.bytes - code for s in totals for code in codes}
        totals = [s for s in totals if s.bytes not in with_code]
        sums = {s.bytes + code for s in self.sizes if s.what == "model" for code in codes}
        added = [s for s in totals if s.bytes in sums or any(_names(s, s.bytes - code) for code in codes)]
        return _smallest(added or totals)

    @property
    def total_bytes(self) -> int | None:
        """Bytes of the artifact: the printed total, else model plus code."""
        if self.total_size is not None:
            return self.total_size.bytes
        if self.model_size is not None and self.code_size is not None:
            return self.model_size.bytes + self.code_size.bytes
        return None

    def _raw(self, size: Size) -> bool:
        # `Serialized model: 67137349 bytes` and the total beneath it hold the uncompressed state: two bytes
        # per parameter or more, where every compressed artifact stays under one and a half.
        if size.label and not size.label.startswith("raw"):
            return False
        limit = 1.5 * self.params.value if self.params else 30_000_000
        return size.bytes >= limit or size.label.startswith("raw")


@dataclass(frozen=True)
class Log:
    """One log file: its runs, and what could not be read of it."""

    file: str
    runs: tuple[Run, ...]
    problems: tuple[str, ...] = ()


def _names(size: Size, count: int) -> bool:
    """True when the line of a size also states this count."""
    return count > 0 and re.search(rf"(?<!\d){count}(?!\d)", size.text.replace(",", "")) is not None


def _smallest(sizes: list[Size]) -> Size | None:
    return min(sizes, key=lambda s: s.bytes, default=None)
