"""Assignment: to names, attributes, items and in place."""

from __future__ import annotations

import ast

from golf_audit.static.atoms import NONE, Blend, Cnt, Dep, Ix, Out, Own, Sc, Taint, Tok, union
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.positions import SELECTIONS, consults
from golf_audit.static.interpreter.state import MISSING
from golf_audit.static.places import At
from golf_audit.static.values import Alt, Cls, Dct, Lst, Obj, Unk, Value
from golf_audit.timeline import Stream

_SCALARS = ("number", "compared")


class Assignments(Machine):
    """Everything left of an equals sign."""

    def _assign(self, node: ast.Assign) -> None:
        value = self.eval(node.value)
        for target in node.targets:
            self.assign(target, value)

    def _annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.assign(node.target, self.eval(node.value))

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a value to a target."""
        if isinstance(target, ast.Name):
            env = self.frame.env
            env.names.get(target.id, env).vars[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target.elts, value)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value)
        elif isinstance(target, ast.Attribute):
            self.set_attribute(self.eval(target.value), target.attr, value, target)
        elif isinstance(target, ast.Subscript):
            self.set_item(self.eval(target.value), self.index(target.slice), value, target)

    def _unpack(self, targets: list[ast.expr], value: Value) -> None:
        items = self.sequence(value)
        starred = next((i for i, t in enumerate(targets) if isinstance(t, ast.Starred)), None)
        if items is not None and starred is not None and len(items) >= len(targets) - 1:
            after = len(targets) - starred - 1
            middle = Lst(items[starred : len(items) - after])
            items = [*items[:starred], middle, *items[len(items) - after :]]
        if items is not None and len(items) == len(targets):
            for target, item in zip(targets, items, strict=True):
                self.assign(target, item)
            return
        if isinstance(value, Alt):
            tuples = [v for v in value.options if isinstance(v, tuple) and len(v) == len(targets)]
            if tuples:
                for i, target in enumerate(targets):
                    self.assign(target, self.element(Lst([t[i] for t in tuples])))
                return
        element = self.any_element(value)
        for target in targets:
            self.assign(target, Lst(None, element) if isinstance(target, ast.Starred) else element)

    def set_attribute(self, holder: Value, name: str, value: Value, node: ast.AST) -> None:
        """`holder.name = value`."""
        if isinstance(holder, Alt):
            for option in holder.options:
                self.set_attribute(option, name, value, node)
        elif isinstance(holder, Obj):
            if holder.root is not None:
                for root in self.roots_in(value):
                    holder.root.find().join(root)
            old = holder.attrs.get(name, MISSING)
            holder.attrs[name] = value if old is MISSING or not self.weak else self.join(old, value)
        elif isinstance(holder, Cls):
            holder.attrs[name] = value
        elif isinstance(holder, Unk) and holder.roots and name in ("data", "grad"):
            for root in holder.roots:
                if name == "grad":
                    facts = self.taint(value)
                    kept = frozenset(a for a in facts if isinstance(a, (Tok, Dep)))
                    if value is None:
                        self.forgetting(root).grad = NONE
                    else:
                        root.find().grad |= kept
                else:
                    self.write_parameter(node, holder, self.taint(value))
        elif isinstance(holder, Unk):
            holder.absorb(self.taint(value))

    def write_parameter(self, node: ast.AST, holder: Unk, facts: Taint) -> None:
        """Parameters are overwritten by values with these facts."""
        for root in {r.find() for r in holder.roots}:
            copied = any(isinstance(a, Own) and a.root == root.number for a in facts)
            self.update(node, root, facts, replace=copied or not facts)

    def set_item(self, holder: Value, index: Value, value: Value, node: ast.AST) -> None:
        """`holder[index] = value`."""
        if isinstance(holder, Alt):
            for option in holder.options:
                self.set_item(option, index, value, node)
        elif isinstance(holder, Dct):
            self._set_key(holder, index, value, node)
        elif isinstance(holder, Lst):
            kept = self.chosen_by(self.taint(value)) if isinstance(value, Unk) else NONE
            self.set_element(holder, index, Unk(value.taint | kept, value.kind) if kept else value)
        elif isinstance(holder, Obj):
            if holder.kind == "environ":
                holder.attrs[index if isinstance(index, str) else "*"] = value
            else:
                self.invoke(holder, "__setitem__", [index, value], node)
        elif isinstance(holder, Unk):
            new = self.moved(self.single(self.taint(value), told=False), self.shift_of(index), -1)
            facts = new | self.placeless(
                frozenset(a for a in self.index_taint(index) if not isinstance(a, Ix))
            )
            if holder.roots:
                self.write_parameter(node, holder, self.taint(value))
                return
            added = self.table_facts(node, holder, self._key_facts(index))
            if added:
                told = frozenset(a for a in facts if isinstance(a, At) and a.role == "key")
                facts = frozenset(a for a in facts if not isinstance(a, (Tok, At))) | added | told
            facts |= self.chosen_by(new)
            holder.absorb(self._mixed(node, holder.taint, new) | facts)

    def _key_facts(self, index: Value) -> Taint:
        """The facts of an index that names entries. A slice names a stretch, whatever its bounds were read
        from, and a mask no entry at all."""
        if isinstance(index, slice):
            return NONE
        if isinstance(index, tuple):
            return union([self._key_facts(part) for part in index])
        chosen = isinstance(index, Unk) and index.kind in SELECTIONS
        return NONE if chosen else self.index_taint(index)

    def _mixed(self, node: ast.AST, old: Taint, new: Taint) -> Taint:
        """A table's value put in the place of a gold probability is a Blend."""
        scored = any(isinstance(a, Sc) for a in old) and not any(isinstance(a, Cnt) for a in old)
        if scored and any(isinstance(a, Cnt) for a in new) and not any(isinstance(a, Blend) for a in new):
            return self.blend(node, old | new, [consults(old, new)])
        return NONE

    def table_facts(self, node: ast.AST, holder: Value, index: Taint) -> Taint:
        """What a table gains that is written at these indices: Cnt where they hold tokens of the data."""
        tokens = frozenset(a for a in index if isinstance(a, Tok) and a.stream in (Stream.VAL, Stream.TRAIN))
        inside = any(isinstance(f.receiver, Obj) and f.receiver.kind == "module" for f in self.frames)
        if not tokens or (inside and any(isinstance(a, Out) for a in index)):
            return NONE  # a layer that pools at places which it computed itself counts nothing
        self.filled.add(id(node))
        made = self.adapt(node, "a dictionary" if isinstance(holder, Dct) else "a table", tokens, "table")
        # counts of training tokens may become parameters: what they were counted from stays known
        trained = frozenset(a for a in tokens if isinstance(a, Tok) and a.stream is Stream.TRAIN)
        events = [a.event for a in made if isinstance(a, Dep)]
        self.filling.update(dict.fromkeys(events, frozenset(x.number for x in self.live if not x.counted)))
        return trained | frozenset(Cnt(event) for event in events)

    def _set_key(self, holder: Dct, index: Value, value: Value, node: ast.AST) -> None:
        if not self.hashable(index):
            holder.taint |= self.table_facts(node, holder, self.taint(index))
        self.store_key(holder, index, value)

    def set_element(self, holder: Lst, index: Value, value: Value) -> None:
        while holder.base is not None:
            holder = holder.base
        if (
            holder.items is not None
            and isinstance(index, int)
            and -len(holder.items) <= index < len(holder.items)
        ):
            old = holder.items[index]
            holder.items[index] = self.join(old, value) if self.weak else value
        else:
            holder.rest = value if holder.rest is None else self.join(holder.rest, value)

    def _augassign(self, node: ast.AugAssign) -> None:
        load = _as_load(node.target)
        old = self.eval(load)
        right = self.eval(node.value)
        if isinstance(old, Unk) and old.roots:
            self.write_parameter(node, old, self.taint(right) | self.taint(old))
            return
        if isinstance(old, Lst) and not old.fixed and isinstance(node.op, ast.Add):
            self.extend(old, right)
            return
        value = self.binary(node, node.op, old, right)
        if isinstance(old, Unk) and isinstance(value, Unk) and old.kind not in _SCALARS and old.parts is None:
            # a tensor changes in place, for everyone who holds it
            old.absorb(value.taint)
            if not isinstance(node.target, ast.Subscript):
                return
        self.assign(node.target, value)

    def extend(self, holder: Lst, value: Value) -> None:
        """Append every element of a value."""
        while holder.base is not None:
            holder = holder.base
        items = self.sequence(value)
        if items is not None and holder.items is not None and not self.weak and not self.in_abstract_loop():
            holder.items += items
            return
        element = self.any_element(value)
        if element is not None:
            holder.rest = element if holder.rest is None else self.join(holder.rest, element)

    def append(self, holder: Lst, value: Value) -> None:
        """Append one element; inside an abstract loop the number of elements is not known."""
        while holder.base is not None:
            holder = holder.base
        if holder.items is not None and not self.weak and not self.in_abstract_loop():
            holder.items.append(value)
        else:
            holder.rest = value if holder.rest is None else self.join(holder.rest, value)

    def in_abstract_loop(self) -> bool:
        return any(not loop.counted for loop in self.live)

    def _delete(self, node: ast.Delete) -> None:
        return None


def _as_load(target: ast.expr) -> ast.expr:
    """The target of an augmented assignment, to be read."""
    return target
