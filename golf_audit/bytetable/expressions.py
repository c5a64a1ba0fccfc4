"""Expressions: constants are computed, tables are indexed, tokens stay variables, the rest is unknown."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from golf_audit.bytetable.samples import SIZE
from golf_audit.bytetable.values import (
    BITS,
    FILE,
    MISSING,
    SIDECAR,
    Bound,
    Class,
    External,
    Function,
    Instance,
    Items,
    Lanes,
    Mark,
    Method,
    Opaque,
    Scope,
    Several,
    Table,
    Tokenizer,
    Total,
    Variable,
    as_lanes,
    elementwise,
    known,
    lookup,
    marks_of,
    number,
    several,
    table,
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


class BudgetSpent(Exception):
    """The evaluation took more steps than it may."""


def invert(value: Any) -> Any:
    """`~` of an array element: logical for a bool, bitwise for a number."""
    return not value if isinstance(value, bool) else ~value


class Expressions:
    """Evaluates expressions in a scope. Subclassed by the machine, which runs statements and calls."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._streams = 0
        self._derived: dict[tuple[Any, ...], int] = {}
        self._kept: list[Any] = []
        self.symbolic = 0  # loops around, of which one turn stands for all
        self.asked = 0  # questions to the tokenizer

    # -- for subclasses ------------------------------------------------------------------------------------

    def call(self, node: ast.Call, scope: Scope) -> Any:
        raise NotImplementedError

    def apply(
        self, function: Any, args: list[Any], kwargs: dict[str, Any], node: ast.AST, scope: Scope
    ) -> Any:
        raise NotImplementedError

    def divided(self, top: Any, bottom: Any, node: ast.AST, scope: Scope) -> None:
        raise NotImplementedError

    def builtin(self, name: str) -> Any:
        raise NotImplementedError

    def external(self, path: str) -> Any:
        raise NotImplementedError

    def iterate(self, target: ast.expr, items: Any, scope: Scope, body: list[ast.AST], turn: Any) -> bool:
        raise NotImplementedError

    # -- unknown values ------------------------------------------------------------------------------------

    def spend(self) -> None:
        """Count one step. Raises BudgetSpent."""
        self.budget -= 1
        if self.budget < 0:
            raise BudgetSpent

    def unknown(self, *origins: Any) -> Opaque:
        """A new unknown value that remembers the marks of what it was made from."""
        self._streams += 1
        return Opaque(Variable(self._streams), marks=frozenset().union(*map(marks_of, origins)))

    def derived(self, parent: Opaque, *key: Any) -> Opaque:
        """The part of an unknown value that a key names: the same part each time."""
        identity = (parent.variable, *key)
        if identity not in self._derived:
            self._streams += 1
            self._derived[identity] = self._streams
        return Opaque(Variable(self._derived[identity]), marks=parent.marks)

    def lost(self, what: str, node: ast.AST, scope: Scope, *origins: Any) -> Opaque:
        """An unknown value where a byte count was: it says where it was lost."""
        mark = Mark(what, scope.layer, getattr(node, "lineno", 0))
        found = self.unknown(*origins)
        return Opaque(found.variable, marks=found.marks | {mark})

    # -- evaluation ----------------------------------------------------------------------------------------

    def evaluate(self, node: ast.AST, scope: Scope) -> Any:
        """The value of an expression; unknown where it cannot be told."""
        self.spend()
        handler = _EXPRESSIONS.get(type(node))
        return handler(self, node, scope) if handler is not None else self._children(node, scope)

    def _children(self, node: ast.AST, scope: Scope) -> Any:
        values = [self.evaluate(child, scope) for child in ast.iter_child_nodes(node)]
        return self.unknown(*values)

    def _constant(self, node: ast.Constant, scope: Scope) -> Any:
        return node.value if not isinstance(node.value, complex) else self.unknown()

    def _name(self, node: ast.Name, scope: Scope) -> Any:
        held = scope.outside.get(node.id) or scope.find(node.id)
        return held.names[node.id] if held and node.id in held.names else self.builtin(node.id)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        return self.attribute(self.evaluate(node.value, scope), node.attr, node, scope)

    def attribute(self, value: Any, name: str, node: ast.AST, scope: Scope) -> Any:
        """`value.name`."""
        if isinstance(value, Several):
            return several(self.attribute(v, name, node, scope) for v in value.options)
        if isinstance(value, External):
            return self.external(f"{value.path}.{name}")
        if isinstance(value, Instance):
            if name in value.names:
                return value.names[name]
            found = value.of.find(name) if value.of is not None else MISSING
            return self._method(found, value, node, scope)
        if isinstance(value, Class):
            found = value.find(name)
            if isinstance(found, Function) and found.is_class:
                return Bound(found, (value,))
            return found if found is not MISSING else self.unknown()
        if isinstance(value, Table) and name in ("shape", "T", "data"):
            size = value.size if value.size is not None else self.unknown()
            return (size,) if name == "shape" else value
        if isinstance(value, Table) and name == "size" and not isinstance(node, ast.Call):
            return value.size if value.size is not None else self.unknown()
        if isinstance(value, Opaque):
            return value if name in ("data", "T", "values") else self.derived(value, name)
        if isinstance(value, (Lanes, Total)) and name == "data":
            return value
        if isinstance(value, (Tokenizer, Table, Lanes)):
            return Bound(Method(name), (value,))
        return self.unknown(value)

    def _method(self, found: Any, instance: Instance, node: ast.AST, scope: Scope) -> Any:
        if found is MISSING:
            return self.unknown()
        if isinstance(found, Function):
            if found.is_property:
                return self.apply(found, [instance], {}, node, scope)
            if found.is_class:
                return Bound(found, (instance.of,))
            return found if found.is_static else Bound(found, (instance,))
        return found

    # -- operators -----------------------------------------------------------------------------------------

    def _binary(self, node: ast.BinOp, scope: Scope) -> Any:
        left = self.evaluate(node.left, scope)
        return self.operate(node.op, left, self.evaluate(node.right, scope), node, scope)

    def operate(self, op: ast.operator, left: Any, right: Any, node: ast.AST, scope: Scope) -> Any:
        """`left op right`."""
        if isinstance(left, Several) and not (isinstance(right, Several) and len(right.options) > 2):
            return several(self.operate(op, v, right, node, scope) for v in left.options)
        if isinstance(right, Several):
            return several(self.operate(op, left, v, node, scope) for v in right.options)
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

    def own(self, value: Any, *origins: Any) -> Any:
        """A list that the script made, with what is known of the lists it was made from."""
        if type(value) is not list and not isinstance(value, Items):
            return value
        made = Items(value)
        made.open = any(getattr(o, "open", False) for o in origins)
        made.pieces = any(getattr(o, "pieces", False) for o in origins)
        made.asked = self.asked
        return made

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

    def _unary(self, node: ast.UnaryOp, scope: Scope) -> Any:
        return self.unary(node.op, self.evaluate(node.operand, scope), node, scope)

    def unary(self, op: ast.unaryop, value: Any, node: ast.AST, scope: Scope) -> Any:
        """`op value`."""
        if isinstance(value, Several):
            return several(self.unary(op, v, node, scope) for v in value.options)
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

    def _boolean(self, node: ast.BoolOp, scope: Scope) -> Any:
        stop = isinstance(node.op, ast.Or)
        left: list[Any] = []
        for operand in node.values:
            value = self.evaluate(operand, scope)
            truth = self.truth(value)
            if truth is stop:
                if not left:
                    return value
                left.append(value)
                break
            if truth is None or operand is node.values[-1]:
                left.append(value)
        if len(left) == 1:
            return left[0]
        if any(isinstance(v, Lanes) for v in left) and all(isinstance(v, Lanes) or number(v) for v in left):
            pick: Callable[..., Any] = (lambda *v: any(v)) if stop else (lambda *v: all(v))
            return self.combine(pick, tuple(left), node, scope)
        if stop:
            return several(left)
        return self.unknown(*left)

    def _compare(self, node: ast.Compare, scope: Scope) -> Any:
        values = [self.evaluate(part, scope) for part in (node.left, *node.comparators)]
        if len(node.ops) == 1:
            return self.compare(node.ops[0], values[0], values[1], node, scope)
        pairs = zip(node.ops, values, values[1:], strict=False)
        found = [self.compare(op, a, b, node, scope) for op, a, b in pairs]
        if all(known(v) for v in found):
            return all(found)
        if any(known(v) and not v for v in found):
            return False
        if all(isinstance(v, Lanes) or known(v) for v in found):
            return self.combine(lambda *v: all(v), tuple(found), node, scope)
        return self.unknown(*values)

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

    def _conditional(self, node: ast.IfExp, scope: Scope) -> Any:
        test = self.evaluate(node.test, scope)
        truth = self.truth(test)
        if truth is not None:
            return self.evaluate(node.body if truth else node.orelse, scope)
        return self.select(test, self.evaluate(node.body, scope), self.evaluate(node.orelse, scope))

    def select(self, test: Any, yes: Any, no: Any) -> Any:
        """`yes` where the test holds, else `no`: elementwise where the test depends on tokens."""
        if yes is no:
            return yes
        if isinstance(test, Lanes):
            counted = test.tables or any(isinstance(v, Lanes) and v.tables for v in (yes, no))
            lanes = [as_lanes(v) for v in (yes, no)]
            if counted and all(lanes):
                found = elementwise(lambda c, a, b: a if c else b, test, *(v for v in lanes if v))
                if found is not None:
                    return found
        return several((yes, no))

    # -- parts ---------------------------------------------------------------------------------------------

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        value = self.evaluate(node.value, scope)
        return self.item(value, self.evaluate(node.slice, scope), node, scope)

    def _slice(self, node: ast.Slice, scope: Scope) -> Any:
        parts = [
            self.evaluate(p, scope) if p is not None else None for p in (node.lower, node.upper, node.step)
        ]
        return slice(*parts)

    def item(self, value: Any, index: Any, node: ast.AST, scope: Scope) -> Any:
        """`value[index]`."""
        if isinstance(value, Several):
            return several(self.item(v, index, node, scope) for v in value.options)
        if isinstance(index, Several):
            return several(self.item(value, i, node, scope) for i in index.options)
        if isinstance(value, Table):
            return self._from_table(value, index, node, scope)
        if isinstance(value, Opaque):
            return self.part(value, index)
        if isinstance(value, Lanes):
            moved = tuple(self.part(Opaque(v), index).variable for v in value.variables)
            if len(set(moved)) < len(moved):
                return self.unknown()
            return Lanes(moved, value.values, value.tables, value.places, value.weighted)
        if isinstance(value, Instance) and value.order and isinstance(index, int):
            return value.names.get(value.order[index], self.unknown()) if index < len(value.order) else None
        if isinstance(value, External):
            return self.external_item(value, index)
        return self._native_item(value, index, node, scope)

    def external_item(self, value: External, index: Any) -> Any:
        """An item of a library's object: os.environ."""
        return self.unknown(index)

    def _native_item(self, value: Any, index: Any, node: ast.AST, scope: Scope) -> Any:
        plain = isinstance(index, (int, str, bytes)) or (
            isinstance(index, slice) and all(p is None or isinstance(p, int) for p in _parts(index))
        )
        if isinstance(value, (list, tuple, str, bytes, range)):
            if plain:
                try:
                    return self.own(value[index], value)
                except (IndexError, TypeError, ValueError):
                    return self.unknown()
            if isinstance(index, slice):
                return value
            if isinstance(index, Opaque) and isinstance(value, (list, tuple)) and value:
                if getattr(value, "pieces", False):
                    return self._from_table(table(value, None, True), index, node, scope)
                return several(value[:16])
        if isinstance(value, dict):
            if plain or isinstance(index, (tuple, type(None))):
                try:
                    return value[index] if index in value else self.unknown()
                except TypeError:
                    return self.unknown()
            return several(value.values()) if value else self.unknown()
        return self.unknown(value)

    def _from_table(self, value: Table, index: Any, node: ast.AST, scope: Scope) -> Any:
        if isinstance(index, tuple):
            index = next((i for i in index if not _whole(i)), None)
        if index is None or index is Ellipsis or _whole(index):
            return value
        if isinstance(index, int):
            try:
                return value.get(index)
            except IndexError:
                return self.unknown()
        if isinstance(index, slice):
            if all(p is None or isinstance(p, int) for p in _parts(index)) and value.size is not None:
                return table(value.values()[index], value.place, value.pieces)
            return value if index.start in (None, 0) else self.unknown()
        if isinstance(index, (list, range, Table)):
            keys = index.values() if isinstance(index, Table) else list(islice(index, _SIZE_CAP))
            if keys and all(isinstance(k, bool) for k in keys):
                keys = [i for i, k in enumerate(keys) if k]
            try:
                return table((value.get(k) for k in keys), value.place, value.pieces)
            except (IndexError, TypeError):
                return self.unknown()
        if not value.pieces and value.size != SIZE:
            return self.unknown(index)
        lanes = as_lanes(index)
        found = lookup(value, lanes, (scope.layer, getattr(node, "lineno", 0))) if lanes else None
        if found is None and not value.pieces:
            return self.unknown(index)
        if found is None:
            return self.lost("a table is indexed in a way that is not followed", node, scope, index)
        return found

    def part(self, value: Opaque, index: Any) -> Opaque:
        """A part of an unknown array: its variable moves with the start of the slice."""
        if isinstance(index, tuple):
            for one in index:
                value = self.part(value, one)
            return value
        variable = value.variable
        if _whole(index) or index is None or index is Ellipsis:
            return value
        if isinstance(index, slice):
            start = index.start if index.start is not None else 0
            if isinstance(start, int) and start >= 0:
                moved = Variable(variable.stream, variable.base, variable.plus + start)
                return Opaque(moved, value.added, value.marks)
            index = start
        elif isinstance(index, str):
            return self.derived(value, "item", index)
        if isinstance(index, Opaque):
            by = self._derived.setdefault(("place", index.variable), self._next())
            moved = Variable(variable.stream, (*variable.base, by), variable.plus + index.added)
            return Opaque(moved, value.added, value.marks)
        by = self._derived.setdefault(
            ("object", index if isinstance(index, int) else id(index)), self._next()
        )
        self._kept.append(index)  # its id stays its own
        return Opaque(
            Variable(variable.stream, (*variable.base, by), variable.plus), value.added, value.marks
        )

    def _next(self) -> int:
        self._streams += 1
        return self._streams

    # -- containers ----------------------------------------------------------------------------------------

    def _items(self, nodes: list[ast.expr], scope: Scope) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                value = self.evaluate(node.value, scope)
                found += (
                    list(value)[:_SIZE_CAP] if isinstance(value, (list, tuple)) else [self.unknown(value)]
                )
            else:
                found.append(self.evaluate(node, scope))
        return found

    def _tuple(self, node: ast.Tuple, scope: Scope) -> Any:
        return tuple(self._items(node.elts, scope))

    def _list(self, node: ast.List, scope: Scope) -> Any:
        return self.own(self._items(node.elts, scope))

    def _set(self, node: ast.Set, scope: Scope) -> Any:
        items = self._items(node.elts, scope)
        return set(items) if all(isinstance(i, (int, str, bytes)) for i in items) else self.unknown(items)

    def _dict(self, node: ast.Dict, scope: Scope) -> Any:
        made: dict[Any, Any] = {}
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            value = self.evaluate(value_node, scope)
            if key_node is None:
                made.update(value if isinstance(value, dict) else {})
                continue
            key = self.evaluate(key_node, scope)
            if isinstance(key, (int, str, bytes, float, type(None))):
                made[key] = value
        return made

    def _joined(self, node: ast.JoinedStr, scope: Scope) -> Any:
        parts = [self.evaluate(part, scope) for part in node.values]
        if all(isinstance(p, str) for p in parts):
            return "".join(parts)
        return self.unknown(*parts)

    def _formatted(self, node: ast.FormattedValue, scope: Scope) -> Any:
        value = self.evaluate(node.value, scope)
        plain = isinstance(value, (str, int)) and node.format_spec is None and node.conversion in (-1, 115)
        return str(value) if plain else self.unknown(value)

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Any:
        return Function(node, scope, self.defaults_of(node.args, scope))

    def defaults_of(self, args: ast.arguments, scope: Scope) -> dict[str, Any]:
        """Default values of a function's parameters, evaluated where it is defined."""
        positional = [*args.posonlyargs, *args.args]
        first = len(positional) - len(args.defaults)
        found = {
            arg.arg: self.evaluate(default, scope)
            for arg, default in zip(positional[first:], args.defaults, strict=True)
        }
        for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
            if default is not None:
                found[arg.arg] = self.evaluate(default, scope)
        return found

    def _walrus(self, node: ast.NamedExpr, scope: Scope) -> Any:
        value = self.evaluate(node.value, scope)
        scope.names[node.target.id] = value
        return value

    def _comprehension(
        self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp, scope: Scope
    ) -> Any:
        inner = Scope(scope.layer, {}, scope, scope.module)
        found = Items()
        found.asked = self.asked

        def turn(depth: int) -> None:
            if depth == len(node.generators):
                if isinstance(node, ast.DictComp):
                    found.append((self.evaluate(node.key, inner), self.evaluate(node.value, inner)))
                else:
                    found.append(self.evaluate(node.elt, inner))
                return
            generator = node.generators[depth]
            items = self.evaluate(generator.iter, inner if depth else scope)
            rest: list[ast.AST] = [node]

            def one() -> None:
                tests = [self.truth(self.evaluate(test, inner)) for test in generator.ifs]
                if False not in tests:
                    turn(depth + 1)

            if not self.iterate(generator.target, items, inner, rest, one):
                found.open = True

        turn(0)
        found.pieces = self.asked > found.asked
        if isinstance(node, ast.DictComp):
            return {k: v for k, v in found if isinstance(k, (int, str, bytes, float, type(None)))}
        if isinstance(node, ast.SetComp):
            return set(found) if all(isinstance(v, (int, str, bytes)) for v in found) else self.unknown()
        return found

    def _await(self, node: ast.Await, scope: Scope) -> Any:
        return self.evaluate(node.value, scope)


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


