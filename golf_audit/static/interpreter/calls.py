"""Calls of the submission's own functions, decorators and closures."""

from __future__ import annotations

import ast
import re
from contextlib import nullcontext
from typing import Any

from golf_audit.static.atoms import NONE, Taint, union
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.state import MISSING, DeadPathError, Frame
from golf_audit.static.values import (
    Alt,
    Bound,
    Cls,
    Dct,
    Env,
    Fn,
    Lib,
    Lst,
    Method,
    Obj,
    Part,
    Unk,
    Value,
    known,
)

CALL_DEPTH = 28

RECURSION = 3

_NO_GRAD = ("no_grad", "inference_mode")

_LOSS = re.compile(
    r"cross_?entropy|nll|log_softmax|softcap\w*ce|fused\w*ce|_ce\b|ce_loss|linear_cross", re.IGNORECASE
)


def names_loss(name: str) -> bool:
    """True for a callee that is named like a (fused) cross entropy."""
    return _LOSS.search(name) is not None and "backward" not in name.lower()


class Calls(Machine):
    """Everything with parentheses."""

    def call_expression(self, node: ast.Call) -> Value:
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
        self.delays_in(fn)
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

    def invoke(self, holder: Obj, name: str, args: list[Value], node: ast.AST) -> Value:
        """Call a method by name, if its class has it."""
        fn = holder.cls.lookup(name) if isinstance(holder.cls, Cls) else None
        if isinstance(fn, Fn):
            return self.call_function(fn, [holder, *args], {}, node, holder)
        holder.taint |= union([self.taint(a) for a in args])
        return None

    def facts_of(self, args: list[Value], keywords: dict[str, Value]) -> Taint:
        """All facts of the arguments of a call."""
        return (
            union([self.taint(a) for a in args] + [self.taint(v) for v in keywords.values()])
            if args or keywords
            else NONE
        )


def _callee_name(fn: Value) -> str:
    """What is called, apart from the receiver."""
    if isinstance(fn, Method):
        return fn.name
    if isinstance(fn, Bound):
        return f"{id(fn.fn.node)}"
    if isinstance(fn, Obj) and isinstance(fn.cls, Cls):
        return f"{id(fn.cls)}"
    return f"{id(fn)}"


def _yields(node: ast.AST) -> bool:
    waiting = list(ast.iter_child_nodes(node))
    while waiting:
        child = waiting.pop()
        if isinstance(child, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            waiting += ast.iter_child_nodes(child)
    return False
