"""Lowering of string literals: plain, formatted (PEP 701), template (PEP 750) and adjacent ones."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence

import libcst as cst

from golf_audit.parsing import nodes
from golf_audit.parsing.cursor import Cursor
from golf_audit.parsing.escapes import decode, decode_formatted
from golf_audit.parsing.problem import NotPythonError
from golf_audit.parsing.repair import FILLER

Lower = Callable[[Cursor, cst.BaseExpression], ast.expr]
_OPENING = re.compile(r"""([a-zA-Z]*)('{3}|"{3}|'|")""")
_REPR = ord("r")


def simple(c: Cursor, node: cst.SimpleString, start: int) -> ast.Constant:
    """One literal without expressions."""
    token = node.value
    c.eat(token)
    opening = _OPENING.match(token)
    if opening is None:
        raise NotPythonError("a string without quotes", c.line(start))
    prefix, quote = opening.groups()
    try:
        value = decode(_body(c, token, opening.end(), len(quote), start), prefix.lower())
    except NotPythonError as problem:
        raise NotPythonError(problem.says, c.line(start)) from None
    literal = ast.Constant(value, "u" if prefix in ("u", "U") else None)
    c.place(literal, start)
    return literal


def _body(c: Cursor, token: str, opening: int, closing: int, start: int) -> str:
    """What stands between the quotes, before any repair: adjacent literals that were joined lose their seams,
    every other literal keeps its own characters."""
    if FILLER in token and closing == 1:
        return token[opening:-closing].replace(FILLER, "")
    return c.original[start + opening : start + len(token) - closing]


def formatted(c: Cursor, node: cst.FormattedString, start: int, lower: Lower) -> ast.expr:
    """One f-string."""
    joined = ast.JoinedStr(_merge(c, _pieces(c, node, lower)))
    c.place(joined, start)
    return joined


def template(c: Cursor, node: cst.TemplatedString, start: int, lower: Lower) -> ast.expr:
    """One t-string."""
    made = nodes.TemplateStr(_merge(c, _pieces(c, node, lower)))
    c.place(made, start)
    assert isinstance(made, ast.expr)
    return made


def concatenated(c: Cursor, node: cst.ConcatenatedString, start: int, lower: Lower) -> ast.expr:
    """Adjacent literals: one constant, or one JoinedStr (TemplateStr) when any of them has expressions."""
    pieces: list[ast.expr] = []
    kinds: set[object] = set()
    part: cst.BaseString = node
    while isinstance(part, cst.ConcatenatedString):
        pieces += _literal(c, part.left, lower, kinds)
        part = part.right
    pieces += _literal(c, part, lower, kinds)
    made: ast.AST
    if kinds <= {str} or kinds <= {bytes}:
        made = _joined([piece for piece in pieces if isinstance(piece, ast.Constant)])
    elif bytes in kinds or {"f", "t"} <= kinds:
        raise NotPythonError("adjacent literals of different kinds", c.line(start))
    else:
        made = (nodes.TemplateStr if "t" in kinds else ast.JoinedStr)(_merge(c, pieces))
    c.place(made, start)
    assert isinstance(made, ast.expr)
    return made


def _joined(pieces: list[ast.Constant]) -> ast.Constant:
    """One constant of adjacent ones, all str or all bytes."""
    values = [piece.value for piece in pieces]
    value: str | bytes = "".join(v for v in values if isinstance(v, str))
    if isinstance(values[0], bytes):
        value = b"".join(v for v in values if isinstance(v, bytes))
    return ast.Constant(value, pieces[0].kind)


def _literal(c: Cursor, part: cst.BaseString, lower: Lower, kinds: set[object]) -> list[ast.expr]:
    if isinstance(part, cst.SimpleString):
        literal = simple(c, part, c.skip())
        kinds.add(type(literal.value))
        return [literal]
    assert isinstance(part, (cst.FormattedString, cst.TemplatedString))
    kinds.add("f" if isinstance(part, cst.FormattedString) else "t")
    return _pieces(c, part, lower)


def _pieces(c: Cursor, node: cst.FormattedString | cst.TemplatedString, lower: Lower) -> list[ast.expr]:
    c.eat(node.start)
    pieces = _contents(c, node.parts, "r" in node.start.lower(), lower)
    _read(c, node.end)
    return pieces


def _contents(
    c: Cursor,
    parts: Sequence[cst.BaseFormattedStringContent | cst.BaseTemplatedStringContent],
    raw: bool,
    lower: Lower,
) -> list[ast.expr]:
    pieces: list[ast.expr] = []
    for part in parts:
        if isinstance(part, (cst.FormattedStringText, cst.TemplatedStringText)):
            pieces.append(_text(c, part.value, raw))
        else:
            assert isinstance(part, (cst.FormattedStringExpression, cst.TemplatedStringExpression))
            pieces += _expression(c, part, raw, lower)
    return pieces


def _read(c: Cursor, token: str) -> int:
    """Read literal characters: unlike `eat`, blanks before them count."""
    start = c.at
    c.at += len(token)
    if c.text[start : c.at] != token:
        c.at = start
        c.eat(token)  # names both sides in its error
    return start


def _text(c: Cursor, body: str, raw: bool) -> ast.Constant:
    start = _read(c, body)
    body = c.original[start : c.at]
    try:
        literal = ast.Constant(decode_formatted(body, raw), None)
    except NotPythonError as problem:
        raise NotPythonError(problem.says, c.line(start)) from None
    c.place(literal, start)
    return literal


def _expression(
    c: Cursor, part: cst.FormattedStringExpression | cst.TemplatedStringExpression, raw: bool, lower: Lower
) -> list[ast.expr]:
    """`{value!conversion:spec}`, preceded by its own source text for the `{value=}` form."""
    start = _read(c, "{")
    value = lower(c, part.expression)
    source = c.text[start + 1 : c.at]
    shown: list[ast.expr] = []
    if part.equal is not None:
        c.eat("=")
        if c.text[c.at] in " \t\n#\\\f":
            c.skip()
        shown = [ast.Constant(c.text[start + 1 : c.at], None)]
        c.place(shown[0], start + 1)
    conversion = -1
    if part.conversion is not None:
        c.eat("!")
        c.eat(part.conversion)
        conversion = ord(part.conversion)
    spec = _spec(c, part, raw, lower)
    if shown and conversion == -1 and spec is None:
        conversion = _REPR
    c.eat("}")
    made: ast.AST
    if isinstance(part, cst.FormattedStringExpression):
        made = ast.FormattedValue(value, conversion, spec)
    else:
        made = nodes.Interpolation(value, source.strip(), conversion, spec)
    c.place(made, start)
    assert isinstance(made, ast.expr)
    return [*shown, made]


def _spec(
    c: Cursor, part: cst.FormattedStringExpression | cst.TemplatedStringExpression, raw: bool, lower: Lower
) -> ast.JoinedStr | None:
    if part.format_spec is None:
        return None
    start = c.eat(":")
    spec = ast.JoinedStr(_merge(c, _contents(c, part.format_spec, raw, lower)))
    c.place(spec, start)
    return spec


def _merge(c: Cursor, pieces: list[ast.expr]) -> list[ast.expr]:
    """Neighbouring constants become one, empty ones vanish, as in CPython."""
    merged: list[ast.expr] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if isinstance(piece, ast.Constant) and isinstance(last, ast.Constant):
            last.value = _joined([last, piece]).value
            last.end_lineno, last.end_col_offset = piece.end_lineno, piece.end_col_offset
        elif not (isinstance(piece, ast.Constant) and piece.value == ""):
            merged.append(piece)
    return merged
