"""Lowering of expressions: LibCST nodes -> `ast` nodes, in the order of the text."""

from __future__ import annotations

import ast
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import libcst as cst

from golf_audit.parsing import strings
from golf_audit.parsing.cursor import Cursor
from golf_audit.parsing.problem import NotPythonError

LOAD, STORE, DEL = ast.Load(), ast.Store(), ast.Del()

_SINGLETONS = {"True": True, "False": False, "None": None}
_BINARY = {
    cst.Add: ("+", ast.Add()),
    cst.Subtract: ("-", ast.Sub()),
    cst.Multiply: ("*", ast.Mult()),
    cst.Divide: ("/", ast.Div()),
    cst.FloorDivide: ("//", ast.FloorDiv()),
    cst.Modulo: ("%", ast.Mod()),
    cst.Power: ("**", ast.Pow()),
    cst.LeftShift: ("<<", ast.LShift()),
    cst.RightShift: (">>", ast.RShift()),
    cst.BitOr: ("|", ast.BitOr()),
    cst.BitAnd: ("&", ast.BitAnd()),
    cst.BitXor: ("^", ast.BitXor()),
    cst.MatrixMultiply: ("@", ast.MatMult()),
}
_UNARY = {
    cst.Plus: ("+", ast.UAdd()),
    cst.Minus: ("-", ast.USub()),
    cst.BitInvert: ("~", ast.Invert()),
    cst.Not: ("not", ast.Not()),
}
_BOOLEAN = {cst.And: ("and", ast.And()), cst.Or: ("or", ast.Or())}
_COMPARE = {
    cst.LessThan: (("<",), ast.Lt()),
    cst.GreaterThan: ((">",), ast.Gt()),
    cst.Equal: (("==",), ast.Eq()),
    cst.LessThanEqual: (("<=",), ast.LtE()),
    cst.GreaterThanEqual: ((">=",), ast.GtE()),
    cst.NotEqual: (("!=",), ast.NotEq()),
    cst.In: (("in",), ast.In()),
    cst.NotIn: (("not", "in"), ast.NotIn()),
    cst.Is: (("is",), ast.Is()),
    cst.IsNot: (("is", "not"), ast.IsNot()),
}
_OWN_PARENS = (cst.Tuple, cst.GeneratorExp)  # parentheses that are part of the node


def expr(c: Cursor, node: cst.BaseExpression) -> ast.expr:
    """Lower one expression with the parentheses around it."""
    c.deeper()
    if node.lpar:
        made = _parenthesised(c, node)
    else:
        made = _LOWER[type(node)](c, node, c.skip())
    c.depth -= 1
    return made


def _parenthesised(c: Cursor, node: cst.BaseExpression) -> ast.expr:
    for _ in node.lpar:
        start = c.eat("(")
    own = type(node) in _OWN_PARENS
    made = _LOWER[type(node)](c, node, start if own else c.skip())
    for _ in node.lpar[1:] if own else node.lpar:
        c.eat(")")
    return made


def target(c: Cursor, node: cst.BaseExpression, context: ast.expr_context = STORE) -> ast.expr:
    """Lower an expression that is assigned to or deleted."""
    made = expr(c, node)
    set_context(made, context)
    return made


def set_context(made: ast.expr, context: ast.expr_context) -> None:
    """Load -> Store or Del on a target and on the elements it unpacks into."""
    waiting = [made]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (ast.Tuple, ast.List)):
            waiting.extend(item.elts)
        elif isinstance(item, ast.Starred):
            waiting.append(item.value)
        if isinstance(item, (ast.Name, ast.Attribute, ast.Subscript, ast.Starred, ast.Tuple, ast.List)):
            item.ctx = context


def identifier(name: str) -> str:
    """A name as Python sees it (NFKC)."""
    return name if name.isascii() else unicodedata.normalize("NFKC", name)


def read_name(c: Cursor, node: cst.Name) -> str:
    """Read a bare name; its identifier."""
    c.eat(node.value)
    return identifier(node.value)


def dotted(c: Cursor, node: cst.BaseExpression) -> str:
    """Read `a.b.c` of an import."""
    if isinstance(node, cst.Attribute):
        left = dotted(c, node.value)
        c.eat(".")
        return f"{left}.{read_name(c, node.attr)}"
    if not isinstance(node, cst.Name):
        raise NotPythonError("an import of something that is not a name", c.line(c.at))
    return read_name(c, node)


def _name(c: Cursor, node: cst.Name, start: int) -> ast.expr:
    value = node.value
    c.eat(value)
    made: ast.expr
    if value in _SINGLETONS:
        made = ast.Constant(_SINGLETONS[value], None)
    else:
        made = ast.Name(identifier(value), LOAD)
    c.place(made, start)
    return made


