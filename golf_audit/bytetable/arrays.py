"""What functions and methods of the array libraries mean."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from golf_audit.bytetable.expressions import Expressions
from golf_audit.bytetable.operators import invert
from golf_audit.bytetable.values import (
    SIDECAR,
    External,
    Lanes,
    Opaque,
    Scope,
    Several,
    Table,
    Total,
    each,
    number,
    several,
    table,
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TABLE_CAP = 2**18


_TYPES = {
    **dict.fromkeys(("bool", "bool_"), bool),
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "short", "long"), int),
    **dict.fromkeys(("float16", "float32", "float64", "bfloat16", "double", "half"), float),
}


_SAME = _names(
    "reshape view view_as reshape_as contiguous flatten ravel unsqueeze squeeze cpu cuda clone detach "
    "numpy item tolist copy pin_memory expand expand_as requires_grad_ copy_ share_memory_ T t permute "
    "transpose to_dense detach_ wait result"
)
"""Methods that leave the elements as they are."""


_CASTS = {
    **dict.fromkeys(("int", "long", "short", "char", "byte"), int),
    **dict.fromkeys(("float", "double", "half", "bfloat16"), float),
    "bool": bool,
}


_ARRAYS = _names(
    "tensor as_tensor from_numpy array asarray ascontiguousarray Tensor LongTensor IntTensor "
    "ShortTensor FloatTensor BoolTensor ByteTensor asanyarray fromiter frombuffer_list"
)


_FILLED = {
    "zeros": 0,
    "ones": 1,
    "empty": 0,
    "full": None,
    "zeros_like": 0,
    "ones_like": 1,
    "full_like": None,
}


_ELEMENTWISE: Mapping[str, Callable[..., Any]] = {
    **dict.fromkeys(("add", "add_", "__add__"), operator.add),
    **dict.fromkeys(("sub", "subtract", "sub_"), operator.sub),
    **dict.fromkeys(("mul", "multiply", "mul_", "__mul__"), operator.mul),
    **dict.fromkeys(("div", "divide", "true_divide", "div_"), operator.truediv),
    "floor_divide": operator.floordiv,
    **dict.fromkeys(("remainder", "fmod"), operator.mod),
    **dict.fromkeys(("logical_and", "logical_and_"), lambda a, b: bool(a) and bool(b)),
    **dict.fromkeys(("logical_or", "logical_or_"), lambda a, b: bool(a) or bool(b)),
    **dict.fromkeys(("logical_xor",), lambda a, b: bool(a) is not bool(b)),
    **dict.fromkeys(("logical_not", "logical_not_"), operator.not_),
    **dict.fromkeys(("bitwise_and", "__and__"), operator.and_),
    **dict.fromkeys(("bitwise_or", "__or__"), operator.or_),
    **dict.fromkeys(("bitwise_not", "invert"), invert),
    **dict.fromkeys(("maximum", "fmax"), max),
    **dict.fromkeys(("minimum", "fmin"), min),
    **dict.fromkeys(("eq", "equal", "__eq__"), operator.eq),
    **dict.fromkeys(("ne", "not_equal", "__ne__"), operator.ne),
    **dict.fromkeys(("gt", "greater"), operator.gt),
    **dict.fromkeys(("ge", "greater_equal"), operator.ge),
    **dict.fromkeys(("lt", "less"), operator.lt),
    **dict.fromkeys(("le", "less_equal"), operator.le),
    "where": lambda c, a, b: a if c else b,
}


_OPERATORS: Mapping[Any, ast.operator] = {
    operator.add: ast.Add(),
    operator.sub: ast.Sub(),
    operator.mul: ast.Mult(),
    operator.truediv: ast.Div(),
    operator.floordiv: ast.FloorDiv(),
    operator.mod: ast.Mod(),
    operator.and_: ast.BitAnd(),
    operator.or_: ast.BitOr(),
}


_SUMS = frozenset(("sum", "nansum"))


class Arrays(Expressions):
    """NumPy and PyTorch, as far as bytes are counted with them."""

    def _unfollowed(self, args: list[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result of a call into what is not followed; it remembers that it was given a side file."""
        values = [*args, *kwargs.values()]
        found = self.unknown(*values)
        if any(isinstance(v, str) and _sidecar(v) for v in values):
            return Opaque(found.variable, 0, found.marks | {SIDECAR})
        return found

    def _array_method(
        self, held: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.AST, scope: Scope
    ) -> Any:
        if name in ("to", "type", "astype", "type_as"):
            return self._cast(held, _type_of([*args, *kwargs.values()]))
        if name in _CASTS and not args:
            return self._cast(held, _CASTS[name])
        if name in _SAME:
            if name in ("copy_",) and args:
                return args[0] if isinstance(held, Opaque) else held
            if name == "tolist" and isinstance(held, Table):
                return self.own(list(held.values()), held)
            return held.copy() if isinstance(held, Table) and name in ("clone", "copy") else held
        if name in ("size", "numel", "__len__", "dim") and isinstance(held, Table):
            return held.size if held.size is not None and name != "dim" else self.unknown()
        if name.startswith("new_") and name[4:] in _FILLED:
            return self._filled(name[4:], args, kwargs)
        if name == "fill_" and isinstance(held, Table) and args:
            return Table(args[0], {}, held.size, held.place, held.pieces, held.asked)
        if name == "masked_fill" or name == "masked_fill_":
            return self._elementwise("where", [args[0], args[1], held], node, scope)
        if name == "masked_select":
            return held
        if name == "where" and len(args) == 2:
            return self._elementwise("where", [args[0], held, args[1]], node, scope)
        return self._array(name, [held, *args], kwargs, node, scope)

    def _array(self, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.AST, scope: Scope) -> Any:
        """A function of an array library, or the method of the same name."""
        if name in _FILLED:
            return self._filled(name, args, kwargs)
        if name == "arange" and len(args) == 1 and isinstance(args[0], int) and args[0] <= _TABLE_CAP:
            return table(range(args[0]))
        if not args:
            args = [v for k, v in kwargs.items() if k in ("input", "a", "x", "data", "obj", "object")]
        if not args:
            return self.unknown(*kwargs.values())
        if name in _ARRAYS:
            return self._cast(self._array_of(args[0], node, scope), _type_of([*args[1:], *kwargs.values()]))
        if name in ("cat", "stack", "concatenate", "hstack", "vstack", "concat"):
            return self._joined_arrays(args[0])
        if name in ("clamp", "clip", "clamp_", "clamp_min", "clamp_max", "clamp_min_"):
            return self._clamp(name, args, kwargs, node, scope)
        if name in _ELEMENTWISE:
            return self._elementwise(name, args, node, scope)
        if name in _SUMS:
            return self._sum(args[0], node, scope)
        if name in ("index_select", "take", "gather", "embedding", "take_along_dim", "take_along_axis"):
            held = [v for v in args if isinstance(v, (Table, Several))]
            index = [v for v in args if isinstance(v, (Opaque, Lanes))]
            if held and index:
                return self.item(held[0], index[0], node, scope)
            if index and name != "embedding":
                return self.part(index[0], index[-1]) if isinstance(index[0], Opaque) else index[0]
        counted = [v for v in args if _counts(v)]
        if counted and name not in ("numel", "size", "dim", "len", "all_reduce", "any", "all", "max", "min"):
            return self.lost(f"{name}() of counted bytes is not followed", node, scope, *args)
        return self._unfollowed(args, kwargs)

    def _elementwise(self, name: str, args: list[Any], node: ast.AST, scope: Scope) -> Any:
        function = _ELEMENTWISE[name]
        if len(args) == 2 and function in _OPERATORS:
            return self.operate(_OPERATORS[function], args[0], args[1], node, scope)
        if name == "where" and len(args) == 3:
            options = [v.options if isinstance(v, Several) else (v,) for v in args]
            if any(len(o) > 1 for o in options):
                return several(
                    self._elementwise(name, [c, a, b], node, scope)
                    for c in options[0]
                    for a in options[1]
                    for b in options[2]
                )
            counted = [v for v in args[1:] if _counts(v)]
            if isinstance(args[0], Opaque) and counted:
                kept = counted[0]
                if isinstance(kept, Lanes):
                    return Lanes(kept.variables, kept.values, kept.tables, kept.places, True)
                return kept
        if all(isinstance(v, (Table, Lanes, Opaque)) or number(v) for v in args):
            if any(isinstance(v, (Table, Lanes)) for v in args):
                return self.combine(function, tuple(args), node, scope)
            if all(number(v) for v in args):
                return function(*args)
        return self.unknown(*args)

    def _clamp(self, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.AST, scope: Scope) -> Any:
        held = args[0]
        if isinstance(held, (Total, Several)):
            return held
        low = kwargs.get(
            "min", kwargs.get("a_min", args[1] if len(args) > 1 and name != "clamp_max" else None)
        )
        high = kwargs.get("max", kwargs.get("a_max", args[2] if len(args) > 2 else None))
        if name == "clamp_max":
            high = args[1]
        if not all(v is None or number(v) for v in (low, high)):
            return held

        def limit(value: Any) -> Any:
            value = value if low is None else max(value, low)
            return value if high is None else min(value, high)

        if isinstance(held, (Table, Lanes, Opaque)):
            return self.combine(limit, (held,), node, scope)
        return limit(held) if number(held) else self.unknown(held)

    def _sum(self, value: Any, node: ast.AST, scope: Scope) -> Any:
        if isinstance(value, Several):
            return each(value, lambda v: self._sum(v, node, scope))
        if isinstance(value, Lanes) and value.tables:
            return Total((value,))
        if isinstance(value, Total):
            return value
        if isinstance(value, Table) and any(isinstance(v, Total) for v in value.items.values()):
            return self.lost("sums of different things are summed", node, scope)
        return self.unknown(value)

    def _cast(self, value: Any, kind: Callable[[Any], Any] | None) -> Any:
        if isinstance(value, Several):
            return each(value, lambda v: self._cast(v, kind))
        if kind is None or not isinstance(value, (Table, Lanes)):
            return value

        def cast(item: Any) -> Any:
            return kind(item) if number(item) else item

        if isinstance(value, Lanes):
            values = tuple(cast(v) for v in value.values)
            return Lanes(value.variables, values, value.tables, value.places, value.weighted)
        items = {k: cast(v) for k, v in value.items.items()}
        return replace(value, fill=cast(value.fill), items=items)

    def _array_of(self, value: Any, node: ast.AST, scope: Scope) -> Any:
        if isinstance(value, (list, tuple, range)) and not getattr(value, "open", False):
            if value and all(isinstance(v, (list, tuple)) for v in value):
                return self.unknown(value)
            pieces = getattr(value, "pieces", False)
            return table(value, (scope.layer, getattr(node, "lineno", 0)), pieces)
        if isinstance(value, list):
            return self._joined_arrays(value)
        return value.copy() if isinstance(value, Table) else value

    def _joined_arrays(self, parts: Any) -> Any:
        if not isinstance(parts, (list, tuple)) or not parts:
            return self.unknown(parts)
        if all(isinstance(p, Table) and p.size is not None for p in parts):
            pieces = any(p.pieces for p in parts)
            return table([v for p in parts for v in p.values()], parts[0].place, pieces)
        tokens = [p for p in parts if isinstance(p, (Opaque, Lanes, Several))]
        return several(tokens[:8] or parts[:8])  # known elements among them pad

    def _filled(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        value, size = _FILLED[name], args[0] if args else kwargs.get("size", kwargs.get("shape"))
        if name.startswith("full"):
            value = args[1] if len(args) > 1 else kwargs.get("fill_value")
        if len(args) > 1 and not name.startswith("full"):
            extra = args[1]
            if isinstance(extra, (int, Opaque)):
                return self.unknown()
        if not number(value):
            return self.unknown(value)
        kind = _type_of([*args[1:], *kwargs.values()])
        value = kind(value) if kind is not None else value
        if name.endswith("_like"):
            if isinstance(size, Table):
                return Table(value, {}, size.size, asked=self.asked)
            return value if number(size) else self.unknown()
        if isinstance(size, (tuple, list)):
            if not size:
                return value
            if len(size) > 1:
                return self.unknown()
            size = size[0]
        if isinstance(size, int) and 0 <= size <= _TABLE_CAP:
            return Table(value, {}, size, asked=self.asked)
        return (
            Table(value, {}, None, asked=self.asked)
            if isinstance(size, (Opaque, Several))
            else self.unknown()
        )


def _counts(value: Any) -> bool:
    """True for a value in which bytes are counted."""
    if isinstance(value, Several):
        return any(_counts(v) for v in value.options)
    return isinstance(value, Total) or (isinstance(value, Lanes) and value.counts)


def _type_of(values: list[Any]) -> Callable[[Any], Any] | None:
    for value in values:
        if isinstance(value, External) and value.last in _TYPES:
            return _TYPES[value.last]
        if isinstance(value, External) and value.path in ("builtins.bool", "builtins.int", "builtins.float"):
            return {"bool": bool, "int": int, "float": float}[value.last]
        if isinstance(value, str) and value in _TYPES:
            return _TYPES[value]
    return None


def _sidecar(text: str) -> bool:
    return "val_bytes" in text or "_bytes_" in text
