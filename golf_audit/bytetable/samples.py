"""The sample vocabulary, and the bytes that the challenge's own table counts for each pair of its tokens.

A SentencePiece vocabulary in miniature: one piece of every kind that a table has to tell apart. The canonical
count is that of train_gpt.py on main: UTF-8 bytes without one leading U+2581, one more for that mark unless
the token before is a boundary (control, unknown, unused), 1 for a byte piece, 0 for the three kinds named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

MARK = "\u2581"
"""What SentencePiece writes for a space."""


class Sort(Enum):
    """The type of a piece, with SentencePiece's own number for it."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True)
class Piece:
    """One entry of a vocabulary. `occurs`: text is ever tokenised into it (padding and </s> never are)."""

    text: str
    sort: Sort = Sort.NORMAL
    occurs: bool = True

    @property
    def boundary(self) -> bool:
        """True for a token after which a leading space is no byte of the text."""
        return self.sort in (Sort.CONTROL, Sort.UNKNOWN, Sort.UNUSED)

    def bytes_after(self, before: Piece) -> int:
        """The canonical count of this piece when it follows another."""
        if self.boundary:
            return 0
        if self.sort is Sort.BYTE:
            return 1
        if self.text.startswith(MARK):
            return len(self.text[1:].encode()) + (0 if before.boundary else 1)
        return len(self.text.encode())


VOCABULARY: tuple[Piece, ...] = (
    Piece("<pad>", Sort.CONTROL, occurs=False),
    Piece("<s>", Sort.CONTROL),
    Piece("</s>", Sort.CONTROL, occurs=False),
    Piece("<unk>", Sort.UNKNOWN, occurs=False),
    Piece("<reserved>", Sort.UNUSED, occurs=False),
    Piece("<0x0A>", Sort.BYTE),
    Piece("<0xC3>", Sort.BYTE),
    Piece(MARK),
    Piece("a"),
    Piece("ing"),
    Piece(MARK + "t"),
    Piece(MARK + "the"),
    Piece("\u00e9"),
    Piece(MARK + "\u00e9t"),
    Piece("\u4e2d\u6587"),
    Piece("\U0001f600"),
)
SIZE = len(VOCABULARY)
FILLER = Piece("x")
"""What an id beyond the samples stands for, where code names a larger vocabulary."""
BOS, UNK, EOS, PAD = 1, 3, 2, 0


def piece(index: int) -> Piece:
    """The sample piece of an id."""
    return VOCABULARY[index] if 0 <= index < SIZE else FILLER


def decoded(ids: list[int]) -> str:
    """The text of some ids as SentencePiece decodes them: a byte that is no UTF-8 alone is U+FFFD."""
    raw = b""
    for index in ids:
        one = piece(index)
        if one.sort is Sort.BYTE:
            raw += bytes([int(one.text[3:-1], 16)])
        elif not one.boundary:
            raw += one.text.replace(MARK, " ").encode()
    return raw.decode("utf-8", errors="replace")


KINDS: Mapping[str, Sort] = {
    "is_control": Sort.CONTROL,
    "is_unknown": Sort.UNKNOWN,
    "is_unused": Sort.UNUSED,
    "is_byte": Sort.BYTE,
}
"""Questions that a tokenizer answers about an id, in snake case."""
