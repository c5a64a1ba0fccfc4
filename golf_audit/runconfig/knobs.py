"""What the code takes from outside: environment reads, argparse flags, fields of configuration classes."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from golf_audit.model import Where
from golf_audit.runconfig.environment import Environment, Read, is_environ, use
from golf_audit.runconfig.model import Knob
from golf_audit.runconfig.walk import Scalar, Tree, dotted

Position = Callable[[ast.AST], Where]

_CONFIG_CLASS = re.compile(r"hyper|config|args|param|setting|option|cfg", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_]\w{1,79}")


@dataclass(frozen=True)
class Taken:
    """All that one tree takes. `derived` are attributes that hold something computed: a logged value of
    theirs is not the variable's. `mentioned` is every string that could be a name; `computed` are reads of
    unknown names. `payload`: the text holds a string long enough to be packed code."""

    knobs: tuple[Knob, ...]
    derived: frozenset[str] = frozenset()
    mentioned: frozenset[str] = frozenset()
    computed: tuple[Where, ...] = ()
    payload: bool = False


_SWITCHES = {"store_true": ("False", "True"), "store_false": ("True", "False")}
"""argparse action -> (default, value when the flag is given)."""
PAYLOAD = 4_000
"""Characters of a string literal above which it may be packed code."""
_WRITES = ("value", "default", "")
"""Strongest first: what the code writes stands before any default given at a read."""


def read_knobs(module: ast.Module, where: Position) -> Taken:
    """Everything a module takes from environment, command line and configuration classes.

    The first knob of a name gives its default: writes come first, then attributes, then scattered reads."""
    tree = Tree(module)
    nodes = list(tree.nodes())
    reader = _Reader(tree, Environment(tree, nodes), where)
    for node in nodes:
        reader.visit(node)
    knobs = sorted(reader.knobs, key=lambda k: (_WRITES.index(k.writes), not k.attributes))
    held = {attribute for knob in knobs for attribute in knob.attributes}
    derived = frozenset(reader.derived - held)
    return Taken(tuple(knobs), derived, frozenset(reader.mentioned), tuple(reader.computed), reader.payload)


class _Reader:
    """Collects the knobs of one tree, node by node in source order."""

    def __init__(self, tree: Tree, environment: Environment, where: Position) -> None:
        self.tree = tree
        self.environment = environment
        self.where = where
        self.knobs: list[Knob] = []
        self.derived: set[str] = set()
        self.mentioned: set[str] = set()
        self.computed: list[Where] = []
        self.payload = False
        self._configured = _configuration_classes(tree, environment)

    def visit(self, node: ast.AST) -> None:
        """Take from one node what it gives."""
        read = self.environment.read(node)
        if read is not None:
            self._environment(read)
        elif isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
            self.payload |= len(node.value) > PAYLOAD
            if isinstance(node.value, str) and _NAME.fullmatch(node.value):
                self.mentioned.add(node.value)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            self.tree.bind(node)
            self._written(node)
            self._attribute(node)
        elif isinstance(node, ast.Call):
            self._update(node)
            if isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
                self._flag(node)

    def _environment(self, read: Read) -> None:
        if read.name is None:
            self.computed.append(self.where(read.node))
            return
        called = dotted(read.node.func) if isinstance(read.node, ast.Call) else ""
        default_set = called.endswith("environ.setdefault")
        if default_set and not _unconditional(self.tree, read.node):
            return
        used = use(self.tree, read)
        attributes, flags = self._targets(used.top)
        known, value = self.tree.evaluate(used.default)
        self.knobs.append(
            Knob(
                env=read.name,
                where=self.where(read.node),
                attributes=attributes,
                flags=flags,
                kind=used.kind,
                default=str(value) if known and value is not None else None,
                default_of=None if known else self._stand_in(used.default),
                writes="default" if default_set else "",
            )
        )

    def _stand_in(self, default: ast.expr | None) -> str | None:
        """The name whose value is the default: get("A", b), get("A", str(b)), get("A", get("B", ...))."""
        if isinstance(default, ast.Call) and dotted(default.func) in ("str", "int", "float") and default.args:
            default = default.args[0]
        if default is None:
            return None
        inner = self.environment.read(default)
        return inner.name if inner else dotted(default) or None

    def _targets(self, top: ast.expr) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(attributes, flags) that hold the value of an expression."""
        parent = self.tree.parents.get(top)
        if isinstance(parent, (ast.Assign, ast.AnnAssign)):
            paths = (self._path(target, parent) for target in _stored(parent))
            return tuple(path for path in paths if path), ()
        if isinstance(parent, ast.Tuple):
            return self._unpacked(parent, top), ()
        if isinstance(parent, ast.Dict):
            keys = [key for key, value in zip(parent.keys, parent.values, strict=True) if value is top]
            return tuple(
                k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str)
            ), ()
        if isinstance(parent, ast.Lambda):  # field(default_factory=lambda: ...)
            return self._targets(parent)
        if isinstance(parent, ast.keyword):
            return self._argument(parent)
        return (), ()

    def _unpacked(self, values: ast.Tuple, top: ast.expr) -> tuple[str, ...]:
        """The attribute behind one side of `a, b = x, y`."""
        statement = self.tree.parents.get(values)
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Tuple):
            return ()
        names = statement.targets[0].elts
        index = values.elts.index(top)
        path = self._path(names[index], statement) if index < len(names) == len(values.elts) else ""
        return (path,) if path else ()

    def _argument(self, keyword: ast.keyword) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The attribute behind a keyword of field(), add_argument(), dict() or a configuration class."""
        call = self.tree.parents.get(keyword)
        if not isinstance(call, ast.Call):
            return (), ()
        name = dotted(call.func).rsplit(".", 1)[-1]
        if name == "field" and keyword.arg in ("default", "default_factory"):
            return self._targets(call)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument":
            destination, flags = _flags(call)
            return ((destination,), flags) if keyword.arg == "default" and destination else ((), ())
        if keyword.arg and (name in ("dict", "SimpleNamespace", "Namespace") or name in self._configured):
            return (f"{name}.{keyword.arg}" if name in self._configured else keyword.arg,), ()
        return (), ()

    def _path(self, target: ast.expr, statement: ast.stmt) -> str:
        """The path "Config.lr" for a class attribute or self.lr, "LR" for a module's name, "" for a local."""
        scope = self.tree.scope(statement)
        if isinstance(target, ast.Name):
            if isinstance(scope, ast.ClassDef):
                return f"{scope.name}.{target.id}"
            return target.id if isinstance(scope, ast.Module) else ""
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            owner = self.tree.class_of(statement) if target.value.id == "self" else None
            return f"{owner.name if owner else target.value.id}.{target.attr}"
        return ""

    def _attribute(self, statement: ast.Assign | ast.AnnAssign) -> None:
        """A constant of a configuration class is a knob without a variable; anything computed is derived."""
        owner = self.tree.class_of(statement)
        if owner is None or owner.name not in self._configured or statement.value is None:
            return
        paths = tuple(
            p
            for p in (self._path(t, statement) for t in _stored(statement))
            if p.startswith(f"{owner.name}.")
        )
        known, value = self.tree.evaluate(_default(statement.value))
        if not paths:
            return
        if known and self.tree.scope(statement) is owner:
            kind = type(value).__name__ if value is not None else ""
            self.knobs.append(Knob(None, self.where(statement), paths, kind=kind, default=str(value)))
        else:  # what an environment read holds is taken off this set at the end
            self.derived.update(paths)

    def _flag(self, call: ast.Call) -> None:
        """add_argument("--lr", type=float, default=...)."""
        destination, flags = _flags(call)
        options = {k.arg: k.value for k in call.keywords if k.arg}
        if not destination or not flags:
            return
        known, value = self.tree.evaluate(options.get("default"))
        _, action = self.tree.evaluate(options.get("action"))
        switch = _SWITCHES.get(str(action))
        default = str(value) if known else None
        if not known and "default" not in options:
            default = switch[0] if switch else "None"
        kind = "bool" if switch else dotted(options["type"]) if "type" in options else _kind_of(value)
        self.knobs.append(
            Knob(
                env=None,
                where=self.where(call),
                attributes=(destination,),
                flags=flags,
                kind=kind,
                default=default,
                default_of=self._stand_in(options.get("default")) if not known else None,
                constant=switch[1] if switch else None,
            )
        )

    def _written(self, statement: ast.Assign | ast.AnnAssign) -> None:
        """os.environ["X"] = "1" at the top of a module."""
        for target in _stored(statement):
            if isinstance(target, ast.Subscript) and is_environ(target.value):
                self._set(target.slice, statement.value, statement)

    def _update(self, call: ast.Call) -> None:
        """os.environ.update({"X": "1"}) and os.environ.update(X="1")."""
        function = call.func
        if (
            not isinstance(function, ast.Attribute)
            or function.attr != "update"
            or not is_environ(function.value)
        ):
            return
        for keyword in call.keywords:
            if keyword.arg:
                self._set(ast.Constant(keyword.arg), keyword.value, call)
        for argument in call.args:
            if isinstance(argument, ast.Dict):
                for key, value in zip(argument.keys, argument.values, strict=True):
                    self._set(key, value, call)

    def _set(self, name: ast.expr | None, value: ast.expr | None, node: ast.AST) -> None:
        named, variable = self.tree.evaluate(name)
        known, constant = self.tree.evaluate(value)
        if named and isinstance(variable, str) and known and _unconditional(self.tree, node):
            self.knobs.append(Knob(variable, self.where(node), default=str(constant), writes="value"))


