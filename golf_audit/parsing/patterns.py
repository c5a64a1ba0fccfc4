"""Lowering of the patterns of `match` statements."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst

from golf_audit.parsing.cursor import Cursor
from golf_audit.parsing.expressions import expr, read_name

_VALUES = {"True": True, "False": False, "None": None}


def pattern(c: Cursor, node: cst.MatchPattern) -> ast.pattern:
    """Lower one pattern with the parentheses around it."""
    c.deeper()
    start = c.skip()
    if isinstance(node, (cst.MatchValue, cst.MatchSingleton)):
        made = _literal(c, node, start)
    else:
        own = isinstance(node, cst.MatchTuple)
        for _ in node.lpar:
            start = c.eat("(")
        made = _LOWER[type(node)](c, node, start if own else c.skip())
        for _ in node.lpar[1:] if own else node.lpar:
            c.eat(")")
    c.depth -= 1
    return made


def _placed(c: Cursor, made: ast.pattern, start: int) -> ast.pattern:
    c.place(made, start)
    return made


def _literal(c: Cursor, node: cst.MatchValue | cst.MatchSingleton, start: int) -> ast.pattern:
    """Its parentheses belong to the value; like every group they are not part of the pattern."""
    value = expr(c, node.value)
    made = (
        ast.MatchSingleton(_VALUES[node.value.value])
        if isinstance(node, cst.MatchSingleton)
        else ast.MatchValue(value)
    )
    ast.copy_location(made, value)
    return made


def _sequence_items(
    c: Cursor, items: Sequence[cst.MatchSequenceElement | cst.MatchStar]
) -> list[ast.pattern]:
    made: list[ast.pattern] = []
    for item in items:
        if isinstance(item, cst.MatchStar):
            start = c.eat("*")
            name = None
            if item.name is None:
                c.eat("_")
            else:
                name = read_name(c, item.name)
            made.append(_placed(c, ast.MatchStar(name), start))
        else:
            made.append(pattern(c, item.value))
        c.accept(",")
    return made


def _tuple(c: Cursor, node: cst.MatchTuple, start: int) -> ast.pattern:
    c.at = start + 1  # its own parenthesis was just read
    made = ast.MatchSequence(_sequence_items(c, node.patterns))
    c.eat(")")
    return _placed(c, made, start)


def _list(c: Cursor, node: cst.MatchList, start: int) -> ast.pattern:
    if node.lbracket is None:
        return _placed(c, ast.MatchSequence(_sequence_items(c, node.patterns)), start)
    c.eat("[")
    made = ast.MatchSequence(_sequence_items(c, node.patterns))
    c.eat("]")
    return _placed(c, made, start)


def _mapping(c: Cursor, node: cst.MatchMapping, start: int) -> ast.pattern:
    c.eat("{")
    keys, patterns = [], []
    for element in node.elements:
        keys.append(expr(c, element.key))
        c.eat(":")
        patterns.append(pattern(c, element.pattern))
        c.accept(",")
    rest = None
    if node.rest is not None:
        c.eat("**")
        rest = read_name(c, node.rest)
        c.accept(",")
    c.eat("}")
    return _placed(c, ast.MatchMapping(keys, patterns, rest), start)


def _class(c: Cursor, node: cst.MatchClass, start: int) -> ast.pattern:
    made = ast.MatchClass(expr(c, node.cls), [], [], [])
    c.eat("(")
    made.patterns = _sequence_items(c, node.patterns)
    for keyword in node.kwds:
        made.kwd_attrs.append(read_name(c, keyword.key))
        c.eat("=")
        made.kwd_patterns.append(pattern(c, keyword.pattern))
        c.accept(",")
    c.eat(")")
    return _placed(c, made, start)


def _as(c: Cursor, node: cst.MatchAs, start: int) -> ast.pattern:
    inner = None
    if node.pattern is not None:
        inner = pattern(c, node.pattern)
        c.eat("as")
    if node.name is None:
        c.eat("_")
        return _placed(c, ast.MatchAs(None, None), start)
    return _placed(c, ast.MatchAs(inner, read_name(c, node.name)), start)


def _or(c: Cursor, node: cst.MatchOr, start: int) -> ast.pattern:
    made = []
    for position, element in enumerate(node.patterns):
        if position:
            c.eat("|")
        made.append(pattern(c, element.pattern))
    return _placed(c, ast.MatchOr(made), start)


_LOWER: dict[type, Callable[[Cursor, Any, int], ast.pattern]] = {
    cst.MatchAs: _as,
    cst.MatchClass: _class,
    cst.MatchList: _list,
    cst.MatchMapping: _mapping,
    cst.MatchOr: _or,
    cst.MatchTuple: _tuple,
}
