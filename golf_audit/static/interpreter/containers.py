"""Methods of constants, lists and dictionaries."""

from __future__ import annotations

import ast
from typing import Any

from golf_audit.static.atoms import NONE, Taint, capped
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.state import PURE_ERRORS
from golf_audit.static.values import Dct, Lst, Unk, Value, known


class Containers(Machine):
    """Methods of Python's own containers."""

    def _constant_method(self, value: Any, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        if name == "format" and isinstance(value, str):
            pieces: list[Value] = []
            import string

            try:
                for text, hole, _, _ in string.Formatter().parse(value):
                    pieces.append(text)
                    if hole is not None:
                        pieces.append(
                            Unk(self.facts_of(args, keywords), parts=(self.facts_of(args, keywords),))
                        )
            except ValueError:
                return Unk(self.facts_of(args, keywords))
            return self.text_of(pieces)
        if name == "join":
            items = self.sequence(args[0]) if args else None
            if items is not None:
                spaced: list[Value] = []
                for i, item in enumerate(items):
                    spaced += [value, item] if i else [item]
                return self.text_of(spaced) if isinstance(value, str) else Unk(self.facts_of(args, keywords))
            return Unk(self.facts_of(args, keywords), parts=(self.facts_of(args, keywords),))
        if all(self.hashable(a) for a in args) and all(known(v) for v in keywords.values()):
            try:
                made = getattr(value, name)(*args, **keywords)
                return Lst(made) if isinstance(made, list) else made
            except PURE_ERRORS:
                return Unk()
        return Unk(self.facts_of(args, keywords))

    def _list_method(
        self, receiver: Lst, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        if name in ("append", "add", "appendleft", "put", "put_nowait") and args:
            self.append(receiver, args[0])
            return None
        if name in ("extend", "update", "extendleft") and args:
            self.extend(receiver, args[0])
            return None
        if name == "insert" and len(args) == 2:
            self.append(receiver, args[1])
            return None
        if name in ("pop", "popleft", "get", "get_nowait"):
            items = self.sequence(receiver)
            if items and not self.weak and not self.in_abstract_loop():
                return items.pop(args[0] if args and isinstance(args[0], int) else -1 if name == "pop" else 0)
            found = self.element(receiver)
            return Unk() if found is None else found
        if name == "clear" and not self.weak:
            receiver.items, receiver.rest = [], None
            return None
        if name in ("copy", "union", "difference", "intersection"):
            made = Lst(
                list(receiver.items) if receiver.items is not None else None,
                receiver.rest,
                receiver.extra,
                receiver.base,
            )
            for arg in args:
                self.extend(made, arg)
            return made
        if name == "sort":
            self.ordered(receiver, keywords.get("key"), node)
            return None
        if name in ("index", "count"):
            return Unk(kind="number")
        if name == "read_text":
            return Unk(self.taint(receiver))
        return Unk(self.taint(receiver) | self.facts_of(args, keywords))

    def ordered(self, value: Value, key: Value, node: ast.AST) -> None:
        """A list is put into the order of a key; by the first part of its elements it keeps its own."""
        if not isinstance(value, Lst) or key is None or self.sequence(value) is not None:
            return
        element = self.element(value)
        first = element[0] if isinstance(element, tuple) and element else element
        found = self.call(key, [element], {}, node)
        if element is None or (found[0] if isinstance(found, tuple) and found else found) is first:
            return
        written = next((k.value for k in getattr(node, "keywords", []) if k.arg == "key"), node)
        self.shuffled(value, self.reorder(node, self.quote(written)))

    def shuffled(self, value: Lst, facts: Taint) -> None:
        """Every element of a list is taken in another order from now on."""
        element = self._in_order(self.element(value), facts)
        value.items, value.rest, value.extra, value.base = None, element, NONE, None

    def _in_order(self, value: Value, facts: Taint, depth: int = 4) -> Value:
        if isinstance(value, Unk) and not value.roots:
            taint = capped(value.taint | facts)
            return Unk(taint, value.kind, base=value, parts=value.parts, form=value.form)
        if isinstance(value, tuple) and depth:
            return tuple(self._in_order(v, facts, depth - 1) for v in value)
        if isinstance(value, Lst) and depth:
            return Lst(None, self._in_order(self.element(value), facts, depth - 1))
        return value

    def _dict_method(
        self, receiver: Dct, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        if name == "items":
            pairs: list[Value] = [(k, v) for k, v in receiver.items.items()]
            if receiver.rest is None and not receiver.taint:
                return Lst(pairs)
            key = Unk(receiver.taint, parts=(receiver.taint,))
            return Lst(None, (key, self._any_value(receiver)))
        if name == "values":
            if receiver.rest is None and not receiver.taint:
                return Lst(list(receiver.items.values()))
            return Lst(None, self._any_value(receiver))
        if name == "keys":
            return (
                Lst(list(receiver.items))
                if receiver.rest is None and not receiver.taint
                else Lst(None, Unk(receiver.taint))
            )
        if name in ("get", "pop", "setdefault") and args:
            default = args[1] if len(args) > 1 else None
            if name == "setdefault":
                return self._setdefault(receiver, args[0], default, node)
            return self.dict_item(receiver, args[0], default)
        if name == "update":
            self._dict_update(receiver, args, keywords, node)
            return None
        if name == "clear":
            if not self.weak:
                receiver.items, receiver.rest, receiver.taint = {}, None, NONE
            return None
        if name == "copy":
            made = Dct(dict(receiver.items), receiver.rest)
            made.taint, made.default = receiver.taint, receiver.default
            return made
        return Unk(self.taint(receiver) | self.facts_of(args, keywords))

    def _any_value(self, value: Dct) -> Value:
        found = self.one_of([value.rest, *list(value.items.values())[:60]])
        if isinstance(found, Unk) and value.taint:
            return Unk(capped(found.taint | value.taint), found.kind, found.roots, found)
        return Unk(value.taint) if found is None else found

    def _setdefault(self, receiver: Dct, key: Value, default: Value, node: ast.AST) -> Value:
        if self.hashable(key):
            return receiver.items.setdefault(key, default)
        receiver.taint |= self.table_facts(node, receiver, self.taint(key))
        if receiver.rest is None:
            receiver.rest = default
        if isinstance(receiver.rest, Dct):
            receiver.rest.taint |= receiver.taint
        return receiver.rest

    def _dict_update(
        self, receiver: Dct, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> None:
        for arg in args:
            if isinstance(arg, Dct):
                for key, value in arg.items.items():
                    self.store_key(receiver, key, value)
                if arg.rest is not None:
                    receiver.rest = arg.rest if receiver.rest is None else self.join(receiver.rest, arg.rest)
                receiver.taint |= arg.taint
            else:
                facts = self.taint(arg)
                receiver.taint |= facts | self.table_facts(node, receiver, facts)
        for key, value in keywords.items():
            self.store_key(receiver, key, value)
