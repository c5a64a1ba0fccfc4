"""What every part of the evaluator stands on: steps, unknown values, and the hooks that parts above fill."""

from __future__ import annotations

import ast
from typing import Any

from golf_audit.bytetable.values import Items, Mark, Opaque, Scope, Variable, marks_of
from golf_audit.source import Layer


class BudgetSpent(Exception):
    """The evaluation took more steps than it may."""


class Core:
    """Unknown values and the budget. The machine is built from this, one layer of meaning on the other."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._streams = 0
        self._derived: dict[tuple[Any, ...], int] = {}
        self._kept: list[Any] = []
        self.symbolic = 0  # loops around, of which one turn stands for all
        self.asked = 0  # questions to the tokenizer
        self.lookups: dict[
            tuple[Layer, int], None
        ] = {}  # lines that take byte numbers from a table of pieces

    def spend(self) -> None:
        """Count one step. Raises BudgetSpent."""
        self.budget -= 1
        if self.budget < 0:
            raise BudgetSpent

    def unknown(self, *origins: Any) -> Opaque:
        """A new unknown value that remembers the marks of what it was made from."""
        self._streams += 1
        return Opaque(Variable(self._streams), marks=frozenset().union(*map(marks_of, origins)))

    def derived(self, parent: Opaque, *key: Any) -> Opaque:
        """The part of an unknown value that a key names: the same part each time."""
        identity = (parent.variable, *key)
        if identity not in self._derived:
            self._streams += 1
            self._derived[identity] = self._streams
        return Opaque(Variable(self._derived[identity]), marks=parent.marks)

    def lost(self, what: str, node: ast.AST, scope: Scope, *origins: Any) -> Opaque:
        """An unknown value where a byte count was: it says where it was lost."""
        mark = Mark(what, scope.layer, getattr(node, "lineno", 0))
        found = self.unknown(*origins)
        return Opaque(found.variable, marks=found.marks | {mark})

    def own(self, value: Any, *origins: Any) -> Any:
        """A list that the script made, with what is known of the lists it was made from."""
        if type(value) is not list and not isinstance(value, Items):
            return value
        made = Items(value)
        made.open = any(getattr(o, "open", False) for o in origins)
        made.pieces = any(getattr(o, "pieces", False) for o in origins)
        made.asked = self.asked
        return made

    def evaluate(self, node: ast.AST, scope: Scope) -> Any:
        raise NotImplementedError

    def call(self, node: ast.Call, scope: Scope) -> Any:
        raise NotImplementedError

    def apply(
        self, function: Any, args: list[Any], kwargs: dict[str, Any], node: ast.AST, scope: Scope
    ) -> Any:
        raise NotImplementedError

    def divided(self, top: Any, bottom: Any, node: ast.AST, scope: Scope) -> None:
        raise NotImplementedError

    def builtin(self, name: str) -> Any:
        raise NotImplementedError

    def external(self, path: str) -> Any:
        raise NotImplementedError

    def iterate(self, target: ast.expr, items: Any, scope: Scope, body: list[ast.AST], turn: Any) -> bool:
        raise NotImplementedError
