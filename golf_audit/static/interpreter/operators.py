"""Arithmetic and comparisons: known operands are computed by Python itself, all else keeps its facts."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from golf_audit.static.atoms import Blend, Cnt, Sc, Spread, Taint, Tok, union
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.state import MISSING, PURE_ERRORS
from golf_audit.static.values import Alt, Dct, Lib, Lst, Obj, Text, Unk, Value, known

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}

_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}

_BIG = 1 << 16


class Operators(Machine):
    """Operators on values."""

    def _binop(self, node: ast.BinOp) -> Value:
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        value = self.eval(chain[-1].left)
        for link in reversed(chain):
            value = self.binary(link, link.op, value, self.eval(link.right))
            if isinstance(link.op, ast.Div) and isinstance(value, Unk) and _smoothed(link):
                self.smoothed |= {a.site for a in value.taint if isinstance(a, Blend)}
        return value

    def binary(self, node: ast.AST, op: ast.operator, left: Value, right: Value) -> Value:
        """`left op right`."""
        if known(left) and known(right):
            if self._sane(op, left, right):
                try:
                    made = _BINARY[type(op)](left, right)
                    return Text(made) if isinstance(left, Text) and isinstance(made, str) else made
                except PURE_ERRORS:
                    pass
            if isinstance(op, ast.Div) and isinstance(left, str) and isinstance(right, str):
                return Text(f"{left.rstrip('/')}/{right}")
            if isinstance(op, ast.Mod) and isinstance(left, str):
                return self.percent(left, right)
            return Unk(kind="number")
        if isinstance(left, str) and isinstance(op, ast.Mod):
            return self.percent(left, right)
        if isinstance(op, (ast.Add, ast.Div)) and self._textual(left, right):
            middle = ("/",) if isinstance(op, ast.Div) else ()
            return self.text_of([left, *middle, right])
        if isinstance(op, ast.Add) and isinstance(left, (tuple, Lst)) and isinstance(right, (tuple, Lst)):
            return self._concat(left, right)
        if isinstance(op, ast.Mult) and isinstance(left, Lst):
            return self._repeated(left, right)
        if isinstance(op, ast.BitOr) and isinstance(left, Dct):
            made = Dct(dict(left.items), left.rest)
            made.items.update(right.items if isinstance(right, Dct) else {})
            return made
        return self._arithmetic(node, op, left, right)

    def _arithmetic(self, node: ast.AST, op: ast.operator, left: Value, right: Value) -> Unk:
        taints = [self._operand(left), self._operand(right)]
        if isinstance(op, ast.Div) and _columns(taints[0]):
            taints[1] = self.column(taints[1])  # the sum of the row whose column stands above
        self.normalising(taints)
        if isinstance(op, (ast.Add, ast.Sub, ast.BitOr)):
            facts = self.combined(node, taints)
        else:
            facts = union(taints)
        if isinstance(op, ast.Div) and not _sum_divided(node) and _per_byte(*taints):
            facts |= {Spread()}
        kinds = {v.kind if isinstance(v, Unk) else "number" for v in (left, right)}
        kind = (
            "number"
            if kinds == {"number"}
            else next((k for k in ("logp", "prob", "logits") if k in kinds), "")
        )
        if isinstance(op, (ast.BitAnd, ast.BitOr)) and kinds & {"mask", "compared"}:
            return Unk(facts, "mask")
        if isinstance(op, (ast.BitXor, ast.BitAnd, ast.Mod)):
            facts = self.hashed(facts)
        sign = {ast.Add: 1, ast.Sub: -1}.get(type(op))
        return Unk(facts, kind, form=self.summed(left, right, sign) if sign else None)

    def _operand(self, value: Value) -> Taint:
        """Facts of an operand; one that may be a dictionary of counts is read here."""
        facts = self.taint(value)
        return facts if isinstance(value, Unk) else self.counts_read(facts)

    @staticmethod
    def _textual(left: Value, right: Value) -> bool:
        texts = [
            v for v in (left, right) if isinstance(v, str) or (isinstance(v, Unk) and v.parts is not None)
        ]
        return bool(texts) and all(isinstance(v, (str, Unk)) for v in (left, right))

    @staticmethod
    def _sane(op: ast.operator, left: Value, right: Value) -> bool:
        if isinstance(op, (ast.Pow, ast.LShift)):
            return (
                isinstance(right, (int, float))
                and abs(right) < 1000
                and isinstance(left, (int, float))
                and abs(left) < _BIG
            )
        if isinstance(op, ast.Mult):
            sized = [v for v in (left, right) if isinstance(v, (str, bytes))]
            return not sized or all(
                isinstance(v, (str, bytes)) or abs(v) * len(sized[0]) < _BIG for v in (left, right)
            )
        return True

    def _concat(self, left: Value, right: Value) -> Value:
        a, b = self.sequence(left), self.sequence(right)
        if a is not None and b is not None:
            return (*a, *b) if isinstance(left, tuple) else Lst([*a, *b])
        return Lst(None, self.join(self.any_element(left), self.any_element(right)))

    def _repeated(self, left: Lst, right: Value) -> Value:
        if left.items is not None and isinstance(right, int) and 0 <= right * len(left.items) <= 64:
            return Lst(left.items * right)
        return Lst(None, self.element(left))

    def _unary(self, node: ast.UnaryOp) -> Value:
        value = self.eval(node.operand)
        if isinstance(node.op, ast.Not):
            truth = self.truth(value)
            return Unk(self.taint(value), "number") if truth is None else not truth
        if known(value) and value is not None:
            try:
                return _UNARY[type(node.op)](value)
            except PURE_ERRORS:
                return Unk()
        kind = value.kind if isinstance(value, Unk) else ""
        return Unk(self.taint(value), kind)

    def _boolop(self, node: ast.BoolOp) -> Value:
        stop = isinstance(node.op, ast.Or)
        unknown: list[Value] = []
        value: Value = None
        for part in node.values:
            value = self.eval(part)
            truth = self.truth(value)
            if truth is stop:
                if not unknown or known(value):
                    return value
                break
            if truth is None:
                unknown.append(value)
        if not unknown:
            return value
        joined = unknown[0]
        for other in [*unknown[1:], value]:
            joined = self.join(joined, other)
        return Unk(self.taint(joined), "number") if known(joined) else joined

    def _compare(self, node: ast.Compare) -> Value:
        left = self.eval(node.left)
        facts: list[Taint] = []
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.eval(right_node)
            answer = self._one_comparison(op, left, right)
            if answer is False:
                return False
            if answer is None:
                facts += [self.taint(left), self.taint(right)]
            left = right
        return Unk(union(facts), "compared") if facts or answer is None else True

    def _one_comparison(self, op: ast.cmpop, left: Value, right: Value) -> bool | None:
        if isinstance(op, (ast.Is, ast.IsNot)):
            same = self._identical(left, right)
            return same if same is None or isinstance(op, ast.Is) else not same
        if isinstance(op, (ast.In, ast.NotIn)):
            inside = self._inside(left, right)
            return inside if inside is None or isinstance(op, ast.In) else not inside
        if self.hashable(left) and self.hashable(right):
            try:
                return bool(_COMPARE[type(op)](left, right))
            except PURE_ERRORS:
                return None
        if isinstance(op, (ast.Eq, ast.NotEq)) and isinstance(left, Lib) and isinstance(right, Lib):
            return (left == right) is isinstance(op, ast.Eq)
        return None

    @staticmethod
    def _identical(left: Value, right: Value) -> bool | None:
        if known(left) and known(right):
            return left is right or (left == right and type(left) is type(right))
        if left is right:
            return True
        for value in (left, right):
            if isinstance(value, (Alt, Unk)) and not (
                isinstance(value, Unk) and (value.roots or value.parts)
            ):
                return None
        if left is None or right is None:
            return False
        return None

    def _inside(self, left: Value, right: Value) -> bool | None:
        if isinstance(right, Obj) and right.kind == "environ":
            return self.environment(left) is not MISSING if isinstance(left, str) else None
        if isinstance(right, Dct):
            if right.rest is None and not right.taint and self.hashable(left):
                return left in right.items
            return True if self.hashable(left) and left in right.items else None
        items = self.sequence(right)
        if isinstance(right, str) and isinstance(left, str):
            return left in right
        if items is not None and known(left) and all(known(i) for i in items):
            return left in items
        return None


def _sum_divided(node: ast.AST) -> bool:
    """True for (a + b) / c, as in a smoothed count: what is divided among bytes is a loss itself."""
    return (
        isinstance(node, ast.BinOp) and isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Add)
    )


def _per_byte(score: Taint, divisor: Taint) -> bool:
    """True for a loss divided by something that depends on which token it is of: its length in bytes. Counts
    of contexts depend on tokens too, and are no length."""
    mine, theirs = {type(a) for a in score}, {type(a) for a in divisor}
    return Sc in mine and Cnt not in mine and Tok in theirs and not theirs & {Sc, Cnt}


def _smoothed(node: ast.BinOp) -> bool:
    """True for (count + c * p) / (total + c): the counts are smoothed by the model (Dirichlet)."""
    above, below = node.left, node.right
    if not all(isinstance(side, ast.BinOp) and isinstance(side.op, ast.Add) for side in (above, below)):
        return False
    factors: set[str] = set()
    for term in (above.left, above.right):  # type: ignore[attr-defined]
        if isinstance(term, ast.BinOp) and isinstance(term.op, ast.Mult):
            factors |= {ast.unparse(term.left), ast.unparse(term.right)}
    return bool(factors & {ast.unparse(below.left), ast.unparse(below.right)})  # type: ignore[attr-defined]


def _columns(facts: Taint) -> bool:
    """True for counts that tokens selected as columns, and for nothing else that was counted."""
    counts = [a for a in facts if isinstance(a, Cnt)]
    return bool(counts) and all(a.column for a in counts)
