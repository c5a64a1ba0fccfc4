"""What the interpreter computes with: known Python values stay themselves, everything else is one of these.

A taint is the set of facts that an unknown value depends on. Joining only ever makes it larger.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from golf_audit.static.atoms import NONE, Taint, capped
from golf_audit.static.places import At, Form

Value = Any
"""A known constant (int, str, tuple ...) or one of the classes below."""
Args = list[Value]
Keywords = dict[str, Value]


class Root:
    """The parameters of one top-level module, or one leaf tensor. Submodules join their owner's root."""

    def __init__(self, number: int, name: str, *, leaf: bool, loops: tuple[int, ...]) -> None:
        self.number = number
        self.name = name
        self.leaf = leaf
        self.loops = loops
        self.parent: Root | None = None
        self.state: frozenset[int] = frozenset()
        self.grad: Taint = NONE
        self.extra: Taint = NONE  # facts that were assigned into the parameters without an event
        self.hooks: list[Value] = []
        self.renewed: frozenset[tuple[int, int]] = frozenset()  # rounds of loops in which it started anew

    def find(self) -> Root:
        """The root that this one was joined to."""
        root = self
        while root.parent is not None:
            root = root.parent
        return root

    def join(self, other: Root) -> None:
        """`other` becomes part of this root."""
        mine, theirs = self.find(), other.find()
        if mine is theirs:
            return
        theirs.parent = mine
        mine.state |= theirs.state
        mine.grad |= theirs.grad
        mine.extra |= theirs.extra
        mine.hooks += theirs.hooks
        mine.renewed &= theirs.renewed
        mine.leaf = mine.leaf and theirs.leaf


class Unk:
    """An unknown value. `roots`: it is (a view of) these parameters. `base`: it is a view of that tensor, or
    one of those; which is not known.
    `parts`: a text with holes, each hole the taint of what fills it. `form`: as a position in a stream.
    `flat`: it was made with one axis and is still that tensor."""

    __slots__ = ("base", "detached", "flat", "form", "kind", "parts", "roots", "taint")

    def __init__(
        self,
        taint: Taint = NONE,
        kind: str = "",
        roots: frozenset[Root] = frozenset(),
        base: Unk | tuple[Unk, ...] | None = None,
        parts: tuple[str | Taint, ...] | None = None,
        detached: bool = False,
        form: Form | None = None,
    ) -> None:
        self.taint = taint
        self.flat = False
        self.form = form
        self.kind = kind
        self.roots = roots
        self.base = base
        self.parts = parts
        self.detached = detached

    @property
    def text(self) -> str:
        """The text with * for every hole; empty for what is not a text."""
        return "".join(p if isinstance(p, str) else "*" for p in self.parts or ())

    def absorb(self, taint: Taint) -> None:
        """Add facts in place, also to the tensors that this one is a view of."""
        waiting: list[Unk] = [self]
        for _ in range(64):
            if not waiting:
                return
            holder = waiting.pop()
            if not taint <= holder.taint:
                holder.taint = capped(holder.taint | taint)
            if holder.base is not None:
                taint = frozenset(
                    a for a in taint if not isinstance(a, At)
                )  # a view counts from its own start
                waiting += holder.base if isinstance(holder.base, tuple) else (holder.base,)


class Lst:
    """A list or set. `items` while every element is known, else `rest` stands for all of them.
    A view (`base`) adds the marks in `extra` to what is read, and appends to its base.
    `fixed`: a tuple whose length is not known; += makes another one."""

    __slots__ = ("base", "extra", "fixed", "items", "rest")

    def __init__(
        self,
        items: list[Value] | None = None,
        rest: Value = None,
        extra: Taint = NONE,
        base: Lst | None = None,
    ) -> None:
        self.items = items
        self.rest = rest
        self.extra = extra
        self.base = base
        self.fixed = False


