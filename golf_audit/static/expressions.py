"""Expressions: known operands are computed by Python itself, all else keeps the facts of its parts."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from golf_audit.static.machine import DeadPathError, Machine
from golf_audit.static.values import (
    NONE,
    Alt,
    Blend,
    Bound,
    Cls,
    Cnt,
    Dct,
    Env,
    Fn,
    Ix,
    Lib,
    Lst,
    Method,
    Obj,
    Own,
    Sc,
    Space,
    Taint,
    Text,
    Tok,
    Unk,
    Value,
    capped,
    known,
    union,
)
from golf_audit.timeline import Stream

MISSING = object()
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
PURE_ERRORS = (
    TypeError,
    ValueError,
    ZeroDivisionError,
    OverflowError,
    LookupError,
    AttributeError,
    UnicodeError,
)
_BIG = 1 << 16


class Expressions(Machine):
    """Evaluation of expressions."""

    def eval(self, node: ast.expr) -> Value:
        """The value of an expression in the current frame."""
        self.spend()
        handler = _HANDLERS.get(type(node))
        if handler is None:
            return Unk(
                union(
                    [self.taint(self.eval(c)) for c in ast.iter_child_nodes(node) if isinstance(c, ast.expr)]
                )
            )
        return handler(self, node)

    def _constant(self, node: ast.Constant) -> Value:
        return node.value

    def _name(self, node: ast.Name) -> Value:
        found = self.load(node.id, self.frame.env)
        return Lib(f"builtins.{node.id}") if found is MISSING else found

    def load(self, name: str, env: Env) -> Value:
        """A name as Python would look it up; MISSING where no scope has it."""
        scope: Env | None = env.names.get(name, env)
        while scope is not None:
            if name in scope.vars:
                return scope.vars[name]
            scope = scope.parent
        return env.globals.vars.get(name, MISSING)

    def _tuple(self, node: ast.Tuple) -> Value:
        made = self._elements(node.elts)
        return tuple(made.items) if made.items is not None else made

    def _list(self, node: ast.List | ast.Set) -> Value:
        return self._elements(node.elts)

    def _elements(self, nodes: list[ast.expr]) -> Lst:
        items: list[Value] = []
        rest: list[Value] = []
        for element in nodes:
            if isinstance(element, ast.Starred):
                value = self.eval(element.value)
                exact = self.sequence(value)
                if exact is None:
                    rest.append(self.any_element(value))
                else:
                    items += exact
            else:
                items.append(self.eval(element))
        if not rest:
            return Lst(items)
        joined = rest[0]
        for value in [*rest[1:], *items]:
            joined = self.join(joined, value)
        return Lst(None, joined)

    def _dict(self, node: ast.Dict) -> Value:
        made = Dct()
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            value = self.eval(value_node)
            if key_node is None:
                if isinstance(value, Dct):
                    made.items.update(value.items)
                    made.rest = value.rest if made.rest is None else self.join(made.rest, value.rest)
                    made.taint |= value.taint
                else:
                    made.taint |= self.taint(value)
                continue
            self.store_key(made, self.eval(key_node), value)
        return made

    def store_key(self, made: Dct, key: Value, value: Value) -> None:
        """`made[key] = value`, weakly where the branch is not certain."""
        if self.hashable(key):
            old = made.items.get(key, MISSING)
            made.items[key] = value if old is MISSING or not self.weak else self.join(old, value)
        else:
            made.rest = value if made.rest is None else self.join(made.rest, value)

    @staticmethod
    def hashable(key: Value) -> bool:
        return known(key) or (isinstance(key, tuple) and all(known(k) for k in key))

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
        taints = [self.taint(left), self.taint(right)]
        if isinstance(op, (ast.Add, ast.Sub, ast.BitOr)):
            facts = self.combined(node, taints)
        else:
            facts = union(taints)
        kinds = {v.kind if isinstance(v, Unk) else "number" for v in (left, right)}
        kind = (
            "number"
            if kinds == {"number"}
            else next((k for k in ("logp", "prob", "logits") if k in kinds), "")
        )
        return Unk(facts, kind)

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

    def environment(self, name: str) -> Value:
        raise NotImplementedError

    def _ifexp(self, node: ast.IfExp) -> Value:
        test = self.eval(node.test)
        truth = self.truth(test)
        if truth is not None:
            return self.eval(node.body if truth else node.orelse)
        made = self.side(node.body, node.test), self.side(node.orelse, node.test)
        alive = [v for v in made if v is not MISSING]
        if not alive:
            raise DeadPathError
        joined = alive[0] if len(alive) == 1 else self.join(*alive)
        return self.chosen(node, test, alive, joined)

    def side(self, node: ast.expr, test: ast.expr) -> Value:
        """One side of a choice that is not known; MISSING where it cannot be."""
        with self.under(self.quote(test)):
            try:
                return self.eval(node)
            except DeadPathError:
                return MISSING

    def chosen(self, node: ast.AST, test: Value, sides: list[Value], joined: Value) -> Value:
        """A choice between scores by a score is a Select."""
        facts = self.taint(test)
        scored = isinstance(joined, Unk) and any(isinstance(a, Sc) for a in joined.taint)
        if scored and len(sides) == 2 and self.compares_scores(getattr(node, "test", None)):
            return Unk(joined.taint | self.select(node, facts | joined.taint), joined.kind)
        return joined

    def compares_scores(self, test: ast.expr | None) -> bool:
        """True for `new < old` where both are scores."""
        if isinstance(test, ast.BoolOp):
            return any(self.compares_scores(part) for part in test.values)
        if not isinstance(test, ast.Compare) or not isinstance(
            test.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
        ):
            return False
        sides = [self.taint(self.eval(part)) for part in (test.left, test.comparators[0])]
        return all(any(isinstance(a, Sc) for a in side) for side in sides)

    def quote(self, test: ast.AST) -> str:
        """A test as a short text."""
        return ast.unparse(test)[:80]

    def truth(self, value: Value) -> bool | None:
        """Whether a value is true; None when that is not known."""
        if known(value):
            return bool(value)
        if isinstance(value, tuple):
            return bool(value)
        if isinstance(value, Lst):
            items = self.sequence(value)
            return bool(items) if items is not None else None
        if isinstance(value, Dct):
            if value.items:
                return True
            return None if value.rest is not None or value.taint else False
        if isinstance(value, (Fn, Bound, Cls, Lib, Space, Obj, Method)):
            return True
        if isinstance(value, Alt):
            found = {self.truth(v) for v in value.options}
            return found.pop() if len(found) == 1 else None
        return None

    def sequence(self, value: Value) -> list[Value] | None:
        """The elements, when every one is known."""
        if isinstance(value, tuple):
            return list(value)
        if isinstance(value, Lst):
            if value.base is not None or value.items is None or value.rest is not None:
                return None
            return value.items
        if isinstance(value, Dct):
            return list(value.items) if value.rest is None and not value.taint else None
        if isinstance(value, range):
            return list(value) if len(value) <= 64 else None
        if isinstance(value, (str, bytes)) and len(value) <= 64:
            return list(value)
        return None

    def any_element(self, value: Value) -> Value:
        """One value for every element of something that is iterated."""
        if isinstance(value, Lst):
            return self.element(value)
        if isinstance(value, tuple):
            return self.element(Lst(list(value)))
        if isinstance(value, range):
            return Unk(kind="number")
        if isinstance(value, Dct):
            return Unk(value.taint, parts=(value.taint,))
        if isinstance(value, Unk):
            return Unk(value.taint, value.kind, value.roots, value, detached=value.detached)
        if isinstance(value, Alt):
            found = self.any_element(value.options[0])
            for option in value.options[1:]:
                found = self.join(found, self.any_element(option))
            return found
        return Unk(self.taint(value))

    def _lambda(self, node: ast.Lambda) -> Value:
        return self.function(node)

    def function(self, node: Any) -> Value:
        raise NotImplementedError

    def _attribute(self, node: ast.Attribute) -> Value:
        return self.attribute(self.eval(node.value), node.attr, node)

    def attribute(self, value: Value, name: str, node: ast.AST) -> Value:
        raise NotImplementedError

    def _subscript(self, node: ast.Subscript) -> Value:
        value = self.eval(node.value)
        index = self.index(node.slice)
        return self.item(value, index, node)

    def index(self, node: ast.expr) -> Value:
        """An index expression; slices stay slices."""
        if isinstance(node, ast.Slice):
            bounds = (node.lower, node.upper, node.step)
            return slice(*(self.eval(b) if b is not None else None for b in bounds))
        if isinstance(node, ast.Tuple):
            return tuple(self.index(e) for e in node.elts)
        return self.eval(node)

    def item(self, value: Value, index: Value, node: ast.AST) -> Value:
        """`value[index]`."""
        if isinstance(value, Alt):
            found = [self.item(v, index, node) for v in value.options if v is not None]
            return self.element(Lst(found))
        if isinstance(value, Obj):
            return self.obj_item(value, index, node)
        if isinstance(value, (tuple, Lst)):
            return self._list_item(value, index)
        if isinstance(value, Dct):
            return self.dict_item(value, index)
        if isinstance(value, (str, bytes, range)):
            try:
                return value[index]
            except PURE_ERRORS:
                return Unk(self.index_taint(index))
        if isinstance(value, (Cls, Lib)):
            return value
        if isinstance(value, Unk):
            return self._tensor_item(value, index, node)
        return Unk(self.taint(value) | self.index_taint(index))

    def obj_item(self, value: Obj, index: Value, node: ast.AST) -> Value:
        raise NotImplementedError

    def index_taint(self, index: Value) -> Taint:
        """The facts of an index, slices included."""
        if isinstance(index, slice):
            return union([self.taint(v) for v in (index.start, index.stop, index.step)])
        if isinstance(index, tuple):
            return union([self.index_taint(v) for v in index])
        return self.taint(index)

    def _list_item(self, value: Value, index: Value) -> Value:
        items = self.sequence(value)
        if items is not None and (isinstance(index, int) or (isinstance(index, slice) and _plain(index))):
            try:
                found = items[index]
            except LookupError:
                return Unk()
            if isinstance(index, slice):
                return tuple(found) if isinstance(value, tuple) else Lst(found)
            return found
        marks = self.marks_of(self.index_taint(index))
        facts = frozenset(a for a in self.index_taint(index) if isinstance(a, Tok))
        if isinstance(index, slice):
            if isinstance(value, tuple):
                value = Lst(list(value))
            return Lst(None, None, frozenset(Ix(*m) for m in marks), value)
        found = self.any_element(value)
        if found is None:
            return Unk(frozenset(Ix(*m) for m in marks) | facts)
        if facts and (known(found) or (isinstance(found, Unk) and not found.roots)):
            return Unk(capped(self.marked(self.taint(found), marks) | facts))
        return self.marked_value(found, marks)

    def dict_item(self, value: Dct, index: Value, default: Value = MISSING) -> Value:
        """`value[index]`, or what stands there by default."""
        if self.hashable(index) and index in value.items:
            found = value.items[index]
            return self.join(found, default) if self.weak and default is not MISSING else found
        facts = value.taint | self.taint(index)
        found = value.rest
        if not self.hashable(index):
            found = self.one_of([found, *list(value.items.values())[:40]])
        if found is None and value.default is not None:
            made = self.call(value.default, [], {}, None)
            self.store_key(value, index, made)
            if isinstance(made, Dct):
                made.taint |= value.taint
            found = made
        if found is None:
            if default is not MISSING and not value.taint:
                return default
            return Unk(facts)
        if isinstance(found, Unk) and (value.taint or self.taint(index)) and not found.roots:
            return Unk(
                capped(self.marked(found.taint, self.marks_of(facts)) | value.taint), found.kind, base=found
            )
        counts = frozenset(a for a in value.taint if isinstance(a, Cnt))
        if counts and isinstance(found, (Dct, Lst)):
            return self.with_counts(found, counts)
        if known(found) and any(isinstance(a, (Tok, Cnt)) for a in facts):
            return Unk(facts, "number" if isinstance(found, (int, float)) else "")
        return self.marked_value(found, self.marks_of(facts))

    def with_counts(self, value: Value, counts: Taint, depth: int = 3) -> Value:
        """What stands in a table of tables depends on the tokens that the outer one was filled with."""
        if isinstance(value, Dct):
            value.taint |= counts
        elif isinstance(value, Lst) and value.items is not None and depth:
            return Lst([self.with_counts(item, counts, depth - 1) for item in value.items], value.rest)
        elif known(value) and value is not None:
            return Unk(counts, "number")
        elif isinstance(value, Unk) and not value.roots:
            return Unk(value.taint | counts, value.kind, base=value)
        return value

    def call(self, fn: Value, args: list[Value], keywords: dict[str, Value], node: ast.AST | None) -> Value:
        raise NotImplementedError

    def _tensor_item(self, value: Unk, index: Value, node: ast.AST) -> Value:
        if _empty(index):
            return Unk(frozenset(a for a in value.taint if not isinstance(a, (Tok, Sc))))
        facts = self.index_taint(index)
        marks = self.marks_of(facts)
        gathered = any(isinstance(a, Tok) for a in facts)
        cut = None
        if isinstance(index, (slice, tuple)) or marks:
            cut = self._cut_of(index, marks, node)
        base = value.taint if not value.roots else self.taint(value)
        if gathered and not value.roots and self._is_output(value):
            return Unk(self.score(node, value.taint, facts), "gold")
        taint = self.marked(base, marks, cut)
        if gathered:
            taint = capped(taint | facts)
            return Unk(taint, value.kind)
        extra = frozenset(a for a in facts if not isinstance(a, (Ix, Tok)))
        if value.roots:
            return Unk(capped(value.taint | extra), value.kind, value.roots, value, detached=value.detached)
        advanced = isinstance(index, Unk) and index.kind not in ("number", "") and not marks
        return Unk(capped(taint | extra), value.kind, base=None if advanced else value)

    def _is_output(self, value: Unk) -> bool:
        """True for log-probabilities, probabilities or logits of a model, not for its parameters."""
        return value.kind in ("logp", "prob") or (
            value.kind == "logits" and any(type(a).__name__ == "Out" for a in value.taint)
        )

    def _cut_of(self, index: Value, marks: Any, node: ast.AST) -> int | None:
        first = index[0] if isinstance(index, tuple) and index else index
        if isinstance(first, slice):
            bounds = [b for b in (first.start, first.stop) if b is not None]
            if not bounds or all(isinstance(b, int) and abs(b) <= 8 for b in bounds):
                return None
        elif isinstance(first, int):
            return None
        return self.cut(node) if marks else -self.cut(node)

    def _comprehension(self, node: Any) -> Value:
        raise NotImplementedError

    def _call(self, node: ast.Call) -> Value:
        raise NotImplementedError

    def _starred(self, node: ast.Starred) -> Value:
        return self.eval(node.value)

    def _named(self, node: ast.NamedExpr) -> Value:
        value = self.eval(node.value)
        self.assign(node.target, value)
        return value

    def assign(self, target: ast.expr, value: Value) -> None:
        raise NotImplementedError

    def _await(self, node: ast.Await | ast.YieldFrom) -> Value:
        value = self.eval(node.value)
        if isinstance(node, ast.YieldFrom):
            self.frame.yields.append(self.any_element(value))
        return value

    def _yield(self, node: ast.Yield) -> Value:
        self.frame.yields.append(self.eval(node.value) if node.value is not None else None)
        return Unk()

    def snapshot(self, value: Unk, kind: str = "") -> Unk:
        """A copy: no longer a view of parameters, but it remembers whose it is."""
        own = frozenset(Own(root.find().number) for root in value.roots)
        return Unk(capped(self.taint(value) | own), kind or value.kind, parts=value.parts)


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


def _plain(index: slice) -> bool:
    return all(b is None or isinstance(b, int) for b in (index.start, index.stop, index.step))


def _empty(index: Value) -> bool:
    first = index[0] if isinstance(index, tuple) and index else index
    return (
        isinstance(first, slice)
        and first.stop == 0
        and isinstance(first.stop, int)
        and first.start in (None, 0)
    )


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


VAL_STREAM = Stream.VAL
_HANDLERS: dict[type[ast.AST], Callable[[Any, Any], Value]] = {
    ast.Constant: Expressions._constant,
    ast.Name: Expressions._name,
    ast.Tuple: Expressions._tuple,
    ast.List: Expressions._list,
    ast.Set: Expressions._list,
    ast.Dict: Expressions._dict,
    ast.BinOp: Expressions._binop,
    ast.UnaryOp: Expressions._unary,
    ast.BoolOp: Expressions._boolop,
    ast.Compare: Expressions._compare,
    ast.IfExp: Expressions._ifexp,
    ast.Lambda: Expressions._lambda,
    ast.Attribute: Expressions._attribute,
    ast.Subscript: Expressions._subscript,
    ast.JoinedStr: Expressions._joined,
    ast.FormattedValue: Expressions._formatted,
    ast.Starred: Expressions._starred,
    ast.NamedExpr: Expressions._named,
    ast.Await: Expressions._await,
    ast.YieldFrom: Expressions._await,
    ast.Yield: Expressions._yield,
    ast.ListComp: lambda m, n: m._comprehension(n),
    ast.SetComp: lambda m, n: m._comprehension(n),
    ast.GeneratorExp: lambda m, n: m._comprehension(n),
    ast.DictComp: lambda m, n: m._comprehension(n),
    ast.Call: lambda m, n: m._call(n),
}
