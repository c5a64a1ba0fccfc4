"""What calls mean: Python's own functions, the array libraries, SentencePiece, the environment."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from golf_audit.bytetable import samples
from golf_audit.bytetable.expressions import Expressions, invert
from golf_audit.bytetable.samples import SIZE
from golf_audit.bytetable.values import (
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
    Method,
    Opaque,
    Scope,
    Several,
    Table,
    Tokenizer,
    Total,
    known,
    number,
    several,
    table,
)
from golf_audit.runconfig import RunConfig


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
_THROUGH = _names(
    "compile jit script deepcopy copy no_grad_fn wraps lru_cache cache DistributedDataParallel "
    "contextmanager njit vectorize"
)
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
_PYTHON = frozenset(
    (*_PURE, "range", "map", "filter", "getattr", "setattr", "hasattr", "isinstance", "print")
)
_CONSTANTS = {"math.pi": math.pi, "math.e": math.e, "math.inf": math.inf, "numpy.pi": math.pi}


class Library(Expressions):
    """Calls of names that the submission does not define itself."""

    def __init__(self, budget: int, config: RunConfig, files: Callable[[str], bytes | None]) -> None:
        super().__init__(budget)
        self.config = config
        self.files = files

    def enter(
        self, function: Function, args: list[Any], kwargs: Mapping[str, Any], node: ast.AST, scope: Scope
    ) -> Any:
        raise NotImplementedError

    def builtin(self, name: str) -> Any:
        return External(f"builtins.{name}")

    def external(self, path: str) -> Any:
        return _CONSTANTS.get(path, External(path))

    # -- calls ---------------------------------------------------------------------------------------------

    def call(self, node: ast.Call, scope: Scope) -> Any:
        args: list[Any] = []
        for arg in node.args:
            if isinstance(arg, ast.Starred):
                value = self.evaluate(arg.value, scope)
                args += list(value) if isinstance(value, (list, tuple)) else [self.unknown(value)]
            else:
                args.append(self.evaluate(arg, scope))
        kwargs: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value, scope)
            if keyword.arg is not None:
                kwargs[keyword.arg] = value
            elif isinstance(value, dict):
                kwargs.update({k: v for k, v in value.items() if isinstance(k, str)})
        if isinstance(node.func, ast.Attribute):
            holder = self.evaluate(node.func.value, scope)
            return self._method_call(holder, node.func.attr, args, kwargs, node, scope)
        return self.apply(self.evaluate(node.func, scope), args, kwargs, node, scope)

    def _method_call(
        self, holder: Any, name: str, args: list[Any], kwargs: dict[str, Any], node: ast.AST, scope: Scope
    ) -> Any:
        if isinstance(holder, Several):
            return several(self._method_call(v, name, args, kwargs, node, scope) for v in holder.options)
        if isinstance(holder, Tokenizer):
            return self._ask(name, args)
        if isinstance(holder, (Table, Lanes, Total, Opaque)) or number(holder):
            return self._array_method(holder, name, args, kwargs, node, scope)
        if isinstance(holder, Instance) and name in ("register_buffer", "_replace"):
            if len(args) > 1 and isinstance(args[0], str):
                holder.names[args[0]] = args[1]
            return None
        if isinstance(holder, Instance) and (name == "to" or name in _SAME) and not _has(holder, name):
            return holder
        if known(holder):
            return self._native(holder, name, args, kwargs, node, scope)
        return self.apply(self.attribute(holder, name, node, scope), args, kwargs, node, scope)

    def apply(
        self, function: Any, args: list[Any], kwargs: dict[str, Any], node: ast.AST, scope: Scope
    ) -> Any:
        """`function(*args, **kwargs)`."""
        if isinstance(function, Several):
            return several(self.apply(f, args, kwargs, node, scope) for f in function.options)
        if isinstance(function, Function):
            return self.enter(function, args, kwargs, node, scope)
        if isinstance(function, Bound):
            return self.apply(
                function.function, [*function.args, *args], {**function.kwargs, **kwargs}, node, scope
            )
        if isinstance(function, Method):
            return self._method_call(args[0], function.name, args[1:], kwargs, node, scope)
        if isinstance(function, Class):
            return self._make(function, args, kwargs, node, scope)
        if isinstance(function, Instance) and function.of is not None:
            own = function.of.find("__call__")
            if isinstance(own, Function):
                return self.enter(own, [function, *args], kwargs, node, scope)
            own = function.of.find("forward")
            if isinstance(own, Function) and any(_telling(v) for v in (*args, *kwargs.values())):
                return self.enter(own, [function, *args], kwargs, node, scope)
        if isinstance(function, External):
            return self._external(function, args, kwargs, node, scope)
        return self._unfollowed(args, kwargs)

    def _unfollowed(self, args: list[Any], kwargs: Mapping[str, Any]) -> Any:
        """The result of a call into what is not followed; it remembers that it was given a side file."""
        values = [*args, *kwargs.values()]
        found = self.unknown(*values)
        if any(isinstance(v, str) and _sidecar(v) for v in values):
            return Opaque(found.variable, 0, found.marks | {SIDECAR})
        return found

    def _make(self, made: Class, args: list[Any], kwargs: dict[str, Any], node: ast.AST, scope: Scope) -> Any:
        instance = Instance(made)
        start = made.find("__init__")
        if isinstance(start, Function):
            if _is_model(made) and not any(_telling(v) for v in (*args, *kwargs.values())):
                return instance  # layers and weights count no bytes
            self.enter(start, [instance, *args], kwargs, node, scope)
            return instance
        fields = [
            s.target.id
            for s in made.node.body
            if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)
        ]
        instance.names.update({name: made.names[name] for name in fields if name in made.names})
        instance.names.update(zip(fields, args, strict=False))
        instance.names.update(kwargs)
        if any(isinstance(base, External) and base.last == "NamedTuple" for base in made.bases):
            instance.order = tuple(fields)
        after = made.find("__post_init__")
        if isinstance(after, Function):
            self.enter(after, [instance], {}, node, scope)
        return instance

    # -- SentencePiece -------------------------------------------------------------------------------------

    def _ask(self, name: str, args: list[Any]) -> Any:
        """A question to the tokenizer, answered by the sample vocabulary."""
        self.asked += 1
        plain = _snake(name)
        if plain in ("vocab_size", "get_piece_size", "piece_size", "__len__"):
            return SIZE
        if plain in ("load", "load_from_serialized_proto", "load_from_file", "init"):
            return True
        ids = {"bos_id": samples.BOS, "unk_id": samples.UNK, "eos_id": samples.EOS, "pad_id": samples.PAD}
        if plain in ids:
            return ids[plain]
        given = args[0] if args else None
        if plain in samples.KINDS and isinstance(given, int):
            return samples.piece(given).sort is samples.KINDS[plain]
        if plain in ("id_to_piece", "get_piece"):
            if isinstance(given, int):
                return samples.piece(given).text
            if isinstance(given, (list, range)):
                return Items(samples.piece(i).text for i in given if isinstance(i, int))
        if plain == "piece_to_id" and isinstance(given, str):
            return next((i for i, p in enumerate(samples.VOCABULARY) if p.text == given), samples.UNK)
        if plain in ("decode", "decode_ids", "decode_pieces"):
            ids_given = [given] if isinstance(given, int) else given
            if isinstance(ids_given, list) and all(isinstance(i, int) for i in ids_given):
                return samples.decoded(ids_given)
        return self.unknown(*args)

    # -- arrays --------------------------------------------------------------------------------------------

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
            return several(self._sum(v, node, scope) for v in value.options)
        if isinstance(value, Lanes) and value.tables:
            return Total((value,))
        if isinstance(value, Total):
            return value
        if isinstance(value, Table) and any(isinstance(v, Total) for v in value.items.values()):
            return self.lost("sums of different things are summed", node, scope)
        return self.unknown(value)

    def _cast(self, value: Any, kind: Callable[[Any], Any] | None) -> Any:
        if isinstance(value, Several):
            return several(self._cast(v, kind) for v in value.options)
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

    # -- Python --------------------------------------------------------------------------------------------

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

    def _external(
        self, function: External, args: list[Any], kwargs: dict[str, Any], node: ast.AST, scope: Scope
    ) -> Any:
        name, path = function.last, function.path
        if path in ("os.environ.get", "os.getenv", "environ.get", "os.environ.setdefault", "os.environ.pop"):
            return self._setting(args, kwargs)
        if path.startswith("builtins."):
            return self._python(name, args, kwargs, node, scope)
        if path in ("numpy.load", "numpy.loadtxt"):
            return Opaque(self.unknown(*args).variable, 0, frozenset({FILE}))
        if name == "SentencePieceProcessor":
            return Tokenizer()
        if name in ("partial",) and args:
            return Bound(args[0], tuple(args[1:]), kwargs)
        if name in ("SimpleNamespace", "Namespace"):
            return Instance(None, dict(kwargs))
        if name in ("deque", "Counter", "defaultdict", "OrderedDict") and path.startswith("collections"):
            return (
                Items(args[0])
                if name == "deque" and args and isinstance(args[0], list)
                else (Items() if name == "deque" else {})
            )
        if name in _THROUGH and args:
            return args[0]
        if path.startswith("math.") and args and all(number(a) for a in args):
            try:
                return getattr(math, name)(*args)
            except (ArithmeticError, AttributeError, TypeError, ValueError):
                return self.unknown()
        if name in _TYPES and args:
            return self._cast(args[0], _TYPES[name]) if not number(args[0]) else _TYPES[name](args[0])
        return self._array(name, args, kwargs, node, scope)

    def external_item(self, value: External, index: Any) -> Any:
        return self._setting([index], {}) if value.last == "environ" else self.unknown(index)

    def _setting(self, args: list[Any], kwargs: Mapping[str, Any]) -> Any:
        """An environment variable as the run had it. The vocabulary is that of the samples."""
        name = args[0] if args else kwargs.get("key")
        if not isinstance(name, str):
            return self.unknown(*args)
        if name.upper().endswith("VOCAB_SIZE"):
            return str(SIZE)
        value = self.config.get(name)
        if value is not None:
            return value
        return args[1] if len(args) > 1 else kwargs.get("default", self.unknown())

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


def _counts(value: Any) -> bool:
    """True for a value in which bytes are counted."""
    if isinstance(value, Several):
        return any(_counts(v) for v in value.options)
    return isinstance(value, Total) or (isinstance(value, Lanes) and value.counts)


def _is_model(made: Class) -> bool:
    """True for a subclass of torch.nn.Module."""
    return any(
        _is_model(base) if isinstance(base, Class) else isinstance(base, External) and base.last == "Module"
        for base in made.bases
    )


def _telling(value: Any) -> bool:
    return _counts(value) or isinstance(value, (Table, Tokenizer))


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


def _snake(name: str) -> str:
    """`IdToPiece` and `id_to_piece` alike."""
    if "_" in name or name.islower():
        return name
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


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
