"""The token streams of the miniature.

A recorder inside the run must tell from the targets of a loss which validation positions they are. So no pair
of neighbours occurs twice in the validation stream, and none of its pairs occurs in the training stream:
two neighbouring targets name their position, four of them beyond doubt.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from golf_audit.dynamic.job import LEAVE_OUT, Perturbation
from golf_audit.dynamic.miniature.tokenizer import BOS, SPECIAL

_FEW = 600
"""Vocabularies below this size keep half of all pairs for the validation stream, others one in eight."""


@dataclass(frozen=True)
class Shape:
    """Sizes of the streams. `targets` validation positions follow the first token."""

    vocab: int = 1024
    targets: int = 6144
    documents: int = 22
    train_tokens: int = 60_000
    shards: int = 2
    seed: int = 0


def reserved(left: int, right: int, vocab: int) -> bool:
    """True for a pair of neighbours that only the validation stream may hold."""
    mixed = (left << 16 | right) * 0x9E3779B1 & 0xFFFFFFFF
    mixed = (mixed ^ mixed >> 15) * 0x85EBCA77 & 0xFFFFFFFF
    mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return (mixed ^ mixed >> 16) & (1 if vocab < _FEW else 7) == 0


def validation(shape: Shape) -> list[int]:
    """The validation stream: documents of differing length, each begun by BOS."""
    draw = random.Random(shape.seed * 2 + 1)
    starts = _starts(shape, draw)
    tokens: list[int] = []
    used: set[tuple[int, int]] = set()
    while len(tokens) < shape.targets + 1:
        at = len(tokens)
        if at in starts:
            tokens.append(BOS)
        elif at + 1 in starts:  # the pair with the next document's BOS has to be new as well
            tokens.append(_between(tokens[-1], BOS, used, shape.vocab, draw))
        else:
            tokens.append(_after(tokens[-1], used, shape.vocab, draw))
        if at:
            used.add((tokens[-2], tokens[-1]))
    return tokens


def changed(tokens: list[int], change: Perturbation, vocab: int) -> list[int]:
    """The stream with new tokens at the positions of a perturbation; documents keep their borders.

    A perturbation that leaves positions out takes them away instead."""
    if change.name == LEAVE_OUT:
        return _shortened(tokens, left(range(len(tokens)), change), vocab)
    draw = random.Random(change.seed * 7919 + len(tokens))
    new = list(tokens)
    spans = sorted({p for first, end in change.spans for p in range(max(first, 1), min(end, len(tokens)))})
    where = [p for p in spans if tokens[p] != BOS]
    used = set(itertools.pairwise(tokens))
    for p in where:
        before, old = new[p - 1], new[p]
        after = new[p + 1] if p + 1 < len(new) else None
        used -= {(before, old), (old, after)} if after is not None else {(before, old)}
        token = _between(before, after, used, vocab, draw, unlike=old)
        new[p] = token
        used.add((before, token))
        if after is not None:
            used.add((token, after))
    return new


def _shortened(tokens: list[int], kept: Sequence[int], vocab: int) -> list[int]:
    """These tokens of the stream; a document that ends sooner has another last token, that no pair is new."""
    new = [tokens[p] for p in kept]
    draw = random.Random(len(new))
    used = set(itertools.pairwise(tokens))
    for i in range(2, len(new)):
        if new[i] == BOS != tokens[kept[i - 1] + 1] and new[i - 1] != BOS:
            new[i - 1] = _between(new[i - 2], BOS, used, vocab, draw)
            used |= {(new[i - 2], new[i - 1]), (new[i - 1], BOS)}
    return new


def left(values: Sequence[int], change: Perturbation | None) -> list[int]:
    """What belongs to the positions that a perturbation leaves in the stream."""
    if change is None or change.name != LEAVE_OUT:
        return list(values)
    gone = {p for first, end in change.spans for p in range(first, end)}
    return [value for p, value in enumerate(values) if p not in gone]


def training(shape: Shape, shard: int) -> list[int]:
    """One training shard: documents of about 300 tokens, without any pair of the validation stream."""
    draw = random.Random(shape.seed * 2 + 1000 + shard)
    tokens = [BOS]
    while len(tokens) < shape.train_tokens:
        if draw.random() < 1 / 300 and not reserved(tokens[-1], BOS, shape.vocab) and tokens[-1] != BOS:
            tokens.append(BOS)
            continue
        token = draw.randrange(SPECIAL, shape.vocab)
        if not reserved(tokens[-1], token, shape.vocab):
            tokens.append(token)
    return tokens


def check(tokens: Iterable[int], shards: Iterable[Iterable[int]]) -> None:
    """Raise ValueError when a position could not be told from its neighbours."""
    stream = list(tokens)
    pairs = list(itertools.pairwise(stream))
    if len(set(pairs)) != len(pairs):
        raise ValueError("a pair of neighbours occurs twice in the validation stream")
    for shard in shards:
        other = list(shard)
        if not set(pairs).isdisjoint(itertools.pairwise(other)):
            raise ValueError("a pair of the validation stream occurs in a training shard")


def sidecar(tokens: list[int], seed: int = 0) -> list[int]:
    """Bytes of each validation token as a CaseOps sidecar holds them: unlike those of the pieces."""
    draw = random.Random(seed + 17)
    return [0 if token == BOS else draw.randint(1, 9) for token in tokens]


def _starts(shape: Shape, draw: random.Random) -> set[int]:
    """Where documents begin: short ones, long ones, the first at 0."""
    lengths = [draw.choice((40, 90, 200, 300, 450, 700)) + draw.randrange(30) for _ in range(shape.documents)]
    scale = (shape.targets + 1) / sum(lengths)
    starts, at = {0}, 0.0
    for length in lengths[:-1]:
        at += length * scale
        starts.add(int(at))
    return starts


def _after(left: int, used: set[tuple[int, int]], vocab: int, draw: random.Random) -> int:
    return _between(left, None, used, vocab, draw)


def _between(
    left: int,
    right: int | None,
    used: set[tuple[int, int]],
    vocab: int,
    draw: random.Random,
    unlike: int | None = None,
) -> int:
    """A token that makes new reserved pairs with its neighbours."""
    for _ in range(200_000):
        token = draw.randrange(SPECIAL, vocab)
        good = token != unlike and reserved(left, token, vocab) and (left, token) not in used
        if good and right is not None:
            good = (
                reserved(token, right, vocab)
                and (token, right) not in used
                and (left, token) != (token, right)
            )
        if good:
            return token
    raise ValueError(f"no token is left for a vocabulary of {vocab}")
