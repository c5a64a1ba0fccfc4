"""Evaluation of expressions over constants. None means: not known, but every call in it was looked at."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from golf_audit.parsing import flatten
from golf_audit.peel import effects, pure
from golf_audit.peel.decoders import NAMED, UNREADABLE, DecodeError
from golf_audit.peel.values import (
    Code,
    Frame,
    Function,
    Known,
    ModuleObject,
    Name,
    Partial,
    PathValue,
    Spec,
    small,
)
from golf_audit.peel.world import ROOT, OutOfBoundsError, World

STEP_CAP = 400_000
"""Statements and expressions looked at in one script; real ones need 60,000 at most."""
_COMPREHENSION_CAP = 20_000
_PURE_ERRORS = (
    pure.NotPureError, TypeError, ValueError, LookupError, AttributeError, OverflowError, UnicodeError,
)  # fmt: skip


class Evaluator:
    """Evaluates expressions of one script in frames of names."""

    def __init__(
        self, file: str, nodes: Sequence[ast.AST], world: World, elsewhere: Callable[[str], bool]
    ) -> None:
        self.script = ROOT + file
        self.world = world
        self.nodes = nodes
        self.entered: set[ast.AST] = set()
        self.active: set[ast.AST] = set()
        self.shared = {  # a function may change these at any time: they are never known
            name for node in nodes if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names
        }
        self._interesting = effects.interesting_functions(nodes)
        self._elsewhere = elsewhere
        self._names: set[str] = set()
        self._steps = 0

    def mentioned(self, name: str) -> bool:
        """True when a name occurs in the script, as a name, an attribute or a text, or in another file."""
        if not self._names:
            for node in self.nodes:
                if isinstance(node, ast.Name):
                    self._names.add(node.id)
                elif isinstance(node, ast.Attribute):
                    self._names.add(node.attr)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 100:
                    self._names.add(node.value)
        return name in self._names or self._elsewhere(name)

    def spend(self) -> None:
        """Count one step."""
        self._steps += 1
        if self._steps > STEP_CAP:
            raise OutOfBoundsError

    def worth_entering(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """True when the function, or one it calls, may execute, unpack or write something."""
        return node.name in self._interesting

    def named(self, dotted: str) -> Known | None:
        """A module or a member of one; None for what the script replaced."""
        if dotted in self.world.patched:
            return None
        if dotted in pure.CONSTANTS:
            return Known(pure.CONSTANTS[dotted])
        return Known(Name(dotted))

    def evaluate(self, node: ast.expr, frame: Frame) -> Known | None:
        """The value of an expression, when it is made of constants only."""
        self.spend()
        handler = _EXPRESSIONS.get(type(node))
        if handler is not None:
            found: Known | None = handler(self, node, frame)
            return found if found is None or small(found.value) else None
        self._children(node, frame)
        return None

    def _children(self, node: ast.AST, frame: Frame) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child, frame)
            elif isinstance(child, (ast.keyword, ast.comprehension)):
                self._children(child, frame)

    def _constant(self, node: ast.Constant, frame: Frame) -> Known:
        return Known(node.value, node)

    def _name(self, node: ast.Name, frame: Frame) -> Known | None:
        bound, value = frame.get(node.id)
        if bound or not hasattr(builtins, node.id):
            return value
        return self.named(f"builtins.{node.id}")

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set, frame: Frame) -> Known | None:
        items = [self.evaluate(element, frame) for element in node.elts]
        known = [item for item in items if item is not None]
        if len(known) != len(items):
            return Known(Partial(tuple(items))) if isinstance(node, (ast.List, ast.Tuple)) else None
        values = [item.value for item in known]
        made = Known(tuple(values) if isinstance(node, ast.Tuple) else values)
        return made.become(made.value, *known)

    def _dict(self, node: ast.Dict, frame: Frame) -> Known | None:
        made: dict[Any, Any] | None = {}
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            key = self.evaluate(key_node, frame) if key_node is not None else None
            value = self.evaluate(value_node, frame)
            if made is None or key is None or value is None or not isinstance(key.value, (str, int, bytes)):
                made = None
            else:
                made[key.value] = value.value
        return None if made is None else Known(made)

    def _joined(self, node: ast.JoinedStr, frame: Frame) -> Known | None:
        pieces = [
            self.evaluate(part.value if isinstance(part, ast.FormattedValue) else part, frame)
            for part in node.values
        ]
        plain = all(
            not isinstance(p, ast.FormattedValue) or (p.conversion == -1 and p.format_spec is None)
            for p in node.values
        )
        known = [p for p in pieces if p is not None and isinstance(p.value, (str, int, PathValue))]
        if not plain or len(known) != len(pieces):
            return None
        text = "".join(p.value.text if isinstance(p.value, PathValue) else str(p.value) for p in known)
        return Known(text).become(text, *known)

    def _binary(self, node: ast.BinOp, frame: Frame) -> Known | None:
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        value = self.evaluate(chain[-1].left, frame)
        for link in reversed(chain):
            value = self.operate(link.op, value, self.evaluate(link.right, frame))
        return value

    def operate(self, operation: ast.operator, left: Known | None, right: Known | None) -> Known | None:
        """left op right, when both are constants of a kind that the allow-list combines."""
        if left is None or right is None:
            return None
        try:
            return left.become(pure.binary(operation, left.value, right.value), right)
        except _PURE_ERRORS:
            return None

    def _unary(self, node: ast.UnaryOp, frame: Frame) -> Known | None:
        value = self.evaluate(node.operand, frame)
        if value is None or not isinstance(value.value, (bool, int)):
            return None
        if isinstance(node.op, ast.Not):
            return Known(not value.value)
        return Known(-value.value) if isinstance(node.op, ast.USub) else None

    def _if_expression(self, node: ast.IfExp, frame: Frame) -> Known | None:
        test = self.evaluate(node.test, frame)
        body, orelse = self.evaluate(node.body, frame), self.evaluate(node.orelse, frame)
        if test is None or not isinstance(test.value, (bool, int, str, bytes)):
            return None
        return body if test.value else orelse

    def _walrus(self, node: ast.NamedExpr, frame: Frame) -> Known | None:
        value = self.evaluate(node.value, frame)
        self.bind(node.target, value, frame)
        return value

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Known | None:
        value = self.evaluate(node.value, frame)
        if isinstance(node.slice, ast.Slice):
            bounds = [
                self.evaluate(b, frame) if b else Known(None)
                for b in (node.slice.lower, node.slice.upper, node.slice.step)
            ]
            index = None if None in bounds else Known(slice(*(b.value for b in bounds if b is not None)))
        else:
            index = self.evaluate(node.slice, frame)
        if value is None or index is None:
            return None
        if isinstance(value.value, Name):
            return None  # sys.modules[...], sys.argv[...]
        try:
            return value.become(value.value[index.value])
        except _PURE_ERRORS:
            return None

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp, frame: Frame) -> Known | None:
        clause = node.generators[0]
        items = self.evaluate(clause.iter, frame)
        if items is None or len(node.generators) > 1 or clause.ifs or not _countable(items.value):
            self._inner_scope(node, frame)
            return None
        inner = Frame(outer=frame)
        made = []
        for item in items.value:
            self.bind(clause.target, items.become(item), inner)
            value = self.evaluate(node.elt, inner)
            if value is None:
                return None
            made.append(value.value)
        return items.become(made)

    def _inner_scope(self, node: ast.expr, frame: Frame) -> None:
        """A lambda or a comprehension over something unknown: its own names are unknown inside."""
        own = [n.id for n in flatten(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        own += [n.arg for n in flatten(node) if isinstance(n, ast.arg)]
        self._children(node, Frame(dict.fromkeys(own), frame))

    def bind(self, target: ast.expr, value: Known | None, frame: Frame) -> None:
        """Assign to a target."""
        raise NotImplementedError

    def _attribute(self, node: ast.Attribute, frame: Frame) -> Known | None:
        holder = self.evaluate(node.value, frame)
        if holder is None:
            return None
        value = holder.value
        if isinstance(value, Name):
            return self.named(f"{value.dotted}.{node.attr}")
        if isinstance(value, PathValue):
            try:
                return holder.become(pure.path_attribute(value, node.attr))
            except _PURE_ERRORS:
                return None
        if isinstance(value, ModuleObject) and node.attr == "__dict__":
            return holder
        if isinstance(value, Spec) and node.attr == "loader":
            return holder
        return effects.attribute(value, node.attr)

    # -- calls ---------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, frame: Frame) -> Known | None:
        args = [self.evaluate(a.value if isinstance(a, ast.Starred) else a, frame) for a in node.args]
        starred = any(isinstance(a, ast.Starred) for a in node.args)
        keywords = {k.arg: self.evaluate(k.value, frame) for k in node.keywords if k.arg is not None}
        for keyword in node.keywords:
            if keyword.arg is None:
                self.evaluate(keyword.value, frame)
        if starred:
            args = [None]
        if isinstance(node.func, ast.Attribute):
            return self._method(node, node.func, args, keywords, frame)
        function = self.evaluate(node.func, frame)
        return None if function is None else self.apply(node, function, args, keywords, frame)

    def _method(
        self,
        node: ast.Call,
        func: ast.Attribute,
        args: list[Known | None],
        keywords: Mapping[str, Known | None],
        frame: Frame,
    ) -> Known | None:
        holder = self.evaluate(func.value, frame)
        if holder is None:
            return None
        if isinstance(holder.value, Name):
            function = self.named(f"{holder.value.dotted}.{func.attr}")
            return None if function is None else self.apply(node, function, args, keywords, frame)
        handled, value = effects.method(self.world, node, holder, func.attr, args, keywords)
        if handled:
            return value
        if isinstance(holder.value, (list, dict)) and func.attr not in pure.METHODS[type(holder.value)]:
            self._mutate(func, holder, args, frame)
            return None
        return self._pure(
            lambda *a, **k: _call_method(holder.value, func.attr, list(a), k), holder, args, keywords
        )

    def _mutate(self, func: ast.Attribute, holder: Known, args: list[Known | None], frame: Frame) -> None:
        """A method that changes its list: append and extend are followed, after others it is unknown."""
        if not isinstance(func.value, ast.Name):
            return
        item = args[0] if len(args) == 1 else None
        grown = None
        if item is not None and func.attr == "append":
            grown = holder.become([*holder.value, item.value], item)
        elif item is not None and func.attr == "extend" and isinstance(item.value, (list, tuple)):
            grown = holder.become([*holder.value, *item.value], item)
        frame.change(func.value.id, grown)

    def apply(
        self,
        node: ast.Call,
        function: Known,
        args: list[Known | None],
        keywords: Mapping[str, Known | None],
        frame: Frame,
    ) -> Known | None:
        """Call a function of the script, a decoder, one with an effect, or one of the allow-list."""
        if isinstance(function.value, Function):
            return self.enter(function.value, args, keywords, frame)
        if not isinstance(function.value, Name):
            return None
        dotted = function.value.dotted
        if dotted in NAMED:
            return self._decode(node, dotted, args, keywords)
        if dotted in UNREADABLE and args and args[0] is not None and isinstance(args[0].value, (str, bytes)):
            self.world.unresolved(f"unpacks {UNREADABLE[dotted]}, which is not read", node)
            return None
        if dotted in effects.CALLS:
            return effects.CALLS[dotted](self.world, node, args, keywords)
        if dotted == "builtins.vars":
            return args[0] if args else None
        if dotted == "builtins.getattr":
            return self._getattr(args)
        if dotted in pure.FUNCTIONS:
            return self._pure(pure.FUNCTIONS[dotted], None, args, keywords)
        return None

    def _getattr(self, args: list[Known | None]) -> Known | None:
        """getattr(builtins, "ex" + "ec")"""
        if len(args) < 2 or args[0] is None or args[1] is None or not isinstance(args[0].value, Name):
            return None
        return self.named(f"{args[0].value.dotted}.{args[1].value}")

    def enter(
        self,
        function: Function,
        args: list[Known | None] | None,
        keywords: Mapping[str, Known | None],
        frame: Frame,
    ) -> Known | None:
        """Call a function of the script."""
        raise NotImplementedError

    def _decode(
        self, node: ast.Call, dotted: str, args: list[Known | None], keywords: Mapping[str, Known | None]
    ) -> Known | None:
        step, decoder = NAMED[dotted]
        if not args or args[0] is None or any(v is None for v in [*args, *keywords.values()]):
            return None
        if not isinstance(args[0].value, (str, bytes, bytearray)):
            return None
        values = [a.value for a in args if a is not None]
        named = {k: v.value for k, v in keywords.items() if v is not None}
        if dotted == "lzma.decompress" and (named.get("filters") or len(values) > 3):
            step = "lzma raw"
        try:
            return args[0].become(decoder(*values, **named), step=step)
        except DecodeError as error:
            self.world.unresolved(f"{step}: {error}", args[0].origin or node)
        except _PURE_ERRORS as error:
            self.world.unresolved(f"{step} with arguments it does not take: {error}", args[0].origin or node)
        return None

    def _pure(
        self,
        function: Callable[..., Any],
        holder: Known | None,
        args: list[Known | None],
        keywords: Mapping[str, Known | None],
    ) -> Known | None:
        known = [a for a in args if a is not None]
        if len(known) != len(args) or any(v is None for v in keywords.values()):
            return None
        if any(isinstance(a.value, (Name, Function, Code, Partial)) for a in known):
            return None
        try:
            value = function(
                *(a.value for a in known), **{k: v.value for k, v in keywords.items() if v is not None}
            )
        except _PURE_ERRORS:
            return None
        return (holder or Known(None)).become(value, *known)


def _call_method(value: Any, name: str, args: list[Any], keywords: dict[str, Any]) -> Any:
    if isinstance(value, PathValue):
        return pure.path_method(value, name, args)
    return pure.method(value, name, args, keywords)


def _countable(value: Any) -> bool:
    return isinstance(value, (list, tuple, str, bytes)) and len(value) <= _COMPREHENSION_CAP


_EXPRESSIONS: dict[type[ast.expr], Callable[..., Known | None]] = {
    ast.Attribute: Evaluator._attribute,
    ast.BinOp: Evaluator._binary,
    ast.Call: Evaluator._call,
    ast.Constant: Evaluator._constant,
    ast.Dict: Evaluator._dict,
    ast.GeneratorExp: Evaluator._comprehension,
    ast.IfExp: Evaluator._if_expression,
    ast.JoinedStr: Evaluator._joined,
    ast.DictComp: Evaluator._inner_scope,
    ast.Lambda: Evaluator._inner_scope,
    ast.List: Evaluator._sequence,
    ast.ListComp: Evaluator._comprehension,
    ast.Name: Evaluator._name,
    ast.NamedExpr: Evaluator._walrus,
    ast.Set: Evaluator._sequence,
    ast.SetComp: Evaluator._inner_scope,
    ast.Subscript: Evaluator._subscript,
    ast.Tuple: Evaluator._sequence,
    ast.UnaryOp: Evaluator._unary,
}
