"""Python's own functions and the methods of its plain objects."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from golf_audit.bytetable.arrays import _TABLE_CAP, Arrays, _counts, _names
from golf_audit.bytetable.samples import SIZE
from golf_audit.bytetable.values import (
    MISSING,
    Class,
    External,
    Instance,
    Items,
    Lanes,
    Opaque,
    Scope,
    Several,
    Table,
    Total,
    known,
    several,
)

_TEXT = _names(
    "startswith endswith encode decode replace strip lstrip rstrip removeprefix removesuffix lower "
    "upper split rsplit join casefold title capitalize isdigit isalpha isspace isalnum isnumeric count "
    "find rfind index partition rpartition hex fromhex bit_length splitlines isascii "
    "isupper islower"
)


_LISTS = _names("append extend insert pop index count copy keys values items get setdefault update add")


_PURE: Mapping[str, Callable[..., Any]] = {
    "len": len,
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "abs": abs,
    "round": round,
    "min": min,
    "max": max,
    "sum": sum,
    "ord": ord,
    "chr": chr,
    "bytes": bytes,
    "list": Items,
    "tuple": tuple,
    "set": set,
    "dict": dict,
    "sorted": sorted,
    "any": any,
    "all": all,
    "repr": repr,
    "reversed": lambda value: Items(reversed(value)),
    "enumerate": lambda value, start=0: Items(enumerate(value, start)),
    "zip": lambda *values, strict=False: Items(zip(*values, strict=strict)),
}


class Native(Arrays):
    """Pure functions on constants, within bounds; containers as they are."""

    def _native(
        self, held: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.AST, scope: Scope
    ) -> Any:
        """A method of a known Python object."""
        if isinstance(held, list) and name in ("append", "extend", "insert") and args:
            items = args[-1] if name == "extend" and isinstance(args[-1], (list, tuple)) else [args[-1]]
            if len(held) < 4 * _TABLE_CAP:
                held.extend(items)
            if isinstance(held, Items):
                held.open = held.open or bool(self.symbolic)
                held.pieces = held.pieces or self.asked > held.asked
            return None
        if name == "join" and args and getattr(args[0], "open", False):
            return self.unknown(*args[0])
        if isinstance(held, dict):
            return self._dictionary(held, name, args)
        if isinstance(held, set) and name == "add" and args:
            if isinstance(args[0], (int, str, bytes)):
                held.add(args[0])
            return None
        allowed = isinstance(held, (str, bytes, int, float, list, tuple)) and (
            name in _TEXT or name in _LISTS
        )
        if allowed and all(known(a) for a in (*args, *kwargs.values())) and _bounded(held, name, args):
            try:
                result = getattr(held, name)(*args, **kwargs)
            except (ArithmeticError, AttributeError, IndexError, LookupError, TypeError, ValueError):
                return self.unknown()
            return self.own(result, held)
        return self.unknown(*args)

    def _dictionary(self, held: dict[Any, Any], name: str, args: list[Any]) -> Any:
        key = args[0] if args else None
        plain = isinstance(key, (int, str, bytes, float, type(None)))
        if name in ("get", "pop", "setdefault") and plain:
            if key in held:
                return held[key]
            default = args[1] if len(args) > 1 else None
            if name == "setdefault":
                held[key] = default
            return default
        if name in ("get", "pop"):
            return several(held.values()) if held else self.unknown()
        if name == "update" and isinstance(key, dict):
            held.update(key)
            return None
        views: dict[str, Callable[[], Any]] = {"keys": held.keys, "values": held.values, "items": held.items}
        if name in views:
            return Items(views[name]())
        return dict(held) if name == "copy" else self.unknown(*args)

    def _python(self, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.AST, scope: Scope) -> Any:
        if any(isinstance(a, Several) for a in args[:2]) and name in _PURE and name not in ("list", "tuple"):
            at = next(i for i, a in enumerate(args) if isinstance(a, Several))
            return several(
                self._python(name, [*args[:at], o, *args[at + 1 :]], kwargs, node, scope)
                for o in args[at].options
            )
        if name == "range":
            return self._range(args)
        if name in ("getattr", "setattr", "hasattr") and len(args) > 1 and isinstance(args[1], str):
            return self._attribute_call(name, args, node, scope)
        if name in ("map", "filter") and len(args) == 2 and isinstance(args[1], (list, tuple, range, str)):
            results = [self.apply(args[0], [v], {}, node, scope) for v in islice(args[1], 4 * SIZE)]
            return Items(results) if name == "map" else self.unknown()
        if name in ("super",):
            return self.unknown()
        if name == "isinstance":
            return self.unknown()
        if name == "iter" and args:
            return args[0]
        if name == "next" and args:
            return args[0][0] if isinstance(args[0], list) and args[0] else self.unknown(*args)
        if name not in _PURE:
            return self._unfollowed(args, kwargs)
        return self._pure(name, args, kwargs, node, scope)

    def _pure(self, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.AST, scope: Scope) -> Any:
        if len(args) == 1 and isinstance(args[0], (Total, Lanes, Table)):
            held = args[0]
            if name in ("float", "int", "bool") and isinstance(held, Lanes):
                return self._cast(held, _PURE[name])
            if name == "len" and isinstance(held, Lanes):
                return self.combine(len, (held,), node, scope)
            if name == "len" and isinstance(held, Table):
                return held.size if held.size is not None else self.unknown()
            if name in ("list", "tuple", "sorted") and isinstance(held, Table):
                return self.own(list(held.values()), held)
            if name == "sum":
                return self._sum(held, node, scope)
            return held
        if name in ("int", "float", "list", "tuple") and len(args) == 1 and isinstance(args[0], Opaque):
            return args[0]
        if name in ("max", "min") and any(isinstance(a, (Total, Lanes)) and _counts(a) for a in args):
            return next(a for a in args if isinstance(a, (Total, Lanes)) and _counts(a))
        if name == "sum" and args and isinstance(args[0], list) and any(_counts(v) for v in args[0]):
            return self._sum(args[0][0], node, scope) if len(args[0]) == 1 else self.unknown(*args)
        listed = args[0] if args and isinstance(args[0], Items) else None
        if name == "len" and listed is not None and (listed.open or (not listed and self.symbolic)):
            return self.unknown()
        if name == "enumerate" and args and not (known(args[0]) or isinstance(args[0], Table)):
            return (
                Items([(self.unknown(), self.part(args[0], self.unknown()))])
                if isinstance(args[0], Opaque)
                else self.unknown(*args)
            )
        if name in ("enumerate", "zip"):
            args = [a.values() if isinstance(a, Table) else a for a in args]
        if name == "dict" and not args:
            return dict(kwargs)
        if not all(known(a) for a in (*args, *kwargs.values())) or not _within(args):
            return self.unknown(*args)
        try:
            result = _PURE[name](*args, **kwargs)
        except (ArithmeticError, LookupError, TypeError, ValueError, OverflowError):
            return self.unknown(*args)
        return self.own(result, *args)

    def _range(self, args: list[Any]) -> Any:
        if args and all(isinstance(a, int) for a in args) and len(args) <= 3:
            try:
                return range(*args)
            except ValueError:
                return self.unknown()
        if len(args) == 1 or (len(args) == 2 and args[0] == 0):
            return External("range")
        return self.unknown()

    def _attribute_call(self, name: str, args: list[Any], node: ast.AST, scope: Scope) -> Any:
        holder, attribute = args[0], args[1]
        if name == "setattr":
            if isinstance(holder, (Instance, Class)) and len(args) > 2:
                holder.names[attribute] = args[2]
            return None
        if isinstance(holder, Instance):
            there = _has(holder, attribute)
            if name == "hasattr":
                return there
            if not there and len(args) > 2:
                return args[2]
        if name == "hasattr":
            return self.unknown()
        return self.attribute(holder, attribute, node, scope)


def _has(instance: Instance, name: str) -> bool:
    return name in instance.names or (instance.of is not None and instance.of.find(name) is not MISSING)


def _within(args: list[Any]) -> bool:
    """True when a function of these arguments makes nothing large."""
    first = args[0] if args else None
    if isinstance(first, int) and not isinstance(first, bool):
        return abs(first) < _TABLE_CAP
    if isinstance(first, range):
        return abs(first.stop - first.start) <= 4 * _TABLE_CAP
    return not isinstance(first, (list, tuple, str, bytes)) or len(first) <= 4 * _TABLE_CAP


def _bounded(held: Any, name: str, args: list[Any]) -> bool:
    """True when a method of a text makes nothing large: `replace` and `join` can multiply its length."""
    if name == "replace" and len(args) > 1 and isinstance(args[1], (str, bytes)):
        return (len(held) + 1) * (len(args[1]) + 1) <= 4 * _TABLE_CAP
    if name == "join" and args and isinstance(args[0], (list, tuple)):
        longest = max((len(part) for part in args[0] if isinstance(part, (str, bytes))), default=0)
        return (len(args[0]) + 1) * (len(held) + longest) <= 4 * _TABLE_CAP
    return True
