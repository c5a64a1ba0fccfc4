"""Parts of values: attributes, elements, slices. A slice of tokens remembers where it starts."""

from __future__ import annotations

import ast
from itertools import islice
from typing import Any

from golf_audit.bytetable.operators import Operators
from golf_audit.bytetable.samples import SIZE
from golf_audit.bytetable.values import (
    MISSING,
    Bound,
    Class,
    External,
    Function,
    Instance,
    Lanes,
    Method,
    Opaque,
    Scope,
    Several,
    Table,
    Tokenizer,
    Total,
    Variable,
    as_lanes,
    each,
    lookup,
    number,
    several,
    table,
)

_SIZE_CAP = 2**18  # elements of a list or characters of a text that an operation may make


class Parts(Operators):
    """`value.name` and `value[index]`."""

    def attribute(self, value: Any, name: str, node: ast.AST, scope: Scope) -> Any:
        """`value.name`."""
        if isinstance(value, Several):
            return each(value, lambda v: self.attribute(v, name, node, scope))
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

    def item(self, value: Any, index: Any, node: ast.AST, scope: Scope) -> Any:
        """`value[index]`."""
        if isinstance(value, Several):
            return each(value, lambda v: self.item(v, index, node, scope))
        if isinstance(index, Several):
            return each(index, lambda i: self.item(value, i, node, scope))
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
        place = (scope.layer, getattr(node, "lineno", 0))
        found = lookup(value, lanes, place) if lanes else None
        if found is not None and value.pieces and any(number(v) and v > 1 for v in found.values):
            self.lookups[place] = None
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


def _parts(index: slice) -> tuple[Any, Any, Any]:
    return index.start, index.stop, index.step


def _whole(index: Any) -> bool:
    return isinstance(index, slice) and _parts(index) == (None, None, None)
