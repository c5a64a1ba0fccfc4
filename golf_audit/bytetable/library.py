"""Calls: into the submission, into libraries, to the tokenizer, for the environment."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

from golf_audit.bytetable import samples
from golf_audit.bytetable.arrays import _SAME, _TYPES, _counts, _names
from golf_audit.bytetable.native import Native, _has
from golf_audit.bytetable.samples import SIZE
from golf_audit.bytetable.values import (
    FILE,
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
    each,
    known,
    number,
)
from golf_audit.runconfig import RunConfig

_THROUGH = _names(
    "compile jit script deepcopy copy no_grad_fn wraps lru_cache cache DistributedDataParallel "
    "contextmanager njit vectorize"
)


_CONSTANTS = {"math.pi": math.pi, "math.e": math.e, "math.inf": math.inf, "numpy.pi": math.pi}


class Library(Native):
    """Calls of names that the submission does not define itself."""

    def __init__(self, budget: int, config: RunConfig) -> None:
        super().__init__(budget)
        self.config = config

    def enter(
        self, function: Function, args: list[Any], kwargs: Mapping[str, Any], node: ast.AST, scope: Scope
    ) -> Any:
        raise NotImplementedError

    def builtin(self, name: str) -> Any:
        return External(f"builtins.{name}")

    def external(self, path: str) -> Any:
        return _CONSTANTS.get(path, External(path))

    def call(self, node: ast.Call, scope: Scope) -> Any:
        args: list[Any] = []
        for arg in node.args:
            if isinstance(arg, ast.Starred):
                value = self.evaluate(arg.value, scope)
                args += self.spread(value)
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
            return each(holder, lambda v: self._method_call(v, name, args, kwargs, node, scope))
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
            return each(function, lambda f: self.apply(f, args, kwargs, node, scope))
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


def _is_model(made: Class) -> bool:
    """True for a subclass of torch.nn.Module."""
    return any(
        _is_model(base) if isinstance(base, Class) else isinstance(base, External) and base.last == "Module"
        for base in made.bases
    )


def _telling(value: Any) -> bool:
    return _counts(value) or isinstance(value, (Table, Tokenizer))


def _snake(name: str) -> str:
    """`IdToPiece` and `id_to_piece` alike."""
    if "_" in name or name.islower():
        return name
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
