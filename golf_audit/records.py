"""The accepted records by date, and which of them a submission has to beat.

The table (data/accepted_records.csv) holds facts with their source: a row per leaderboard entry of the record
track, its score as listed, and the per-seed values of its logs. A new row enters when organisers accept one.
"""

from __future__ import annotations

import csv
import datetime as dt
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from golf_audit.stats import Sample, sample


@dataclass(frozen=True)
class Record:
    """One accepted record. `values` are bpb per seed in the logs behind it; `pr` is None for the baseline."""

    pr: int | None
    date: dt.date
    folder: str
    score: float
    values: tuple[tuple[int, float], ...]
    source: str
    note: str

    @property
    def name(self) -> str:
        return f"#{self.pr}" if self.pr is not None else "the baseline"

    @property
    def sample(self) -> Sample:
        """The seeds of the logs, or the listed score alone where no log holds them."""
        return sample([value for _, value in self.values] or [self.score])


@cache
def records() -> tuple[Record, ...]:
    """All accepted records, in the order of the table (date, then pull request)."""
    text = (files("golf_audit") / "data" / "accepted_records.csv").read_text(encoding="utf-8")
    return tuple(_record(row) for row in csv.DictReader(text.splitlines()))


def _record(row: dict[str, str]) -> Record:
    pairs = (pair.split(":") for pair in row["seeds"].split(";") if pair)
    return Record(
        pr=int(row["pr"]) if row["pr"] else None,
        date=dt.date.fromisoformat(row["date"]),
        folder=row["folder"],
        score=float(row["score"]),
        values=tuple((int(seed), float(bpb)) for seed, bpb in pairs),
        source=row["source"],
        note=row["note"],
    )


def frontier(before: dt.date, pr: int | None = None, folder: str = "") -> Record | None:
    """The best record that a submission of that date had before it; never itself or a later pull request.

    Records are accepted in the order in which their pull requests were opened: a known `pr` decides it,
    the date only where there is none. None when there was no record yet.
    """
    name = folder.rstrip("/").rsplit("/", 1)[-1]
    earlier = [r for r in records() if r.folder != name and _before(r, before, pr)]
    return min(earlier, key=lambda r: r.sample.mean, default=None)


def _before(record: Record, date: dt.date, pr: int | None) -> bool:
    if pr is None or record.pr is None:
        return record.date <= date
    return record.pr < pr