def _parts(index: slice) -> tuple[Any, Any, Any]:
    return index.start, index.stop, index.step


def _whole(index: Any) -> bool:
    return isinstance(index, slice) and _parts(index) == (None, None, None)


_EXPRESSIONS: Mapping[type[ast.AST], Callable[[Any, Any, Scope], Any]] = {
    ast.Constant: Expressions._constant,
    ast.Name: Expressions._name,
    ast.Attribute: Expressions._attribute,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.BoolOp: Expressions._boolean,
    ast.Compare: Expressions._compare,
    ast.IfExp: Expressions._conditional,
    ast.Subscript: Expressions._subscript,
    ast.Slice: Expressions._slice,
    ast.Tuple: Expressions._tuple,
    ast.List: Expressions._list,
    ast.Set: Expressions._set,
    ast.Dict: Expressions._dict,
    ast.JoinedStr: Expressions._joined,
    ast.FormattedValue: Expressions._formatted,
    ast.Lambda: Expressions._lambda,
    ast.NamedExpr: Expressions._walrus,
    ast.ListComp: Expressions._comprehension,
    ast.GeneratorExp: Expressions._comprehension,
    ast.SetComp: Expressions._comprehension,
    ast.DictComp: Expressions._comprehension,
    ast.Await: Expressions._await,
    ast.Call: lambda self, node, scope: self.call(node, scope),
}
