"""The bytes that a score must be divided by, and the known ways of getting them wrong.

The validation split is fixed (the first 50,000 documents), so its byte count is a constant of the challenge:
one log line with loss and bpb plus the number of tokens gives the bytes that were counted (rulebook 1.11).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CANONICAL_BYTES = 151_080_000
"""Bytes of the validation split: 151.07 to 151.09 million in every accepted record, for any tokenizer."""
TOLERANCE = 0.003
"""Relative deviation that is ordinary: 3,710 of 4,175 logs lie within it."""
PARTIAL = 0.99
"""Below this share of the canonical bytes the split was not scored in full."""

SUBSET_SHIFT = 0.05
"""A part of the split shifts loss / bpb by less than this (10,000 documents: 1.8 %)."""
PLAUSIBLE = (1.0, 4.5)
"""loss / bpb of any subword tokenizer: 1.4 to 6.5 bytes per token."""


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer of the challenge: val_loss / val_bpb under the right byte count, and its vocabulary."""

    name: str
    loss_per_bpb: float
    vocab: int


TOKENIZERS = (
    Tokenizer("SP1024", 1.68845, 1024),
    Tokenizer("SP2048", 1.9994, 2048),
    Tokenizer("SP4096", 2.30103, 4096),
    Tokenizer("SP8192", 2.58310, 8192),
    Tokenizer("SP8192 CaseOps", 2.18837, 8192),
    Tokenizer("pure bytes", math.log(2), 256),
)
"""Constants to 1e-4 over all logs of the corpus (formats.md b5)."""


@dataclass(frozen=True)
class Factor:
    """A byte count that is off by a known factor, and the mistake behind it."""

    low: float
    high: float
    cause: str


FACTORS = (
    Factor(1.0863, 1.0928, "transformed text counted instead of the original (no CaseOps sidecar)"),
    Factor(1.160, 1.185, "the leading space of a piece counted twice"),
    Factor(1.229, 1.237, "no standalone space piece in the tokenizer, a space counts as three bytes"),
    Factor(1.330, 1.338, "byte pieces or leading spaces counted by another rule than the challenge's table"),
)
"""1.0895, 1.165 to 1.180, 1.233 and 1.334, each with the tolerance of the measurement."""


def implied_bytes(loss: float, bpb: float, tokens: int) -> float:
    """Bytes that a printed loss (nats per token), bpb and token count imply."""
    return loss / math.log(2) * tokens / bpb


def factor_of(ratio: float) -> Factor | None:
    """The known mistake whose factor this ratio of counted to canonical bytes is, if any."""
    return next((f for f in FACTORS if f.low <= ratio <= f.high), None)


def near(value: float, expected: float) -> bool:
    """True within the ordinary deviation."""
    return abs(value / expected - 1) <= TOLERANCE


def tokenizer_of(loss_per_bpb: float, candidates: Iterable[Tokenizer] = TOKENIZERS) -> Tokenizer | None:
    """The tokenizer whose constant this ratio is, if any."""
    return next((t for t in candidates if near(loss_per_bpb, t.loss_per_bpb)), None)


def tokenizers_with(vocab: int | None, path: str = "") -> tuple[Tokenizer, ...]:
    """Tokenizers that a run with this vocabulary and tokenizer path may have used; () when none is known."""
    caseops = "caseops" in path.lower()
    fitting = [t for t in TOKENIZERS if t.vocab == vocab]
    named = [t for t in fitting if ("CaseOps" in t.name) == caseops]
    return tuple(named if path else fitting)


def text_bytes(tokens: int, loss_per_bpb: float, candidates: Sequence[Tokenizer]) -> float | None:
    """Bytes of the text behind so many tokens, whatever was counted for them.

    By the constant of the candidate that the printed ratio is a known factor away from; by the larger of
    constant and ratio where they are close; by the ratio itself for a tokenizer of one's own. None where the
    ratio is no tokenizer's: loss and bpb are of two metrics."""
    off = {t: loss_per_bpb / t.loss_per_bpb for t in candidates}
    close = [t for t in candidates if abs(off[t] - 1) <= SUBSET_SHIFT]
    wrong = [t for t in candidates if factor_of(off[t]) is not None]
    if close:
        nearest = min(close, key=lambda t: abs(off[t] - 1))
        per_token = max(nearest.loss_per_bpb, loss_per_bpb)
    elif wrong:
        per_token = wrong[0].loss_per_bpb
    elif PLAUSIBLE[0] <= loss_per_bpb <= PLAUSIBLE[1]:
        per_token = loss_per_bpb
    else:
        return None
    return per_token / math.log(2) * tokens
