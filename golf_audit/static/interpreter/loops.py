"""Loops: known ones step by step, all others two iterations with marks of their own."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from golf_audit.static.atoms import Ix
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.state import DeadPathError, Loop
from golf_audit.static.values import Lst, Unk, Value

UNROLLED, UNROLLED_OUTSIDE = 4, 12
"""Loops over this many known items run one by one; more of them outside nested loops."""


DEEP = 6
"""Beyond this many live loops one abstract iteration has to do."""


class Loops(Machine):
    """Execution of loops."""

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
                form = self.form_of(element).with_term(self.picked(loop.iteration))
                element = Unk(element.taint | {Ix(*next(iter(marks)))}, "number", form=form)
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
        return self._leave(loop, alive and self._otherwise(loop, node))

    def _otherwise(self, loop: Loop, node: Any) -> bool:
        """The else of a loop that no break left; where it raises, a break may still have left it."""
        try:
            return self.block(node.orelse)
        except DeadPathError:
            if not loop.breaks:
                raise
            return False

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
        """Two iterations with fresh marks; numbers that the loop carries along vary with it. A third one
        where the second filled a table for the first time: only then is anything read from it."""
        loop = Loop(self.number())
        alive = True
        filled = len(self.filled)
        for iteration in range(1 if len(self.live) >= DEEP else 3):
            if iteration == 2 and len(self.filled) == filled:
                break
            filled = len(self.filled)
            loop.iteration = iteration
            self._vary(carried, loop)
            start(loop)
            alive = self._body(loop, node.body)
            if not alive:
                break
        if alive:
            alive = self._otherwise(loop, node)
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


def _carried(node: ast.AST) -> frozenset[str]:
    """Names that the body of a loop assigns, its own target aside: they may depend on earlier iterations."""
    assigned: set[str] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            assigned.add(child.id)
    if isinstance(node, (ast.For, ast.AsyncFor)):
        assigned -= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
    return frozenset(assigned)
