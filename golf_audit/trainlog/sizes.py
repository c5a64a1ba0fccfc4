"""Sizes in bytes: labelled and unlabelled totals, model, code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from golf_audit.trainlog.model import Size
from golf_audit.trainlog.numbers import integer, quote

What = Literal["model", "code", "total"]

_COUNT = r"(?P<count>\d[\d,_]{1,20})"
_WHOLE: tuple[tuple[What, re.Pattern[str]], ...] = (
    (
        "total",
        re.compile(
            r"^total[ _](?:mixed[ _])?(?:submission|artifact)(?:[ _](?:size|bytes))?\s{0,4}"
            rf"(?P<label>[^:=\d][^:=]{{0,60}}|)\s{{0,4}}[:=]\s{{0,8}}{_COUNT}(?![\d.]|\s?[KMG]i?B)",
            re.IGNORECASE,
        ),
    ),
    (
        "total",
        re.compile(
            r"^(?:artifact(?:[ _](?:size|bytes))?|total[ _]bytes|bytes[ _]total|total[ _]size"
            r"|submission[ _]size|final_submission_bytes|size check passed)\s{0,4}"
            r"(?P<label>\([^)]{0,40}\)|)\s{0,4}[:=]\s{0,8}(?P<count>\d[\d,_]{5,20})(?![\d.]|\s?[KMG]i?B)",
            re.IGNORECASE,
        ),
    ),
    (
        "model",
        re.compile(
            r"^(?:serialized|compressed|quantized|quantised)[ _]?(?:model)?[ _]?"
            rf"(?P<label>[^:=\d][^:=]{{0,60}}?|)\s{{0,4}}[:=]\s{{0,8}}{_COUNT}\s?(?:bytes|B\b)",
            re.IGNORECASE,
        ),
    ),
    (
        "code",
        re.compile(
            r"^code(?:[ _](?:size|bytes))\s{0,4}(?P<label>\([^)]{0,60}\)|)"
            rf"\s{{0,4}}[:=]\s{{0,8}}{_COUNT}",
            re.I,
        ),
    ),
)
_PAIR = re.compile(
    r"(?<![\w.])(?P<key>(?:model|code|total|artifact|submission)(?:_(?:size|bytes|artifact_bytes|submission_bytes))?"
    r"|bytes_(?:total|code|model)|compressed_model_bytes|model_int\w{1,20})(?P<label> [a-z0-9+_\-]{1,20})?"
    r"\s{0,2}[:=]\s{0,2}(?P<count>\d[\d,_]{3,20})(?![\d.]|\s?[KMG]i?B)",
    re.IGNORECASE,
)
_PAIR_LINE = re.compile(r"(?<![a-z])(?:total|code|artifact)\w{0,20}[:=]")
_TRIAL = re.compile(
    r"quant_try|quant_strategy|prune|auto_precision|candidate|attempt|size_check:|^step|^\d"
    r"|raw_total|over_bytes|estimated|artifact_budget|distribution|hints|\d ?tok(?:ens?)?\b|docs\b"
)
_PARAMETERS = re.compile(r"(?<![a-z_])param(?:s|eters)?:(?!.*bytes)")
"""`params: alpha=1, M=262144, total=262657` counts numbers, not bytes."""


def sizes(number: int, line: str, low: str) -> Iterator[Size]:
    """Every size that a line states; trials and limits are not sizes of the artifact."""
    for what, pattern in _WHOLE:
        match = pattern.match(line)
        if match is not None:
            yield Size(what, _label(match["label"], line), integer(match["count"]), number, quote(line))
            return
    if not _PAIR_LINE.search(low) or _TRIAL.search(low) or _PARAMETERS.search(low):
        return
    for match in _PAIR.finditer(line):
        count = integer(match["count"])
        if count >= 1000:
            yield Size(
                _what(match["key"].lower(), line),
                _label(match["label"] or "", line),
                count,
                number,
                quote(line),
            )


def _what(key: str, line: str) -> What:
    if "code" in key:
        return "code"
    # `artifact:15,622,541 code:57,747 total:15,680,288` calls the model an artifact
    if "total" in key or ("model" not in key and "total" not in line.lower()):
        return "total"
    return "model"


def _label(label: str, line: str) -> str:
    """The codec, or "compressed" for `Code size: 16740 bytes (lzma compressed; raw 72788 bytes)`."""
    bare = label.strip(" ()_").lower()
    if not bare and line.lower().startswith("code") and "compressed" in line.lower():
        return "compressed"
    return "" if bare in ("model", "bytes", "size") else bare
