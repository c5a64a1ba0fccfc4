"""Operators: on constants, on tables, on tokens, on sums of counted bytes."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from golf_audit.bytetable.core import Core
from golf_audit.bytetable.values import (
    BITS,
    FILE,
    SIDECAR,
    Bound,
    Class,
    Function,
    Instance,
    Items,
    Lanes,
    Mark,
    Opaque,
    Scope,
    Several,
    Table,
    Tokenizer,
    Total,
    aligned,
    as_lanes,
    each,
    elementwise,
    known,
    marks_of,
    number,
)

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


_SIZE_CAP = 2**18  # elements of a list or characters of a text that an operation may make
_NUMBER_CAP = 2**256


def invert(value: Any) -> Any:
    """`~` of an array element: logical for a bool, bitwise for a number."""
    return not value if isinstance(value, bool) else ~value


class Operators(Core):
    """`left op right` for every kind of value."""

    def operate(self, op: ast.operator, left: Any, right: Any, node: ast.AST, scope: Scope) -> Any:
        """`left op right`."""
        if isinstance(left, Several) and isinstance(right, Several) and left.together(right):
            pairs = zip(left.options, right.options, strict=True)
            return aligned([self.operate(op, a, b, node, scope) for a, b in pairs], left.origin)
        if isinstance(left, Several) and not (isinstance(right, Several) and len(right.options) > 2):
            return each(left, lambda v: self.operate(op, v, right, node, scope))
        if isinstance(right, Several):
            return each(right, lambda v: self.operate(op, left, v, node, scope))
        if isinstance(op, ast.Div):
            self.divided(left, right, node, scope)
            if isinstance(left, Opaque) and number(right) and math.isclose(right, math.log(2)):
                return Opaque(self.unknown(left).variable, 0, left.marks | {BITS})
        function = _BINARY.get(type(op))
        if function is None:
            return self.unknown(left, right)
        if known(left) and known(right):
            return self.own(self._compute(function, left, right), left, right)
        if isinstance(left, Total) or isinstance(right, Total) or _in_bits(op, left, right):
            return self._totals(op, left, right, node, scope)
        return self.combine(function, (left, right), node, scope, op)

    def _compute(self, function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
        if not _moderate(function, left, right):
            return self.unknown()
        try:
            return function(left, right)
        except (ArithmeticError, TypeError, ValueError):
            return self.unknown(left, right)

    def combine(
        self,
        function: Callable[..., Any],
        operands: tuple[Any, ...],
        node: ast.AST,
        scope: Scope,
        op: ast.operator | None = None,
    ) -> Any:
        """An elementwise function of tables, of tokens, of numbers."""
        tables = [v for v in operands if isinstance(v, Table)]
        if tables and all(isinstance(v, Table) or number(v) for v in operands):
            return self._tables(function, operands, tables[0])
        linear = isinstance(op, (ast.Add, ast.Sub))
        if linear and isinstance(operands[0], Opaque) and type(operands[1]) is int:
            held, by = operands
            return Opaque(held.variable, held.added + (by if isinstance(op, ast.Add) else -by), held.marks)
        if (
            linear
            and isinstance(op, ast.Add)
            and type(operands[0]) is int
            and isinstance(operands[1], Opaque)
        ):
            return self.combine(function, (operands[1], operands[0]), node, scope, op)
        if not any(isinstance(v, Lanes) for v in operands) and not isinstance(op, (ast.Mod, type(None))):
            return self.unknown(*operands)
        return self._lanes(function, operands, node, scope, op)

    def _tables(self, function: Callable[..., Any], operands: tuple[Any, ...], like: Table) -> Any:
        keys = {k for v in operands if isinstance(v, Table) for k in v.items}
        sizes = [v.size for v in operands if isinstance(v, Table) and v.size is not None]

        def at(key: int) -> Any:
            return function(*(v.items.get(key, v.fill) if isinstance(v, Table) else v for v in operands))

        try:
            fill = function(*(v.fill if isinstance(v, Table) else v for v in operands))
            made = Table(fill, {k: at(k) for k in keys}, max(sizes, default=None), like.place)
            made.pieces = any(v.pieces for v in operands if isinstance(v, Table))
            return made
        except (ArithmeticError, TypeError, ValueError):
            return self.unknown(*operands)

    def _lanes(
        self,
        function: Callable[..., Any],
        operands: tuple[Any, ...],
        node: ast.AST,
        scope: Scope,
        op: ast.operator | None,
    ) -> Any:
        counted = [v for v in operands if isinstance(v, Lanes) and v.counts]
        others = [v for v in operands if not (isinstance(v, Lanes) and v.counts) and not number(v)]
        if any(marks_of(v).intersection((FILE, SIDECAR)) for v in others):
            return self.unknown(*operands)  # not the bytes of the sample pieces
        alone = len(counted) == 1 and others and not any(isinstance(v, Lanes) for v in others)
        if alone and isinstance(op, (ast.Mult, ast.BitAnd, ast.Add, ast.Sub)):
            # a mask, or an accumulator of which nothing is known
            masked = counted[0].weighted or isinstance(op, (ast.Mult, ast.BitAnd))
            return replace(counted[0], weighted=masked)
        lanes = [as_lanes(v) for v in operands]
        found = elementwise(function, *(v for v in lanes if v is not None)) if all(lanes) else None
        if found is not None:
            return found
        if counted and isinstance(op, ast.Add) and len(counted) == len(operands):
            return Total(tuple(counted))
        if counted:
            return self.lost("the byte count meets a value that is not followed", node, scope, *operands)
        return self.unknown(*operands)

    def _totals(self, op: ast.operator, left: Any, right: Any, node: ast.AST, scope: Scope) -> Any:
        first, second = (_as_total(v) for v in (left, right))
        marks = marks_of(left) | marks_of(right)
        if isinstance(op, (ast.Add, ast.Sub)) and first is not None and second is not None:
            if first.scale == second.scale and isinstance(op, ast.Add):
                return Total((*first.terms, *second.terms), first.scale, marks)
            if first.scale == second.scale:
                return self._less(first, second, marks)
            return self.lost("byte counts of different scale are added", node, scope, left, right)
        held = first if first is not None else second
        other = right if first is not None else left
        assert held is not None
        if isinstance(op, ast.Div) and first is None:
            return self.unknown()  # so many bits for each byte: the division is recorded
        if isinstance(op, (ast.Mult, ast.Div)) and number(other) and other:
            factor = float(other) if isinstance(op, ast.Mult) else 1 / float(other)
            return Total(held.terms, held.scale * factor, marks)
        if isinstance(op, (ast.Add, ast.Sub, ast.Mult, ast.Div)):
            return Total(held.terms, held.scale, marks)
        return self.unknown()

    def _less(self, total: Total, part: Total, marks: frozenset[Mark]) -> Any:
        """A sum without what was counted before: progress, or a chunk that is scored anew."""
        kept = tuple(t for t in total.terms if not any(t is other for other in part.terms))
        return Total(kept or total.terms, total.scale, marks)

    def unary(self, op: ast.unaryop, value: Any, node: ast.AST, scope: Scope) -> Any:
        """`op value`."""
        if isinstance(value, Several):
            return each(value, lambda v: self.unary(op, v, node, scope))
        if isinstance(op, ast.Not):
            truth = self.truth(value)
            if truth is not None:
                return not truth
            return self.combine(operator.not_, (value,), node, scope) if isinstance(value, Lanes) else value
        function: Callable[[Any], Any] = {ast.Invert: invert, ast.USub: operator.neg}.get(
            type(op), operator.pos
        )
        if number(value):
            return ~value if function is invert and not isinstance(value, bool) else function(value)
        if isinstance(value, (Lanes, Table)):
            return self.combine(function, (value,), node, scope)
        return value if isinstance(op, ast.UAdd) else self.unknown(value)

    def truth(self, value: Any) -> bool | None:
        """Whether a condition holds; None where it is not known."""
        if isinstance(value, Items) and (value.open or (not value and self.symbolic)):
            return None
        if known(value):
            return bool(value)
        if isinstance(value, Table):
            return bool(value.get(0)) if value.size == 1 and known(value.get(0)) else None
        if isinstance(value, (Instance, Function, Class, Bound, Tokenizer)):
            return True
        return None

    def compare(self, op: ast.cmpop, left: Any, right: Any, node: ast.AST, scope: Scope) -> Any:
        """`left op right`."""
        if isinstance(op, (ast.Is, ast.IsNot)):
            return self._identity(left, right, isinstance(op, ast.Is))
        function = _COMPARE.get(type(op))
        if known(left) and known(right):
            try:
                if isinstance(op, (ast.In, ast.NotIn)):
                    return (left in right) is isinstance(op, ast.In)
                return bool(function(left, right)) if function else self.unknown()
            except TypeError:
                return self.unknown()
        plain = all(isinstance(v, (Lanes, Table, Opaque)) or number(v) for v in (left, right))
        if function is not None and plain and not (isinstance(left, Opaque) and isinstance(right, Opaque)):
            return self.combine(function, (left, right), node, scope)
        return self.unknown(left, right)

    def _identity(self, left: Any, right: Any, same: bool) -> Any:
        if isinstance(left, (Opaque, Several)) or isinstance(right, (Opaque, Several)):
            return self.unknown()
        plain = (bool, int, str, bytes, type(None))
        equal = left is right or (isinstance(left, plain) and type(left) is type(right) and left == right)
        return equal is same

    def select(self, test: Any, yes: Any, no: Any, origin: object = None) -> Any:
        """`yes` where the test holds, else `no`: elementwise where the test depends on tokens. What
        one branch leaves under several names has one `origin`."""
        if yes is no:
            return yes
        if isinstance(test, Lanes):
            counted = test.tables or any(isinstance(v, Lanes) and v.tables for v in (yes, no))
            lanes = [as_lanes(v) for v in (yes, no)]
            if counted and all(lanes):
                found = elementwise(lambda c, a, b: a if c else b, test, *(v for v in lanes if v))
                if found is not None:
                    return found
        return aligned([yes, no], origin if origin is not None else object())


def _moderate(function: Callable[[Any, Any], Any], left: Any, right: Any) -> bool:
    """True when the result of an operation on constants cannot be large."""
    if function is operator.mod and isinstance(left, (str, bytes)):
        return False  # a format may ask for any width
    texts = [len(v) for v in (left, right) if isinstance(v, (str, bytes, list, tuple))]
    numbers = [abs(v) for v in (left, right) if isinstance(v, int)]
    if sum(texts) * max((1, *numbers)) > _SIZE_CAP:
        return False
    most = 256 if function in (operator.pow, operator.lshift) else _NUMBER_CAP
    return all(n <= most for n in numbers)


def _in_bits(op: ast.operator, left: Any, right: Any) -> bool:
    """True for counted bytes times ln 2: the count stays what it is, the loss above it is in nats."""
    if not isinstance(op, (ast.Mult, ast.Div)):
        return False
    counted = [v for v in (left, right) if isinstance(v, Lanes) and v.counts]
    return len(counted) == 1 and any(number(v) and math.isclose(v, math.log(2)) for v in (left, right))


def _as_total(value: Any) -> Total | None:
    if isinstance(value, Total):
        return value
    return Total((value,)) if isinstance(value, Lanes) and value.tables else None
