"""A method by the kind of its receiver."""

from __future__ import annotations

import ast

from golf_audit.static.interpreter.attributes import Attributes
from golf_audit.static.interpreter.containers import Containers
from golf_audit.static.interpreter.objects import Objects
from golf_audit.static.interpreter.state import MISSING
from golf_audit.static.interpreter.tensors import Tensors
from golf_audit.static.values import Cls, Dct, Lst, Obj, Super, Text, Unk, Value


class Methods(Attributes, Containers, Tensors, Objects):
    """Method calls."""

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
