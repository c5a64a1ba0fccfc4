"""Expressions: names, displays, choices and comprehensions."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from golf_audit.static.atoms import Ix, Sc, union
from golf_audit.static.interpreter.operators import Operators
from golf_audit.static.interpreter.state import MISSING, DeadPathError, Frame, Loop
from golf_audit.static.interpreter.subscripts import Subscripts
from golf_audit.static.interpreter.texts import Texts
from golf_audit.static.values import Dct, Env, Lib, Lst, Unk, Value


class Expressions(Operators, Texts, Subscripts):
    """Evaluation of expressions."""

    def eval(self, node: ast.expr) -> Value:
        """The value of an expression in the current frame."""
        self.spend()
        handler = _HANDLERS.get(type(node))
        if handler is None:
            return Unk(
                union(
                    [self.taint(self.eval(c)) for c in ast.iter_child_nodes(node) if isinstance(c, ast.expr)]
                )
            )
        return handler(self, node)

    def _constant(self, node: ast.Constant) -> Value:
        return node.value

    def _name(self, node: ast.Name) -> Value:
        found = self.load(node.id, self.frame.env)
        return Lib(f"builtins.{node.id}") if found is MISSING else found

    def load(self, name: str, env: Env) -> Value:
        """A name as Python would look it up; MISSING where no scope has it."""
        scope: Env | None = env.names.get(name, env)
        while scope is not None:
            if name in scope.vars:
                return scope.vars[name]
            scope = scope.parent
        return env.globals.vars.get(name, MISSING)

    def _tuple(self, node: ast.Tuple) -> Value:
        made = self._elements(node.elts)
        return tuple(made.items) if made.items is not None else made

    def _list(self, node: ast.List | ast.Set) -> Value:
        return self._elements(node.elts)

    def _elements(self, nodes: list[ast.expr]) -> Lst:
        items: list[Value] = []
        rest: list[Value] = []
        for element in nodes:
            if isinstance(element, ast.Starred):
                value = self.eval(element.value)
                exact = self.sequence(value)
                if exact is None:
                    rest.append(self.any_element(value))
                else:
                    items += exact
            else:
                items.append(self.eval(element))
        if not rest:
            return Lst(items)
        joined = rest[0]
        for value in [*rest[1:], *items]:
            joined = self.join(joined, value)
        return Lst(None, joined)

    def _dict(self, node: ast.Dict) -> Value:
        made = Dct()
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            value = self.eval(value_node)
            if key_node is None:
                if isinstance(value, Dct):
                    made.items.update(value.items)
                    made.rest = value.rest if made.rest is None else self.join(made.rest, value.rest)
                    made.taint |= value.taint
                else:
                    made.taint |= self.taint(value)
                continue
            key = self.eval(key_node)
            if not self.hashable(key):
                made.taint |= self.table_facts(node, made, self.taint(key))
            self.store_key(made, key, value)
        return made

    def _ifexp(self, node: ast.IfExp) -> Value:
        test = self.eval(node.test)
        truth = self.truth(test)
        if truth is not None:
            return self.eval(node.body if truth else node.orelse)
        made = self.side(node.body, node.test), self.side(node.orelse, node.test)
        alive = [v for v in made if v is not MISSING]
        if not alive:
            raise DeadPathError
        joined = alive[0] if len(alive) == 1 else self.join(*alive)
        return self.chosen(node, test, alive, joined)

    def side(self, node: ast.expr, test: ast.expr) -> Value:
        """One side of a choice that is not known; MISSING where it cannot be."""
        with self.under(self.quote(test)):
            try:
                return self.eval(node)
            except DeadPathError:
                return MISSING

    def chosen(self, node: ast.AST, test: Value, sides: list[Value], joined: Value) -> Value:
        """A choice between scores by a score is a Select."""
        facts = self.taint(test)
        scored = isinstance(joined, Unk) and any(isinstance(a, Sc) for a in joined.taint)
        if scored and len(sides) == 2 and self.compares_scores(getattr(node, "test", None)):
            return Unk(joined.taint | self.select(node, facts | joined.taint), joined.kind)
        return joined

    def compares_scores(self, test: ast.expr | None) -> bool:
        """True for `new < old` where both are scores."""
        if isinstance(test, ast.BoolOp):
            return any(self.compares_scores(part) for part in test.values)
        if not isinstance(test, ast.Compare) or not isinstance(
            test.ops[0], (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
        ):
            return False
        sides = [self.taint(self.eval(part)) for part in (test.left, test.comparators[0])]
        return all(any(isinstance(a, Sc) for a in side) for side in sides)

    def _lambda(self, node: ast.Lambda) -> Value:
        return self.function(node)

    def _attribute(self, node: ast.Attribute) -> Value:
        return self.attribute(self.eval(node.value), node.attr, node)

    def _starred(self, node: ast.Starred) -> Value:
        return self.eval(node.value)

    def _named(self, node: ast.NamedExpr) -> Value:
        value = self.eval(node.value)
        self.assign(node.target, value)
        return value

    def _await(self, node: ast.Await | ast.YieldFrom) -> Value:
        value = self.eval(node.value)
        if isinstance(node, ast.YieldFrom):
            self.frame.yields.append(self.any_element(value))
        return value

    def _yield(self, node: ast.Yield) -> Value:
        self.frame.yields.append(self.eval(node.value) if node.value is not None else None)
        return Unk()

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


UNROLL_COMPREHENSION = 24


_HANDLERS: dict[type[ast.AST], Callable[[Any, Any], Value]] = {
    ast.Constant: Expressions._constant,
    ast.Name: Expressions._name,
    ast.Tuple: Expressions._tuple,
    ast.List: Expressions._list,
    ast.Set: Expressions._list,
    ast.Dict: Expressions._dict,
    ast.BinOp: Expressions._binop,
    ast.UnaryOp: Expressions._unary,
    ast.BoolOp: Expressions._boolop,
    ast.Compare: Expressions._compare,
    ast.IfExp: Expressions._ifexp,
    ast.Lambda: Expressions._lambda,
    ast.Attribute: Expressions._attribute,
    ast.Subscript: Expressions._subscript,
    ast.JoinedStr: Expressions._joined,
    ast.FormattedValue: Expressions._formatted,
    ast.Starred: Expressions._starred,
    ast.NamedExpr: Expressions._named,
    ast.Await: Expressions._await,
    ast.YieldFrom: Expressions._await,
    ast.Yield: Expressions._yield,
    ast.ListComp: lambda m, n: m._comprehension(n),
    ast.SetComp: lambda m, n: m._comprehension(n),
    ast.GeneratorExp: lambda m, n: m._comprehension(n),
    ast.DictComp: lambda m, n: m._comprehension(n),
    ast.Call: lambda m, n: m.call_expression(n),
}
