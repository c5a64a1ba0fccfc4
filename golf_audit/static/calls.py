"""Calls of the submission's own functions and classes, attributes, and imports of its files."""

from __future__ import annotations

import ast
import re
from contextlib import nullcontext
from typing import Any

from golf_audit.static.expressions import MISSING
from golf_audit.static.machine import DeadPathError, Frame, Loop
from golf_audit.static.statements import Statements
from golf_audit.static.values import (
    NONE,
    Alt,
    Bound,
    Cls,
    Dct,
    Env,
    Fn,
    Ix,
    Lib,
    Lst,
    Method,
    Obj,
    Part,
    Space,
    Super,
    Taint,
    Text,
    Unk,
    Value,
    known,
    union,
)

CALL_DEPTH = 28
RECURSION = 3
_NO_GRAD = ("no_grad", "inference_mode")
_LOSS = re.compile(
    r"cross_?entropy|nll|log_softmax|softcap\w*ce|fused\w*ce|_ce\b|ce_loss|linear_cross", re.IGNORECASE
)
_REACHES = re.compile(
    r"cross_?entropy|nll_loss|log_softmax|CrossEntropyLoss|logsumexp|gather|backward|fused\w*ce|_ce$|optimizer",
    re.IGNORECASE,
)


def names_loss(name: str) -> bool:
    """True for a callee that is named like a (fused) cross entropy."""
    return _LOSS.search(name) is not None and "backward" not in name.lower()


