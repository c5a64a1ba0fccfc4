"""What our process knows of a miniature's validation stream: which targets count bytes, and how many."""

from __future__ import annotations

import sys
from array import array
from itertools import pairwise
from pathlib import Path

from golf_audit.dynamic.observed import Truth

_HEADER = 1024
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"


def truth(shard: Path, model: Path | None = None, sidecar: Path | None = None) -> Truth:
    """The truth of a shard under its tokenizer. `sidecar` holds the bytes of each target where text was
    transformed (CaseOps); without both, only boundary tokens are known."""
    tokens = _shard(shard)
    if sidecar is not None:
        counted = list(_shard(sidecar))
        return Truth(frozenset(p for p, n in enumerate(counted) if n == 0), counted, tokens)
    if model is None:
        return Truth(frozenset(p for p, token in enumerate(tokens) if token == 1), (), tokens)
    counted = _counted(tokens, model)
    return Truth(frozenset(p for p, n in enumerate(counted) if p and n == 0), counted, tokens)


def _shard(path: Path) -> array[int]:
    tokens = array("H")
    tokens.frombytes(path.read_bytes()[_HEADER:])
    if sys.byteorder == "big":
        tokens.byteswap()
    return tokens


def _counted(tokens: array[int], model: Path) -> list[int]:
    """Bytes of the target at each position, by the challenge's own table; 0 at position 0, which is none."""
    import sentencepiece  # an extra of `run`; the model is the one that we trained

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(model))
    size, spaced, boundary = [], [], []
    for token in range(pieces.vocab_size()):
        piece = pieces.id_to_piece(token)
        edge = pieces.is_control(token) or pieces.is_unknown(token) or pieces.is_unused(token)
        boundary.append(edge)
        spaced.append(piece.startswith(_SPACE) and not edge)
        plain = piece.removeprefix(_SPACE).encode("utf-8")
        size.append(0 if edge else 1 if pieces.is_byte(token) else len(plain))
    counted = [0]
    for before, token in pairwise(tokens):
        counted.append(size[token] + (spaced[token] and not boundary[before]))
    return counted
