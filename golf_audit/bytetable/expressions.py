"""Expressions: constants are computed, tables are indexed, tokens stay variables, the rest is unknown."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from golf_audit.bytetable.parts import Parts
from golf_audit.bytetable.values import Function, Items, Lanes, Scope, Several, known, number, several

_SIZE_CAP = 2**18  # elements of a list or characters of a text that an operation may make


class Expressions(Parts):
    """The value of each kind of expression."""

    def evaluate(self, node: ast.AST, scope: Scope) -> Any:
        """The value of an expression; unknown where it cannot be told."""
        self.spend()
        handler = _EXPRESSIONS.get(type(node))
        return handler(self, node, scope) if handler is not None else self._children(node, scope)

    def _children(self, node: ast.AST, scope: Scope) -> Any:
        values = [self.evaluate(child, scope) for child in ast.iter_child_nodes(node)]
        return self.unknown(*values)

    def _constant(self, node: ast.Constant, scope: Scope) -> Any:
        return node.value if not isinstance(node.value, complex) else self.unknown()

    def _name(self, node: ast.Name, scope: Scope) -> Any:
        held = scope.outside.get(node.id) or scope.find(node.id)
        return held.names[node.id] if held and node.id in held.names else self.builtin(node.id)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        return self.attribute(self.evaluate(node.value, scope), node.attr, node, scope)

    def _binary(self, node: ast.BinOp, scope: Scope) -> Any:
        left = self.evaluate(node.left, scope)
        return self.operate(node.op, left, self.evaluate(node.right, scope), node, scope)

    def _unary(self, node: ast.UnaryOp, scope: Scope) -> Any:
        return self.unary(node.op, self.evaluate(node.operand, scope), node, scope)

    def _boolean(self, node: ast.BoolOp, scope: Scope) -> Any:
        stop = isinstance(node.op, ast.Or)
        left: list[Any] = []
        for operand in node.values:
            value = self.evaluate(operand, scope)
            truth = self.truth(value)
            if truth is stop:
                if not left:
                    return value
                left.append(value)
                break
            if truth is None or operand is node.values[-1]:
                left.append(value)
        if len(left) == 1:
            return left[0]
        if any(isinstance(v, Lanes) for v in left) and all(isinstance(v, Lanes) or number(v) for v in left):
            pick: Callable[..., Any] = (lambda *v: any(v)) if stop else (lambda *v: all(v))
            return self.combine(pick, tuple(left), node, scope)
        if stop:
            return several(left)
        return self.unknown(*left)

    def _compare(self, node: ast.Compare, scope: Scope) -> Any:
        values = [self.evaluate(part, scope) for part in (node.left, *node.comparators)]
        if len(node.ops) == 1:
            return self.compare(node.ops[0], values[0], values[1], node, scope)
        pairs = zip(node.ops, values, values[1:], strict=False)
        found = [self.compare(op, a, b, node, scope) for op, a, b in pairs]
        if all(known(v) for v in found):
            return all(found)
        if any(known(v) and not v for v in found):
            return False
        if all(isinstance(v, Lanes) or known(v) for v in found):
            return self.combine(lambda *v: all(v), tuple(found), node, scope)
        return self.unknown(*values)

    def _conditional(self, node: ast.IfExp, scope: Scope) -> Any:
        test = self.evaluate(node.test, scope)
        truth = self.truth(test)
        if truth is not None:
            return self.evaluate(node.body if truth else node.orelse, scope)
        return self.select(test, self.evaluate(node.body, scope), self.evaluate(node.orelse, scope))

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        value = self.evaluate(node.value, scope)
        return self.item(value, self.evaluate(node.slice, scope), node, scope)

    def _slice(self, node: ast.Slice, scope: Scope) -> Any:
        parts = [
            self.evaluate(p, scope) if p is not None else None for p in (node.lower, node.upper, node.step)
        ]
        return slice(*parts)

    def _items(self, nodes: list[ast.expr], scope: Scope) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                value = self.evaluate(node.value, scope)
                found += self.spread(value)
            else:
                found.append(self.evaluate(node, scope))
        return found

    def spread(self, value: Any) -> list[Any]:
        """What `*value` stands for."""
        if isinstance(value, Several):
            lists = [v for v in value.options if isinstance(v, (list, tuple))]
            if len({len(v) for v in lists}) == 1:
                return [several(parts) for parts in zip(*lists, strict=True)]
        return list(value)[:_SIZE_CAP] if isinstance(value, (list, tuple)) else [self.unknown(value)]

    def _tuple(self, node: ast.Tuple, scope: Scope) -> Any:
        return tuple(self._items(node.elts, scope))

    def _list(self, node: ast.List, scope: Scope) -> Any:
        return self.own(self._items(node.elts, scope))

    def _set(self, node: ast.Set, scope: Scope) -> Any:
        items = self._items(node.elts, scope)
        return set(items) if all(isinstance(i, (int, str, bytes)) for i in items) else self.unknown(items)

    def _dict(self, node: ast.Dict, scope: Scope) -> Any:
        made: dict[Any, Any] = {}
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            value = self.evaluate(value_node, scope)
            if key_node is None:
                made.update(value if isinstance(value, dict) else {})
                continue
            key = self.evaluate(key_node, scope)
            if isinstance(key, (int, str, bytes, float, type(None))):
                made[key] = value
        return made

    def _joined(self, node: ast.JoinedStr, scope: Scope) -> Any:
        parts = [self.evaluate(part, scope) for part in node.values]
        if all(isinstance(p, str) for p in parts):
            return "".join(parts)
        return self.unknown(*parts)

    def _formatted(self, node: ast.FormattedValue, scope: Scope) -> Any:
        value = self.evaluate(node.value, scope)
        plain = isinstance(value, (str, int)) and node.format_spec is None and node.conversion in (-1, 115)
        return str(value) if plain else self.unknown(value)

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Any:
        return Function(node, scope, self.defaults_of(node.args, scope))

    def defaults_of(self, args: ast.arguments, scope: Scope) -> dict[str, Any]:
        """Default values of a function's parameters, evaluated where it is defined."""
        positional = [*args.posonlyargs, *args.args]
        first = len(positional) - len(args.defaults)
        found = {
            arg.arg: self.evaluate(default, scope)
            for arg, default in zip(positional[first:], args.defaults, strict=True)
        }
        for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
            if default is not None:
                found[arg.arg] = self.evaluate(default, scope)
        return found

    def _walrus(self, node: ast.NamedExpr, scope: Scope) -> Any:
        value = self.evaluate(node.value, scope)
        scope.names[node.target.id] = value
        return value

    def _comprehension(
        self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp, scope: Scope
    ) -> Any:
        inner = Scope(scope.layer, {}, scope, scope.module)
        found = Items()
        found.asked = self.asked

        def turn(depth: int) -> None:
            if depth == len(node.generators):
                if isinstance(node, ast.DictComp):
                    found.append((self.evaluate(node.key, inner), self.evaluate(node.value, inner)))
                else:
                    found.append(self.evaluate(node.elt, inner))
                return
            generator = node.generators[depth]
            items = self.evaluate(generator.iter, inner if depth else scope)
            rest: list[ast.AST] = [node]

            def one() -> None:
                tests = [self.truth(self.evaluate(test, inner)) for test in generator.ifs]
                if False not in tests:
                    turn(depth + 1)

            if not self.iterate(generator.target, items, inner, rest, one):
                found.open = True

        turn(0)
        found.pieces = self.asked > found.asked
        if isinstance(node, ast.DictComp):
            return {k: v for k, v in found if isinstance(k, (int, str, bytes, float, type(None)))}
        if isinstance(node, ast.SetComp):
            return set(found) if all(isinstance(v, (int, str, bytes)) for v in found) else self.unknown()
        return found

    def _await(self, node: ast.Await, scope: Scope) -> Any:
        return self.evaluate(node.value, scope)


_EXPRESSIONS: Mapping[type[ast.AST], Callable[[Any, Any, Scope], Any]] = {
    ast.Constant: Expressions._constant,
    ast.Name: Expressions._name,
    ast.Attribute: Expressions._attribute,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.BoolOp: Expressions._boolean,
    ast.Compare: Expressions._compare,
    ast.IfExp: Expressions._conditional,
    ast.Subscript: Expressions._subscript,
    ast.Slice: Expressions._slice,
    ast.Tuple: Expressions._tuple,
    ast.List: Expressions._list,
    ast.Set: Expressions._set,
    ast.Dict: Expressions._dict,
    ast.JoinedStr: Expressions._joined,
    ast.FormattedValue: Expressions._formatted,
    ast.Lambda: Expressions._lambda,
    ast.NamedExpr: Expressions._walrus,
    ast.ListComp: Expressions._comprehension,
    ast.GeneratorExp: Expressions._comprehension,
    ast.SetComp: Expressions._comprehension,
    ast.DictComp: Expressions._comprehension,
    ast.Await: Expressions._await,
    ast.Call: lambda self, node, scope: self.call(node, scope),
}
