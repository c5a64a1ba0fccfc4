"""What a dot finds."""

from __future__ import annotations

import ast
from typing import Any

from golf_audit.static.atoms import Grad, Ix, Taint
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.state import MISSING
from golf_audit.static.values import (
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
    Super,
    Text,
    Unk,
    Value,
)

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


class Attributes(Machine):
    """Attributes of every kind of value."""

    def attribute(self, value: Value, name: str, node: ast.AST) -> Value:
        """`value.name`."""
        if isinstance(value, Alt):
            options = [o for o in value.options if o is not None]
            found = [self.attribute(o, name, node) for o in options]
            made = found[0]
            for other in found[1:]:
                made = self.join(made, other)
            return made
        if isinstance(value, Lib):
            return self.library_attribute(value, name)
        if isinstance(value, Space):
            found = value.env.vars.get(name, MISSING)
            return Unk() if found is MISSING else found
        if isinstance(value, Obj):
            return self._object_attribute(value, name, node)
        if isinstance(value, Cls):
            found = value.lookup(name)
            if isinstance(found, Fn) and found.role == "class":
                return Bound(value, found)
            if found is None and name == "apply" and any(n.endswith("Function") for n in value.libraries()):
                return Method(value, "apply")
            if name == "__name__":
                return value.name
            return found if found is not None or name in value.attrs else Unk()
        if isinstance(value, Super):
            return self._super_attribute(value, name)
        if isinstance(value, Fn) and name == "__name__":
            return value.name
        return self.value_attribute(value, name, node)

    def _object_attribute(self, obj: Obj, name: str, node: ast.AST) -> Value:
        if name in obj.attrs:
            return obj.attrs[name]
        if isinstance(obj.cls, Cls):
            found = obj.cls.lookup(name)
            if isinstance(found, Fn):
                if found.role == "property":
                    return self.call_function(found, [obj], {}, node, obj)
                if found.role == "static":
                    return found
                return Bound(obj.cls if found.role == "class" else obj, found)
            if found is not None or name in obj.cls.attrs:
                return found
        if name == "module" and obj.root is not None:
            return obj
        if name == "state" and obj.root is not None and _of_mlx(obj):
            return Lst(None, Unk(roots=frozenset({obj.root})))
        if name == "__class__":
            return obj.cls
        if name == "__dict__":
            return Dct(dict(obj.attrs))
        return self.value_attribute(obj, name, node)

    def _super_attribute(self, value: Super, name: str) -> Value:
        for base in value.cls.bases:
            found = base.lookup(name) if isinstance(base, Cls) else None
            if isinstance(found, Fn):
                return Bound(value.receiver, found)
        return Method(value, name)

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
            return Unk(self.only_marks(value.taint))
        if name in SHAPES and name not in ("size", "numel", "dim", "stride", "element_size"):
            return Unk()
        if name == "ctypes":
            return Unk(value.taint, "pointer", base=value)
        if name in ("data", "T", "mT", "real"):
            return Unk(value.taint, value.kind, value.roots, value, detached=value.detached or name == "data")
        return Method(value, name)

    @staticmethod
    def only_marks(taint: Taint) -> Taint:
        return frozenset(a for a in taint if isinstance(a, Ix))


def _of_mlx(obj: Obj) -> bool:
    """True for a module of MLX, whose `state` is the tree of its parameters."""
    return isinstance(obj.cls, Cls) and "mlx.nn.Module" in obj.cls.libraries()
