"""Previous-token mixes in the text of a function: x_t + gate * x_{t-1}, and whether a mask stands in it.

Only the shape is told here: the interpreter says whether the statement runs, and on what.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_SHIFTS = ("cat", "concat", "concatenate", "pad", "hstack")
_MASKS = ("masked_fill", "masked_fill_", "where", "logical_not", "ne", "eq")


@dataclass(frozen=True)
class Delay:
    """A statement that mixes a value with the one before it. `masked`: a comparison is part of it.
    `factors`: names that come from outside the function, each of which may be a mask."""

    statement: ast.stmt
    masked: bool
    factors: tuple[str, ...]


def delays(fn: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[Delay]:
    """Every previous-token mix that a function writes out."""
    if isinstance(fn, ast.Lambda):
        return []
    statements = [
        n for n in ast.walk(fn) if isinstance(n, (ast.Assign, ast.Return, ast.AnnAssign, ast.AugAssign))
    ]
    assigned: dict[str, list[ast.expr]] = {}
    for statement in statements:
        targets = (
            statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        )
        for target in targets:
            if isinstance(target, ast.Name) and statement.value is not None:
                assigned.setdefault(target.id, []).append(statement.value)
    shifted = {name: of for name, values in assigned.items() for value in values if (of := _shifted(value))}
    parameters = {a.arg for a in (*fn.args.posonlyargs, *fn.args.args, *fn.args.kwonlyargs)} - {"self"}
    found = []
    for statement in statements:
        mixed = _mixed(statement.value, shifted) if statement.value is not None else None
        if mixed is not None and statement.value is not None:
            others = {name: values for name, values in assigned.items() if name != mixed}
            parts = list(_slice(statement.value, others))
            names = {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name)}
            masked = any(_compares(part) for part in parts)
            found.append(Delay(statement, masked, tuple(sorted((names & parameters) - {mixed}))))
    return found


def _mixed(value: ast.expr, shifted: dict[str, str]) -> str | None:
    """The name of what is added to its own delayed copy times something; None where nothing is."""
    for node in ast.walk(value):
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mod, ast.BitXor, ast.BitAnd)):
            return None  # a hash of ids
    for node in ast.walk(value):
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
            continue
        for kept, other in ((node.left, node.right), (node.right, node.left)):
            late = {of for product in _products(other) for of in _delayed_in(product, shifted)}
            names = {n.id for n in ast.walk(kept) if isinstance(n, ast.Name)}
            if late & names:
                return sorted(late & names)[0]
    return None


def _products(node: ast.expr) -> Iterator[ast.BinOp]:
    return (n for n in ast.walk(node) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult))


def _delayed_in(product: ast.BinOp, shifted: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(product):
        if isinstance(node, ast.Name) and node.id in shifted:
            yield shifted[node.id]
        elif (
            isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and _all_but_last(node.slice)
        ):
            yield node.value.id


def _shifted(value: ast.expr) -> str:
    """The name whose delayed copy a cat, pad or roll makes."""
    if isinstance(value, ast.Call):
        callee = ast.unparse(value.func).rpartition(".")[2]
        if callee in _SHIFTS:
            for node in ast.walk(value):
                if (
                    isinstance(node, ast.Subscript)
                    and isinstance(node.value, ast.Name)
                    and _all_but_last(node.slice)
                ):
                    return node.value.id
        if callee == "roll":
            rolled = value.func.value if isinstance(value.func, ast.Attribute) else None
            for candidate in (rolled, *value.args[:1]):
                if isinstance(candidate, ast.Name) and candidate.id not in ("torch", "np"):
                    return candidate.id
    return ""


def _all_but_last(index: ast.expr) -> bool:
    """True for [:-1] and [:, :-1]."""
    for part in index.elts if isinstance(index, ast.Tuple) else [index]:
        if isinstance(part, ast.Slice) and part.lower is None and part.step is None:
            upper = part.upper
            if isinstance(upper, ast.UnaryOp) and isinstance(upper.op, ast.USub):
                return isinstance(upper.operand, ast.Constant) and upper.operand.value == 1
    return False


def _slice(value: ast.expr, assigned: dict[str, list[ast.expr]]) -> Iterator[ast.expr]:
    """The expression and those that its names were assigned, a few steps back."""
    seen: set[int] = set()
    waiting: list[tuple[ast.expr, int]] = [(value, 0)]
    while waiting:
        part, depth = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if depth < 4:
            for node in ast.walk(part):
                if isinstance(node, ast.Name):
                    waiting += [(v, depth + 1) for v in assigned.get(node.id, ())]


def _compares(part: ast.expr) -> bool:
    for node in ast.walk(part):
        if isinstance(node, ast.Compare):
            return True
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _MASKS:
            return True
    return False


__all__ = ["Delay", "delays"]
