"""Statements, branches and loops. A statement answers whether control reaches the next one."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

from golf_audit.static.expressions import MISSING, Expressions
from golf_audit.static.machine import DeadPathError, Loop, ProgramEndError
from golf_audit.static.values import (
    NONE,
    Alt,
    Blend,
    Cls,
    Cnt,
    Dct,
    Dep,
    Env,
    Grad,
    Ix,
    Lib,
    Lst,
    Obj,
    Own,
    Par,
    Sc,
    Taint,
    Tok,
    Unk,
    Value,
    capped,
    known,
)
from golf_audit.timeline import SOMETIMES, Stream

UNROLLED, UNROLLED_OUTSIDE = 4, 12
"""Loops over this many known items run one by one; more of them outside nested loops."""
_SIZES = re.compile(r"^(not )?\(?(len\(|[\w.\[\]]+\.(size|numel|shape|any\())")
"""Tests of how much there is: they hold for some data of every run."""
_SCALARS = ("number", "compared")
DEEP = 6
"""Beyond this many live loops one abstract iteration has to do."""


class Statements(Expressions):
    """Execution of statements."""

    forced: dict[int, bool]

    def block(self, body: Sequence[ast.stmt]) -> bool:
        """Run statements; False when control does not reach the end."""
        for statement in body:
            self.spend()
            handler = _HANDLERS.get(type(statement))
            if handler is not None and handler(self, statement) is False:
                return False
        return True

    # --- assignment ------------------------------------------------------------------------------------

    def _assign(self, node: ast.Assign) -> None:
        value = self.eval(node.value)
        for target in node.targets:
            self.assign(target, value)

    def _annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.assign(node.target, self.eval(node.value))

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a value to a target."""
        if isinstance(target, ast.Name):
            env = self.frame.env
            env.names.get(target.id, env).vars[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            self._unpack(target.elts, value)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, value)
        elif isinstance(target, ast.Attribute):
            self.set_attribute(self.eval(target.value), target.attr, value, target)
        elif isinstance(target, ast.Subscript):
            self.set_item(self.eval(target.value), self.index(target.slice), value, target)

    def _unpack(self, targets: list[ast.expr], value: Value) -> None:
        items = self.sequence(value)
        starred = next((i for i, t in enumerate(targets) if isinstance(t, ast.Starred)), None)
        if items is not None and starred is not None and len(items) >= len(targets) - 1:
            after = len(targets) - starred - 1
            middle = Lst(items[starred : len(items) - after])
            items = [*items[:starred], middle, *items[len(items) - after :]]
        if items is not None and len(items) == len(targets):
            for target, item in zip(targets, items, strict=True):
                self.assign(target, item)
            return
        if isinstance(value, Alt):
            tuples = [v for v in value.options if isinstance(v, tuple) and len(v) == len(targets)]
            if tuples:
                for i, target in enumerate(targets):
                    self.assign(target, self.element(Lst([t[i] for t in tuples])))
                return
        element = self.any_element(value)
        for target in targets:
            self.assign(target, Lst(None, element) if isinstance(target, ast.Starred) else element)

    def set_attribute(self, holder: Value, name: str, value: Value, node: ast.AST) -> None:
        """`holder.name = value`."""
        if isinstance(holder, Alt):
            for option in holder.options:
                self.set_attribute(option, name, value, node)
        elif isinstance(holder, Obj):
            if holder.root is not None:
                for root in self.roots_in(value):
                    holder.root.find().join(root)
            old = holder.attrs.get(name, MISSING)
            holder.attrs[name] = value if old is MISSING or not self.weak else self.join(old, value)
        elif isinstance(holder, Cls):
            holder.attrs[name] = value
        elif isinstance(holder, Unk) and holder.roots and name in ("data", "grad"):
            for root in holder.roots:
                if name == "grad":
                    facts = self.taint(value)
                    kept = frozenset(a for a in facts if isinstance(a, (Tok, Dep)))
                    root.find().grad = kept if value is None and not self.weak else root.find().grad | kept
                else:
                    self.write_parameter(node, holder, self.taint(value))
        elif isinstance(holder, Unk):
            holder.absorb(self.taint(value))

    def write_parameter(self, node: ast.AST, holder: Unk, facts: Taint) -> None:
        """Parameters are overwritten by values with these facts."""
        for root in {r.find() for r in holder.roots}:
            copied = any(isinstance(a, Own) and a.root == root.number for a in facts)
            self.update(node, root, facts, replace=copied or not facts)

    def set_item(self, holder: Value, index: Value, value: Value, node: ast.AST) -> None:
        """`holder[index] = value`."""
        if isinstance(holder, Alt):
            for option in holder.options:
                self.set_item(option, index, value, node)
        elif isinstance(holder, Dct):
            self._set_key(holder, index, value, node)
        elif isinstance(holder, Lst):
            self._set_element(holder, index, value)
        elif isinstance(holder, Obj):
            if holder.kind == "environ":
                holder.attrs[index if isinstance(index, str) else "*"] = value
            else:
                self.invoke(holder, "__setitem__", [index, value], node)
        elif isinstance(holder, Unk):
            facts = self.taint(value) | frozenset(a for a in self.index_taint(index) if not isinstance(a, Ix))
            if holder.roots:
                self.write_parameter(node, holder, self.taint(value))
                return
            added = self.table_facts(node, holder, self.index_taint(index))
            if added:
                facts = frozenset(a for a in facts if not isinstance(a, Tok)) | added
            holder.absorb(self._mixed(node, holder.taint, self.taint(value)) | facts)

    def _mixed(self, node: ast.AST, old: Taint, new: Taint) -> Taint:
        """A table's value put in the place of a gold probability is a Blend."""
        scored = any(isinstance(a, Sc) for a in old) and not any(isinstance(a, Cnt) for a in old)
        if scored and any(isinstance(a, Cnt) for a in new) and not any(isinstance(a, Blend) for a in new):
            return self.blend(node, old | new)
        return NONE

    def table_facts(self, node: ast.AST, holder: Value, index: Taint) -> Taint:
        """What a table gains that is written at these indices: Cnt where they hold validation tokens."""
        tokens = frozenset(a for a in index if isinstance(a, Tok) and a.stream is Stream.VAL)
        if not tokens:
            return NONE
        made = self.adapt(node, "a dictionary" if isinstance(holder, Dct) else "a table", tokens, "table")
        return frozenset(Cnt(a.event) for a in made if isinstance(a, Dep))

    def _set_key(self, holder: Dct, index: Value, value: Value, node: ast.AST) -> None:
        if not self.hashable(index):
            holder.taint |= self.table_facts(node, holder, self.taint(index))
        self.store_key(holder, index, value)

    def _set_element(self, holder: Lst, index: Value, value: Value) -> None:
        while holder.base is not None:
            holder = holder.base
        if (
            holder.items is not None
            and isinstance(index, int)
            and -len(holder.items) <= index < len(holder.items)
        ):
            old = holder.items[index]
            holder.items[index] = self.join(old, value) if self.weak else value
        else:
            holder.rest = value if holder.rest is None else self.join(holder.rest, value)

    def invoke(self, holder: Obj, name: str, args: list[Value], node: ast.AST) -> Value:
        raise NotImplementedError

    def _augassign(self, node: ast.AugAssign) -> None:
        load = _as_load(node.target)
        old = self.eval(load)
        right = self.eval(node.value)
        if isinstance(old, Unk) and old.roots:
            self.write_parameter(node, old, self.taint(right) | self.taint(old))
            return
        if isinstance(old, (Lst, Alt)) and isinstance(node.op, ast.Add) and isinstance(old, Lst):
            self.extend(old, right)
            return
        value = self.binary(node, node.op, old, right)
        if isinstance(old, Unk) and isinstance(value, Unk) and old.kind not in _SCALARS and old.parts is None:
            old.absorb(value.taint)  # a tensor changes in place, for everyone who holds it
            if not isinstance(node.target, ast.Subscript):
                return
        self.assign(node.target, value)

    def extend(self, holder: Lst, value: Value) -> None:
        """Append every element of a value."""
        while holder.base is not None:
            holder = holder.base
        items = self.sequence(value)
        if items is not None and holder.items is not None and not self.weak and not self._in_abstract_loop():
            holder.items += items
            return
        element = self.any_element(value)
        if element is not None:
            holder.rest = element if holder.rest is None else self.join(holder.rest, element)

    def append(self, holder: Lst, value: Value) -> None:
        """Append one element; inside an abstract loop the number of elements is not known."""
        while holder.base is not None:
            holder = holder.base
        if holder.items is not None and not self.weak and not self._in_abstract_loop():
            holder.items.append(value)
        else:
            holder.rest = value if holder.rest is None else self.join(holder.rest, value)

    def _in_abstract_loop(self) -> bool:
        return any(not loop.counted for loop in self.live)

    def _delete(self, node: ast.Delete) -> None:
        return None

    # --- branches --------------------------------------------------------------------------------------

    def _if(self, node: ast.If) -> bool:
        forced = self.forced.get(id(node))
        if forced is not None:
            return self.block(node.body if forced else node.orelse)
        test = self.eval(node.test)
        truth = self.truth(test)
        if truth is not None:
            return self.block(node.body if truth else node.orelse)
        return self.fork(node, test, lambda: self.block(node.body), lambda: self.block(node.orelse))

    def fork(self, node: Any, test: Value, first: Callable[[], bool], second: Callable[[], bool]) -> bool:
        """Run both sides of a test that is not known, and join them."""
        env = self.frame.env
        before = env.vars
        ends: list[dict[str, Value]] = []
        facts = self.taint(test)
        varies = bool(self.marks_of(facts)) and not any(isinstance(a, Sc) for a in facts)
        varies = varies or _SIZES.search(self.quote(node.test)) is not None
        condition = f"{SOMETIMES}{self.quote(node.test)}" if varies else self.quote(node.test)
        for side, says in (
            (first, condition),
            (second, f"{SOMETIMES if varies else ''}not ({self.quote(node.test)})"),
        ):
            env.vars = dict(before)
            with self.under(says):
                try:
                    alive = side()
                except DeadPathError:
                    alive = False
            if alive:
                ends.append(env.vars)
        if not ends:
            env.vars = before
            return False
        if len(ends) == 1:
            env.vars = ends[0]
            return True
        env.vars = self._joined_sides(node, test, before, *ends)
        return True

    def _joined_sides(
        self, node: Any, test: Value, before: dict[str, Value], a: dict[str, Value], b: dict[str, Value]
    ) -> dict[str, Value]:
        made = self.join_vars(a, b)
        facts = self.taint(test)
        if not self.compares_scores(node.test):
            return made
        for name, value in made.items():
            changed = a.get(name) is not before.get(name) or b.get(name) is not before.get(name)
            if changed and isinstance(value, Unk) and any(isinstance(x, Sc) for x in value.taint):
                made[name] = Unk(capped(value.taint | self.select(node, facts | value.taint)), value.kind)
        return made

    def _try(self, node: ast.Try) -> bool:
        try:
            alive = self.block(node.body)
            if alive:
                alive = self.block(node.orelse)
        except DeadPathError as end:
            if not node.handlers or isinstance(end, ProgramEndError):
                self.block(node.finalbody)
                raise
            alive = self._handlers(node)
        return self.block(node.finalbody) and alive

    def _handlers(self, node: ast.Try) -> bool:
        handler = node.handlers[0]
        if handler.name:
            self.assign(ast.Name(handler.name, ast.Store()), Unk())
        return self.block(handler.body)

    def _with(self, node: ast.With | ast.AsyncWith) -> bool:
        before = self.grad
        for item in node.items:
            value = self.eval(item.context_expr)
            self._enter(value)
            if isinstance(value, Obj) and value.cls is not None and value.kind == "":
                entered = self.invoke(value, "__enter__", [], node)
                value = entered if entered is not None else value
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value)
        try:
            return self.block(node.body)
        finally:
            self.grad = before

    def _enter(self, value: Value) -> None:
        if isinstance(value, Obj) and value.kind in ("no_grad", "grad"):
            self.grad = value.kind == "grad"

    def _match(self, node: ast.Match) -> bool:
        self.eval(node.subject)
        env = self.frame.env
        before, ends = env.vars, []
        for case in node.cases:
            env.vars = dict(before)
            with self.under(f"case {ast.unparse(case.pattern)[:60]}"):
                if self.block(case.body):
                    ends.append(env.vars)
        env.vars = before
        for end in ends:
            env.vars = self.join_vars(env.vars, end)
        return True

    # --- loops -----------------------------------------------------------------------------------------

    def _for(self, node: ast.For | ast.AsyncFor) -> bool:
        value = self.eval(node.iter)
        items = self.sequence(value)
        depth = sum(not loop.counted for loop in self.live)
        limit = UNROLLED_OUTSIDE if depth < 2 else UNROLLED
        if (
            isinstance(value, Lst)
            and value.base is None
            and value.items is not None
            and value.rest is None
            and not value.items
        ):
            return self.block(node.orelse)
        if items is not None and len(items) <= limit:
            return self._counted(node, items)
        carried = _carried(node)

        def start(loop: Loop) -> None:
            marks = frozenset({(loop.number, loop.iteration)})
            element = self.any_element(value)
            if element is None:
                element = Unk()
            if isinstance(element, Unk) and element.kind == "number":
                element = Unk(element.taint | {Ix(*next(iter(marks)))}, "number")
            else:
                element = self.marked_value(element, marks)
            self.assign(node.target, element)

        return self._abstract(node, carried, start)

    def _counted(self, node: ast.For | ast.AsyncFor, items: list[Value]) -> bool:
        loop = Loop(self.number(), counted=True)

        def start(item: Value) -> Callable[[], bool]:
            def run() -> bool:
                self.assign(node.target, item)
                return self._body(loop, node.body)

            return run

        alive = True
        for number, item in enumerate(items):
            loop.iteration = number
            alive = start(item)()
            if not alive:
                break
        if alive and not self.block(node.orelse):
            alive = False
        return self._leave(loop, alive)

    def _body(self, loop: Loop, body: Sequence[ast.stmt]) -> bool:
        """One iteration; True when the next one can follow."""
        env = self.frame.env
        loop.continues = []
        self.live.append(loop)
        self.frame.loops.append(loop)
        try:
            alive = self.block(body)
        except DeadPathError:
            if not loop.continues and not loop.breaks and not self.frame.returns:
                raise
            alive = False  # other paths went on
        finally:
            self.live.pop()
            self.frame.loops.pop()
        for other in loop.continues:
            env.vars = self.join_vars(env.vars, other) if alive else other
            alive = True
        return alive

    def _leave(self, loop: Loop, alive: bool) -> bool:
        env = self.frame.env
        for other in loop.breaks:
            env.vars = self.join_vars(env.vars, other) if alive else other
            alive = True
        return alive

    def _abstract(self, node: Any, carried: frozenset[str], start: Callable[[Loop], None]) -> bool:
        """Two iterations with fresh marks; numbers that the loop carries along vary with it."""
        loop = Loop(self.number())
        alive = True
        for iteration in range(1 if len(self.live) >= DEEP else 2):
            loop.iteration = iteration
            self._vary(carried, loop)
            start(loop)
            alive = self._body(loop, node.body)
            if not alive:
                break
        if alive:
            alive = self.block(node.orelse)
        endless = (
            isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and bool(node.test.value)
        )
        if endless and loop.breaks:
            alive = False
        return self._leave(loop, alive)

    def _vary(self, carried: frozenset[str], loop: Loop) -> None:
        env = self.frame.env
        for name in carried:
            value = env.vars.get(name)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                env.vars[name] = Unk(frozenset({Ix(loop.number, loop.iteration)}), "number")
            elif isinstance(value, Unk) and value.kind == "number":
                kept = frozenset(a for a in value.taint if not isinstance(a, Ix) or a.loop != loop.number)
                env.vars[name] = Unk(kept | {Ix(loop.number, loop.iteration)}, "number")

    def _while(self, node: ast.While) -> bool:
        truth = self.truth(self.eval(node.test))
        if truth is False:
            return self.block(node.orelse)

        def start(loop: Loop) -> None:
            self.eval(node.test)

        return self._abstract(node, _carried(node), start)

    def _break(self, node: ast.Break) -> bool:
        if self.frame.loops:
            self.frame.loops[-1].breaks.append(dict(self.frame.env.vars))
        return False

    def _continue(self, node: ast.Continue) -> bool:
        if self.frame.loops:
            self.frame.loops[-1].continues.append(dict(self.frame.env.vars))
        return False

    # --- the rest --------------------------------------------------------------------------------------

    def _return(self, node: ast.Return) -> bool:
        self.frame.returns.append(self.eval(node.value) if node.value is not None else None)
        return False

    def _raise(self, node: ast.Raise) -> bool:
        raise DeadPathError

    def _assert(self, node: ast.Assert) -> None:
        if self.truth(self.eval(node.test)) is False and not isinstance(node.test, ast.Constant):
            return

    def _expr(self, node: ast.Expr) -> None:
        self.eval(node.value)

    def _def(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        value = self.function(node)
        self.assign(ast.Name(node.name, ast.Store()), value)

    def _class(self, node: ast.ClassDef) -> None:
        self.assign(ast.Name(node.name, ast.Store()), self.make_class(node))

    def make_class(self, node: ast.ClassDef) -> Value:
        raise NotImplementedError

    def _global(self, node: ast.Global) -> None:
        for name in node.names:
            self.frame.env.names[name] = self.frame.env.globals

    def _nonlocal(self, node: ast.Nonlocal) -> None:
        for name in node.names:
            scope: Env | None = self.frame.env.parent
            while scope is not None and name not in scope.vars:
                scope = scope.parent
            self.frame.env.names[name] = scope or self.frame.env.globals

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            value = self.import_module(alias.name, whole=alias.asname is not None, node=node)
            self.assign(ast.Name(alias.asname or alias.name.split(".")[0], ast.Store()), value)

    def _from(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            value = self.import_name(node.module or "", alias.name, node)
            if alias.name == "*":
                if isinstance(value, dict):
                    self.frame.env.vars.update({k: v for k, v in value.items() if not k.startswith("_")})
                continue
            self.assign(ast.Name(alias.asname or alias.name, ast.Store()), value)

    def import_module(self, name: str, *, whole: bool, node: ast.AST) -> Value:
        raise NotImplementedError

    def import_name(self, module: str, name: str, node: ast.AST) -> Value:
        raise NotImplementedError


def _as_load(target: ast.expr) -> ast.expr:
    """The target of an augmented assignment, to be read."""
    return target


def _carried(node: ast.AST) -> frozenset[str]:
    """Names that the body of a loop assigns, its own target aside: they may depend on earlier iterations."""
    assigned: set[str] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            assigned.add(child.id)
    if isinstance(node, (ast.For, ast.AsyncFor)):
        assigned -= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
    return frozenset(assigned)


_HANDLERS: dict[type[ast.AST], Callable[[Any, Any], bool | None]] = {
    ast.Assign: Statements._assign,
    ast.AnnAssign: Statements._annassign,
    ast.AugAssign: Statements._augassign,
    ast.Delete: Statements._delete,
    ast.If: Statements._if,
    ast.Try: Statements._try,
    ast.With: Statements._with,
    ast.AsyncWith: Statements._with,
    ast.Match: Statements._match,
    ast.For: Statements._for,
    ast.AsyncFor: Statements._for,
    ast.While: Statements._while,
    ast.Break: Statements._break,
    ast.Continue: Statements._continue,
    ast.Return: Statements._return,
    ast.Raise: Statements._raise,
    ast.Assert: Statements._assert,
    ast.Expr: Statements._expr,
    ast.FunctionDef: Statements._def,
    ast.AsyncFunctionDef: Statements._def,
    ast.ClassDef: Statements._class,
    ast.Global: Statements._global,
    ast.Nonlocal: Statements._nonlocal,
    ast.Import: Statements._import,
    ast.ImportFrom: Statements._from,
}
__all__ = ["Grad", "Lib", "Par", "Statements", "known"]
