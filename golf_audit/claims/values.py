"""Names in use for one thing, and numbers written as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from golf_audit.claims.model import Claim
from golf_audit.jsontext import Document, step

# Best name first (counts in formats.md a2).
BPB = (
    "val_bpb",
    "mean_val_bpb",
    "val_bpb_mean",
    "mean_bpb",
    "val_bpb_exact",
    "val_bpb_3seed_mean",
    "val_bpb_5seed_mean",
    "mean_val_bpb_exact",
    "final_val_bpb",
    "ttt_val_bpb",
    "bpb",
    "final_bpb",
    "score_bpb",
    "best_val_bpb",
)
LOSS = (
    "val_loss",
    "mean_val_loss",
    "val_loss_mean",
    "mean_loss",
    "val_loss_exact",
    "final_val_loss",
    "ttt_val_loss",
    "loss",
)
BYTES_TOTAL = (
    "bytes_total",
    "artifact_bytes",
    "artifact_bytes_max",
    "bytes_total_max",
    "artifact_bytes_mean",
    "artifact_size_bytes",
    "total_bytes",
    "total_submission_bytes",
    "submission_bytes",
    "total_artifact_bytes",
    "artifact_size",
)
BYTES_CODE = ("bytes_code", "code_bytes", "wrapped_code_bytes", "code_size_bytes", "bytes_code_max")
TEXTS = {
    "author": ("author", "authors"),
    "github_id": ("github_id", "github", "github_username"),
    "name": ("name", "run_name", "title"),
    "date": ("date",),
    "track": ("track",),
    "blurb": ("blurb", "description", "summary", "technique_summary", "notes"),
    "hardware": ("hardware", "gpu", "gpu_config", "gpu_type", "platform"),
    "status": ("status",),
}

_NOT_THE_SCORE = re.compile(
    r"pre_?quant|post_?ema|ema_|pre_?ttt|train|std|delta|gain|improve|baseline|sota|target|previous|prev_|base_|parent"
    r"|merged|reference|best_seed|worst|min_|max_|range|ci95|margin|raw|float|bf16|fp32|unquant|threshold|diff|record"
    r"|_vs_|leader|ablat|no_ttt|without|upstream|roundtrip_|_pr_?\d|project|expect|predict|retract|inflat|smoke"
)
_NUMERIC = re.compile(
    r"[-+]?(?:\d[\d,_]{0,30}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][-+]?\d{1,3})?(?:\s?(?:bytes|B|bpb))?"
)


def number(value: Any) -> float | None:
    """A number, or text that is one ("1.0611", "15,948,113 bytes"); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return _finite(value)
    if isinstance(value, str) and _NUMERIC.fullmatch(value.strip()):
        return _finite(float(re.sub(r"[,_]|\s?(?:bytes|B|bpb)$", "", value.strip())))
    return None


def _finite(value: float) -> float | None:
    try:
        as_float = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return as_float if math.isfinite(as_float) else None


def claim(document: Document, pointer: str, value: float) -> Claim[float]:
    """A number with its position."""
    place = document.at(pointer)
    return Claim(value, pointer, place.line, place.column, place.text or repr(value))


def count(document: Document, pointer: str, value: float) -> Claim[int]:
    """A whole number with its position."""
    found = claim(document, pointer, value)
    return Claim(round(value), found.pointer, found.line, found.column, found.text)


def text(document: Document, pointer: str, value: Any) -> Claim[str]:
    """A scalar as text, with its position."""
    place = document.at(pointer)
    shown = value if isinstance(value, str) else place.text or str(value)
    return Claim(shown, pointer, place.line, place.column, shown)


def named(owner: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """(key, value) of the names that are present, best first, whatever their case."""
    keys: dict[str, str] = {}
    for key in owner:
        keys.setdefault(key.lower(), key)
    for name in names:
        if name in keys:
            yield keys[name], owner[keys[name]]


def scores(owner: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(key, value) of everything that may be the score: known names first, then any other bpb-like name."""
    seen = set()
    for key, value in named(owner, BPB):
        seen.add(key)
        yield key, value
    others = [
        k for k in owner if "bpb" in k.lower() and k not in seen and not _NOT_THE_SCORE.search(k.lower())
    ]
    for key in sorted(others, key=_lateness):
        yield key, owner[key]


def _lateness(key: str) -> int:
    """Of several scores the last one of an evaluation is meant: test-time training, sliding, plain."""
    low = key.lower()
    late = ("ttt", "final", "slot", "ngram", "mix", "ppm")
    return 0 if any(word in low for word in late) else 1 if "slid" in low or "sw_" in low else 2


def plausible(value: float) -> bool:
    """True for a number that can be a score in bits per byte; 0 and -1 are placeholders."""
    return 0.0 < value < 100.0


def leaves(owner: Mapping[str, Any], pointer: str, depth: int = 2) -> Iterator[tuple[str, str, Any]]:
    """(key, pointer, value) of every scalar of an object, down to `depth` nested objects."""
    for key, value in owner.items():
        if isinstance(value, Mapping):
            if depth > 1:
                yield from leaves(value, step(pointer, key), depth - 1)
        elif not isinstance(value, list):
            yield key, step(pointer, key), value
