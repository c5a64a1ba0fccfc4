"""Indexing: what a slice, an index or a key takes out of a value."""

from __future__ import annotations

import ast
from typing import Any

from golf_audit.static.atoms import Cnt, Ix, Out, Par, Sc, Taint, Tok, capped, union
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.positions import SELECTIONS
from golf_audit.static.interpreter.state import MISSING, PURE_ERRORS
from golf_audit.static.places import NOWHERE
from golf_audit.static.values import Alt, Cls, Dct, Lib, Lst, Obj, Unk, Value, known


class Subscripts(Machine):
    """Items of containers, tensors and dictionaries."""

    def store_key(self, made: Dct, key: Value, value: Value) -> None:
        """`made[key] = value`, weakly where the branch is not certain."""
        if self.hashable(key):
            old = made.items.get(key, MISSING)
            made.items[key] = value if old is MISSING or not self.weak else self.join(old, value)
        else:
            made.rest = value if made.rest is None else self.join(made.rest, value)

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
        found = self.place(value, index) if isinstance(value, Lst) and isinstance(index, int) else None
        found = self.any_element(value) if found is None else found
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
        held = self.counts_read(value.taint)
        facts = held | self.taint(index)
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
                capped(self.marked(self.counts_read(found.taint), self.marks_of(facts)) | held),
                found.kind,
                base=found,
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
        elif isinstance(value, Alt) and depth:
            return Alt(tuple(self.with_counts(option, counts, depth - 1) for option in value.options))
        elif isinstance(value, Lst) and value.items is not None and depth:
            return Lst([self.with_counts(item, counts, depth - 1) for item in value.items], value.rest)
        elif isinstance(value, Lst):
            return Lst(
                None, None, counts, value
            )  # still the list that stands in the table, for what is added
        elif known(value) and value is not None:
            return Unk(self.counts_read(counts), "number")
        elif isinstance(value, Unk) and not value.roots:
            return Unk(self.counts_read(value.taint | counts), value.kind, base=value)
        return value

    def _tensor_item(self, value: Unk, index: Value, node: ast.AST) -> Value:
        if _empty(index):
            return Unk(frozenset(a for a in value.taint if not isinstance(a, (Tok, Sc))))
        facts = self.single(self.index_taint(index), told=False)
        marks = self.marks_of(facts)
        chosen = isinstance(index, Unk) and index.kind in SELECTIONS  # a mask gathers nothing
        gathered = not chosen and any(isinstance(a, Tok) for a in facts)
        base = value.taint if not value.roots else self.taint(value)
        if not value.roots and (gathered or not isinstance(index, slice)):
            base = self.counts_read(base)  # a run of a table is a part of it, not yet a look-up
        if not isinstance(index, slice):
            base = self.single(base, told=value.flat and gathered and not isinstance(index, tuple))
        cut = None
        if isinstance(index, (slice, tuple)) or marks:
            cut = self._cut_of(index, marks, node, inside=_computed(base))
        if gathered and not value.roots and self._is_output(value):
            return Unk(self.score(node, value.taint, facts), "gold")
        shift = self.shift_of(index) if not gathered else NOWHERE
        taint = self.moved(self.marked(base, marks, cut), shift)
        if gathered:
            counted = any(isinstance(a, Cnt) for a in base)
            axes = index if isinstance(index, tuple) else (index,)
            if counted and any(self.of_tokens(self.index_taint(axis)) for axis in axes):
                taint = self.column(taint)
            said = self.placeless(facts) | self.looked_up(facts, base) if counted else facts
            taint = capped(taint | said)
            return Unk(taint, value.kind)
        extra = frozenset(a for a in facts if not isinstance(a, (Ix, Tok)))
        if chosen:  # tokens that a mask of the model has picked are still tokens
            extra = frozenset(a for a in extra if not isinstance(a, (Out, Par)))
        if value.roots:
            return Unk(capped(value.taint | extra), value.kind, value.roots, value, detached=value.detached)
        advanced = isinstance(index, Unk) and index.kind not in ("number", "") and not marks
        form = value.form.plus(shift) if value.form is not None else None
        return Unk(
            capped(taint | self.placeless(extra)), value.kind, base=None if advanced else value, form=form
        )

    def _is_output(self, value: Unk) -> bool:
        """True for log-probabilities, probabilities or logits of a model, not for its parameters."""
        return value.kind in ("logp", "prob") or (
            value.kind == "logits" and any(type(a).__name__ == "Out" for a in value.taint)
        )

    def _cut_of(self, index: Value, marks: Any, node: ast.AST, *, inside: bool) -> int | None:
        first = index[0] if isinstance(index, tuple) and index else index
        if isinstance(first, slice):
            bounds = [b for b in (first.start, first.stop) if b is not None]
            if not bounds or all(isinstance(b, int) and abs(b) <= 8 for b in bounds):
                return None
        elif isinstance(first, int):
            return None
        number = INSIDE if inside else self.cut(node)
        return number if marks else -number


INSIDE = 1 << 30
"""The cut of every slice of what a model computed: a layer slices features as well as positions, and one
number for each of a hundred slices would drown the few that cut tokens."""


def _computed(taint: Taint) -> bool:
    """True for hidden states and logits of a model; losses are per target, so their slices are told apart."""
    kinds = {type(a) for a in taint}
    return Out in kinds and Sc not in kinds


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
