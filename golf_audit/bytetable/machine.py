"""One evaluation of a submission: from the module level of its script through main(), to the divisions.

It executes nothing of the submission: it walks the tree."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from golf_audit.bytetable.statements import Statements
from golf_audit.bytetable.values import (
    BITS,
    Function,
    Instance,
    Lanes,
    Opaque,
    Scope,
    Several,
    Total,
    marks_of,
    number,
    several,
)
from golf_audit.parsing import flatten
from golf_audit.runconfig import RunConfig
from golf_audit.source import Layer, Sources

STEPS = 600_000
"""Expressions and statements of one evaluation; the median script takes 28,000, the largest 190,000."""


_PER_TOKEN = (1.5, 8.0)  # bytes that a constant may stand for
_DEPTH = 60


@dataclass(frozen=True)
class Division:
    """Something was divided by a count of bytes: `bottom` is what was counted, or a number of bytes."""

    layer: Layer
    node: ast.AST
    bottom: Any


class Machine(Statements):
    """One evaluation of a submission. `divisions` are what it was made for."""

    def __init__(self, sources: Sources, config: RunConfig) -> None:
        super().__init__(STEPS, config)
        self.sources = sources
        self.divisions: list[Division] = []
        self._modules: dict[tuple[str, int], Scope] = {}
        self._depth = 0
        self._entered: list[ast.AST] = []

    def run(self, layer: Layer) -> None:
        """Evaluate the program of a run. Raises BudgetSpent."""
        self.module(layer, "__main__")

    def module(self, layer: Layer, name: str) -> Scope:
        """The names of a module after its top level has run."""
        key = (layer.file, layer.index)
        if key not in self._modules:
            scope = Scope(layer, {"__name__": name, "__file__": layer.file})
            scope.module = scope
            self._modules[key] = scope
            tree = layer.parsed.tree
            if tree is not None:
                self.block(tree.body, scope)
        return self._modules[key]

    def divided(self, top: Any, bottom: Any, node: ast.AST, scope: Scope) -> None:
        if number(bottom):
            if isinstance(top, Opaque) and _bytes_per_token(top, float(bottom)) is not None:
                self.divisions.append(Division(scope.layer, node, _bytes_per_token(top, float(bottom))))
            return
        if not isinstance(bottom, (Lanes, Total, Several, Opaque)):
            return
        options = bottom.options if isinstance(bottom, Several) else (bottom,)
        if any(_is_count(option) for option in options):
            self.divisions.append(Division(scope.layer, node, bottom))

    def imported(self, name: str, scope: Scope) -> Any:
        """A module of the folder, or a library."""
        layer = self._sibling(name, scope.layer)
        if layer is None:
            return self.external(name)
        held = self.module(layer, name)
        return Instance(None, held.names)

    def _sibling(self, name: str, layer: Layer) -> Layer | None:
        own = self.sources.modules.get(layer.file)
        inside = own.named(name) if own is not None and name else None
        if inside is not None:
            return inside
        tail = name.replace(".", "/")
        for file in self.sources.launched.get(layer.file, ()):
            stem = file.removesuffix(".py").removesuffix("/__init__")
            if tail and (stem == tail or stem.endswith("/" + tail)) and file in self.sources.modules:
                return self.sources.modules[file].program
        return None

    def enter(
        self, function: Function, args: list[Any], kwargs: Mapping[str, Any], node: ast.AST, scope: Scope
    ) -> Any:
        """The result of a function of the submission."""
        if self._depth >= _DEPTH or self._entered.count(function.node) >= 2:
            return self.unknown(*args)
        inner = Scope(function.scope.layer, {}, function.scope, function.scope.module)
        self._parameters(function, args, kwargs, inner)
        if isinstance(function.node, ast.Lambda):
            return self.evaluate(function.node.body, inner)
        self._depth += 1
        self._entered.append(function.node)
        try:
            ended = self.block(function.node.body, inner)
        finally:
            self._depth -= 1
            self._entered.pop()
        self._write_back(function, args, inner, node, scope)
        if ended != "return" and not inner.returned:
            return None
        return self._result(inner)

    def _write_back(
        self, function: Function, args: list[Any], inner: Scope, node: ast.AST, scope: Scope
    ) -> None:
        """A tensor that a function adds to in place has changed for its caller too."""
        if not isinstance(node, ast.Call):
            return
        changed = _changed_in_place(function.node)
        given = function.node.args
        positional = [arg.arg for arg in (*given.posonlyargs, *given.args)]
        first = len(args) - len(node.args)
        passed = dict(zip(positional[first:], node.args, strict=False)) if first >= 0 else {}
        passed.update({k.arg: k.value for k in node.keywords if k.arg is not None})
        for name, expression in passed.items():
            value = inner.names.get(name)
            array = isinstance(value, (Total, Lanes, Opaque, Several))
            if name in changed and array and isinstance(expression, (ast.Name, ast.Attribute)):
                self.bind(expression, value, scope)

    def _result(self, scope: Scope) -> Any:
        """What a function gives back: the last return, or an earlier one where its condition held."""
        result = scope.returned[-1][1]
        for guard, value in reversed(scope.returned[:-1]):
            result = self.select(guard, value, result) if guard is not None else several((value, result))
        return result

    def _parameters(
        self, function: Function, args: list[Any], kwargs: Mapping[str, Any], inner: Scope
    ) -> None:
        given = function.node.args
        positional = [arg.arg for arg in (*given.posonlyargs, *given.args)]
        names = inner.names
        for name in (*positional, *(arg.arg for arg in given.kwonlyargs)):
            names[name] = function.defaults[name] if name in function.defaults else self.unknown()
        names.update(zip(positional, args, strict=False))
        if given.vararg is not None:
            names[given.vararg.arg] = tuple(args[len(positional) :])
        rest = {}
        for name, value in kwargs.items():
            if name in names:
                names[name] = value
            else:
                rest[name] = value
        if given.kwarg is not None:
            names[given.kwarg.arg] = rest


@lru_cache(maxsize=512)  # bounded: an unbounded cache keeps every tree of a sweep alive
def _changed_in_place(function: ast.AST) -> frozenset[str]:
    """Names that a function changes by `+=` or `.add_()` and never binds anew."""
    changed: set[str] = set()
    bound: set[str] = set()
    for node in flatten(function):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            changed.add(node.target.id)
        elif isinstance(node, ast.Assign):
            bound.update(t.id for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            held = node.func.value
            if node.func.attr.endswith("_") and isinstance(held, ast.Name):
                changed.add(held.id)
    return frozenset(changed - bound)


def _is_count(value: Any) -> bool:
    if isinstance(value, Lanes):
        return bool(value.tables)
    return isinstance(value, Total) or bool(marks_of(value) - {BITS})


def _bytes_per_token(top: Opaque, bottom: float) -> float | None:
    """The constant that turns a loss in nats, or in bits, into one per byte; None for any other number."""
    if BITS in top.marks and _PER_TOKEN[0] < bottom < _PER_TOKEN[1]:
        return bottom
    if _PER_TOKEN[0] < bottom / math.log(2) < _PER_TOKEN[1] and not bottom.is_integer():
        return bottom / math.log(2)
    return None
