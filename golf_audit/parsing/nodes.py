"""`ast` node classes that this interpreter may lack: newer syntax parses on Python 3.11 too."""

from __future__ import annotations

import ast
from typing import Any


def _node(name: str, base: type[ast.AST], *fields: str) -> Any:
    """The interpreter's own class, or one of ours with the same name and fields."""
    own = getattr(ast, name, None)
    if own is not None:
        return own
    positions = ("lineno", "col_offset", "end_lineno", "end_col_offset")
    return type(name, (base,), {"_fields": fields, "_attributes": positions, "__match_args__": fields})


TypeAlias = _node("TypeAlias", ast.stmt, "name", "type_params", "value")  # Python 3.12
TypeVar = _node("TypeVar", ast.AST, "name", "bound", "default_value")
ParamSpec = _node("ParamSpec", ast.AST, "name", "default_value")
TypeVarTuple = _node("TypeVarTuple", ast.AST, "name", "default_value")
TemplateStr = _node("TemplateStr", ast.expr, "values")  # Python 3.14
Interpolation = _node("Interpolation", ast.expr, "value", "str", "conversion", "format_spec")

NEWER = (TypeAlias, TypeVar, ParamSpec, TypeVarTuple, TemplateStr, Interpolation)
