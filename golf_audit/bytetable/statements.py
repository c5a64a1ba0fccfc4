"""Statements of the submission, run over values that are partly known.

Loops over known ids run as they are; of any other loop one turn stands for all. Both sides of an undecided
branch are taken."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from golf_audit.bytetable.library import Library
from golf_audit.bytetable.samples import SIZE
from golf_audit.bytetable.values import (
    MISSING,
    Class,
    External,
    Function,
    Instance,
    Items,
    Lanes,
    Opaque,
    Scope,
    Several,
    Table,
    Total,
    aligned,
    number,
    several,
)
from golf_audit.parsing import flatten

_TURNS = 64  # turns of a loop over ids; those beyond the samples all hold the same piece
_TOKENIZER_WORDS = ("piece", "is_byte", "isbyte", "is_control", "iscontrol", "decode", "is_unknown")


class Statements(Library):
    """Runs the statements of a scope."""

    def block(self, statements: Sequence[ast.stmt], scope: Scope) -> str:
        """Run statements; how they end: "", "return", "break", "continue" or "raise"."""
        for number_, statement in enumerate(statements):
            self.spend()
            if isinstance(statement, ast.If):
                ended, rest_done = self._if(statement, scope, statements[number_ + 1 :])
                if ended or rest_done:
                    return ended
                continue
            handler = _STATEMENTS.get(type(statement))
            ended = handler(self, statement, scope) if handler is not None else ""
            if ended:
                return ended
        return ""

    def _if(self, node: ast.If, scope: Scope, rest: Sequence[ast.stmt]) -> tuple[str, bool]:
        """How the statement ends, and whether the statements after it were run as part of it."""
        test = self.evaluate(node.test, scope)
        truth = self.truth(test)
        if truth is not None:
            body = node.body if truth else node.orelse
            if _raises(body):
                return "", False  # the run came to its end, so this was not so
            return self.block(body, scope), False
        if _raises(node.body):
            return self.block(node.orelse, scope), False
        guard = test if isinstance(test, Lanes) else None
        with_rest = guard is not None and _leaves(node.body)
        otherwise = [*node.orelse, *rest] if with_rest else node.orelse
        before = dict(scope.names)
        first = self._guarded(node.body, scope, guard)
        after, scope.names = scope.names, before
        negated = self.unary(ast.Not(), guard, node, scope) if guard is not None else None
        second = self._guarded(otherwise, scope, negated)
        if first and not (with_rest and first == "continue"):
            return (second if second else ""), with_rest
        if second and not with_rest:
            scope.names = after
            return "", False
        scope.names = self._merged(test, after, scope.names)
        return second, with_rest

    def _guarded(self, body: Sequence[ast.stmt], scope: Scope, guard: Lanes | None) -> str:
        had = len(scope.returned)
        ended = self.block(body, scope)
        scope.returned[had:] = [
            (guard if before is None else None, value) for before, value in scope.returned[had:]
        ]
        return ended

    def _merged(self, test: Any, yes: dict[str, Any], no: dict[str, Any]) -> dict[str, Any]:
        merged = dict(no)
        branch = object()
        for name, value in yes.items():
            other = no.get(name, MISSING)
            if other is MISSING:
                merged[name] = value
            elif other is not value:
                merged[name] = self.select(test, value, other, branch)
        return merged

    def _assign(self, node: ast.Assign, scope: Scope) -> str:
        value = self.evaluate(node.value, scope)
        for target in node.targets:
            self.bind(target, value, scope)
        return ""

    def _annotated(self, node: ast.AnnAssign, scope: Scope) -> str:
        if node.value is not None:
            self.bind(node.target, self.evaluate(node.value, scope), scope)
        return ""

    def _augmented(self, node: ast.AugAssign, scope: Scope) -> str:
        value = self.evaluate(node.value, scope)
        if isinstance(node.target, ast.Subscript) and self._under_mask(node.target, node.op, value, scope):
            return ""
        held = self.evaluate(node.target, scope)
        self.bind(node.target, self.operate(node.op, held, value, node, scope), scope)
        return ""

    def _under_mask(self, target: ast.Subscript, op: ast.operator | None, value: Any, scope: Scope) -> bool:
        """`counted[mask] = value`, `counted[mask] += value`: done where the target holds counted bytes."""
        holder = self.evaluate(target.value, scope)
        if not isinstance(holder, Lanes) or not holder.counts:
            return False
        mask = self.evaluate(target.slice, scope)
        if isinstance(mask, (slice, tuple)):
            return False
        changed = value if op is None else self.operate(op, holder, value, target, scope)
        if isinstance(mask, Lanes):
            changed = self.select(mask, changed, holder)
        else:
            changed = self.lost("bytes are changed under a mask that is not followed", target, scope)
        self._rebind(target.value, changed, scope)
        return True

    def bind(self, target: ast.AST, value: Any, scope: Scope) -> None:
        """Assign to a name, to several, to an attribute or to an element."""
        if isinstance(target, ast.Name):
            scope.outside.get(target.id, scope).names[target.id] = value
        elif isinstance(target, ast.Starred):
            self.bind(target.value, value, scope)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for element, item in zip(target.elts, self.unpack(value, len(target.elts)), strict=True):
                self.bind(element, item, scope)
        elif isinstance(target, ast.Attribute):
            holder = self.evaluate(target.value, scope)
            for one in holder.options if isinstance(holder, Several) else (holder,):
                if isinstance(one, (Instance, Class)):
                    one.names[target.attr] = value
        elif isinstance(target, ast.Subscript):
            self._store(target, value, scope)

    def unpack(self, value: Any, count: int) -> list[Any]:
        """The parts of a value that is assigned to several names."""
        if isinstance(value, Several):
            columns = [self.unpack(option, count) for option in value.options]
            return [aligned(list(parts), value.origin) for parts in zip(*columns, strict=True)]
        if isinstance(value, Instance) and value.order:
            value = tuple(value.names.get(name) for name in value.order)
        if isinstance(value, Table) and value.size == count:
            value = value.values()
        if isinstance(value, (list, tuple, str, bytes, range)) and len(value) == count:
            return list(value)
        if isinstance(value, Opaque):
            return [self.derived(value, "item", i) for i in range(count)]
        return [self.unknown(value) for _ in range(count)]

    def _store(self, target: ast.Subscript, value: Any, scope: Scope) -> None:
        if self._under_mask(target, None, value, scope):
            return
        holder = self.evaluate(target.value, scope)
        index = self.evaluate(target.slice, scope)
        if isinstance(holder, Several):
            holder = next((o for o in holder.options if isinstance(o, (Table, dict, list))), holder)
        if isinstance(holder, (Table, Items)) and self.asked > holder.asked:
            holder.pieces = True
        if isinstance(holder, dict) and isinstance(index, (int, str, bytes, float, tuple, type(None))):
            holder[index] = value
        elif isinstance(holder, list):
            if isinstance(index, int) and -len(holder) <= index < len(holder):
                holder[index] = value
            elif isinstance(index, (Opaque, Lanes)) and holder:
                self._rebind(target.value, value, scope)
        elif isinstance(holder, Table):
            self._store_table(holder, index, value, target, scope)
        elif isinstance(holder, (Opaque, Lanes)) and isinstance(value, (Opaque, Lanes)):
            self._rebind(target.value, value, scope)

    def _rebind(self, node: ast.expr, value: Any, scope: Scope) -> None:
        """An array that takes unknown elements at unknown places stands for those elements."""
        if isinstance(node, (ast.Name, ast.Attribute)):
            self.bind(node, value, scope)

    def _store_table(self, held: Table, index: Any, value: Any, target: ast.Subscript, scope: Scope) -> None:
        if held.place is None or number(value):
            held.place = held.place or (scope.layer, target.lineno)
        if isinstance(index, int):
            held.items[index if index >= 0 or held.size is None else index + held.size] = value
        elif isinstance(index, slice) and isinstance(value, Table):
            first = index.start if isinstance(index.start, int) else 0
            held.items.update({first + k: v for k, v in enumerate(value.values())})
            held.place = value.place or held.place
            held.pieces = held.pieces or value.pieces
        elif isinstance(index, slice) and number(value):
            span = (
                index.indices(held.size if held.size is not None else SIZE) if _plain(index) else (0, SIZE, 1)
            )
            held.items.update(dict.fromkeys(range(*span), value))
        elif isinstance(index, (list, range, Table)):
            keys = index.values() if isinstance(index, Table) else list(index)
            if keys and all(isinstance(k, bool) for k in keys):
                keys = [i for i, k in enumerate(keys) if k]
            held.items.update({k: value for k in keys if isinstance(k, int)})
        elif isinstance(value, (Opaque, Lanes)):
            self._rebind(target.value, value, scope)

    def _expression(self, node: ast.Expr, scope: Scope) -> str:
        value = self.evaluate(node.value, scope)
        call = node.value
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr.endswith("_")
            and not call.func.attr.startswith("_")
            and isinstance(call.func.value, (ast.Name, ast.Attribute, ast.Subscript))
            and isinstance(value, (Lanes, Total, Table, Several))
        ):
            self.bind(call.func.value, value, scope)  # an operation in place
        return ""

    def _return(self, node: ast.Return, scope: Scope) -> str:
        value = self.evaluate(node.value, scope) if node.value is not None else None
        scope.returned.append((None, value))
        return "return"

    def _for(self, node: ast.For | ast.AsyncFor, scope: Scope) -> str:
        items = self.evaluate(node.iter, scope)
        ended: list[str] = []

        def turn() -> bool:
            ended.append(self.block(node.body, scope))
            return ended[-1] in ("break", "return")

        self.iterate(node.target, items, scope, [*node.body], turn)
        if ended and ended[-1] == "return":
            return "return"
        return self.block(node.orelse, scope)

    def _while(self, node: ast.While, scope: Scope) -> str:
        turns = 2 * SIZE if _asks_tokenizer(tuple(node.body)) and not _always(node.test) else 0
        for _ in range(turns):
            truth = self.truth(self.evaluate(node.test, scope))
            if truth is None:
                break
            ended = self.block(node.body, scope) if truth else "break"
            if ended in ("break", "return"):
                return "return" if ended == "return" else ""
        if self.truth(self.evaluate(node.test, scope)) is not False:
            self.once(node.body, scope, lambda: self.block(node.body, scope))
        return ""

    def iterate(
        self, target: ast.expr, items: Any, scope: Scope, body: list[Any], turn: Callable[[], Any]
    ) -> bool:
        """Run a loop: turn by turn over known items, else once. True when every item had its turn."""
        asks = _asks_tokenizer(tuple(body))
        if isinstance(items, External) and items.path == "range" and asks:
            items = range(SIZE)
        if isinstance(items, Table):
            items = items.values()
        if isinstance(items, dict):
            items = list(items)
        listed = isinstance(items, (list, tuple, range, str, bytes, set)) and not getattr(
            items, "open", False
        )
        short = listed and len(list(islice(items, 2 * SIZE + 1))) <= 2 * SIZE
        if isinstance(items, range) and short:
            short = len(items) <= 2 or _uses_each(target, tuple(body))
        if listed and (asks or short):
            for item in list(islice(items, _TURNS)):
                self.bind(target, item, scope)
                if turn():
                    break
            return True
        self.once(body, scope, lambda: self._one(target, items, scope, turn))
        return False

    def _one(self, target: ast.expr, items: Any, scope: Scope, turn: Callable[[], Any]) -> None:
        item: Any = self.unknown(items) if not isinstance(items, Opaque) else self.part(items, self.unknown())
        if isinstance(items, (list, tuple)) and items:
            item = several(items[:16])
        self.bind(target, item, scope)
        turn()

    def once(self, body: Sequence[ast.AST], scope: Scope, turn: Callable[[], Any]) -> None:
        """One turn that stands for all: what the loop changes is not known when it starts."""
        for statement in body:
            for node in flatten(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    held = scope.names.get(node.id, MISSING)
                    if isinstance(held, (bool, int, float, str, type(None))):
                        scope.names[node.id] = self.unknown()
        self.symbolic += 1
        try:
            turn()
        finally:
            self.symbolic -= 1

    def _with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> str:
        for item in node.items:
            value = self.evaluate(item.context_expr, scope)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value, scope)
        return self.block(node.body, scope)

    def _try(self, node: ast.Try, scope: Scope) -> str:
        """The body goes well, as far as is known: what handles its exceptions is not run."""
        ended = self.block(node.body, scope)
        if not ended:
            ended = self.block(node.orelse, scope)
        last = self.block(node.finalbody, scope)
        return last or ended

    def _match(self, node: ast.Match, scope: Scope) -> str:
        self.evaluate(node.subject, scope)
        for case in node.cases:
            self.block(case.body, scope)
        return ""

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> str:
        words = {_word(d) for d in node.decorator_list}
        scope.names[node.name] = Function(
            node,
            scope,
            self.defaults_of(node.args, scope),
            bool(words & {"property", "cached_property"}),
            "staticmethod" in words,
            "classmethod" in words,
        )
        return ""

    def _import(self, node: ast.Import, scope: Scope) -> str:
        for alias in node.names:
            name = alias.name if alias.asname else alias.name.split(".")[0]
            scope.names[alias.asname or name] = self.imported(alias.name if alias.asname else name, scope)
        return ""

    def _import_from(self, node: ast.ImportFrom, scope: Scope) -> str:
        held = self.imported(node.module or "", scope)
        for alias in node.names:
            if alias.name == "*":
                given = held.names if isinstance(held, Instance) else {}
                scope.names.update({k: v for k, v in given.items() if not k.startswith("_")})
            elif isinstance(held, Instance):
                scope.names[alias.asname or alias.name] = held.names.get(alias.name, self.unknown())
            else:
                scope.names[alias.asname or alias.name] = self.external(f"{node.module or ''}.{alias.name}")
        return ""

    def imported(self, name: str, scope: Scope) -> Any:
        """A module of the folder, or a library."""
        raise NotImplementedError

    def _class(self, node: ast.ClassDef, scope: Scope) -> str:
        bases = tuple(self.evaluate(base, scope) for base in node.bases)
        inner = Scope(scope.layer, {}, scope, scope.module, hidden=True)
        self.block(node.body, inner)
        scope.names[node.name] = Class(node, inner.names, bases)
        return ""

    def _global(self, node: ast.Global, scope: Scope) -> str:
        if scope.module is not None:
            scope.outside.update(dict.fromkeys(node.names, scope.module))
        return ""

    def _nonlocal(self, node: ast.Nonlocal, scope: Scope) -> str:
        for name in node.names:
            held = scope.around.find(name) if scope.around is not None else None
            if held is not None:
                scope.outside[name] = held
        return ""

    def _delete(self, node: ast.Delete, scope: Scope) -> str:
        for target in node.targets:
            if isinstance(target, ast.Name):
                scope.names.pop(target.id, None)
        return ""


def _raises(body: Sequence[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], ast.Raise)


def _leaves(body: Sequence[ast.stmt]) -> bool:
    return bool(body) and isinstance(body[-1], (ast.Return, ast.Continue, ast.Break))


def _always(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant)


def _plain(index: slice) -> bool:
    return all(p is None or isinstance(p, int) for p in (index.start, index.stop, index.step))


def _word(decorator: ast.expr) -> str:
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@lru_cache(maxsize=512)  # bounded: an unbounded cache keeps every tree of a sweep alive
def _uses_each(target: ast.expr, body: tuple[ast.AST, ...]) -> bool:
    """True when every turn of a loop matters by itself: its variable is an index, or is passed on."""
    if isinstance(body[0], ast.expr):
        return True  # a comprehension
    names = {node.id for node in flatten(target) if isinstance(node, ast.Name)}
    for node in (node for part in body for node in flatten(part)):
        places: Sequence[ast.AST] = ()
        if isinstance(node, ast.Subscript):
            places = flatten(node.slice)
        elif isinstance(node, ast.Call):
            places = node.args
        if any(isinstance(place, ast.Name) and place.id in names for place in places):
            return True
    return False


@lru_cache(maxsize=512)  # bounded: an unbounded cache keeps every tree of a sweep alive
def _asks_tokenizer(body: tuple[ast.AST, ...]) -> bool:
    """True when a loop asks a tokenizer about its ids."""
    for statement in body:
        for node in flatten(statement):
            if isinstance(node, ast.Attribute):
                name = node.attr.lower()
                if any(word in name for word in _TOKENIZER_WORDS):
                    return True
    return False


_STATEMENTS: Mapping[type[ast.AST], Callable[[Any, Any, Scope], str]] = {
    ast.Assign: Statements._assign,
    ast.AnnAssign: Statements._annotated,
    ast.AugAssign: Statements._augmented,
    ast.Expr: Statements._expression,
    ast.Return: Statements._return,
    ast.For: Statements._for,
    ast.AsyncFor: Statements._for,
    ast.While: Statements._while,
    ast.With: Statements._with,
    ast.AsyncWith: Statements._with,
    ast.Try: Statements._try,
    ast.TryStar: Statements._try,
    ast.Match: Statements._match,
    ast.FunctionDef: Statements._function,
    ast.AsyncFunctionDef: Statements._function,
    ast.ClassDef: Statements._class,
    ast.Import: Statements._import,
    ast.ImportFrom: Statements._import_from,
    ast.Global: Statements._global,
    ast.Nonlocal: Statements._nonlocal,
    ast.Delete: Statements._delete,
    ast.Break: lambda self, node, scope: "break",
    ast.Continue: lambda self, node, scope: "continue",
    ast.Raise: lambda self, node, scope: "raise",
}
