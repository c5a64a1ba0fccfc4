"""Lowering of statements and of the whole module."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import libcst as cst

from golf_audit.parsing import nodes
from golf_audit.parsing.cursor import Cursor
from golf_audit.parsing.expressions import (
    DEL,
    arguments,
    dotted,
    expr,
    parameters,
    read_name,
    set_context,
    target,
)
from golf_audit.parsing.patterns import pattern
from golf_audit.parsing.problem import NotPythonError

_AUGMENTED = {
    cst.AddAssign: ("+=", ast.Add()),
    cst.SubtractAssign: ("-=", ast.Sub()),
    cst.MultiplyAssign: ("*=", ast.Mult()),
    cst.MatrixMultiplyAssign: ("@=", ast.MatMult()),
    cst.DivideAssign: ("/=", ast.Div()),
    cst.FloorDivideAssign: ("//=", ast.FloorDiv()),
    cst.ModuloAssign: ("%=", ast.Mod()),
    cst.PowerAssign: ("**=", ast.Pow()),
    cst.LeftShiftAssign: ("<<=", ast.LShift()),
    cst.RightShiftAssign: (">>=", ast.RShift()),
    cst.BitAndAssign: ("&=", ast.BitAnd()),
    cst.BitOrAssign: ("|=", ast.BitOr()),
    cst.BitXorAssign: ("^=", ast.BitXor()),
}
_HAS_TYPE_PARAMS = "type_params" in ast.FunctionDef._fields  # Python 3.12


def module(text: str, tree: cst.Module, original: str | None = None) -> ast.Module:
    """Lower a module. `text` must have \\n line ends and be the one that `tree` was parsed from; `original`
    is what it was before a repair."""
    return ast.Module(_body(Cursor(text, original), tree.body), [])


def _body(c: Cursor, body: Sequence[cst.BaseStatement | cst.BaseSmallStatement]) -> list[ast.stmt]:
    made: list[ast.stmt] = []
    for node in body:
        if isinstance(node, cst.SimpleStatementLine):
            _small(c, node.body, made)
        else:
            made.append(_compound(c, node))
    return made


def _small(c: Cursor, body: Sequence[cst.BaseSmallStatement], made: list[ast.stmt]) -> None:
    """Statements of one line. A semicolon is part of no statement but its block ends behind it."""
    for node in body:
        start = c.skip()
        statement = _SMALL[type(node)](c, node)
        c.place(statement, start)
        made.append(statement)
        if node.semicolon is not cst.MaybeSentinel.DEFAULT:
            c.eat(";")


def _compound(c: Cursor, node: cst.CSTNode) -> ast.stmt:
    c.deeper()
    start = c.skip()
    statement = _COMPOUND[type(node)](c, node)
    if not hasattr(statement, "lineno"):  # decorated definitions begin behind their decorators
        c.place(statement, start)
    c.depth -= 1
    return statement


def _suite(c: Cursor, suite: cst.BaseSuite) -> list[ast.stmt]:
    c.eat(":")
    if isinstance(suite, cst.IndentedBlock):
        return _body(c, suite.body)
    assert isinstance(suite, cst.SimpleStatementSuite)
    made: list[ast.stmt] = []
    _small(c, suite.body, made)
    return made


def _optional(c: Cursor, node: cst.BaseExpression | None) -> ast.expr | None:
    return expr(c, node) if node is not None else None


# -- small statements: each reads its tokens; the caller sets the position ---------------------------------


def _expression(c: Cursor, node: cst.Expr) -> ast.stmt:
    return ast.Expr(expr(c, node.value))


def _word(token: str, kind: type[ast.stmt]) -> Callable[[Cursor, Any], ast.stmt]:
    def lower(c: Cursor, node: cst.BaseSmallStatement) -> ast.stmt:
        c.eat(token)
        return kind()

    return lower


def _assign(c: Cursor, node: cst.Assign) -> ast.stmt:
    targets = []
    for item in node.targets:
        targets.append(target(c, item.target))
        c.eat("=")
    return ast.Assign(targets, expr(c, node.value), None)


def _annotated(c: Cursor, node: cst.AnnAssign) -> ast.stmt:
    name = target(c, node.target)
    c.eat(":")
    annotation = expr(c, node.annotation.annotation)
    value = None
    if node.value is not None:
        c.eat("=")
        value = expr(c, node.value)
    simple = isinstance(node.target, cst.Name) and not node.target.lpar
    assert isinstance(name, (ast.Name, ast.Attribute, ast.Subscript))
    return ast.AnnAssign(name, annotation, value, int(simple))


def _augmented(c: Cursor, node: cst.AugAssign) -> ast.stmt:
    name = target(c, node.target)
    token, operator = _AUGMENTED[type(node.operator)]
    c.eat(token)
    assert isinstance(name, (ast.Name, ast.Attribute, ast.Subscript))
    return ast.AugAssign(name, operator, expr(c, node.value))


def _return(c: Cursor, node: cst.Return) -> ast.stmt:
    c.eat("return")
    return ast.Return(_optional(c, node.value))


def _raise(c: Cursor, node: cst.Raise) -> ast.stmt:
    c.eat("raise")
    raised = _optional(c, node.exc)
    cause = None
    if node.cause is not None:
        c.eat("from")
        cause = expr(c, node.cause.item)
    return ast.Raise(raised, cause)


def _assert(c: Cursor, node: cst.Assert) -> ast.stmt:
    c.eat("assert")
    test = expr(c, node.test)
    message = None
    if node.msg is not None:
        c.eat(",")
        message = expr(c, node.msg)
    return ast.Assert(test, message)


def _delete(c: Cursor, node: cst.Del) -> ast.stmt:
    c.eat("del")
    made = expr(c, node.target)
    bare_tuple = isinstance(node.target, cst.Tuple) and not node.target.lpar
    targets = made.elts if bare_tuple and isinstance(made, ast.Tuple) else [made]
    for item in targets:
        set_context(item, DEL)
    return ast.Delete(targets)


def _names(token: str, kind: type[ast.Global] | type[ast.Nonlocal]) -> Callable[[Cursor, Any], ast.stmt]:
    def lower(c: Cursor, node: cst.Global | cst.Nonlocal) -> ast.stmt:
        c.eat(token)
        names = []
        for item in node.names:
            names.append(read_name(c, item.name))
            c.accept(",")
        return kind(names)

    return lower


def _aliases(c: Cursor, names: Sequence[cst.ImportAlias]) -> list[ast.alias]:
    made = []
    for item in names:
        start = c.skip()
        name = dotted(c, item.name)
        made.append(ast.alias(name, _as_name(c, item.asname)))
        c.place(made[-1], start)
        c.accept(",")
    return made


def _as_name(c: Cursor, node: cst.AsName | None) -> str | None:
    if node is None:
        return None
    c.eat("as")
    if not isinstance(node.name, cst.Name):
        raise NotPythonError("`as` something that is not a name", c.line(c.at))
    return read_name(c, node.name)


def _import(c: Cursor, node: cst.Import | cst.LazyImport) -> ast.stmt:
    if isinstance(node, cst.LazyImport):
        c.eat("lazy")
    c.eat("import")
    return ast.Import(_aliases(c, node.names))


def _import_from(c: Cursor, node: cst.ImportFrom | cst.LazyImportFrom) -> ast.stmt:
    if isinstance(node, cst.LazyImportFrom):
        c.eat("lazy")
    c.eat("from")
    for _ in node.relative:
        c.eat(".")
    name = dotted(c, node.module) if node.module is not None else None
    c.eat("import")
    if isinstance(node.names, cst.ImportStar):
        start = c.eat("*")
        names = [ast.alias("*", None)]
        c.place(names[0], start)
    else:
        if node.lpar is not None:
            c.eat("(")
        names = _aliases(c, node.names)
        if node.lpar is not None:
            c.eat(")")
    return ast.ImportFrom(name, names, len(node.relative))


def _type_alias(c: Cursor, node: cst.TypeAlias) -> ast.stmt:
    c.eat("type")
    name = target(c, node.name)
    params = _type_params(c, node.type_parameters)
    c.eat("=")
    made = nodes.TypeAlias(name, params, expr(c, node.value))
    assert isinstance(made, ast.stmt)
    return made


# -- compound statements -----------------------------------------------------------------------------------


def _if(c: Cursor, node: cst.If) -> ast.stmt:
    c.eat("elif" if c.text.startswith("elif", c.at) else "if")
    made = ast.If(expr(c, node.test), _suite(c, node.body), [])
    if isinstance(node.orelse, cst.If):
        made.orelse = [_compound(c, node.orelse)]
    else:
        made.orelse = _else(c, node.orelse)
    return made


def _else(c: Cursor, node: cst.Else | None) -> list[ast.stmt]:
    if node is None:
        return []
    c.eat("else")
    return _suite(c, node.body)


def _while(c: Cursor, node: cst.While) -> ast.stmt:
    c.eat("while")
    return ast.While(expr(c, node.test), _suite(c, node.body), _else(c, node.orelse))


def _for(c: Cursor, node: cst.For) -> ast.stmt:
    kind = _maybe_async(c, node.asynchronous, ast.For, ast.AsyncFor)
    c.eat("for")
    bound = target(c, node.target)
    c.eat("in")
    source = expr(c, node.iter)
    made: ast.stmt = kind(bound, source, _suite(c, node.body), _else(c, node.orelse), None)
    return made


def _maybe_async(c: Cursor, word: cst.Asynchronous | None, plain: Any, concurrent: Any) -> Any:
    if word is None:
        return plain
    c.eat("async")
    return concurrent


def _with(c: Cursor, node: cst.With) -> ast.stmt:
    kind = _maybe_async(c, node.asynchronous, ast.With, ast.AsyncWith)
    c.eat("with")
    parenthesised = isinstance(node.lpar, cst.LeftParen)
    if parenthesised:
        c.eat("(")
    items = []
    for item in node.items:
        context = expr(c, item.item)
        bound = None
        if item.asname is not None:
            c.eat("as")
            bound = target(c, item.asname.name)
        items.append(ast.withitem(context, bound))
        c.accept(",")
    if parenthesised:
        c.eat(")")
    made: ast.stmt = kind(items, _suite(c, node.body), None)
    return made


def _try(c: Cursor, node: cst.Try | cst.TryStar) -> ast.stmt:
    c.eat("try")
    body = _suite(c, node.body)
    handlers = [_handler(c, handler) for handler in node.handlers]
    if any(h.type is None for h in handlers[:-1]):
        raise NotPythonError("a bare `except:` that is not the last one", handlers[0].lineno)
    orelse = _else(c, node.orelse)
    final: list[ast.stmt] = []
    if node.finalbody is not None:
        c.eat("finally")
        final = _suite(c, node.finalbody.body)
    kind = ast.TryStar if isinstance(node, cst.TryStar) else ast.Try
    return kind(body, handlers, orelse, final)


def _handler(c: Cursor, node: cst.ExceptHandler | cst.ExceptStarHandler) -> ast.ExceptHandler:
    start = c.eat("except")
    if isinstance(node, cst.ExceptStarHandler):
        c.eat("*")
    caught = _optional(c, node.type)
    name = _as_name(c, node.name)
    made = ast.ExceptHandler(caught, name, _suite(c, node.body))
    c.place(made, start)
    return made


def _decorators(c: Cursor, decorators: Sequence[cst.Decorator]) -> list[ast.expr]:
    made = []
    for decorator in decorators:
        c.eat("@")
        made.append(expr(c, decorator.decorator))
    return made


def _function(c: Cursor, node: cst.FunctionDef) -> ast.stmt:
    decorators = _decorators(c, node.decorators)
    start = c.skip()
    kind = _maybe_async(c, node.asynchronous, ast.FunctionDef, ast.AsyncFunctionDef)
    c.eat("def")
    name = read_name(c, node.name)
    type_params = _type_params(c, node.type_parameters)
    c.eat("(")
    params = parameters(c, node.params)
    c.eat(")")
    returns = None
    if node.returns is not None:
        c.eat("->")
        returns = expr(c, node.returns.annotation)
    made: ast.stmt = kind(name, params, _suite(c, node.body), decorators, returns, None)
    return _definition(c, made, type_params, start)


def _class(c: Cursor, node: cst.ClassDef) -> ast.stmt:
    decorators = _decorators(c, node.decorators)
    start = c.eat("class")
    name = read_name(c, node.name)
    type_params = _type_params(c, node.type_parameters)
    bases: list[ast.expr] = []
    keywords: list[ast.keyword] = []
    if c.accept("("):
        bases, keywords = arguments(c, [*node.bases, *node.keywords])
        c.eat(")")
    made = ast.ClassDef(name, bases, keywords, _suite(c, node.body), decorators)
    return _definition(c, made, type_params, start)


def _definition(c: Cursor, made: ast.stmt, type_params: list[ast.AST], start: int) -> ast.stmt:
    if _HAS_TYPE_PARAMS:  # on 3.11 there is no place for them; they are annotations without behaviour
        made.type_params = type_params  # type: ignore[attr-defined]
    c.place(made, start)
    return made


def _type_params(c: Cursor, node: cst.TypeParameters | None) -> list[ast.AST]:
    if node is None:
        return []
    c.eat("[")
    made = []
    for item in node.params:
        start = c.skip()
        made.append(_type_param(c, item))
        c.place(made[-1], start)
        c.accept(",")
    c.eat("]")
    return made


def _type_param(c: Cursor, item: cst.TypeParam) -> ast.AST:
    param = item.param
    bound: list[ast.expr | None] = []
    if isinstance(param, cst.TypeVar):
        kind = nodes.TypeVar
        name = read_name(c, param.name)
        bound = [None]
        if param.bound is not None:
            c.eat(":")
            bound = [expr(c, param.bound)]
    else:
        kind = nodes.TypeVarTuple if isinstance(param, cst.TypeVarTuple) else nodes.ParamSpec
        c.eat("*" if kind is nodes.TypeVarTuple else "**")
        name = read_name(c, param.name)
    default = None
    if item.default is not None:
        c.eat("=")
        c.accept("*")
        default = expr(c, item.default)
    made: ast.AST = kind(name, *bound)
    if "default_value" in kind._fields:
        setattr(made, "default_value", default)  # noqa: B010 - Python 3.13
    return made


def _match(c: Cursor, node: cst.Match) -> ast.stmt:
    c.eat("match")
    subject = expr(c, node.subject)
    c.eat(":")
    return ast.Match(subject, [_case(c, case) for case in node.cases])


def _case(c: Cursor, node: cst.MatchCase) -> ast.match_case:
    c.eat("case")
    matched = pattern(c, node.pattern)
    guard = None
    if node.guard is not None:
        c.eat("if")
        guard = expr(c, node.guard)
    return ast.match_case(matched, guard, _suite(c, node.body))


_SMALL: dict[type, Callable[[Cursor, Any], ast.stmt]] = {
    cst.AnnAssign: _annotated,
    cst.Assert: _assert,
    cst.Assign: _assign,
    cst.AugAssign: _augmented,
    cst.Break: _word("break", ast.Break),
    cst.Continue: _word("continue", ast.Continue),
    cst.Del: _delete,
    cst.Expr: _expression,
    cst.Global: _names("global", ast.Global),
    cst.Import: _import,
    cst.ImportFrom: _import_from,
    cst.LazyImport: _import,
    cst.LazyImportFrom: _import_from,
    cst.Nonlocal: _names("nonlocal", ast.Nonlocal),
    cst.Pass: _word("pass", ast.Pass),
    cst.Raise: _raise,
    cst.Return: _return,
    cst.TypeAlias: _type_alias,
}
_COMPOUND: dict[type, Callable[[Cursor, Any], ast.stmt]] = {
    cst.ClassDef: _class,
    cst.For: _for,
    cst.FunctionDef: _function,
    cst.If: _if,
    cst.Match: _match,
    cst.Try: _try,
    cst.TryStar: _try,
    cst.While: _while,
    cst.With: _with,
}
