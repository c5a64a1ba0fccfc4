"""Reads of the process environment in a tree: os.environ, its relatives, and helper functions around them."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from golf_audit.runconfig.walk import Tree, dotted

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_CONVERTERS = ("int", "float", "bool", "str")
_METHODS = ("strip", "lower", "upper", "split", "expanduser")
"""String methods after which a value is still the variable's own."""


@dataclass(frozen=True)
class Read:
    """One read of the variable `name` (None: the name is computed). `default` is the expression given for an
    unset variable; `kind` what a helper function converts to, "" for a plain read."""

    node: ast.expr
    name: str | None
    default: ast.expr | None
    kind: str = ""


@dataclass(frozen=True)
class Helper:
    """A function of the submission that reads the variable named by one of its arguments."""

    parameters: tuple[str, ...]
    key: str
    default: str | None  # the parameter that gives the default
    fixed: ast.expr | None  # the default when the call does not give one
    kind: str


@dataclass(frozen=True)
class Use:
    """What happens to a read before it is stored: `top` is the outermost expression that holds its value.

    `kind` names the type; `default` replaces the read's own, as in `get("X") or 3`."""

    top: ast.expr
    kind: str
    default: ast.expr | None


def is_environ(node: ast.AST) -> bool:
    """os.environ under any import: os.environ, environ, _os.environ."""
    name = dotted(node)
    return name == "environ" or name.endswith(".environ")


def _is_getter(node: ast.AST, aliases: frozenset[str]) -> bool:
    if isinstance(node, ast.Attribute) and node.attr in ("get", "pop", "setdefault"):
        return is_environ(node.value) or dotted(node.value) in aliases
    name = dotted(node)
    return name == "getenv" or name.endswith(".getenv") or name in aliases


def aliases(nodes: list[ast.AST]) -> frozenset[str]:
    """Names bound to os.environ, os.environ.get or os.getenv themselves: `E = os.environ.get`."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            if is_environ(value) or _is_getter(value, frozenset()):
                found.add(name)
    return frozenset(found)


_Key = tuple[ast.expr, ast.expr | None, str]
"""Name, default and kind of a read."""


class Environment:
    """All reads of one tree, calls of helper functions included; those inside a helper's own body are not."""

    def __init__(self, tree: Tree, nodes: list[ast.AST]) -> None:
        self._tree = tree
        self._aliases = aliases(nodes)
        self._helpers: dict[str, Helper] = {}
        possible = [node for node in nodes if isinstance(node, (ast.Call, ast.Subscript))]
        for _ in range(2):  # a helper may call another helper
            for node in possible:
                self._learn(node)
        found = ((node, self._key(node)) for node in possible)
        self.reads = {node: key for node, key in found if key and not self._belongs_to_helper(node, key[0])}

    def read(self, node: ast.AST) -> Read | None:
        """The read that a node is, None for any other node."""
        if not isinstance(node, (ast.Call, ast.Subscript)) or node not in self.reads:
            return None
        name_node, default, kind = self.reads[node]
        known, name = self._tree.evaluate(name_node)
        return Read(node, name if known and isinstance(name, str) else None, default, kind)

    def _key(self, node: ast.Call | ast.Subscript) -> _Key | None:
        if isinstance(node, ast.Subscript):
            known = is_environ(node.value) or dotted(node.value) in self._aliases
            return (node.slice, None, "") if known and isinstance(node.ctx, ast.Load) else None
        if _is_getter(node.func, self._aliases) and node.args:
            default = node.args[1] if len(node.args) > 1 else _keyword(node, "default")
            return node.args[0], default, ""
        helper = self._helpers.get(dotted(node.func).rsplit(".", 1)[-1])
        if helper is None:
            return None
        name = _argument(node, helper, helper.key)
        default = _argument(node, helper, helper.default) if helper.default else None
        return (name, default or helper.fixed, helper.kind) if name is not None else None

    def _learn(self, node: ast.Call | ast.Subscript) -> None:
        """Register the function around a read whose name is one of the function's parameters."""
        key = self._key(node)
        if key is None or not isinstance(key[0], ast.Name):
            return
        function = self._tree.scope(node)
        if isinstance(function, (ast.Module, ast.ClassDef)):
            return
        name, parameters = _signature(function, self._tree)
        if not name or key[0].id not in parameters:
            return
        default = key[1].id if isinstance(key[1], ast.Name) and key[1].id in parameters else None
        default = default or next((p for p in parameters if p in ("default", "fallback")), None)
        fixed = _parameter_default(function, default) if default else key[1]
        kind = key[2] or _declared_kind(function, name) or use(self._tree, Read(node, None, None)).kind
        self._helpers[name] = Helper(parameters, key[0].id, default, fixed, kind)

    def _belongs_to_helper(self, node: ast.expr, name: ast.expr) -> bool:
        function = self._tree.scope(node)
        if isinstance(function, (ast.Module, ast.ClassDef)) or not isinstance(name, ast.Name):
            return False
        called, parameters = _signature(function, self._tree)
        return called in self._helpers and name.id in parameters


