"""Tokenizers and the bytes they charge: Byte264, and SentencePiece BPE as the challenge trains it.

Shapes: N tokens of a document or stream, V vocabulary.

`encode` returns the ids of one document without BOS and, beside each id, how many bytes of the original text
it stands for. Their sum is the text's UTF-8 length (SentencePiece first trims blanks at both ends).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from golf_ref.caseops import ESC, OPERATORS, CaseDecoder, caseops_decode, caseops_encode

BOS_ID = 1  # every document is [BOS] + tokens, without EOS
SPACE = "\u2581"  # SentencePiece's mark for a blank
_OPERATOR = re.compile(f"([{OPERATORS}])")


class ByteTable(NamedTuple):
    """Bytes of a token without a sidecar, by id [V]: base, and one for `lead` unless after a boundary."""

    base: np.ndarray
    lead: np.ndarray
    boundary: np.ndarray


def bytes_by_table(ids_N: np.ndarray, table: ByteTable) -> np.ndarray:
    """bytes(y | x) = base[y] + (lead[y] and not boundary[x]) for each token y after its predecessor x."""
    after_boundary_N = np.concatenate(([True], table.boundary[ids_N[:-1]]))
    return table.base[ids_N] + (table.lead[ids_N] & ~after_boundary_N)


class Byte264:
    """The first 264 ids of the CaseOps SentencePiece model: 4 specials, 4 case operators, 256 bytes."""

    vocab_size = 264
    first_operator, first_byte = 4, 8

    def __init__(self, caseops: bool):
        self.caseops = caseops

    def encode(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        if not self.caseops:
            return self._bytes(text)
        parts = []
        escaped = False
        for piece in _OPERATOR.split(caseops_encode(text)):
            if piece not in OPERATORS:
                parts.append(self._bytes(piece))
            elif piece:  # an operator stands for no byte of the text, unless ESC says that it is text
                own_bytes = len(piece.encode()) if escaped else 0
                parts.append((np.array([self._operator_id(piece)]), np.array([own_bytes])))
                escaped = piece == ESC and not escaped
        ids, budgets = zip(*parts, strict=True) if parts else ((), ())
        return np.concatenate((*ids, [])).astype(np.uint16), np.concatenate((*budgets, [])).astype(np.uint16)

    def decode(self, ids_N: Iterable[int]) -> str:
        """The text of one document; ValueError on a special id or on what no text encodes to."""
        encoded = bytearray()
        for i in map(int, ids_N):
            if i < self.first_operator:
                raise ValueError(f"id {i} is a special token, not text")
            encoded += bytes([i - self.first_byte]) if i >= self.first_byte else OPERATORS[i - 4].encode()
        text = encoded.decode()
        return caseops_decode(text) if self.caseops else text

    def byte_table(self) -> ByteTable:
        """Exact without CaseOps; with it, bytes depend on the state of the decoder and come from `encode`."""
        is_byte_V = np.arange(self.vocab_size) >= self.first_byte
        never_V = np.zeros(self.vocab_size, dtype=bool)
        return ByteTable(is_byte_V.astype(np.int64), never_V, ~is_byte_V)

    def _operator_id(self, operator: str) -> int:
        return self.first_operator + OPERATORS.index(operator)

    def _bytes(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        raw_N = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.uint16)
        return raw_N + self.first_byte, np.ones(len(raw_N), dtype=np.uint16)


class SentencePieceTokenizer:
    """A trained model file; ValueError if it cannot count leading blanks (issue #897 of the challenge)."""

    def __init__(self, model_file: Path, caseops: bool):
        from sentencepiece import SentencePieceProcessor

        self.caseops = caseops
        self.model = SentencePieceProcessor(model_file=str(model_file))
        self.vocab_size = self.model.vocab_size()
        if self.model.piece_to_id(SPACE) == self.model.unk_id():
            raise ValueError(
                f"{model_file}: U+2581 is no piece, so every stray blank would count as three bytes"
            )

    def encode(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        if not self.caseops:
            ids_N = np.array([BOS_ID, *self.model.encode(text)])
            return ids_N[1:].astype(np.uint16), bytes_by_table(ids_N, self.byte_table())[1:].astype(np.uint16)
        # Pieces are normalised (NFKC), their spans are not: the spans, decoded, are the original text.
        encoded = caseops_encode(text)
        mapping = self.model.encode_as_offset_mapping(encoded)
        decoder = CaseDecoder()
        budget = [len(decoder.feed(encoded[a:b]).encode()) for a, b in mapping["offsets"]]
        return np.array(mapping["ids"], np.uint16), np.array(budget, np.uint16)

    def byte_table(self) -> ByteTable:
        """The challenge's table: UTF-8 length of a piece, its leading blank counted apart."""
        V, m = self.vocab_size, self.model
        base_V, lead_V, boundary_V = np.zeros(V, np.int64), np.zeros(V, bool), np.zeros(V, bool)
        for i in range(V):
            piece = m.id_to_piece(i)
            if m.is_control(i) or m.is_unknown(i) or m.is_unused(i):
                boundary_V[i] = True
            elif m.is_byte(i):
                base_V[i] = 1
            else:
                lead_V[i] = piece.startswith(SPACE)
                base_V[i] = len(piece.removeprefix(SPACE).encode())
        return ByteTable(base_V, lead_V, boundary_V)


def train_sentencepiece(texts: Iterable[str], vocab_size: int, model_file: Path, caseops: bool) -> None:
    """BPE with the challenge's settings; the case operators become ids 4 to 7 (#1729)."""
    from sentencepiece import SentencePieceTrainer

    SentencePieceTrainer.train(
        sentence_iterator=iter(caseops_encode(t) if caseops else t for t in texts),
        model_prefix=str(model_file.with_suffix("")),
        model_type="bpe",
        vocab_size=vocab_size,
        character_coverage=0.999,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="nmt_nfkc",
        add_dummy_prefix=False,
        pad_id=0,
        bos_id=BOS_ID,
        eos_id=2,
        unk_id=3,
        hard_vocab_limit=False,
        user_defined_symbols=list(OPERATORS) if caseops else [],
        minloglevel=2,
    )
