"""Result lines: 722 distinct tags, so the shape decides and not a list of names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from golf_audit.trainlog.model import Final
from golf_audit.trainlog.numbers import NUMBER, quote

_BPB = re.compile(
    r'(?<![\w.])"?(?P<key>(?:[A-Za-z]\w{0,40}_)?bpb(?:_[A-Za-z0-9]\w{0,40})?)"?\*{0,2}(?: ?\([^()]{0,40}\))?'
    rf"(?:\s{{0,20}}[:=]\s{{0,20}}|\s{{1,4}})\*{{0,2}}(?P<number>{NUMBER})(?![\w%])",
    re.IGNORECASE,
)
_LOSS = re.compile(
    rf'(?<![\w.])"?(?:val_|validation_)?(?:loss|vl)"?\s?[:=]\s?(?P<number>{NUMBER})', re.IGNORECASE
)
_EXACT = re.compile(rf"(?<!\w)exact:\s?({NUMBER})")

# A score inside a loop is not a result: fractions, percentages, counters, searches.
_PROGRESS = re.compile(
    r"\d\s?/\s?\d|\d\s?%|running|progress|(?:search|sweep|refine|candidate|auto_precision|quant_strategy|quant_try)"
    r"|(?<![a-z])(?:ttp|tttg|ttpp|ttpr|tc)(?![a-z])|best_val_snapshot|best_ckpt",
    re.IGNORECASE,
)
_COUNTER = re.compile(
    r"(?<![a-z_])(?:step|epoch|chunk|batch|iter|iteration|seq|ci_local)\s?[:=#\[]?\s{0,4}\d", re.IGNORECASE
)
_NOT_A_SCORE = re.compile(
    r"^(?:run|running|train|delta|gain|est|calib|cur|batch|chunk|improvement|target|baseline|sota|prev|previous|std|worst)_"
    r"|(?:_|^)(?:minus|delta|gain|gap|std|sample)_|_(?:std|delta|gain|improvement|diff|target|gap)$",
    re.IGNORECASE,
)
_DIFFERENCE = re.compile(r"delta|improvement|(?<![a-z])(?:std|gap|target|baseline)(?![a-z])", re.IGNORECASE)

_BEFORE_QUANTISATION = re.compile(
    r"pre[-_ ]?quant|before[-_ ]quant|un-?quantized|post[-_ ]?(?:ema|average|averaging|swa|lawa)(?![a-z])"
    r"|^(?:ema|swa|lawa|raw|fp32|bf16)(?:$|[_ :])|best_averaging|candidate_eval|^using |at step"
    r"|^best (?:observed |val)|(?:^|[_ ])(?:fp|fp32|bf16)(?:$|[_ :])(?!.{0,60}int\d)|post_train_(?:base|ema)"
    r"|pre_export"
)
_PARENTHESIS = re.compile(r"\([^()]{0,200}\)")
_SETTING = re.compile(r"(?<!\w)[A-Za-z_]\w{0,30}[:=][^\s:=]{1,40}")
_SEPARATORS = re.compile(r"[\s\-:|.>\"'*]+")
_EXACT_MARK = re.compile(r"_(?:exact|x)(?=_|$)|_done$")


def finals(number: int, line: str) -> Iterator[Final]:
    """Every result on a line; nothing for steps, progress lines, differences and training scores."""
    found = [m for m in _BPB.finditer(line) if not _NOT_A_SCORE.search(m["key"])]
    if not found:
        return
    loss = _LOSS.search(line)
    start = min(found[0].start(), loss.start() if loss else len(line))
    head = line[:start].strip(" \t:,|([{-*\"'=>#")
    if is_progress(head):
        return
    for match in found:
        value = float(match["number"])
        if not 0.0 < value < 1000.0:
            continue
        plain = match["key"].lower() in ("val_bpb", "bpb")
        tag = _tag(head, "" if plain and head else match["key"])
        digits = match["number"]
        exact = _EXACT.search(line, match.end())
        if exact and len(found) == 1:
            digits, value = exact[1], float(exact[1])
        yield Final(
            tag=tag,
            name=normalise(tag),
            key=match["key"],
            bpb=value,
            decimals=_decimals(digits),
            loss=float(loss["number"]) if loss else None,
            stage=stage(tag),
            line=number,
            text=quote(line),
        )


def validation(number: int, line: str) -> Final | None:
    """The score that a line of the training loop states: of weights that are not quantised."""
    match, loss = _BPB.search(line), _LOSS.search(line)
    if match is None or match["key"].lower() != "val_bpb" or not 0.0 < float(match["number"]) < 1000.0:
        return None
    return Final(
        tag=line[: loss.start() if loss else match.start()].strip(),
        name="step",
        key=match["key"],
        bpb=float(match["number"]),
        decimals=_decimals(match["number"]),
        loss=float(loss["number"]) if loss else None,
        stage="pre",
        line=number,
        text=quote(line),
    )


def is_progress(head: str) -> bool:
    """True when the text before a score says that it is a step of a loop, a trial or a difference."""
    if _PROGRESS.search(head) or _DIFFERENCE.search(head):
        return True
    return not head.lower().startswith("final") and _COUNTER.search(head) is not None


def normalise(tag: str) -> str:
    """`final_int6_sliding_window_exact stride:64` and `final_int6_sliding_window` are one name."""
    bare = _SETTING.sub(" ", _PARENTHESIS.sub(" ", tag))
    name = _SEPARATORS.sub("_", (bare.strip() or tag).lower()).strip("_,")
    return _EXACT_MARK.sub("", name).removeprefix("final_bpb_") or name


def stage(tag: str) -> Literal["pre", "post"]:
    """Whether a tag speaks of weights before quantisation; such a score cannot be the claim."""
    low = tag.lower()
    if _BEFORE_QUANTISATION.search(low):
        return "pre"
    return "pre" if low.startswith("diag") and "quantized" not in low else "post"


def _tag(head: str, key: str) -> str:
    if len(head) > 120:  # prose or a JSON line: the key says more
        return key or head[-60:]
    return f"{head} {key}".strip()


def _decimals(number: str) -> int:
    mantissa = number.lower().split("e")[0]
    return len(mantissa.split(".")[1]) if "." in mantissa else 0
