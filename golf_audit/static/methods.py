"""Methods of tensors, containers, texts, files and modules."""

from __future__ import annotations

import ast
from typing import Any

from golf_audit.static.calls import Calls, names_loss
from golf_audit.static.expressions import MISSING, PURE_ERRORS
from golf_audit.static.values import (
    NONE,
    Alt,
    Bound,
    Cls,
    Cnt,
    Dct,
    Dep,
    Fn,
    Grad,
    Ix,
    Lib,
    Lst,
    Method,
    Obj,
    Out,
    Own,
    Par,
    Sc,
    Super,
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

SHAPES = frozenset(
    [
        "shape",
        "dtype",
        "device",
        "ndim",
        "itemsize",
        "nbytes",
        "size",
        "numel",
        "dim",
        "element_size",
        "stride",
        "is_cuda",
        "layout",
        "requires_grad",
        "is_leaf",
    ]
)
VIEWS = frozenset(
    [
        "view",
        "reshape",
        "squeeze",
        "unsqueeze",
        "transpose",
        "permute",
        "flatten",
        "detach",
        "numpy",
        "T",
        "mT",
        "data",
        "contiguous",
        "narrow",
        "select",
        "chunk",
        "split",
        "unbind",
        "expand",
        "expand_as",
        "view_as",
        "movedim",
        "swapaxes",
        "diagonal",
        "unfold",
        "t",
        "ravel",
        "real",
        "requires_grad_",
        "pin_memory",
    ]
)
COPIES = frozenset(
    [
        "to",
        "float",
        "double",
        "half",
        "bfloat16",
        "long",
        "int",
        "bool",
        "clone",
        "cpu",
        "cuda",
        "copy",
        "astype",
        "type",
        "type_as",
        "short",
        "uint8",
        "tolist",
        "item",
    ]
)
POSITIONS = frozenset(
    ["nonzero", "argmax", "argmin", "argsort", "argwhere", "flatnonzero", "searchsorted", "bucketize"]
)
TABLE_WRITES = frozenset(
    ["index_add_", "scatter_add_", "scatter_", "index_put_", "scatter_reduce_", "index_fill_", "index_copy_"]
)
_SELF = frozenset(
    [
        "to",
        "cuda",
        "cpu",
        "float",
        "half",
        "bfloat16",
        "double",
        "eval",
        "train",
        "requires_grad_",
        "apply",
        "compile",
        "share_memory",
        "half_",
        "type",
        "to_empty",
    ]
)


class Methods(Calls):
    """What a dot and parentheses do on values that this engine models."""

    def value_attribute(self, value: Value, name: str, node: ast.AST) -> Value:
        """An attribute of a tensor, container, text or modelled object that is not a stored one."""
        if isinstance(value, Unk):
            return self._tensor_attribute(value, name)
        if isinstance(value, Obj):
            if value.kind == "module" and name in ("weight", "bias", "data"):
                roots = frozenset({value.root}) if value.root is not None else frozenset()
                return Unk(roots=roots)
            if value.kind == "optimizer" and name == "param_groups":
                group = Dct({"params": value.attrs.get("*params", Lst([])), "lr": Unk(kind="number")})
                group.rest = Unk(kind="number")
                return Lst(None, group)
            if value.kind == "module" and name in (
                "in_features",
                "out_features",
                "training",
                "num_embeddings",
            ):
                return Unk(kind="number")
            return Method(value, name)
        if isinstance(value, Text) and name in ("parent", "name", "stem", "suffix"):
            head, _, tail = value.rpartition("/")
            stem, dot, suffix = tail.rpartition(".")
            return {
                "parent": Text(head or "."),
                "name": tail,
                "stem": stem if dot else tail,
                "suffix": dot + suffix,
            }[name]
        if isinstance(value, (int, float)) and name in ("real", "imag", "numerator"):
            return value
        return Method(value, name)

    def _tensor_attribute(self, value: Unk, name: str) -> Value:
        if name in ("grad", "main_grad") and value.roots:
            facts: set[Any] = {Grad()}
            for root in value.roots:
                facts |= root.find().grad
            return Unk(frozenset(facts))
        if name in ("shape",):
            return Unk(self._only_marks(value.taint))
        if name in SHAPES and name not in ("size", "numel", "dim", "stride", "element_size"):
            return Unk()
        if name in ("data", "T", "mT", "real"):
            return Unk(value.taint, value.kind, value.roots, value, detached=value.detached or name == "data")
        return Method(value, name)

    @staticmethod
    def _only_marks(taint: Taint) -> Taint:
        return frozenset(a for a in taint if isinstance(a, Ix))

    def method(
        self, receiver: Value, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        """`receiver.name(args)`."""
        if isinstance(receiver, Lst):
            return self._list_method(receiver, name, args, keywords, node)
        if isinstance(receiver, Dct):
            return self._dict_method(receiver, name, args, keywords, node)
        if isinstance(receiver, Obj):
            return self._object_method(receiver, name, args, keywords, node)
        if isinstance(receiver, Super):
            return (
                self._object_method(receiver.receiver, name, args, keywords, node)
                if name not in ("__init__", "__post_init__", "__setattr__", "__init_subclass__")
                else None
            )
        if isinstance(receiver, Text):
            made = self.path_method(receiver, name, args, keywords, node)
            if made is not MISSING:
                return made
        if isinstance(receiver, (str, bytes, int, float)):
            return self._constant_method(receiver, name, args, keywords)
        if isinstance(receiver, Unk):
            return self.tensor_method(receiver, name, args, keywords, node)
        if isinstance(receiver, Cls) and name == "apply":
            return self._autograd_function(receiver, args, node)
        if isinstance(receiver, tuple) and name in ("index", "count"):
            return Unk(kind="number")
        return Unk(self.taint(receiver) | self.facts_of(args, keywords))

    def path_method(
        self, path: Text, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        raise NotImplementedError

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

    # --- containers ------------------------------------------------------------------------------------

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
            if items and not self.weak and not self._in_abstract_loop():
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
        """A list is put into another order."""

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

    # --- tensors ---------------------------------------------------------------------------------------

    def tensor_method(
        self, value: Unk, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        """A method of a tensor or another unknown value."""
        if name == "backward":
            self.backward(self.taint(value))
            return None
        if name in (
            "size",
            "numel",
            "dim",
            "stride",
            "element_size",
            "nelement",
            "is_floating_point",
            "data_ptr",
            "ndimension",
        ):
            return Unk(self._only_marks(value.taint), "number")
        if name == "requires_grad_":
            return self._leaf(value, args)
        if name in ("grad",):
            return Unk()
        if name == "glob" or name == "rglob":
            return Lst(None, self.text_of([value, "/", args[0] if args else "*"]))
        if value.parts is not None and name in (
            "exists",
            "is_file",
            "is_dir",
            "mkdir",
            "endswith",
            "startswith",
            "isdigit",
        ):
            return Unk(kind="number")
        if value.parts is not None and name in (
            "open",
            "read_bytes",
            "read_text",
            "write_text",
            "write_bytes",
        ):
            return self.file_method(value, name, args, keywords, node)
        if value.parts is not None and name in (
            "strip",
            "lower",
            "upper",
            "replace",
            "rstrip",
            "lstrip",
            "as_posix",
            "resolve",
            "with_suffix",
            "encode",
            "absolute",
            "expanduser",
            "relative_to",
        ):
            return value
        if name.endswith("_") and not name.endswith("__") and name not in ("requires_grad_",):
            return self._in_place(value, name, args, keywords, node)
        if name in ("gather", "take_along_dim", "index_select") or (name == "pick"):
            return self._gather(value, args, keywords, node)
        if name in POSITIONS:
            facts = self.taint(value) | self.facts_of(args, keywords)
            return Unk(frozenset(a for a in facts if not isinstance(a, (Tok, Sc))), "positions")
        if name in ("log_softmax", "softmax"):
            return Unk(self.taint(value), "logp" if name == "log_softmax" else "prob")
        if name in VIEWS:
            return Unk(
                value.taint, value.kind, value.roots, value, value.parts, value.detached or name == "detach"
            )
        if name in COPIES:
            kind = "number" if name in ("item",) else value.kind
            return self.snapshot(value, kind)
        if name in ("min", "minimum", "fmin", "amin") and any(isinstance(a, Sc) for a in self.taint(value)):
            facts = self.taint(value) | self.facts_of(args, keywords)
            return Unk(facts | self.select(node, facts))
        if name in ("new_zeros", "new_empty", "new_full", "new_ones", "new_tensor"):
            return Unk(self.facts_of(args, keywords) if name == "new_tensor" else NONE)
        if name in ("register_hook", "record_stream", "synchronize", "register_post_accumulate_grad_hook"):
            return None
        if names_loss(name) and len(args) >= 2:
            return self.loss_call(args, keywords, node)
        facts = self.combined(
            node, [self.taint(value), *(self.taint(a) for a in args), self.facts_of([], keywords)]
        )
        return Unk(facts, value.kind if value.kind in ("logp", "prob", "logits", "number") else "")

    def file_method(
        self, value: Value, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        raise NotImplementedError

    def loss_call(self, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Unk:
        raise NotImplementedError

    def _leaf(self, value: Unk, args: list[Value]) -> Value:
        if (args and args[0] is False) or value.roots:
            return value
        root = self.new_root("tensor", leaf=True)
        value.roots = frozenset({root})
        return value

    def _in_place(
        self, value: Unk, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        facts = self.facts_of(args, keywords)
        if value.roots:
            if name in (
                "zero_",
                "fill_",
                "uniform_",
                "normal_",
                "kaiming_uniform_",
                "trunc_normal_",
                "orthogonal_",
                "constant_",
            ):
                for root in {r.find() for r in value.roots}:
                    self.update(node, root, NONE, replace=True)
            elif name in ("copy_", "set_"):
                self.write_parameter(node, value, facts)
            else:
                self.write_parameter(node, value, facts | self.taint(value))
            return value
        if name in TABLE_WRITES:
            index = self.taint(args[1]) if len(args) > 1 else self.taint(keywords.get("index"))
            if name == "index_put_" and args:
                index = self.taint(args[0])
            added = self.table_facts(node, value, index)
            if added:
                value.absorb(added)
                return value
        if (
            name in ("zero_", "fill_", "normal_", "uniform_", "random_")
            and not self.weak
            and value.base is None
        ):
            value.taint = NONE
            return value
        if name in ("share_memory_", "record_stream_"):
            return value
        old = value.taint
        value.absorb(self.combined(node, [old, facts]))
        return value

    def _gather(self, value: Unk, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        index = union([self.taint(a) for a in args[1:]] + [self.taint(keywords.get("index"))])
        facts = self.taint(value)
        tokens = any(isinstance(a, Tok) for a in index)
        model = not value.roots and any(isinstance(a, Out) for a in facts)
        if tokens and (model or value.kind in ("logp", "prob", "logits")):
            return Unk(self.score(node, facts, index), "gold")
        return Unk(capped(facts | index), value.kind)

    def _autograd_function(self, cls: Cls, args: list[Value], node: ast.AST) -> Value:
        facts = [self.taint(a) for a in args]
        if len(args) >= 2 and (names_loss(cls.name) or "CE" in cls.name or "Loss" in cls.name):
            return self.loss_call(args, {}, node)
        return Unk(union(facts), "logits")

    # --- objects ---------------------------------------------------------------------------------------

    def _object_method(
        self, obj: Value, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        if not isinstance(obj, Obj):
            return Unk(self.facts_of(args, keywords))
        if obj.root is not None:
            return self._module_method(obj, name, args, keywords, node)
        if obj.kind == "optimizer":
            return self._optimizer_method(obj, name, args, keywords, node)
        if obj.kind == "buffer":
            return self._buffer_method(obj, name, args)
        if obj.kind == "file":
            return self.file_method(obj, name, args, keywords, node)
        if obj.kind == "parser":
            return self.parser_method(obj, name, args, keywords)
        if obj.kind == "thread":
            return self._thread_method(obj, name, node)
        if obj.kind == "environ":
            return self.environ_method(obj, name, args)
        if obj.kind == "pool" and args:
            return self._pool_method(name, args, keywords, node)
        if obj.kind == "hook" and name == "remove":
            root = obj.attrs["*root"].find()
            root.hooks = [hook for hook in root.hooks if _made_at(hook) != _made_at(obj.attrs["*hook"])]
            return None
        if obj.kind == "future" and name == "result":
            return obj.attrs["*result"]
        if name == "__class__":
            return obj.cls
        if name in ("__enter__",):
            return obj
        facts = self.facts_of(args, keywords)
        obj.taint |= facts
        return Unk(self.taint(obj))

    def parser_method(self, obj: Obj, name: str, args: list[Value], keywords: dict[str, Value]) -> Value:
        raise NotImplementedError

    def environ_method(self, obj: Obj, name: str, args: list[Value]) -> Value:
        if name in ("get", "setdefault", "pop") and args:
            default = args[1] if len(args) > 1 else None
            found = self.environment(args[0]) if isinstance(args[0], str) else MISSING
            if name == "setdefault" and isinstance(args[0], str) and found is MISSING:
                obj.attrs[args[0]] = default
            return default if found is MISSING else found
        if name in ("copy",):
            return obj
        return None

    def _thread_method(self, obj: Obj, name: str, node: ast.AST) -> Value:
        if name in ("start", "run"):
            target = obj.attrs.get("*target")
            own = obj.cls.lookup("run") if isinstance(obj.cls, Cls) else None
            if isinstance(own, Fn):
                self.call_function(own, [obj], {}, node, obj)
            elif target is not None:
                self.call(target, self.sequence(obj.attrs.get("*args", ())) or [], {}, node)
        return None

    def _pool_method(self, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        """A pool of threads runs what it is given, here at once."""
        if name == "submit":
            made = Obj(Lib("concurrent.futures.Future"), "future")
            made.attrs["*result"] = self.call(args[0], args[1:], keywords, node)
            return made
        if name in ("map", "imap", "starmap"):
            element = [self.any_element(a) for a in args[1:]]
            return Lst(None, self.call(args[0], element, {}, node))
        return None

    def _buffer_method(self, obj: Obj, name: str, args: list[Value]) -> Value:
        if name in ("getvalue", "read", "getbuffer"):
            return obj.attrs.get("*content", Unk())
        if name == "write" and args:
            obj.attrs["*content"] = args[0]
        return None

    def _module_method(
        self, obj: Obj, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        assert obj.root is not None
        parameter = Unk(roots=frozenset({obj.root}))
        if name in _SELF:
            return obj
        if name in ("parameters", "buffers"):
            return Lst(None, parameter)
        if name in ("named_parameters", "named_buffers"):
            return Lst(None, (Unk(parts=(NONE,)), parameter))
        if name in ("modules", "children"):
            return Lst(None, Obj(Lib("torch.nn.Module"), "module", obj.root))
        if name in ("named_modules", "named_children"):
            return Lst(None, (Unk(parts=(NONE,)), Obj(Lib("torch.nn.Module"), "module", obj.root)))
        if name == "state_dict":
            return Dct(rest=Unk(roots=frozenset({obj.root}), detached=True))
        if name == "load_state_dict" and args:
            return self._load(obj, args[0], node)
        if name in ("register_forward_hook", "register_forward_pre_hook") and args:
            obj.root.find().hooks.append(args[0])
            handle = Obj(Lib("torch.utils.hooks.RemovableHandle"), "hook")
            handle.attrs["*hook"], handle.attrs["*root"] = args[0], obj.root
            return handle
        if name == "register_buffer" and len(args) > 1 and isinstance(args[0], str):
            obj.attrs[args[0]] = args[1]
            return None
        if name in (
            "register_parameter",
            "add_module",
            "append",
            "extend",
            "insert",
            "__setattr__",
            "update",
        ):
            for root in self.roots_in(tuple(args)):
                obj.root.find().join(root)
            if len(args) > 1 and isinstance(args[0], str):
                obj.attrs[args[0]] = args[1]
            elif args and isinstance(obj.attrs.get("*items"), Lst):
                self.append(obj.attrs["*items"], args[-1])
            return obj
        if name == "zero_grad":
            if not self.weak:
                obj.root.find().grad = NONE
            return None
        if name in ("forward", "__call__", "module"):
            return self.call_object(obj, args, keywords, node)
        if name in ("items", "values", "keys"):
            items = obj.attrs.get("*items")
            if isinstance(items, Lst):
                return items
            return Lst(None, (Unk(parts=(NONE,)), obj) if name == "items" else obj)
        if name in ("no_sync",):
            return Unk()
        return self.opaque(obj, args, keywords, node)

    def _load(self, obj: Obj, state: Value, node: ast.AST) -> Value:
        assert obj.root is not None
        root = obj.root.find()
        facts = self.taint(state)
        kept = frozenset(a for a in facts if not isinstance(a, (Out, Par)))
        self.update(node, root, kept, replace=True)
        return Unk()

    def _optimizer_method(
        self, obj: Obj, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        roots = self.roots_in(obj.attrs.get("*params"))
        if name == "step":
            if args and not known(args[0]):  # LBFGS calls its closure
                self.call(args[0], [], {}, node)
            for root in sorted(roots, key=lambda r: r.number):
                if root.grad:
                    self.update(node, root, root.grad | {Grad()})
            return Unk()
        if name == "zero_grad":
            if not self.weak:
                for root in roots:
                    root.grad = NONE
            return None
        if name == "add_param_group":
            self.append(obj.attrs["*params"], args[0])
            return None
        if name == "state_dict":
            return Dct(rest=Unk())
        return Unk()


def _made_at(fn: Value) -> int:
    """Where a function is written: one handle stands for all hooks that a loop has registered."""
    if isinstance(fn, Bound):
        return id(fn.fn.node)
    return id(fn.node) if isinstance(fn, Fn) else id(fn)


__all__ = ["Alt", "Bound", "Cnt", "Dep", "Methods", "Own", "Stream"]