def _ellipsis(c: Cursor, node: cst.Ellipsis, start: int) -> ast.expr:
    c.eat("...")
    return _placed(c, ast.Constant(..., None), start)


def _placed(c: Cursor, made: ast.expr, start: int) -> ast.expr:
    c.place(made, start)
    return made


def _number(c: Cursor, node: cst.Integer | cst.Float | cst.Imaginary, start: int) -> ast.expr:
    token = node.value
    c.eat(token)
    value: int | float | complex
    try:
        if isinstance(node, cst.Integer):
            value = int(token, 0)
        elif isinstance(node, cst.Float):
            value = float(token)
        else:
            value = complex(0.0, float(token[:-1]))
    except ValueError as error:
        raise NotPythonError(f"the number {token[:40]!r}: {str(error)[:80]}", c.line(start)) from None
    return _placed(c, ast.Constant(value, None), start)


def _simple_string(c: Cursor, node: cst.SimpleString, start: int) -> ast.expr:
    return strings.simple(c, node, start)


def _formatted(c: Cursor, node: cst.FormattedString, start: int) -> ast.expr:
    return strings.formatted(c, node, start, expr)


def _template(c: Cursor, node: cst.TemplatedString, start: int) -> ast.expr:
    return strings.template(c, node, start, expr)


def _concatenated(c: Cursor, node: cst.ConcatenatedString, start: int) -> ast.expr:
    return strings.concatenated(c, node, start, expr)


def _binary(c: Cursor, node: cst.BinaryOperation, start: int) -> ast.expr:
    """`a + b + c` is deep on the left; a loop keeps a long sum from recursing."""
    chain = [node]
    while isinstance(node.left, cst.BinaryOperation) and not node.left.lpar:
        node = node.left
        chain.append(node)
    c.deeper(len(chain))
    made = expr(c, node.left)
    for link in reversed(chain):
        token, operator = _BINARY[type(link.operator)]
        c.eat(token)
        made = _placed(c, ast.BinOp(made, operator, expr(c, link.right)), start)
    c.depth -= len(chain)
    return made


def _unary(c: Cursor, node: cst.UnaryOperation, start: int) -> ast.expr:
    token, operator = _UNARY[type(node.operator)]
    c.eat(token)
    return _placed(c, ast.UnaryOp(operator, expr(c, node.expression)), start)


def _boolean(c: Cursor, node: cst.BooleanOperation, start: int) -> ast.expr:
    """`a and b and c` is nested in the concrete tree and flat in `ast`."""
    kind = type(node.operator)
    token, operator = _BOOLEAN[kind]
    rest = [node.right]
    left = node.left
    while isinstance(left, cst.BooleanOperation) and type(left.operator) is kind and not left.lpar:
        rest.append(left.right)
        left = left.left
    values = [expr(c, left)]
    for operand in reversed(rest):
        c.eat(token)
        values.append(expr(c, operand))
    return _placed(c, ast.BoolOp(operator, values), start)


def _comparison(c: Cursor, node: cst.Comparison, start: int) -> ast.expr:
    left = expr(c, node.left)
    operators: list[ast.cmpop] = []
    values = []
    for link in node.comparisons:
        tokens, operator = _COMPARE[type(link.operator)]
        for token in tokens:
            c.eat(token)
        operators.append(operator)
        values.append(expr(c, link.comparator))
    return _placed(c, ast.Compare(left, operators, values), start)


def _if_expression(c: Cursor, node: cst.IfExp, start: int) -> ast.expr:
    body = expr(c, node.body)
    c.eat("if")
    test = expr(c, node.test)
    c.eat("else")
    return _placed(c, ast.IfExp(test, body, expr(c, node.orelse)), start)


def _lambda(c: Cursor, node: cst.Lambda, start: int) -> ast.expr:
    c.eat("lambda")
    arguments = parameters(c, node.params)
    c.eat(":")
    return _placed(c, ast.Lambda(arguments, expr(c, node.body)), start)


def _attribute(c: Cursor, node: cst.Attribute, start: int) -> ast.expr:
    value = expr(c, node.value)
    c.eat(".")
    return _placed(c, ast.Attribute(value, read_name(c, node.attr), LOAD), start)


def _await(c: Cursor, node: cst.Await, start: int) -> ast.expr:
    c.eat("await")
    return _placed(c, ast.Await(expr(c, node.expression)), start)


def _yield(c: Cursor, node: cst.Yield, start: int) -> ast.expr:
    c.eat("yield")
    if isinstance(node.value, cst.From):
        c.eat("from")
        return _placed(c, ast.YieldFrom(expr(c, node.value.item)), start)
    value = expr(c, node.value) if node.value is not None else None
    return _placed(c, ast.Yield(value), start)


