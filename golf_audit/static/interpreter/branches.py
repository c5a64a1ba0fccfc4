"""Branches: a known test takes one side, an unknown one both."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from golf_audit.static.atoms import Sc, Taint, capped
from golf_audit.static.interpreter.state import DeadPathError, ProgramEndError
from golf_audit.static.interpreter.switches import Switches
from golf_audit.static.values import Obj, Unk, Value
from golf_audit.timeline import SOMETIMES

_SIZES = re.compile(r"^(not )?\(?(len\(|[\w.\[\]]+\.(size|numel|shape|any\())")
"""Tests of how much there is: they hold for some data of every run."""


class Branches(Switches):
    """Execution of if, try, with and match."""

    def _if(self, node: ast.If) -> bool:
        forced = self.forced.get(id(node))
        if forced is not None:
            return self.block(node.body if forced else node.orelse)
        test = self.eval(node.test)
        truth = self.truth(test)
        self.decide(node, truth)
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
        choice = [(node, facts)] if self.compares_scores(node.test) else []
        condition = f"{SOMETIMES}{self.quote(node.test)}" if varies else self.quote(node.test)
        for side, says in (
            (first, condition),
            (second, f"{SOMETIMES if varies else ''}not ({self.quote(node.test)})"),
        ):
            env.vars = dict(before)
            self.choices += choice
            with self.under(says):
                try:
                    alive = side()
                except DeadPathError:
                    alive = False
            del self.choices[len(self.choices) - len(choice) :]
            if alive:
                ends.append(env.vars)
        if not ends:
            env.vars = before
            return False
        if len(ends) == 1:
            env.vars = ends[0]
            return True
        env.vars = self._joined_sides(choice, before, *ends)
        return True

    def _joined_sides(
        self,
        choice: list[tuple[ast.AST, Taint]],
        before: dict[str, Value],
        a: dict[str, Value],
        b: dict[str, Value],
    ) -> dict[str, Value]:
        made = self.join_vars(a, b)
        for node, facts in choice:
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