class Calls(Statements):
    """Everything with parentheses, and what a dot finds."""

    def _call(self, node: ast.Call) -> Value:
        fn = self.eval(node.func)
        args: list[Value] = []
        for arg in node.args:
            value = self.eval(arg)
            if isinstance(arg, ast.Starred):
                items = self.sequence(value)
                args += items if items is not None else [self.any_element(value)]
            else:
                args.append(value)
        keywords: dict[str, Value] = {}
        for keyword in node.keywords:
            value = self.eval(keyword.value)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, Dct):
                keywords.update({k: v for k, v in value.items.items() if isinstance(k, str)})
        return self.call(fn, args, keywords, node)

    def call(self, fn: Value, args: list[Value], keywords: dict[str, Value], node: ast.AST | None) -> Value:
        """Call any value."""
        self.spend()
        node = node if node is not None else self.frame_node()
        if isinstance(fn, Fn):
            return self.call_function(fn, args, keywords, node)
        if isinstance(fn, Bound):
            if fn.fn.native:
                return self.opaque(fn.receiver, args, keywords, node)
            return self.call_function(fn.fn, [fn.receiver, *args], keywords, node, fn.receiver)
        if isinstance(fn, Cls):
            return self.instantiate(fn, args, keywords, node)
        if isinstance(fn, Obj):
            return self.call_object(fn, args, keywords, node)
        if isinstance(fn, Part):
            return self.call(fn.fn, [*fn.args, *args], {**fn.keywords, **keywords}, node)
        if isinstance(fn, Alt):
            return self._call_any(fn, args, keywords, node)
        if isinstance(fn, Method):
            return self.method(fn.receiver, fn.name, args, keywords, node)
        if isinstance(fn, Lib):
            return self.library(fn, args, keywords, node)
        facts = [self.taint(fn), *(self.taint(a) for a in args), *(self.taint(a) for a in keywords.values())]
        return Unk(union(facts))

    def frame_node(self) -> ast.AST:
        """A node that stands for the current call where an operation has none of its own."""
        return self.path[-1][2] if self.path else ast.Pass()

    def _call_any(self, fn: Alt, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        made: list[Value] = []
        # one method of either of two objects: whichever it is, that one is cleared, stepped and scored
        alike = len({_callee_name(option) for option in fn.options}) == 1
        for option in fn.options:
            if isinstance(option, Unk) or known(option):
                continue
            with nullcontext() if alike else self.under("one of several functions"):
                try:
                    made.append(self.call(option, args, keywords, node))
                except DeadPathError:
                    continue
        return self.element(Lst(made)) if made else Unk(union([self.taint(a) for a in args]))

    def method(
        self, receiver: Value, name: str, args: list[Value], keywords: dict[str, Value], node: ast.AST
    ) -> Value:
        raise NotImplementedError

    def library(self, fn: Lib, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        raise NotImplementedError

    # --- functions -------------------------------------------------------------------------------------

    def function(self, node: Any) -> Value:
        """A function definition or lambda as a value, decorators applied."""
        spec = node.args
        fn = Fn(
            node,
            self.frame.env,
            self.frame.unit,
            tuple(self.eval(d) for d in spec.defaults),
            tuple(self.eval(d) if d is not None else MISSING for d in spec.kw_defaults),
            yields=not isinstance(node, ast.Lambda) and _yields(node),
        )
        value: Value = fn
        for decorator in reversed(getattr(node, "decorator_list", [])):
            value = self._decorated(decorator, value, fn)
        return value

    def _decorated(self, decorator: ast.expr, value: Value, fn: Fn) -> Value:
        name = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
        last = name.rpartition(".")[2]
        if last in _NO_GRAD:
            fn.no_grad = True
        elif last in ("staticmethod", "classmethod"):
            fn.role = "static" if last == "staticmethod" else "class"
        elif last in ("property", "cached_property"):
            fn.role = "property"
        elif name.endswith((".setter", ".getter", ".deleter")):
            return value
        elif name in ("triton.jit", "triton.autotune", "triton.heuristics") or last == "custom_op":
            fn.native = fn.native or name.startswith("triton")
        else:
            made = self.eval(decorator)
            if isinstance(made, (Fn, Part, Alt)):
                return self.call(made, [value], {}, decorator)
        return value

    def call_function(
        self, fn: Fn, args: list[Value], keywords: dict[str, Value], node: ast.AST, receiver: Value = None
    ) -> Value:
        """Run the body of a function of the submission."""
        active = sum(
            frame.fn is fn or (frame.fn is not None and frame.fn.node is fn.node) for frame in self.frames
        )
        if fn.native:
            facts = union([self.taint(a) for a in (*args, *keywords.values())])
            for arg in args:
                if isinstance(arg, Unk):
                    arg.absorb(facts)
            return Unk(facts)
        if len(self.frames) >= CALL_DEPTH or active >= RECURSION:
            return Unk(union([self.taint(a) for a in (*args, *keywords.values())]))
        special = self.special_function(fn, args, keywords, node)
        if special is not MISSING:
            return special
        env = Env(fn.env, fn.env.globals)
        self._bind(fn, env, args, keywords)
        frame = Frame(env, fn.unit, fn, receiver if receiver is not None else (args[0] if args else None))
        return self._run(fn, frame, node)

    def special_function(self, fn: Fn, args: list[Value], keywords: dict[str, Value], node: ast.AST) -> Value:
        """A result for functions that are known by what they do; MISSING for all others."""
        return MISSING

    def _run(self, fn: Fn, frame: Frame, node: ast.AST) -> Value:
        grad = self.grad
        if fn.no_grad:
            self.grad = False
        where = self.where(node)
        self.frames.append(frame)
        self.path.append((fn.name, where, node))
        try:
            if isinstance(fn.node, ast.Lambda):
                return self.eval(fn.node.body)
            alive = self.block(fn.node.body)
        except DeadPathError:
            if not frame.returns:
                raise
            alive = False  # other paths have returned
        finally:
            self.frames.pop()
            self.path.pop()
            self.grad = grad
        if fn.yields:
            return Lst(None, self.element(Lst(frame.yields)) if frame.yields else None)
        results = frame.returns + ([None] if alive and frame.returns else [])
        if not results:
            return None
        made = results[0]
        for other in results[1:]:
            made = self.join(made, other)
        return made

    def _bind(self, fn: Fn, env: Env, args: list[Value], keywords: dict[str, Value]) -> None:
        spec = fn.node.args
        names = [a.arg for a in (*spec.posonlyargs, *spec.args)]
        defaults = (
            dict(zip(names[len(names) - len(fn.defaults) :], fn.defaults, strict=True)) if fn.defaults else {}
        )
        left = dict(keywords)
        for i, name in enumerate(names):
            if i < len(args):
                env.vars[name] = args[i]
            elif name in left:
                env.vars[name] = left.pop(name)
            else:
                env.vars[name] = defaults.get(name, Unk())
        if spec.vararg is not None:
            env.vars[spec.vararg.arg] = tuple(args[len(names) :])
        for name_node, default in zip(spec.kwonlyargs, fn.kw_defaults, strict=True):
            found = left.pop(name_node.arg, default)
            env.vars[name_node.arg] = Unk() if found is MISSING else found
        if spec.kwarg is not None:
            env.vars[spec.kwarg.arg] = Dct(dict(left))

    # --- classes ---------------------------------------------------------------------------------------

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
        facts = union(
            [self.taint(obj), *(self.taint(a) for a in args), *(self.taint(v) for v in keywords.values())]
        )
        return Unk(facts, "logits")

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

    def invoke(self, holder: Obj, name: str, args: list[Value], node: ast.AST) -> Value:
        """Call a method by name, if its class has it."""
        fn = holder.cls.lookup(name) if isinstance(holder.cls, Cls) else None
        if isinstance(fn, Fn):
            return self.call_function(fn, [holder, *args], {}, node, holder)
        holder.taint |= union([self.taint(a) for a in args])
        return None

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

    # --- attributes ------------------------------------------------------------------------------------

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

    def value_attribute(self, value: Value, name: str, node: ast.AST) -> Value:
        raise NotImplementedError

    def library_attribute(self, value: Lib, name: str) -> Value:
        return Lib(f"{value.name}.{name}")

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

    # --- comprehensions --------------------------------------------------------------------------------

    def _comprehension(self, node: Any) -> Value:
        env = Env(self.frame.env, self.frame.env.globals)
        self.frames.append(Frame(env, self.frame.unit, self.frame.fn, self.frame.receiver))
        made: Value = Dct() if isinstance(node, ast.DictComp) else Lst([])
        try:
            self._generate(node, 0, made)
        finally:
            self.frames.pop()
        return made

    def _generate(self, node: Any, level: int, made: Value) -> None:
        if level == len(node.generators):
            if isinstance(made, Dct):
                self.set_item(made, self.eval(node.key), self.eval(node.value), node)
            elif made.items is not None:
                made.items.append(self.eval(node.elt))
            else:
                value = self.eval(node.elt)
                made.rest = value if made.rest is None else self.join(made.rest, value)
            return
        generator = node.generators[level]
        source = self.eval(generator.iter)
        items = self.sequence(source)
        if items is not None and len(items) <= UNROLL_COMPREHENSION:
            for item in items:
                self.assign(generator.target, item)
                self._if_kept(node, generator, level, made)
            return
        if isinstance(made, Lst) and made.items == []:
            made.items = None
        loop = Loop(self.number())
        self.live.append(loop)
        try:
            element = self.any_element(source)
            element = Unk() if element is None else element
            marks = frozenset({(loop.number, 0)})
            if isinstance(element, Unk) and element.kind == "number":
                element = Unk(element.taint | {Ix(loop.number, 0)}, "number")
            else:
                element = self.marked_value(element, marks)
            self.assign(generator.target, element)
            self._if_kept(node, generator, level, made)
        finally:
            self.live.pop()

    def _if_kept(self, node: Any, generator: ast.comprehension, level: int, made: Value) -> None:
        for condition in generator.ifs:
            truth = self.truth(self.eval(condition))
            if truth is False:
                return
            if truth is None and isinstance(made, Lst) and made.items is not None:
                made.rest, made.items = self.element(made), None
        self._generate(node, level + 1, made)

    def facts_of(self, args: list[Value], keywords: dict[str, Value]) -> Taint:
        """All facts of the arguments of a call."""
        return (
            union([self.taint(a) for a in args] + [self.taint(v) for v in keywords.values()])
            if args or keywords
            else NONE
        )


UNROLL_COMPREHENSION = 24


def _spelled(node: ast.AST) -> str:
    """The name that a node mentions: also in a text, which getattr may take."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) and len(node.value) < 60 else ""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _callee_name(fn: Value) -> str:
    """What is called, apart from the receiver."""
    if isinstance(fn, Method):
        return fn.name
    if isinstance(fn, Bound):
        return f"{id(fn.fn.node)}"
    if isinstance(fn, Obj) and isinstance(fn.cls, Cls):
        return f"{id(fn.cls)}"
    return f"{id(fn)}"


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


def _yields(node: ast.AST) -> bool:
    waiting = list(ast.iter_child_nodes(node))
    while waiting:
        child = waiting.pop()
        if isinstance(child, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            waiting += ast.iter_child_nodes(child)
    return False


__all__ = ["Calls", "Text"]