def _configuration_classes(tree: Tree, environment: Environment) -> frozenset[str]:
    """Classes that hold settings: dataclasses, those named so, and those whose body reads the environment."""
    owners = (tree.class_of(node) for node in environment.reads)
    found = {owner.name for owner in owners if owner is not None}
    for node in tree.parents:
        if isinstance(node, ast.ClassDef):
            decorators = (d.func if isinstance(d, ast.Call) else d for d in node.decorator_list)
            if _CONFIG_CLASS.search(node.name) or any(dotted(d).endswith("dataclass") for d in decorators):
                found.add(node.name)
    return frozenset(found)


def _stored(statement: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return statement.targets if isinstance(statement, ast.Assign) else [statement.target]


def _default(value: ast.expr) -> ast.expr:
    """The default inside a dataclass field(...), any other expression as it is."""
    if isinstance(value, ast.Call) and dotted(value.func).rsplit(".", 1)[-1] == "field":
        for keyword in value.keywords:
            if keyword.arg == "default":
                return keyword.value
            if keyword.arg == "default_factory" and isinstance(keyword.value, ast.Lambda):
                return keyword.value.body
    return value


def _flags(call: ast.Call) -> tuple[str, tuple[str, ...]]:
    """(destination, flags) of an add_argument call; ("", ()) for a positional argument."""
    constants = (a.value for a in call.args if isinstance(a, ast.Constant))
    flags = tuple(v for v in constants if isinstance(v, str) and v.startswith("-"))
    named = next((k.value for k in call.keywords if k.arg == "dest"), None)
    if isinstance(named, ast.Constant) and isinstance(named.value, str):
        return named.value, flags
    longest = next((f for f in flags if f.startswith("--")), flags[0] if flags else "")
    return longest.lstrip("-").replace("-", "_"), flags


def _kind_of(value: Scalar) -> str:
    return "" if value is None else type(value).__name__


def _unconditional(tree: Tree, node: ast.AST) -> bool:
    """True at the top of a module, also under `if __name__ == "__main__"`."""
    return all(_always_entered(parent) for parent in _ancestors(tree, node))


def _ancestors(tree: Tree, node: ast.AST) -> Iterator[ast.AST]:
    at = tree.parents.get(node)
    while at is not None:
        yield at
        at = tree.parents.get(at)


def _always_entered(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Compare) and dotted(node.test.left) == "__name__"
    return isinstance(node, (ast.Module, ast.Expr, ast.Assign, ast.AnnAssign, ast.Call, ast.keyword))
