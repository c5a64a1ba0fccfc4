"""Switches: `if` statements that one setting decides, and whether the side not taken adapts or counts."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from golf_audit.runconfig import RunConfig, Setting
from golf_audit.runconfig.literals import same
from golf_audit.static.interpreter.interface import Machine
from golf_audit.static.interpreter.state import MISSING
from golf_audit.static.values import Cls, Fn, Value, known

STEPS, COUNTS = "steps", "counts"
"""What code can do: step an optimiser, write counts into a table."""
_METHODS = {
    **dict.fromkeys(("backward", "step"), STEPS),
    **dict.fromkeys(("bincount", "scatter_add_", "index_add_", "index_put_"), COUNTS),
}
_CALLS = {("add", "at"): COUNTS, ("autograd", "grad"): STEPS}
_PROCESS = frozenset({"RANK", "LOCAL_RANK", "WORLD_SIZE"})
"""Set by the launcher for every run: they switch nothing."""
_LEAVES = (ast.Return, ast.Continue, ast.Break)
_DEPTH = 6
"""Calls that are followed by name below a side that was not taken."""
_LOOKED = 1_000_000
"""Nodes of sides not taken that are looked at in one program; beyond, no more switches are found."""


@dataclass(frozen=True)
class Switch:
    """The one setting that decides a test, the part of the test that reads it (`says`: its text), and
    whether that part held."""

    setting: Setting
    test: ast.expr
    says: str
    held: bool


@dataclass
class Decided:
    """An `if` whose test was known. `taken`: its side, None when the run took both. `event`: the last event
    before it was first met. `does`: what the other side would do, of STEPS and COUNTS."""

    taken: bool | None
    switch: Switch | None
    event: int
    does: frozenset[str]


class Switches(Machine):
    """What the run's settings decided, told once per `if`."""

    config: RunConfig

    def decide(self, node: ast.If, truth: bool | None) -> None:
        """Remember which side of an `if` the run took; None where it took both."""
        first = self.decided.get(id(node))
        if first is not None:
            first.taken = truth if first.taken is truth else None
            return
        switch = self._switch(node.test, truth) if truth is not None else None
        does = self._does(self._untaken(node, bool(truth))) if switch is not None else frozenset[str]()
        self.decided[id(node)] = Decided(truth, switch, self._events, does)

    def _switch(self, test: ast.expr, truth: bool) -> Switch | None:
        """What decides a test; None where there are several settings, or none."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self._switch(test.operand, not truth)
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) is truth:
            parts = [part for part in test.values if _pure(part) and self.truth(self.eval(part)) is truth]
            return self._switch(parts[0], truth) if len(parts) == 1 else None
        found = {setting.name: setting for setting in self._settings(test)}
        if len(found) != 1:
            return None
        return Switch(next(iter(found.values())), test, self.quote(test), truth)

    def _settings(self, test: ast.expr) -> Iterator[Setting]:
        """Settings that a test reads, where the program's value is the setting's."""
        for node in ast.walk(test):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isupper():
                name, value = node.value, MISSING  # os.environ.get("TTT_ENABLED")
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                name, value = node.attr, self.eval(node)
            elif isinstance(node, ast.Name):
                name, value = node.id, self.load(node.id, self.frame.env)
            else:
                continue
            setting = self.config.setting(name)
            if setting is None or setting.name.upper() in _PROCESS:
                continue
            if value is MISSING or (known(value) and same(str(value), setting.value)):
                yield setting

    def _untaken(self, node: ast.If, truth: bool) -> Sequence[ast.AST]:
        """What would run on the other side: its statements, or what a return on this side leaves out."""
        taken, other = (node.body, node.orelse) if truth else (node.orelse, node.body)
        if other or not taken or not isinstance(taken[-1], _LEAVES) or self.frame.fn is None:
            return other
        for holder in self._looked_at(self.frame.fn.node):
            for field in ("body", "orelse", "finalbody"):
                block = getattr(holder, field, None)
                if isinstance(block, list) and node in block:
                    return block[block.index(node) + 1 :]
        return ()

    def _does(self, body: Iterable[ast.AST], depth: int = _DEPTH) -> frozenset[str]:
        """What code would do, itself or in a function that it calls by name."""
        done: set[str] = set()
        for statement in body:
            for node in self._looked_at(statement):
                done.update(_does_here(node))
                if isinstance(node, ast.Call) and depth:
                    for fn in self._named_functions(node.func):
                        done |= self._function_does(fn, depth - 1)
        return frozenset(done)

    def _function_does(self, fn: Fn, depth: int) -> frozenset[str]:
        key = id(fn.node)
        if key not in self.doing:
            self.doing[key] = frozenset()  # a function that calls itself adds nothing
            body = fn.node.body
            self.doing[key] = self._does(body if isinstance(body, list) else [body], depth)
        return self.doing[key]

    def _looked_at(self, code: ast.AST) -> Iterator[ast.AST]:
        """The nodes of code, as long as there is leave to look at more."""
        for node in ast.walk(code):
            self.looked += 1
            if self.looked > _LOOKED:
                return
            yield node

    def _named_functions(self, func: ast.expr) -> Iterator[Fn]:
        """Functions of the submission that a call can mean by its name alone."""
        if isinstance(func, ast.Name):
            found = self.load(func.id, self.frame.env)
            yield from _functions(found)
            if isinstance(found, Cls):
                yield from _functions(found.lookup("__init__"))
        elif isinstance(func, ast.Attribute):
            names = self.frame.env.globals.vars
            self.looked += len(names)
            for value in names.values():
                if isinstance(value, Cls):
                    yield from _functions(value.attrs.get(func.attr))


def _functions(value: Value) -> Iterator[Fn]:
    if isinstance(value, Fn):
        yield value


def _pure(test: ast.expr) -> bool:
    """True for a test that can be looked at twice."""
    return not any(isinstance(node, (ast.Call, ast.NamedExpr, ast.Await)) for node in ast.walk(test))


def _does_here(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        name, holder = node.func.attr, node.func.value
        last = getattr(holder, "attr", getattr(holder, "id", ""))
        found = _CALLS.get((last, name)) or _METHODS.get(name)
        if found is not None:
            yield found
    elif (isinstance(node, ast.AugAssign) and _counted(node.target, node.value)) or (
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.BinOp)
        and _counted(node.targets[0], node.value.right)
    ):
        yield COUNTS


def _counted(target: ast.expr, added: ast.expr) -> bool:
    """True for `table[key] += 1` and `seen[key] = seen.get(key, 0) + 1`: weights are averaged otherwise."""
    return isinstance(target, ast.Subscript) and isinstance(added, ast.Constant)
