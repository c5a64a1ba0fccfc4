"""A tree in source order with parents, without recursion, and the constants its names hold.

Hostile trees are thousands of levels deep, so nothing here recurses without a bound.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

Scope = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Scalar = int | float | bool | str | None

_DEPTH = 12
"""Levels of one constant expression that are evaluated."""
_LENGTH = 4_000
"""Characters of a string that is put together."""


@dataclass
class Tree:
    """One module: `parents` of every node, and names bound to constants, by scope, as they are met."""

    root: ast.Module
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    constants: dict[tuple[ast.AST, str], Scalar] = field(default_factory=dict)

    def nodes(self) -> Iterator[ast.AST]:
        """Every node, in the order of the source, parents first."""
        waiting: list[ast.AST] = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            children = list(ast.iter_child_nodes(node))
            for child in children:
                self.parents[child] = node
            waiting.extend(reversed(children))

    def scope(self, node: ast.AST) -> Scope:
        """The innermost class, function or module around a node."""
        at = self.parents.get(node)
        while at is not None and not isinstance(at, Scope):
            at = self.parents.get(at)
        return at if at is not None else self.root

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The class whose body, or whose method, holds a node."""
        scope = self.scope(node)
        while not isinstance(scope, (ast.Module, ast.ClassDef)):
            scope = self.scope(scope)
        return scope if isinstance(scope, ast.ClassDef) else None

    def bind(self, statement: ast.Assign | ast.AnnAssign) -> None:
        """Remember `NAME = constant`; a name bound to anything else is forgotten."""
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        if isinstance(target, ast.Name):
            known, value = self.evaluate(statement.value)
            key = (self.scope(statement), target.id)
            if known:
                self.constants[key] = value
            else:
                self.constants.pop(key, None)

    def evaluate(self, node: ast.expr | None, depth: int = 0) -> tuple[bool, Scalar]:
        """(True, value) of a constant expression, (False, None) of any other."""
        unknown = (False, None)
        if node is None or depth > _DEPTH:
            return unknown
        if isinstance(node, ast.Constant):
            value = node.value
            if isinstance(value, int) and value.bit_length() > 64:
                return unknown  # CPython refuses to print integers of more than 4,300 digits
            return (True, value) if isinstance(value, (int, float, str)) or value is None else unknown
        if isinstance(node, ast.Name):
            return self._lookup(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            known, value = self.evaluate(node.operand, depth + 1)
            return (True, -value) if known and isinstance(value, (int, float)) else unknown
        if isinstance(node, ast.BinOp):
            return self._arithmetic(node, depth)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
            known, value = self.evaluate(node.args[0], depth + 1)
            return _converted(node.func.id, value) if known else unknown
        if isinstance(node, ast.JoinedStr):
            return self._joined(node, depth)
        return unknown

    def _lookup(self, node: ast.Name) -> tuple[bool, Scalar]:
        scope: Scope = self.scope(node)
        while True:
            if (scope, node.id) in self.constants:
                return True, self.constants[scope, node.id]
            if isinstance(scope, ast.Module):
                return False, None
            scope = self.scope(scope)

    def _arithmetic(self, node: ast.BinOp, depth: int) -> tuple[bool, Scalar]:
        left_known, a = self.evaluate(node.left, depth + 1)
        right_known, b = self.evaluate(node.right, depth + 1)
        if not (left_known and right_known and isinstance(a, (int, float)) and isinstance(b, (int, float))):
            return False, None
        if abs(a) > 1e15 or abs(b) > 1e15:
            return False, None
        op = node.op
        if isinstance(op, ast.Add):
            return True, a + b
        if isinstance(op, ast.Sub):
            return True, a - b
        if isinstance(op, ast.Mult):
            return True, a * b
        if isinstance(op, ast.Div) and b:
            return True, a / b
        if isinstance(op, ast.FloorDiv) and b:
            return True, a // b
        if isinstance(op, ast.LShift) and isinstance(a, int) and isinstance(b, int) and 0 <= b <= 64:
            return True, a << b
        if isinstance(op, ast.Pow) and 0 <= b <= 64 and 0 < a <= 1024:
            return True, a**b
        return False, None

    def _joined(self, node: ast.JoinedStr, depth: int) -> tuple[bool, Scalar]:
        parts: list[str] = []
        for piece in node.values:
            inner: ast.expr = piece
            if isinstance(piece, ast.FormattedValue):
                if piece.format_spec is not None or piece.conversion != -1:
                    return False, None
                inner = piece.value
            known, part = self.evaluate(inner, depth + 1)
            if not known:
                return False, None
            parts.append(str(part))
        whole = "".join(parts)
        return (True, whole) if len(whole) <= _LENGTH else (False, None)


def _converted(name: str, value: Scalar) -> tuple[bool, Scalar]:
    """int(), float(), str() and bool() of a constant."""
    if name == "str":
        return True, str(value)
    if name == "bool":
        return True, bool(value)
    if name in ("int", "float") and isinstance(value, (int, float, str)):
        try:
            return True, int(value) if name == "int" else float(value)
        except (ValueError, OverflowError):
            return False, None  # int("0x10"): not a constant that we read
    return False, None


def dotted(node: ast.AST) -> str:
    """ "os.environ.get" of a chain of attributes on a name, "" of anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
