"""Texts with holes: f-strings, % formats and joined paths."""

from __future__ import annotations

import ast

from golf_audit.static.atoms import NONE, Taint, union
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.state import PURE_ERRORS
from golf_audit.static.values import Unk, Value, known


class Texts(Machine):
    """Texts as far as they are known."""

    def percent(self, text: str, right: Value) -> Value:
        """`text % right` with a hole for every conversion."""
        pieces = _split_percent(text)
        return Unk(
            self.taint(right), parts=tuple(p if isinstance(p, str) else self.taint(right) for p in pieces)
        )

    def text_of(self, values: list[Value]) -> Value:
        """Several values one after the other, as a text."""
        parts: list[str | Taint] = []
        for value in values:
            if isinstance(value, Unk) and value.parts is not None:
                parts += value.parts
            elif known(value):
                parts.append(str(value))
            else:
                parts.append(self.taint(value))
        if all(isinstance(p, str) for p in parts):
            return "".join(str(p) for p in parts)
        return Unk(union([p for p in parts if not isinstance(p, str)]), parts=tuple(parts))

    def _joined(self, node: ast.JoinedStr) -> Value:
        return self.text_of([self.eval(part) for part in node.values])

    def _formatted(self, node: ast.FormattedValue) -> Value:
        value = self.eval(node.value)
        spec = self.eval(node.format_spec) if node.format_spec is not None else ""
        if known(value) and isinstance(spec, str):
            try:
                return format(value, spec) if node.conversion != ord("r") else repr(value)
            except PURE_ERRORS:
                return Unk(parts=(NONE,))
        if isinstance(value, Unk) and value.parts is not None and not spec:
            return value
        return Unk(self.taint(value), parts=(self.taint(value),))


def _split_percent(text: str) -> list[str | None]:
    pieces: list[str | None] = []
    position = 0
    while (start := text.find("%", position)) >= 0:
        pieces.append(text[position:start])
        end = start + 1
        while (end < len(text) and text[end] in "0123456789.+- #(*)_hlL") or (
            end < len(text) and text[start + 1 : start + 2] == "(" and text[end - 1] != ")"
        ):
            end += 1
        if text[end : end + 1] == "%":
            pieces.append("%")
        else:
            pieces.append(None)
        position = end + 1
    pieces.append(text[position:])
    return pieces