def _parameter_default(function: Function, parameter: str) -> ast.expr | None:
    """The default of a function's own parameter."""
    arguments = function.args
    named = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    given = dict(zip(reversed(named), reversed(arguments.defaults), strict=False))
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    given.update({a.arg: value for a, value in pairs if value is not None})
    return given.get(parameter)


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)


def _argument(call: ast.Call, helper: Helper, parameter: str) -> ast.expr | None:
    index = helper.parameters.index(parameter)
    return call.args[index] if index < len(call.args) else _keyword(call, parameter)


def _signature(
    function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, tree: Tree
) -> tuple[str, tuple[str, ...]]:
    """The name a function is called by and its parameters, `self` left out."""
    names = tuple(a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs))
    names = names[1:] if names[:1] in (("self",), ("cls",)) else names
    if not isinstance(function, ast.Lambda):
        return function.name, names
    bound = tree.parents.get(function)
    if isinstance(bound, ast.Assign) and isinstance(bound.targets[0], ast.Name):
        return bound.targets[0].id, names
    return "", names


def _declared_kind(function: ast.AST, name: str) -> str:
    """The type a helper promises, by its annotation, else by a word in its name: env_int, getenv_flag."""
    returns = dotted(getattr(function, "returns", None) or function)
    if returns in _CONVERTERS:
        return returns
    words = name.lower().split("_")
    return next((k for k in _CONVERTERS if k in words), "bool" if "flag" in words else "")


def use(tree: Tree, read: Read) -> Use:
    """Climb from a read through conversions that keep its value."""
    top, kind, default = read.node, read.kind, read.default
    while True:
        step = _step(tree, top)
        if step is None:
            return Use(top, kind, default)
        top, new_kind, replacement = step
        kind = new_kind or kind
        default = default if replacement is None else replacement


def _step(tree: Tree, node: ast.expr) -> tuple[ast.expr, str, ast.expr | None] | None:
    """(next expression, its kind, a new default) when the parent of a node only converts it."""
    parent = tree.parents.get(node)
    if isinstance(parent, ast.Call) and parent.args[:1] == [node]:
        name = dotted(parent.func).rsplit(".", 1)[-1]
        if name in _CONVERTERS or name == "Path":
            return parent, "str" if name == "Path" else name, None
        if name in ("tuple", "list", "set", "sorted", "frozenset"):
            return parent, "list", None
        if "bool" in name.lower():
            return parent, "bool", None
    if isinstance(parent, ast.Attribute) and parent.attr in (
        "strip",
        "lower",
        "upper",
        "split",
        "expanduser",
    ):
        call = tree.parents.get(parent)
        if isinstance(call, ast.Call) and call.func is parent:
            return call, "list" if parent.attr == "split" else "", None
    if isinstance(parent, ast.Compare) and parent.left is node and len(parent.ops) == 1:
        return (parent, "bool", None) if _against_constants(parent.comparators[0]) else None
    if isinstance(parent, ast.BoolOp) and isinstance(parent.op, ast.Or) and parent.values[0] is node:
        constant = len(parent.values) == 2 and isinstance(parent.values[1], ast.Constant)
        return (parent, "", parent.values[1]) if constant else None
    if isinstance(parent, ast.comprehension) and parent.iter is node:
        whole = tree.parents.get(parent)
        plain = isinstance(whole, (ast.ListComp, ast.GeneratorExp)) and len(whole.generators) == 1
        return (whole, "list", None) if plain and isinstance(whole, ast.expr) else None
    return None


def _against_constants(node: ast.expr) -> bool:
    items = node.elts if isinstance(node, (ast.Tuple, ast.Set, ast.List)) else [node]
    return all(isinstance(item, ast.Constant) for item in items)
