"""Code as units that can be told again: a function, a class body, a module's own statements.

A unit has two digests. `exact` holds every name but those of its own variables; `loose` leaves out all
names, and `outside` lists those that it takes from around it. Layout, comments, docstrings and annotations
are in neither.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from golf_audit.source import Layer

_BUILTINS = frozenset(dir(builtins))
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_SKIPPED = frozenset({"ctx", "annotation", "returns", "type_comment", "kind", "type_params"})
_IMPORTS = (ast.Import, ast.ImportFrom)
MODULE = "module level"


@dataclass(frozen=True)
class Unit:
    """One function (its nested functions included), or what is left of a class or a module without them."""

    name: str  # "GPT.forward", "class Hyperparameters", "module level"
    exact: str
    loose: str
    outside: tuple[str, ...]
    size: int  # nodes
    bag: Counter[str] = field(compare=False, repr=False)  # attributes, keywords and constants
    layer: Layer = field(compare=False, repr=False)
    nodes: tuple[ast.AST, ...] = field(compare=False, repr=False)

    def holds(self, layer: Layer, line: int) -> bool:
        """True for a line of this unit; of a module or a class, only of its own statements."""
        same = layer.file == self.layer.file and layer.index == self.layer.index
        return same and any(
            getattr(n, "lineno", line + 1) <= line <= (getattr(n, "end_lineno", None) or 0)
            for n in self.nodes
        )


@dataclass(frozen=True)
class Shape:
    """What `Unit` says of any nodes."""

    exact: str
    loose: str
    outside: tuple[str, ...]
    size: int
    bag: Counter[str]


def units(layer: Layer) -> tuple[Unit, ...]:
    """Every unit of a layer, in the order of the text; none where it does not parse."""
    tree = layer.parsed.tree
    if tree is None:
        return ()
    return tuple(_in_body(tree.body, layer, ""))


def _in_body(body: Iterable[ast.stmt], layer: Layer, prefix: str) -> Iterator[Unit]:
    """Functions and classes, also inside if and try; last what is left."""
    rest: list[ast.AST] = []
    waiting = list(reversed(list(body)))
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, _Function):
            yield _unit(f"{prefix}{statement.name}", layer, [statement])
        elif isinstance(statement, ast.ClassDef):
            yield from _in_body(statement.body, layer, f"{prefix}{statement.name}.")
        elif inner := _blocks(statement):
            rest += [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.expr)]
            waiting += reversed(inner)
        elif not isinstance(statement, _IMPORTS) and not _says_nothing(statement):
            rest.append(statement)
    if rest:
        yield _unit(f"class {prefix.rstrip('.')}" if prefix else MODULE, layer, rest)


def _blocks(statement: ast.stmt) -> list[ast.stmt]:
    """The statements inside an if, try or with that defines something; none where nothing is defined in
    it."""
    if not isinstance(statement, (ast.If, ast.Try, ast.With)):
        return []
    inner = [s for s in ast.iter_child_nodes(statement) if isinstance(s, ast.stmt)]
    inner += [s for h in getattr(statement, "handlers", []) for s in h.body]
    return inner if any(isinstance(s, (*_SCOPES, ast.If, ast.Try, ast.With)) for s in inner) else []


def _unit(name: str, layer: Layer, nodes: list[ast.AST]) -> Unit:
    told = shape(nodes, own=None if len(nodes) == 1 and isinstance(nodes[0], _Function) else frozenset())
    return Unit(name, told.exact, told.loose, told.outside, told.size, told.bag, layer, tuple(nodes))


def shape(nodes: Iterable[ast.AST], own: frozenset[str] | None = None) -> Shape:
    """The digests of some nodes. `own` are the names that are theirs; None: whatever they assign."""
    roots = list(nodes)
    mine = _assigned(roots) if own is None else own
    exact, loose = hashlib.sha256(), hashlib.sha256()
    numbers: dict[str, int] = {}
    outside: dict[str, None] = {}
    bag: Counter[str] = Counter()
    size = 0

    def say(strict: str, free: str) -> None:
        exact.update(strict.encode("utf-8", "surrogatepass") + b"\0")
        loose.update(free.encode("utf-8", "surrogatepass") + b"\0")

    stack: list[object] = list(reversed(roots))
    while stack:
        item = stack.pop()
        if isinstance(item, _Name):
            number = f"v{numbers.setdefault(item.text, len(numbers))}"
            if item.text in mine:
                say(number, number)
            elif item.text in _BUILTINS:
                say(item.text, item.text)
            else:
                outside.setdefault(item.text)
                say(item.text, number)
        elif isinstance(item, ast.AST):
            if _says_nothing(item):
                continue
            size += 1
            kind = "Assign" if isinstance(item, ast.AnnAssign) else type(item).__name__
            say(kind, kind)
            stack += reversed(list(_parts(item)))
        elif isinstance(item, _Word):
            bag[item.text] += 1
            say(item.text, item.text)
        else:
            say(str(item), str(item))
    return Shape(exact.hexdigest(), loose.hexdigest(), tuple(outside), size, bag)


@dataclass(frozen=True)
class _Name:
    """An identifier that a renaming may change."""

    text: str


@dataclass(frozen=True)
class _Word:
    """A text that no renaming changes: an attribute, a keyword, a constant."""

    text: str


def _parts(node: ast.AST) -> Iterator[object]:
    """What a node consists of, in order, with the length of every list."""
    if isinstance(node, ast.AnnAssign):
        yield 1
        yield from (node.target, node.value)
        return
    for key, value in ast.iter_fields(node):
        if key in _SKIPPED:
            continue
        if isinstance(value, list):
            kept = [v for v in value if not (isinstance(v, ast.AST) and _says_nothing(v))]
            yield len(kept)
            yield from (_Name(v) if isinstance(v, str) else v for v in kept)
        elif isinstance(value, ast.AST):
            yield value
        elif isinstance(value, str) and _renamable(node, key):
            yield _Name(value)
        elif isinstance(node, ast.Constant):
            yield _Word(f"{type(value).__name__} {value!r}"[:2_000])
        else:
            yield _Word(str(value))


def _renamable(node: ast.AST, key: str) -> bool:
    if isinstance(node, (ast.Name, ast.arg, *_SCOPES, ast.ExceptHandler)):
        return key in ("id", "arg", "name")
    return isinstance(node, ast.alias) and key == "asname"


def _says_nothing(node: object) -> bool:
    """A docstring, `pass`, or a declaration without a value."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass) or (isinstance(node, ast.AnnAssign) and node.value is None)


def _assigned(roots: Iterable[ast.AST]) -> frozenset[str]:
    """Names that the nodes bind: arguments, targets, functions, imports, handlers; not those they call
    global."""
    found: set[str] = set()
    shared: set[str] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, _SCOPES):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.Global):
            shared.update(node.names)
        stack += ast.iter_child_nodes(node)
    return frozenset(found - shared)
