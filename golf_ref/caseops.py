"""CaseOps (#1729, lossless_caps_caseops_v1): text <-> lower-case text with case operators, on every string.

    hello -> hello   Hello -> TITLE hello   NASA -> ALLCAPS nasa   iPhone -> i CAPNEXT phone   A -> TITLE a

A word is a run of ASCII letters; everything else is copied, and an operator that stands in the text itself is
preceded by ESC. Decoding and byte counting are one state machine: the bytes charged to a piece of encoded
text are the UTF-8 bytes of the original text that it gives rise to.
"""

from __future__ import annotations

import re

TITLE, ALLCAPS, CAPNEXT, ESC = "\ue001", "\ue002", "\ue003", "\ue004"
OPERATORS = TITLE + ALLCAPS + CAPNEXT + ESC
_WORD_OR_OPERATOR = re.compile(f"[A-Za-z]+|[{OPERATORS}]")


def caseops_encode(text: str) -> str:
    return _WORD_OR_OPERATOR.sub(_encode_match, text)


def caseops_decode(encoded: str) -> str:
    """The original text; ValueError where `encoded` is not the encoding of any text."""
    decoder = CaseDecoder()
    text = decoder.feed(encoded)
    decoder.finish()
    return text


def _encode_match(match: re.Match[str]) -> str:
    word = match.group()
    if word in OPERATORS:
        return ESC + word
    if word.islower():
        return word
    if len(word) >= 2 and word.isupper():
        return ALLCAPS + word.lower()
    if word[1:].islower():
        return TITLE + word.lower()
    head = TITLE + word[0].lower() if word[0].isupper() else word[0]
    return head + "".join(CAPNEXT + c.lower() if c.isupper() else c for c in word[1:])


class CaseDecoder:
    """The decoder's state between pieces: feed it encoded text in any cuts, it returns the original text."""

    def __init__(self) -> None:
        self.pending = ""  # the operator that waits for its letter
        self.in_word = False
        self.all_caps = False  # inside an ALLCAPS word

    def feed(self, piece: str) -> str:
        return "".join(map(self._step, piece))

    def finish(self) -> None:
        if self.pending:
            raise ValueError(f"text ends on operator U+{ord(self.pending):04X}")

    def _step(self, c: str) -> str:
        if self.pending == ESC:
            self.pending, self.in_word, self.all_caps = "", False, False
            return c
        if c in OPERATORS:
            if self.pending or (self.in_word and c in TITLE + ALLCAPS):
                raise ValueError(f"operator U+{ord(c):04X} out of place")
            self.pending = c
            return ""
        if not (c.isascii() and c.isalpha()):
            if self.pending:
                raise ValueError(f"operator U+{ord(self.pending):04X} before a character without case")
            self.in_word = self.all_caps = False
            return c
        self.all_caps = self.pending == ALLCAPS or (self.in_word and self.all_caps)
        upper = self.all_caps or self.pending in (TITLE, CAPNEXT)
        self.pending, self.in_word = "", True
        return c.upper() if upper else c
