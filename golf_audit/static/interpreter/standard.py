"""Functions of the standard library."""

from __future__ import annotations

import ast
import math

from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.state import PURE_ERRORS
from golf_audit.static.values import Args, Dct, Keywords, Lib, Obj, Part, Unk, Value


class Standard(Machine):
    """Calls of the standard library."""

    def _math(self, name: str, args: Args) -> Value:
        try:
            return getattr(math, name)(*args)
        except PURE_ERRORS:
            return Unk(kind="number")

    def same(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """A wrapper: the value itself."""
        if not args:
            return Lib("golf.same")
        return args[0]

    def partial(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if not args:
            return Unk()
        return Part(args[0], tuple(args[1:]), dict(keywords))

    def default_dict(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        made = Dct()
        made.default = args[0] if args else None
        return made

    def counter(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        made = Dct(rest=Unk(kind="number"))
        if args:
            made.taint |= self.table_facts(node, made, self.taint(args[0]))
        return made

    def deque(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return self.listed(args, {}, node)

    def thread(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        made = Obj(Lib("threading.Thread"), "thread")
        made.attrs = {"*target": keywords.get("target"), "*args": keywords.get("args", ())}
        return made

    def pool(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        return Obj(Lib("concurrent.futures.Executor"), "pool")

    def simple_namespace(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        made = Obj(None)
        made.attrs = dict(keywords)
        return made

    def replaced(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """dataclasses.replace."""
        if args and isinstance(args[0], Obj):
            made = Obj(args[0].cls, args[0].kind, args[0].root)
            made.attrs = {**args[0].attrs, **keywords}
            return made
        return Unk()

    def reduced(self, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        if len(args) >= 2:
            element = self.element_or_unknown(args[1])
            return self.call(args[0], [element, element], {}, node)
        return Unk()
