"""Per-seed results: 113 layouts in the field, read by what the keys look like and not by a list of layouts.

{"42": {..}}, {"seed_42": {..}}            records by seed
{"42": 1.061} under a name with "seed"     one figure by seed; the name says which
[{"seed": 42, ..}]                         a list of records
"seeds": [42, 314] beside lists as long    parallel lists
"seed_42": .., "val_bpb_seed42": ..        the seed in the name
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from golf_audit.claims.model import SeedClaim
from golf_audit.claims.values import BPB, BYTES_TOTAL, LOSS, claim, count, named, number, plausible, scores
from golf_audit.jsontext import Document, step

_SEED_KEY = re.compile(r"(?:seed|s|run)?[_ \-]?(\d{1,6})", re.IGNORECASE)
_MARKED_KEY = re.compile(r"(?:seed|s)[_ \-]?(\d{1,6})", re.IGNORECASE)
_SEED_INSIDE = re.compile(
    r"(?P<before>[a-z_]{0,40}?)_?seed_?(?P<seed>\d{1,6})(?:_(?P<after>[a-z_]{1,40}))?", re.IGNORECASE
)
_DECOY = re.compile(
    r"retract|supersed|pre_fix|before|baseline|errat|additional|original|ablat|compar|reference|prior|previous|(?:^|_)old(?:_|$)"
    r"|invalid|pending|planned|attempt|follow|sweep|negative|screen|draft|(?:^|_)dev|confirm|diagnos|control|parent|upstream"
    r"|sota|disclos|extended|1xh100|reproduc|rerun|_vs_|matched|historical|failed|pre_?quant|no_ttt|delta|improve|train_loss"
    r"|statistic|welch|legacy|deprecated|excluded"
)
_CONTAINER = re.compile(r"seed|result|valid|metadata|metric|run|summary|score|evidence|final|submission|bpb")
_DEPTH = 3
_METRICS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("bytes_total", re.compile(r"bytes|artifact|size")),
    ("eval_s", re.compile(r"eval\w{0,20}(?:time|_s$|_ms|second|wall)")),
    ("train_s", re.compile(r"(?:train\w{0,20}(?:time|_s$|_ms|second|wall)|wallclock)")),
    ("steps", re.compile(r"steps?(?:_|$)")),
    ("bpb", re.compile(r"bpb|score|^seeds$|^(?:seed_results|per_seed|per_seed_results|results|val_seeds)$")),
    ("loss", re.compile(r"loss")),
)
_STEPS = (
    "steps",
    "step",
    "step_stop",
    "train_steps",
    "steps_completed",
    "training_steps",
    "num_steps",
    "stop_step",
)
_TRAIN = (
    "train_time_s",
    "train_time_ms",
    "train_time",
    "train_time_seconds",
    "training_time_seconds",
    "training_time_s",
    "train_seconds",
    "train_s",
    "train_ms",
    "train_wallclock_s",
    "wallclock_seconds",
    "wallclock_s",
)
_EVAL = (
    "eval_time_s",
    "eval_time_ms",
    "eval_time",
    "eval_time_seconds",
    "eval_seconds",
    "eval_s",
    "eval_ms",
    "eval_wallclock_s",
    "total_eval_time_s",
    "ttt_eval_time_s",
    "ttt_eval_time_ms",
    "ttt_time_s",
)
_FIGURES = (
    ("loss", LOSS),
    ("bytes_total", BYTES_TOTAL),
    ("steps", _STEPS),
    ("train_s", _TRAIN),
    ("eval_s", _EVAL),
)


@dataclass
class _Found:
    """Claims by seed, in the order in which the seeds first appear."""

    document: Document
    seeds: dict[tuple[int | None, str], SeedClaim] = field(default_factory=dict)

    def add(self, seed: int | None, label: str, pointer: str, **figures: Any) -> None:
        key = (seed, "" if seed is not None else label)
        known = self.seeds.get(key) or SeedClaim(seed, label, pointer)
        fresh = {
            name: value
            for name, value in figures.items()
            if value is not None and getattr(known, name) is None
        }
        self.seeds[key] = replace(known, **fresh)

    def figure(self, seed: int | None, label: str, pointer: str, metric: str, value: Any) -> None:
        """One number of one seed."""
        as_number = number(value)
        if as_number is None:
            return
        converted: Any = None
        if metric in ("bytes_total", "steps"):
            converted = count(self.document, pointer, as_number)
        elif metric in ("train_s", "eval_s"):
            converted = claim(self.document, pointer, as_number * _unit(pointer, as_number))
        elif metric == "loss" or plausible(as_number):
            converted = claim(self.document, pointer, as_number)
        self.add(seed, label, pointer, **{metric: converted})

    def record(self, seed: int | None, label: str, pointer: str, record: Mapping[str, Any]) -> None:
        """An object that describes one run of one seed."""
        self.add(seed, label, pointer)
        for metric, names in _FIGURES:
            self._first(seed, label, pointer, metric, named(record, names))
        self._first(seed, label, pointer, "bpb", scores(record))

    def _first(
        self, seed: int | None, label: str, pointer: str, metric: str, candidates: Iterator[tuple[str, Any]]
    ) -> None:
        for key, value in candidates:
            if number(value) is not None:
                self.figure(seed, label, step(pointer, key), metric, value)
                return


def read_seeds(document: Document, owner: Mapping[str, Any]) -> tuple[SeedClaim, ...]:
    """Every claimed seed, each once, with its figures; decoys such as retracted results are left out."""
    found = _Found(document)
    _object(found, owner, "", _DEPTH)
    return tuple(found.seeds.values())


def _object(found: _Found, owner: Mapping[str, Any], pointer: str, depth: int) -> None:
    listed = _listed_seeds(owner)
    for seed in listed:
        found.add(seed, str(seed), step(pointer, "seeds"))
    for key, value in owner.items():
        low, here = key.lower(), step(pointer, key)
        if _DECOY.search(low):
            continue
        if isinstance(value, Mapping):
            _table(found, low, value, here, depth)
        elif isinstance(value, list):
            _list(found, low, value, here, listed)
        else:
            _named_figure(found, low, value, here)


def _table(found: _Found, name: str, table: Mapping[str, Any], pointer: str, depth: int) -> None:
    """An object: records or figures by seed, the record of one seed, or a room to look into."""
    own = _MARKED_KEY.fullmatch(name)
    if own is not None:
        found.record(int(own[1]), name, pointer, table)
        return
    normal = _SEED_KEY if "seed" in name or name in BPB else _MARKED_KEY
    seeds = {key: int(m[1]) for key in table if (m := normal.fullmatch(key.strip()))}
    if not seeds:
        if depth > 1 and _CONTAINER.search(name):
            _object(found, table, pointer, depth - 1)
        return
    metric = _metric(name)
    for key, seed in seeds.items():
        here, value = step(pointer, key), table[key]
        if isinstance(value, Mapping):
            found.record(seed, key, here, value)
        elif metric is not None:
            found.figure(seed, key, here, metric, value)
    for key, value in table.items():  # `results: {"seed_42": .., "per_seed": {..}}`
        if key not in seeds and isinstance(value, Mapping) and depth > 1 and not _DECOY.search(key.lower()):
            _table(found, key.lower(), value, step(pointer, key), depth - 1)


def _list(found: _Found, name: str, items: list[Any], pointer: str, listed: list[int]) -> None:
    """A list of records, or of one figure per listed seed."""
    records = [(i, item) for i, item in enumerate(items) if isinstance(item, Mapping)]
    for index, record in records:
        seed = next((number(v) for k, v in record.items() if k.lower() == "seed"), None)
        if seed is not None and ("seed" in name or _CONTAINER.search(name)):
            found.record(int(seed), str(int(seed)), step(pointer, index), record)
    metric = _metric(name)
    if records or metric is None or name == "seeds" or not ("seed" in name or "runs" in name):
        return
    if len(listed) == len(items):
        labels: list[tuple[int | None, str]] = [(seed, str(seed)) for seed in listed]
    else:
        labels = [(None, f"#{i + 1}") for i in range(len(items))]
    for index, ((seed_, label), value) in enumerate(zip(labels, items, strict=True)):
        found.figure(seed_, label, step(pointer, index), metric, value)


def _named_figure(found: _Found, name: str, value: Any, pointer: str) -> None:
    """`val_bpb_seed42: 1.061` or `seed_42: 1.061`."""
    match = _SEED_INSIDE.fullmatch(name)
    if match is None:
        return
    words = f"{match['before'] or ''}_{match['after'] or ''}".strip("_")
    metric = _metric(words) if words else "bpb"
    if metric is not None:
        found.figure(int(match["seed"]), match["seed"], pointer, metric, value)


def _listed_seeds(owner: Mapping[str, Any]) -> list[int]:
    value = next(
        (v for k, v in owner.items() if k.lower() in ("seeds", "seeds_run", "seed_list", "seeds_completed")),
        None,
    )
    if not isinstance(value, list):
        return []
    found = [number(item) for item in value]
    return [int(n) for n in found if n is not None and n == int(n) and n >= 0] if None not in found else []


def _metric(name: str) -> str | None:
    if _DECOY.search(name):
        return None
    return next((metric for metric, words in _METRICS if words.search(name)), None)


def _unit(pointer: str, value: float) -> float:
    """Seconds per unit: the name says `ms`, or the number is too large for seconds of a ten-minute limit."""
    words = "_".join(pointer.lower().split("/")[-2:])
    return 0.001 if re.search(r"(?:^|_)ms(?:_|$)", words) or value > 50_000 else 1.0