class Dct:
    """A dictionary: known keys, and `rest` for values under keys that are not known."""

    __slots__ = ("default", "items", "rest", "taint")

    def __init__(self, items: dict[Any, Value] | None = None, rest: Value = None) -> None:
        self.items: dict[Any, Value] = items if items is not None else {}
        self.rest = rest
        self.taint: Taint = NONE
        self.default: Value = None  # the factory of a defaultdict


class Obj:
    """An instance of a class of the submission, or of a library's class that matters."""

    __slots__ = ("attrs", "cls", "kind", "root", "taint")

    def __init__(self, cls: Value, kind: str = "", root: Root | None = None) -> None:
        self.cls = cls
        self.kind = kind  # "module", "optimizer", "file", "buffer", "parser", "thread" or ""
        self.root = root
        self.attrs: dict[str, Value] = {}
        self.taint: Taint = NONE


class Env:
    """Names of one scope. `vars` is replaced on a fork, so closures see the current side."""

    __slots__ = ("globals", "names", "parent", "vars")

    def __init__(self, parent: Env | None, scope: Env | None = None) -> None:
        self.vars: dict[str, Value] = {}
        self.parent = parent
        self.globals: Env = scope if scope is not None else self
        self.names: dict[str, Env] = {}  # declared global or nonlocal


@dataclass(eq=False)
class Cls:
    """A class of the submission."""

    name: str
    node: ast.ClassDef
    bases: tuple[Value, ...]
    attrs: dict[str, Value]
    fields: tuple[tuple[str, ast.expr | None], ...] | None = None  # of a dataclass
    unit: Any = None

    def lookup(self, name: str, depth: int = 0) -> Value:
        """The attribute in this class or its bases; None when there is none."""
        if name in self.attrs:
            return self.attrs[name]
        for base in self.bases if depth < 12 else ():
            if isinstance(base, Cls):
                found = base.lookup(name, depth + 1)
                if found is not None:
                    return found
        return None

    def libraries(self, depth: int = 0) -> tuple[str, ...]:
        """Dotted names of the library classes that it derives from."""
        found: list[str] = []
        for base in self.bases if depth < 12 else ():
            if isinstance(base, Lib):
                found.append(base.name)
            elif isinstance(base, Cls):
                found += base.libraries(depth + 1)
        return tuple(found)


@dataclass(eq=False)
class Fn:
    """A function of the submission."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    env: Env
    unit: Any
    defaults: tuple[Value, ...] = ()
    kw_defaults: tuple[Value, ...] = ()
    owner: Cls | None = None
    no_grad: bool = False
    native: bool = False
    role: str = ""  # "property", "static", "class"
    yields: bool = False

    @property
    def name(self) -> str:
        return getattr(self.node, "name", "<lambda>")


@dataclass(eq=False)
class Bound:
    """A method with its receiver."""

    receiver: Value
    fn: Fn


@dataclass(eq=False)
class Method:
    """A method of a value that this engine models: receiver and name."""

    receiver: Value
    name: str


@dataclass(frozen=True)
class Lib:
    """A name of a library: torch.nn.functional.cross_entropy."""

    name: str

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]


@dataclass(eq=False)
class Part:
    """functools.partial."""

    fn: Value
    args: tuple[Value, ...]
    keywords: dict[str, Value]


@dataclass(eq=False)
class Super:
    """super() inside a method."""

    receiver: Obj
    cls: Cls


@dataclass(eq=False)
class Space:
    """A module of the submission's folder."""

    name: str
    env: Env


@dataclass(eq=False)
class Alt:
    """One of several values; which is not known."""

    options: tuple[Value, ...]


class Text(str):
    """A pathlib.Path that is known: its text."""

    __slots__ = ()


@dataclass
class Slot:
    """A mutable cell of the virtual disk."""

    value: Value = None
    taint: Taint = field(default=NONE)


NOTHING = "nothing"
"""The kind of an array without elements."""


def known(value: Value) -> bool:
    """True for a constant that Python itself can compute with."""
    return value is None or isinstance(value, (int, float, str, bytes, complex, range, type(Ellipsis)))
