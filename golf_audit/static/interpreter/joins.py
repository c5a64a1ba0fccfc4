"""How values join where two paths meet, and what one element of a container stands for."""

from __future__ import annotations

import ast

from golf_audit.static.atoms import NONE, Cnt, Ix, Marks, Own, Taint, capped, union
from golf_audit.static.interpreter.events import Events
from golf_audit.static.streams import stream_of
from golf_audit.static.values import (
    NOTHING,
    Alt,
    Bound,
    Cls,
    Dct,
    Fn,
    Lib,
    Lst,
    Method,
    Obj,
    Space,
    Unk,
    Value,
    known,
)

RECORD = 8
"""Lists of the same length up to this one are joined place by place: they stand for records."""


class Joins(Events):
    """Joining, marking and unfolding of values."""

    def join(self, a: Value, b: Value, depth: int = 4) -> Value:
        """A value that stands for both."""
        if a is b or (known(a) and known(b) and type(a) is type(b) and a == b):
            return a
        if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b) and depth:
            return tuple(self.join(x, y, depth - 1) for x, y in zip(a, b, strict=True))
        if isinstance(a, Lst) and isinstance(b, Lst) and depth:
            mine, theirs = self.sequence(a), self.sequence(b)
            if mine and theirs and len(mine) == len(theirs) <= RECORD:
                return Lst([self.join(x, y, depth - 1) for x, y in zip(mine, theirs, strict=True)])
            return Lst(None, self.join(self.element(a), self.element(b), depth - 1), a.extra | b.extra)
        if isinstance(a, (Unk, int, float, str)) and isinstance(b, (Unk, int, float, str)):
            return Alt((a, b)) if _other_streams(a, b) else self._join_plain(a, b)
        options: list[Value] = []
        for value in (a, b):
            for option in value.options if isinstance(value, Alt) else (value,):
                if option is not None and not any(option is o for o in options):
                    options.append(option)
        if len(options) == 1:
            return options[0]
        if not options:
            return None
        if any(not isinstance(o, Unk) and not known(o) for o in options):
            return Alt(tuple(options[:4]))
        return Unk(union([self.taint(o) for o in options]))

    def _join_plain(self, a: Value, b: Value) -> Value:
        if isinstance(a, Unk) and isinstance(b, Unk):
            for one, other in ((a, b), (b, a)):
                if one.kind == NOTHING and not one.taint and not other.roots:
                    return other  # whatever is taken out of either is taken out of this one
            roots = a.roots | b.roots
            same = a.parts if a.parts == b.parts else None
            made = Unk(
                capped(self.joined_facts(a.taint, b.taint)),
                a.kind if a.kind == b.kind else "",
                roots,
                a.base or b.base,
                same,
                a.detached and b.detached,
                a.form if a.form == b.form else None,
            )
            made.flat = a.flat and b.flat
            return made
        parts: tuple[str | Taint, ...] | None = None
        if isinstance(a, str) and isinstance(b, str):
            parts = (frozenset(),)
        kind = "number" if not isinstance(a, (str, Unk)) and not isinstance(b, (str, Unk)) else ""
        if isinstance(a, Unk) or isinstance(b, Unk):
            return a if isinstance(a, Unk) and not known(b) else self._lift(a, b)
        return Unk(NONE, kind, parts=parts)

    def _lift(self, a: Value, b: Value) -> Unk:
        unknown = a if isinstance(a, Unk) else b
        facts = self.single(unknown.taint, told=False)
        return Unk(facts, unknown.kind, unknown.roots, unknown.base, unknown.parts, unknown.detached)

    def element(self, value: Lst) -> Value:
        """One value that stands for every element."""
        base, extra = self._seen_through(value)
        return self._with_extra(self.one_of([*(base.items or ()), base.rest]), extra)

    def place(self, value: Lst, index: int) -> Value:
        """The element at a known place of a list or of a view of one; None where that is not known."""
        base, extra = self._seen_through(value)
        if base.items is None or base.rest is not None or not -len(base.items) <= index < len(base.items):
            return None
        return self._with_extra(base.items[index], extra)

    @staticmethod
    def _seen_through(value: Lst) -> tuple[Lst, Taint]:
        """The list behind a view, and what all views of it add."""
        extra = value.extra
        while value.base is not None:
            value = value.base
            extra |= value.extra
        return value, extra

    def _with_extra(self, found: Value, extra: Taint) -> Value:
        if not extra or found is None:
            return found
        counts = frozenset(a for a in extra if isinstance(a, Cnt))
        found = self.with_counts(found, counts) if counts else found
        return self.marked_value(found, self.marks_of(extra))

    def with_counts(self, value: Value, counts: Taint, depth: int = 3) -> Value:
        raise NotImplementedError

    def one_of(self, values: list[Value]) -> Value:
        """One of these values; of tensors an alias of all, so that writing to it reaches each."""
        found: Value = None
        for value in values:
            found = value if found is None else self.join(found, value, 3)
        tensors = [v for v in values if isinstance(v, Unk) and v.kind != "number" and not v.roots]
        if isinstance(found, Unk) and len(tensors) > 1 and found.kind != "number" and found.base is None:
            found.base = tuple(tensors[:40])
        return found

    def marked_value(self, value: Value, marks: Marks, depth: int = 4) -> Value:
        """The value, as selected by an index with these marks."""
        if not marks or depth == 0:
            return value
        if isinstance(value, Unk):
            if value.roots:
                return value
            form = self.form_of(value).with_term(self.picked()) if value.kind == "number" else value.form
            facts = self.picked_facts(self.marked(value.taint, marks))
            return Unk(facts, value.kind, value.roots, value, value.parts, value.detached, form)
        if isinstance(value, tuple):
            return tuple(self.marked_value(v, marks, depth - 1) for v in value)
        if isinstance(value, Lst):
            return Lst(None, None, frozenset(Ix(*m) for m in marks), value)
        if isinstance(value, Obj) and value.root is None and not value.kind:
            copy = Obj(value.cls, value.kind)
            copy.attrs = {k: self.marked_value(v, marks, depth - 1) for k, v in value.attrs.items()}
            copy.taint = value.taint
            return copy
        if isinstance(value, Alt):
            return Alt(tuple(self.marked_value(v, marks, depth - 1) for v in value.options))
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return Unk(frozenset(Ix(*m) for m in marks), "number")
        return value

    def with_facts(self, value: Value, facts: Taint, depth: int = 4) -> Value:
        """The value, depending on these facts as well."""
        if isinstance(value, Unk):
            return Unk(
                capped(value.taint | facts), value.kind, value.roots, value, value.parts, value.detached
            )
        if isinstance(value, tuple) and depth:
            return tuple(self.with_facts(v, facts, depth - 1) for v in value)
        if isinstance(value, Alt) and depth:
            return Alt(tuple(self.with_facts(v, facts, depth - 1) for v in value.options))
        if isinstance(value, Obj) and value.root is None and not value.kind and depth:
            copy = Obj(value.cls)
            copy.attrs = {k: self.with_facts(v, facts, depth - 1) for k, v in value.attrs.items()}
            copy.taint = value.taint | facts
            return copy
        return Unk(facts, "number") if isinstance(value, (int, float)) else value

    def join_vars(self, a: dict[str, Value], b: dict[str, Value]) -> dict[str, Value]:
        """Names after a branch that took one side or the other."""
        if a is b:
            return a
        made = dict(a)
        for name, value in b.items():
            if name not in made:
                made[name] = value
            elif made[name] is not value:
                made[name] = self.join(made[name], value)
        return made

    @staticmethod
    def hashable(key: Value) -> bool:
        return known(key) or (isinstance(key, tuple) and all(known(k) for k in key))

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
        if isinstance(value, Method) and isinstance(value.receiver, Unk):
            return None  # it may be an attribute as well as a method
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
            facts = self.scattered(value.taint)
            return Unk(facts, value.kind, value.roots, value, detached=value.detached)
        if isinstance(value, Alt):
            found = self.any_element(value.options[0])
            for option in value.options[1:]:
                found = self.join(found, self.any_element(option))
            return found
        return Unk(self.taint(value))

    def snapshot(self, value: Unk, kind: str = "") -> Unk:
        """A copy: no longer a view of parameters, but it remembers whose it is."""
        own = frozenset(Own(root.find().number) for root in value.roots)
        facts = capped(self.taint(value) | own)
        return Unk(facts, kind or value.kind, parts=value.parts, form=value.form)


def _other_streams(a: Value, b: Value) -> bool:
    """True for names of files that hold different token streams: neither may be forgotten."""
    streams = [stream_of(str(v) if isinstance(v, str) else v.text) for v in (a, b) if _is_text(v)]
    return len(streams) == 2 and None not in streams and streams[0] is not streams[1]


def _is_text(value: Value) -> bool:
    return isinstance(value, str) or (isinstance(value, Unk) and value.parts is not None)
