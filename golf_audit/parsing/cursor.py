"""A cursor over the source text: the lowering walks the concrete tree in text order and reads tokens off it.

This is how every node gets its exact position in one pass, without LibCST's PositionProvider (which renders
the whole module again and costs more than parsing it)."""

from __future__ import annotations

import ast
import re
from array import array

from golf_audit.parsing.problem import AstrayError, TooDeepError

DEPTH_CAP = 200
"""Levels of nesting of a tree. CPython refuses more than 200 brackets and 100 indents; of 1,600 real scripts
the deepest has 23 levels."""

_trivia = re.compile(r"[ \t\f\n]*(?:(?:#[^\n]*|\\\n)[ \t\f\n]*)*").match


class Cursor:
    """`text` has \\n line ends; `at` is the offset after the last token that was read.

    `original` is the text before a repair of equal length; lines and columns are its."""

    __slots__ = ("_line_of", "_line_start", "at", "depth", "original", "text")

    def __init__(self, text: str, original: str | None = None) -> None:
        self.text = text
        self.original = text if original is None else original
        self.at = 0
        self.depth = 0
        self._line_of = array("I")
        self._line_start = [0, 0]  # indexed by 1-based line
        for number, line in enumerate(self.original.split("\n"), start=1):
            self._line_of.extend(array("I", [number]) * (len(line) + 1))
            self._line_start.append(self._line_start[-1] + len(line) + 1)

    def skip(self) -> int:
        """Move over blanks, comments and continuations to the next token; its offset. One must follow."""
        match = _trivia(self.text, self.at)
        assert match is not None  # the pattern matches the empty string
        self.at = match.end()
        return self.at

    def eat(self, token: str) -> int:
        """Read this token; its offset. AstrayError when the text holds another one."""
        start = self.skip()
        if not self.text.startswith(token, start):
            raise AstrayError(
                f"expected {token[:40]!r} at line {self.line(start)}, found {self.text[start : start + 40]!r}"
            )
        self.at = start + len(token)
        return start

    def accept(self, token: str) -> bool:
        """Read this token when it is the next one; otherwise stay."""
        before = self.at
        if self.text.startswith(token, self.skip()):
            self.at += len(token)
            return True
        self.at = before
        return False

    def line(self, offset: int) -> int:
        """1-based line of an offset."""
        return self._line_of[offset] if offset < len(self._line_of) else len(self._line_start) - 2

    def place(self, node: ast.AST, start: int) -> None:
        """Give a node its position: from `start` to the end of the last token read."""
        end = self.at
        first, last = self._line_of[start], self._line_of[end]
        node.lineno = first  # type: ignore[attr-defined]
        node.col_offset = start - self._line_start[first]  # type: ignore[attr-defined]
        node.end_lineno = last  # type: ignore[attr-defined]
        node.end_col_offset = end - self._line_start[last]  # type: ignore[attr-defined]

    def deeper(self, levels: int = 1) -> None:
        """Enter nested levels; TooDeepError beyond the cap. The caller subtracts them from `depth` again."""
        self.depth += levels
        if self.depth > DEPTH_CAP:
            raise TooDeepError
