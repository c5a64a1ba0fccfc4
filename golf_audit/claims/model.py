"""submission.json as typed claims, each with its JSON pointer, line and column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from golf_audit.jsontext import Document
from golf_audit.model import Fault, Where
from golf_audit.schema import SchemaProblem

T = TypeVar("T")


@dataclass(frozen=True)
class Claim(Generic[T]):
    """One stated value. `text` is how it is written: 1.0610 claims four decimals, 1.061 three."""

    value: T
    pointer: str
    line: int
    column: int
    text: str

    @property
    def decimals(self) -> int:
        """Digits after the decimal point as written."""
        mantissa = self.text.lower().split("e")[0]
        return len(mantissa.split(".")[1]) if "." in mantissa else 0

    def where(self, file: str) -> Where:
        """The position in submission.json."""
        return Where(file, line=self.line, column=self.column, pointer=self.pointer, quote=self.text[:200])


@dataclass(frozen=True)
class SeedClaim:
    """What is claimed of one seed; missing figures are None. `label` is the key or index it stands under."""

    seed: int | None
    label: str
    pointer: str
    bpb: Claim[float] | None = None
    loss: Claim[float] | None = None
    bytes_total: Claim[int] | None = None
    steps: Claim[int] | None = None
    train_s: Claim[float] | None = None
    eval_s: Claim[float] | None = None


@dataclass(frozen=True)
class Claims:
    """Everything submission.json states. `file` is None without one, `raw` when it cannot be read.

    `bpb` is None when no score is stated, or a placeholder stands in its place (then `problems` says so)."""

    file: str | None = None
    bpb: Claim[float] | None = None
    loss: Claim[float] | None = None
    bytes_total: Claim[int] | None = None
    bytes_code: Claim[int] | None = None
    seeds: tuple[SeedClaim, ...] = ()
    author: Claim[str] | None = None
    github_id: Claim[str] | None = None
    name: Claim[str] | None = None
    date: Claim[str] | None = None
    track: Claim[str] | None = None
    blurb: Claim[str] | None = None
    hardware: Claim[str] | None = None
    status: Claim[str] | None = None
    env: Mapping[str, Claim[str]] = field(default_factory=dict)
    raw: Mapping[str, Any] | None = None
    document: Document | None = None
    problems: tuple[SchemaProblem, ...] = ()
    faults: tuple[Fault, ...] = ()
    others: tuple[str, ...] = ()  # further submission*.json files of the folder, not read

    @property
    def scored_seeds(self) -> tuple[SeedClaim, ...]:
        """The seeds that state a score of their own."""
        return tuple(seed for seed in self.seeds if seed.bpb is not None)

    @property
    def mean_of_seeds(self) -> float | None:
        """Mean bpb of the claimed seeds; None under two of them."""
        scores = [seed.bpb.value for seed in self.seeds if seed.bpb is not None]
        return sum(scores) / len(scores) if len(scores) > 1 else None

    def where(self, pointer: str) -> Where:
        """The position of any JSON pointer of the file."""
        place = self.document.at(pointer) if self.document is not None else None
        file = self.file or "submission.json"
        if place is None:
            return Where(file, pointer=pointer)
        return Where(file, line=place.line, column=place.column, pointer=pointer, quote=place.text[:200])