def _walrus(c: Cursor, node: cst.NamedExpr, start: int) -> ast.expr:
    name = target(c, node.target)
    c.eat(":=")
    assert isinstance(name, ast.Name)
    return _placed(c, ast.NamedExpr(name, expr(c, node.value)), start)


def _starred(c: Cursor, node: cst.StarredElement, start: int) -> ast.expr:
    c.eat("*")
    return _placed(c, ast.Starred(expr(c, node.value), LOAD), start)


def _elements(c: Cursor, elements: Iterable[cst.BaseElement]) -> list[ast.expr]:
    found = []
    for element in elements:
        found.append(expr(c, element if isinstance(element, cst.StarredElement) else element.value))
        c.accept(",")
    return found


def _tuple(c: Cursor, node: cst.Tuple, start: int) -> ast.expr:
    if node.lpar:
        c.at = start + 1  # the parenthesis that belongs to the tuple was just read
    made = ast.Tuple(_elements(c, node.elements), LOAD)
    if node.lpar:
        c.eat(")")
    return _placed(c, made, start)


def _list(c: Cursor, node: cst.List, start: int) -> ast.expr:
    c.eat("[")
    made = ast.List(_elements(c, node.elements), LOAD)
    c.eat("]")
    return _placed(c, made, start)


def _set(c: Cursor, node: cst.Set, start: int) -> ast.expr:
    c.eat("{")
    made = ast.Set(_elements(c, node.elements))
    c.eat("}")
    return _placed(c, made, start)


def _dict(c: Cursor, node: cst.Dict, start: int) -> ast.expr:
    c.eat("{")
    keys: list[ast.expr | None] = []
    values = []
    for element in node.elements:
        if isinstance(element, cst.DictElement):
            keys.append(expr(c, element.key))
            c.eat(":")
        else:
            keys.append(None)
            c.eat("**")
        values.append(expr(c, element.value))
        c.accept(",")
    c.eat("}")
    return _placed(c, ast.Dict(keys, values), start)


def _clauses(c: Cursor, clause: cst.CompFor | None) -> list[ast.comprehension]:
    made = []
    while clause is not None:
        is_async = clause.asynchronous is not None
        if is_async:
            c.eat("async")
        c.eat("for")
        bound = target(c, clause.target)
        c.eat("in")
        source = expr(c, clause.iter)
        tests = []
        for condition in clause.ifs:
            c.eat("if")
            tests.append(expr(c, condition.test))
        made.append(ast.comprehension(bound, source, tests, int(is_async)))
        clause = clause.inner_for_in
    return made


def _list_comp(c: Cursor, node: cst.ListComp, start: int) -> ast.expr:
    c.eat("[")
    element = expr(c, node.elt)
    made = ast.ListComp(element, _clauses(c, node.for_in))
    c.eat("]")
    return _placed(c, made, start)


def _set_comp(c: Cursor, node: cst.SetComp, start: int) -> ast.expr:
    c.eat("{")
    element = expr(c, node.elt)
    made = ast.SetComp(element, _clauses(c, node.for_in))
    c.eat("}")
    return _placed(c, made, start)


def _dict_comp(c: Cursor, node: cst.DictComp, start: int) -> ast.expr:
    c.eat("{")
    key = expr(c, node.key)
    c.eat(":")
    value = expr(c, node.value)
    made = ast.DictComp(key, value, _clauses(c, node.for_in))
    c.eat("}")
    return _placed(c, made, start)


def _generator(c: Cursor, node: cst.GeneratorExp, start: int) -> ast.expr:
    """`start` is the offset of its parenthesis, which for the sole argument of a call is the call's own."""
    c.at = start + 1
    element = expr(c, node.elt)
    made = ast.GeneratorExp(element, _clauses(c, node.for_in))
    c.eat(")")
    return _placed(c, made, start)


def _call(c: Cursor, node: cst.Call, start: int) -> ast.expr:
    function = expr(c, node.func)
    opening = c.eat("(")
    if len(node.args) == 1:
        only = node.args[0].value
        if isinstance(only, cst.GeneratorExp) and not only.lpar:
            return _placed(c, ast.Call(function, [_generator(c, only, opening)], []), start)
    values, keywords = arguments(c, node.args)
    c.eat(")")
    return _placed(c, ast.Call(function, values, keywords), start)


def arguments(c: Cursor, args: Sequence[cst.Arg]) -> tuple[list[ast.expr], list[ast.keyword]]:
    """Positional and keyword arguments of a call or a class."""
    values: list[ast.expr] = []
    keywords: list[ast.keyword] = []
    for arg in args:
        start = c.skip()
        if arg.keyword is not None:
            name = read_name(c, arg.keyword)
            c.eat("=")
            keywords.append(ast.keyword(name, expr(c, arg.value)))
            c.place(keywords[-1], start)
        elif arg.star == "**":
            c.eat("**")
            keywords.append(ast.keyword(None, expr(c, arg.value)))
            c.place(keywords[-1], start)
        elif arg.star == "*":
            c.eat("*")
            values.append(_placed(c, ast.Starred(expr(c, arg.value), LOAD), start))
        else:
            values.append(expr(c, arg.value))
        c.accept(",")
    return values, keywords


