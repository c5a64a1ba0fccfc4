"""Statements. A statement answers whether control reaches the next one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from golf_audit.static.atoms import Out
from golf_audit.static.delays import Delay
from golf_audit.static.interpreter.assignments import Assignments
from golf_audit.static.interpreter.branches import Branches
from golf_audit.static.interpreter.loops import Loops
from golf_audit.static.interpreter.state import DeadPathError
from golf_audit.static.values import Env, Unk


class Statements(Assignments, Loops, Branches):
    """Execution of statements."""

    def block(self, body: Sequence[ast.stmt]) -> bool:
        """Run statements; False when control does not reach the end."""
        for statement in body:
            self.spend()
            if id(statement) in self.mixes:
                self._mixes(self.mixes[id(statement)])
            handler = _HANDLERS.get(type(statement))
            if handler is not None and handler(self, statement) is False:
                return False
        return True

    def _mixes(self, delay: Delay) -> None:
        """A previous-token mix runs. A factor from outside is no mask where it holds weights or a number."""
        values = [self.frame.env.vars.get(name) for name in delay.factors]
        open_ = [v for v in values if isinstance(v, Unk) and not v.roots and v.kind != "number"]
        own = [v for v in values if isinstance(v, Unk) and any(isinstance(a, Out) for a in v.taint)]
        self.mix(delay.statement, True if delay.masked else None if len(open_) > len(own) else False)

    def _return(self, node: ast.Return) -> bool:
        self.frame.returns.append(self.eval(node.value) if node.value is not None else None)
        return False

    def _raise(self, node: ast.Raise) -> bool:
        self.raised = node
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
