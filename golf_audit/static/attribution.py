"""Which print gave the claimed number: log lines against the texts that the program sends out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from golf_audit.source import Layer
from golf_audit.static.atoms import Sc, Taint
from golf_audit.static.interpreter.state import Printed

LITERAL = 6
"""Characters of its own that a text needs before a log line can be told to be its."""


@dataclass(frozen=True)
class Claimed:
    """The claimed result as a log prints it: the line, and the number in it."""

    text: str
    number: str


@dataclass(frozen=True)
class Match:
    """A print that writes the claimed line: how many characters agree, the facts of the number, and whether
    the number stands in the text itself, with no score in any hole."""

    printed: Printed
    literal: int
    facts: Taint
    constant: bool = False


def match(printed: Sequence[Printed], claimed: Claimed) -> list[Match]:
    """Prints that can have written the line, the best last."""
    found = [m for p in printed if (m := _one(p, claimed)) is not None]
    return sorted(found, key=lambda m: (m.literal, m.printed.event))


def _one(printed: Printed, claimed: Claimed) -> Match | None:
    literal = sum(len(p.strip()) for p in printed.parts if isinstance(p, str))
    if literal < LITERAL:
        return None
    groups = filled(printed.parts, claimed.text)
    if groups is None:
        return None
    holes = [p for p in printed.parts if not isinstance(p, str)]
    facts = [
        h
        for h, text in zip(holes, groups, strict=True)
        if claimed.number in text and any(isinstance(a, Sc) for a in h)
    ]
    constant = any(isinstance(p, str) and claimed.number in p for p in printed.parts) and not any(
        isinstance(a, Sc) for hole in holes for a in hole
    )
    return Match(printed, literal, frozenset().union(*(facts or holes)), constant)


def filled(parts: Sequence[str | Taint], line: str) -> list[str] | None:
    """What fills each hole when the line is this text; None when it cannot be."""
    pattern = "".join(_literal(p) if isinstance(p, str) else "(.*?)" for p in parts)
    merged = re.compile(rf"{pattern.strip()}\s*$", re.DOTALL)
    found = merged.search(line.strip())
    return [g or "" for g in found.groups()] if found is not None else None


def _literal(text: str) -> str:
    """A literal as a pattern; white space may differ."""
    return r"\s*".join(re.escape(piece) for piece in re.split(r"\s+", text))


def skeletons(layer: Layer) -> Iterator[tuple[ast.Call, list[str | Taint]]]:
    """Every call whose first argument is a text with holes, as written."""
    if layer.parsed.tree is None:
        return
    for node in ast.walk(layer.parsed.tree):
        if (
            isinstance(node, ast.Call)
            and node.args
            and isinstance(node.args[0], (ast.JoinedStr, ast.Constant))
        ):
            parts = _written(node.args[0])
            if parts:
                yield node, parts


def _written(node: ast.expr) -> list[str | Taint]:
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if not isinstance(node, ast.JoinedStr):
        return []
    return [str(part.value) if isinstance(part, ast.Constant) else frozenset() for part in node.values]


def guards_of(layer: Layer, claimed: Claimed) -> dict[int, bool]:
    """Tests that must have gone one way for the claimed line to be printed: id of the If -> its side."""
    tree = layer.parsed.tree
    best: tuple[int, ast.Call] | None = None
    for node, parts in skeletons(layer):
        literal = sum(len(p.strip()) for p in parts if isinstance(p, str))
        if (
            literal >= LITERAL
            and filled(parts, claimed.text) is not None
            and (best is None or literal > best[0])
        ):
            best = (literal, node)
    if best is None or tree is None:
        return {}
    forced: dict[int, bool] = {}
    waiting: list[ast.AST] = [best[1]]
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    seen: set[str] = set()
    while waiting:
        inner = waiting.pop()
        while inner in parents:
            parent = parents[inner]
            if isinstance(parent, ast.If) and inner is not parent.test:
                forced.setdefault(id(parent), any(inner is statement for statement in parent.body))
            if isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)) and parent.name not in seen:
                seen.add(parent.name)
                calls = [c for c in ast.walk(tree) if isinstance(c, ast.Call) and _callee(c) == parent.name]
                waiting += calls if len(calls) == 1 else []
            inner = parent
    return forced


def guard_of(layer: Layer, statement: ast.stmt) -> dict[int, bool] | None:
    """The innermost test that a statement stands behind, and the side on which it does not stand."""
    tree = layer.parsed.tree
    if tree is None:
        return None
    found: dict[int, bool] | None = None
    for node in ast.walk(tree):  # outer nodes come first
        if isinstance(node, ast.If):
            for side, taken in ((node.body, False), (node.orelse, True)):
                if any(inner is statement for outer in side for inner in ast.walk(outer)):
                    found = {id(node): taken}
    return found


def _callee(call: ast.Call) -> str:
    return (
        call.func.id
        if isinstance(call.func, ast.Name)
        else call.func.attr
        if isinstance(call.func, ast.Attribute)
        else ""
    )