def _subscript(c: Cursor, node: cst.Subscript, start: int) -> ast.expr:
    value = expr(c, node.value)
    c.eat("[")
    first = c.skip()
    parts = []
    comma = False
    for element in node.slice:
        parts.append(_slice(c, element.slice))
        comma = c.accept(",")
    index = parts[0]
    if len(parts) > 1 or comma or isinstance(index, ast.Starred):
        index = _placed(c, ast.Tuple(parts, LOAD), first)
    c.eat("]")
    return _placed(c, ast.Subscript(value, index, LOAD), start)


def _slice(c: Cursor, node: cst.BaseSlice) -> ast.expr:
    start = c.skip()
    if isinstance(node, cst.Index):
        if node.star:
            c.eat("*")
            return _placed(c, ast.Starred(expr(c, node.value), LOAD), start)
        return expr(c, node.value)
    assert isinstance(node, cst.Slice)
    lower = expr(c, node.lower) if node.lower is not None else None
    c.eat(":")
    upper = expr(c, node.upper) if node.upper is not None else None
    c.accept(":")
    step = expr(c, node.step) if node.step is not None else None
    return _placed(c, ast.Slice(lower, upper, step), start)


def parameters(c: Cursor, node: cst.Parameters) -> ast.arguments:
    """Parameters of a function or lambda."""
    defaults: list[ast.expr] = []
    positional_only = [_positional(c, p, defaults) for p in node.posonly_params]
    if positional_only:
        c.eat("/")
        c.accept(",")
    positional = [_positional(c, p, defaults) for p in node.params]
    variadic = None
    if isinstance(node.star_arg, cst.Param):
        c.eat("*")
        variadic = _parameter(c, node.star_arg)
        c.accept(",")
    elif isinstance(node.star_arg, cst.ParamStar):
        c.eat("*")
        c.accept(",")
    keyword_defaults: list[ast.expr | None] = []
    keyword_only = []
    for param in node.kwonly_params:
        keyword_only.append(_parameter(c, param))
        keyword_defaults.append(_default(c, param))
        c.accept(",")
    rest = None
    if node.star_kwarg is not None:
        c.eat("**")
        rest = _parameter(c, node.star_kwarg)
        c.accept(",")
    return ast.arguments(
        positional_only,
        positional,
        variadic,
        keyword_only,
        keyword_defaults,
        rest,
        defaults,
    )


def _positional(c: Cursor, param: cst.Param, defaults: list[ast.expr]) -> ast.arg:
    made = _parameter(c, param)
    default = _default(c, param)
    if default is not None:
        defaults.append(default)
    elif defaults:
        raise NotPythonError("a parameter without a default after one with a default", c.line(c.at))
    c.accept(",")
    return made


def _parameter(c: Cursor, param: cst.Param) -> ast.arg:
    start = c.skip()
    name = read_name(c, param.name)
    annotation = None
    if param.annotation is not None:
        c.eat(":")
        annotation = expr(c, param.annotation.annotation)
    made = ast.arg(name, annotation, None)
    c.place(made, start)
    return made


def _default(c: Cursor, param: cst.Param) -> ast.expr | None:
    if param.default is None:
        return None
    c.eat("=")
    return expr(c, param.default)


_LOWER: dict[type, Callable[[Cursor, Any, int], ast.expr]] = {
    cst.Attribute: _attribute,
    cst.Await: _await,
    cst.BinaryOperation: _binary,
    cst.BooleanOperation: _boolean,
    cst.Call: _call,
    cst.Comparison: _comparison,
    cst.ConcatenatedString: _concatenated,
    cst.Dict: _dict,
    cst.DictComp: _dict_comp,
    cst.Ellipsis: _ellipsis,
    cst.Float: _number,
    cst.FormattedString: _formatted,
    cst.GeneratorExp: _generator,
    cst.IfExp: _if_expression,
    cst.Imaginary: _number,
    cst.Integer: _number,
    cst.Lambda: _lambda,
    cst.List: _list,
    cst.ListComp: _list_comp,
    cst.Name: _name,
    cst.NamedExpr: _walrus,
    cst.Set: _set,
    cst.SetComp: _set_comp,
    cst.SimpleString: _simple_string,
    cst.StarredElement: _starred,
    cst.Subscript: _subscript,
    cst.TemplatedString: _template,
    cst.Tuple: _tuple,
    cst.UnaryOperation: _unary,
    cst.Yield: _yield,
}
