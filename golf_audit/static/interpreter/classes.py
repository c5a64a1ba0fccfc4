"""Classes of the submission: their statements, instances, and calls of instances."""

from __future__ import annotations

import ast
import re

from golf_audit.static.atoms import union
from golf_audit.static.attention import open_attention
from golf_audit.static.interpreter.calls import names_loss
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.state import MISSING, Frame
from golf_audit.static.values import Bound, Cls, Env, Fn, Lib, Lst, Obj, Part, Unk, Value

_REACHES = re.compile(
    r"cross_?entropy|nll_loss|log_softmax|CrossEntropyLoss|logsumexp|gather|backward|fused\w*ce|_ce$|optimizer",
    re.IGNORECASE,
)


class Classes(Machine):
    """Classes and their instances."""

    def make_class(self, node: ast.ClassDef) -> Value:
        """A class statement as a value."""
        bases = tuple(self.eval(b) for b in node.bases)
        env = Env(self.frame.env, self.frame.env.globals)
        frame = Frame(env, self.frame.unit)
        self.frames.append(frame)
        try:
            self.block(node.body)
        finally:
            self.frames.pop()
        made = Cls(node.name, node, bases, env.vars, unit=self.frame.unit)
        for value in env.vars.values():
            if isinstance(value, Fn) and value.owner is None:
                value.owner = made
                value.env = self.frame.env
        decorators = [ast.unparse(d) for d in node.decorator_list]
        inherited = any(isinstance(b, Cls) and b.fields is not None for b in bases)
        if (
            any("dataclass" in d for d in decorators)
            or any("NamedTuple" in ast.unparse(b) for b in node.bases)
            or inherited
        ):
            made.fields = self._fields(node, bases)
        return made

    @staticmethod
    def _fields(node: ast.ClassDef, bases: tuple[Value, ...]) -> tuple[tuple[str, ast.expr | None], ...]:
        found: dict[str, ast.expr | None] = {}
        for base in bases:
            if isinstance(base, Cls) and base.fields is not None:
                found.update(base.fields)
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                found[statement.target.id] = statement.value
        return tuple(found.items())

    def instantiate(self, cls: Cls, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        """An instance of a class of the submission."""
        libraries = cls.libraries()
        if any(name.endswith("autograd.Function") or name.endswith("Exception") for name in libraries):
            return Obj(cls)
        kind = _kind_of(libraries)
        made = Obj(cls, kind)
        if kind == "module":
            made.root = self.new_root(cls.name, leaf=False)
        if kind == "optimizer":
            made.attrs["*params"] = Lst([*args, *keywords.values()])
            return made
        if kind == "thread":
            made.attrs["*target"] = keywords.get("target")
            made.attrs["*args"] = keywords.get("args", ())
        init = cls.lookup("__init__")
        if isinstance(init, Fn):
            self.call_function(init, [made, *args], keywords, node, made)
        elif cls.fields is not None:
            self._fill(made, cls, args, keywords, node)
        if cls.fields is not None and isinstance(post := cls.lookup("__post_init__"), Fn):
            self.call_function(post, [made], {}, node, made)
        return made

    def _fill(
        self, made: Obj, cls: Cls, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> None:
        for i, (name, default) in enumerate(cls.fields or ()):
            if i < len(args):
                made.attrs[name] = args[i]
            elif name in keywords:
                made.attrs[name] = keywords[name]
            elif isinstance(default, ast.Call) and ast.unparse(default.func).endswith("field"):
                made.attrs[name] = self._field(default, cls)
            else:
                made.attrs[name] = cls.attrs.get(name, Unk())

    def _field(self, node: ast.Call, cls: Cls) -> Value:
        for keyword in node.keywords:
            if keyword.arg == "default":
                return self.eval(keyword.value)
            if keyword.arg == "default_factory":
                frame = Frame(Env(None, cls.unit.env if cls.unit is not None else None), cls.unit)
                frame.env = cls.unit.env
                self.frames.append(frame)
                try:
                    return self.call(self.eval(keyword.value), [], {}, node)
                finally:
                    self.frames.pop()
        return Unk()

    def call_object(self, obj: Obj, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        """Call an instance: a module's forward, or __call__."""
        if obj.kind == "module":
            self._attends(obj, node)
        if isinstance(obj.cls, Cls):
            name = "forward" if obj.kind == "module" else "__call__"
            fn = obj.attrs.get("forward") if name == "forward" else None
            fn = fn if isinstance(fn, (Fn, Bound, Part)) else obj.cls.lookup(name)
            if isinstance(fn, Fn) and (obj.kind != "module" or self.reaches_loss(fn, obj.cls)):
                if obj.kind == "module":
                    self.run_hooks(obj, args, node)
                return self.call_function(fn, [obj, *args], keywords, node, obj)
            if isinstance(fn, (Bound, Part)):
                return self.call(fn, args, keywords, node)
        if isinstance(obj.cls, Lib) and names_loss(obj.cls.last) and len(args) >= 2:
            return Unk(self.score(node, self.taint(args[0]), self.taint(args[1])))
        return self.opaque(obj, args, keywords, node)

    def opaque(self, obj: Value, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        """A module whose code cannot reach a loss: the result depends on its inputs and its parameters."""
        if isinstance(obj, Obj) and obj.root is not None:
            self.run_hooks(obj, args, node)
            forward = obj.cls.lookup("forward") if isinstance(obj.cls, Cls) else None
            for delay in self.delays_in(forward) if isinstance(forward, Fn) else ():
                self.mix(node, True if delay.masked else None if delay.factors else False)
        facts = union(
            [self.taint(obj), *(self.taint(a) for a in args), *(self.taint(v) for v in keywords.values())]
        )
        return Unk(facts, "logits")

    def _attends(self, obj: Obj, node: ast.AST) -> None:
        """Tell of a model whose attention, in all of its parts, is open."""
        if obj.root is None:
            return
        root = obj.root.find()
        held = (f.receiver for f in self.frames if isinstance(f.receiver, Obj))
        top = next((m for m in held if m.root is not None and m.root.find() is root), obj)
        if ("attends", id(top)) in self._made:
            return
        self._made[("attends", id(top))] = 0
        classes = [m.cls for m in (top, *self.kinds_of_modules(top)) if isinstance(m.cls, Cls)]
        found = open_attention([a.node for cls in classes for a in cls.attrs.values() if isinstance(a, Fn)])
        if found is not None:
            here = all(cls.unit is self.frame.unit for cls in classes)
            self.attend(found if here else node, root.name)

    def run_hooks(self, obj: Obj, args: list[Value], node: ast.AST) -> None:
        """Forward hooks see the inputs and outputs of the module."""
        root = obj.root.find() if obj.root is not None else None
        if root is None or not root.hooks:
            return
        hooks, root.hooks = root.hooks, []
        facts = Unk(union([self.taint(a) for a in args] + [self.taint(obj)]))
        for hook in hooks:
            self.call(hook, [obj, (facts,), facts], {}, node)
        root.hooks = hooks + root.hooks

    def reaches_loss(self, fn: Fn, cls: Cls) -> bool:
        """True when a method, or what it calls of its own class and file, can compute a loss."""
        key = ("reaches", id(fn.node))
        if key not in self._made:
            self._made[key] = 0  # while it is looked at: recursion adds nothing
            self._made[key] = int(self._reaches(fn, cls))
        return bool(self._made[key])

    def _reaches(self, fn: Fn, cls: Cls) -> bool:
        for child in ast.walk(fn.node):
            name = _spelled(child)
            if not name:
                continue
            if _REACHES.search(name):
                return True
            inner = cls.lookup(name) if isinstance(child, ast.Attribute) else fn.env.globals.vars.get(name)
            if isinstance(inner, Fn) and inner is not fn and self.reaches_loss(inner, inner.owner or cls):
                return True
        return False

    def obj_item(self, value: Obj, index: Value, node: ast.AST) -> Value:
        """`obj[index]`."""
        if value.kind == "environ":
            found = self.environment(index) if isinstance(index, str) else Unk()
            return Unk() if found is MISSING else found
        if "*items" in value.attrs:
            return self.item(value.attrs["*items"], index, node)
        fn = value.cls.lookup("__getitem__") if isinstance(value.cls, Cls) else None
        if isinstance(fn, Fn):
            return self.call_function(fn, [value, index], {}, node, value)
        if value.root is not None:
            return value
        return Unk(self.taint(value) | self.index_taint(index))


def _spelled(node: ast.AST) -> str:
    """The name that a node mentions: also in a text, which getattr may take."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) and len(node.value) < 60 else ""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _kind_of(libraries: tuple[str, ...]) -> str:
    for name in libraries:
        last = name.rpartition(".")[2]
        if ".nn." in f".{name}." or last == "Module":
            return "module"
        if "optim" in name.lower():
            return "optimizer"
        if last == "Thread":
            return "thread"
    return ""
