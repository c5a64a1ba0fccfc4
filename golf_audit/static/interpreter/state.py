"""The interpreter's state: the values it holds, which loops are live, and what depends on what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from golf_audit.model import Where
from golf_audit.static.atoms import (
    NONE,
    Atom,
    Cnt,
    Dep,
    Ix,
    Lost,
    Marks,
    Out,
    Par,
    Sc,
    Taint,
    Tok,
    capped,
    union,
)
from golf_audit.static.delays import Delay, delays
from golf_audit.static.regions import split_live
from golf_audit.static.values import Alt, Dct, Env, Fn, Lst, Obj, Part, Root, Slot, Unk, Value
from golf_audit.timeline import Call, Event, Mark

STEP_CAP = 1_500_000
"""Expressions and statements looked at in one program; the median program needs 20,000."""


class DeadPathError(Exception):
    """This path ends here: an exception or the end of the program."""


class ProgramEndError(DeadPathError):
    """sys.exit()."""


class OutOfBudgetError(Exception):
    """The program is too long to follow."""


@dataclass
class Loop:
    """One execution of a loop. `counted`: its iterations are known one by one (unrolled)."""

    number: int
    iteration: int = 0
    counted: bool = False
    breaks: list[dict[str, Value]] = field(default_factory=list)
    continues: list[dict[str, Value]] = field(default_factory=list)


@dataclass
class Frame:
    """One call of a function of the submission."""

    env: Env
    unit: Any
    fn: Fn | None = None
    receiver: Value = None
    returns: list[Value] = field(default_factory=list)
    yields: list[Value] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)


@dataclass
class Printed:
    """A text that went out, with the taint of every hole."""

    event: int
    where: Where
    parts: tuple[str | Taint, ...]
    path: tuple[Call, ...]
    conditions: tuple[str, ...]
    loops: tuple[Mark, ...]


MISSING = object()

PURE_ERRORS = (
    TypeError,
    ValueError,
    ZeroDivisionError,
    OverflowError,
    LookupError,
    AttributeError,
    UnicodeError,
)


class State:
    """State shared by statements, expressions and calls."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.extents: dict[int, frozenset[Tok]] = {}  # event -> exact extents of its region
        self.printed: list[Printed] = []
        self.gaps: list[tuple[str, Where | None]] = []
        self.unread: list[tuple[str, Where]] = []  # code that ran and is not known: it can do anything
        self.roots: list[Root] = []
        self.live: list[Loop] = []
        self.frames: list[Frame] = []
        self.path: list[tuple[str, Where, ast.AST]] = []
        self.conditions: list[str] = []
        self.settings: dict[str, str] = {}
        self.disk: dict[str, Slot] = {}
        self.blends: dict[int, dict[Sc, frozenset[Cnt]]] = {}  # site -> score -> tables it was mixed with
        self.consulted: dict[int, bool | None] = {}  # site -> does a key hold the target? None: not told
        self.filled: set[int] = set()  # places that fill a table at tokens
        self.filling: dict[int, frozenset[int]] = {}  # table event -> loops that were live
        self.bytewise: set[int] = set()  # blends of a probability that was divided among bytes
        self.mixes: dict[int, Delay] = {}  # statements that mix each token with the one before it
        self.scanned: dict[int, list[Delay]] = {}  # functions that were looked at for them
        self.holding: dict[int, frozenset[int]] = {}  # site -> tables whose key holds the target
        self.even: dict[int, Where] = {}  # blends with something that every target gets alike
        self.alike: dict[int, Where | None] = {}  # blends with one number per key of the prefix, each time
        self.smoothed: set[int] = set()  # blends of the form (count + c * p) / (total + c)
        self.decided: dict[int, Any] = {}  # if statements, and what decided them: see switches.py
        self.doing: dict[int, frozenset[str]] = {}  # functions, and what they do: see switches.py
        self.looked = 0  # nodes of sides that were not taken
        self.choices: list[tuple[ast.AST, Taint]] = []  # live branches that compare two scores, and by what
        self.raised: ast.Raise | None = None  # the last statement that ended a path
        self.weak = 0
        self._aside: list[list[tuple[Root, frozenset[int], Taint, Taint]]] = []  # per branch that is open
        self.grad = True
        self.steps = 0
        self.step_cap = STEP_CAP
        self._numbers = 0
        self._events = 0
        self._made: dict[Any, int] = {}
        self._cuts: dict[Any, int] = {}

    def delays_in(self, fn: Fn) -> list[Delay]:
        """Statements of a function that mix each token with the one before it."""
        if id(fn.node) not in self.scanned:
            self.scanned[id(fn.node)] = delays(fn.node)
            self.mixes.update({id(found.statement): found for found in self.scanned[id(fn.node)]})
        return self.scanned[id(fn.node)]

    def spend(self) -> None:
        """Count one step."""
        self.steps += 1
        if self.steps > self.step_cap:
            raise OutOfBudgetError

    def number(self) -> int:
        """A fresh number for a loop or a root."""
        self._numbers += 1
        return self._numbers

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    def where(self, node: ast.AST) -> Where:
        """The position of a node of the unit that is being interpreted."""
        found: Where = self.frame.unit.layer.where(node)
        return found

    def new_root(self, name: str, *, leaf: bool) -> Root:
        """Parameters that did not exist before."""
        root = Root(self.number(), name, leaf=leaf, loops=tuple(loop.number for loop in self.live))
        self.roots.append(root)
        return root

    def root_facts(self, root: Root, *, detached: bool = False) -> set[Atom]:
        """What a computation with the parameters of a root depends on."""
        root = root.find()
        found: set[Atom] = {Out(root.number), *(Dep(event) for event in root.state), *root.extra}
        if self.grad and not detached:
            found.add(Par(root.number))
        return found

    def taint(self, value: Value, depth: int = 5) -> Taint:
        """All facts that a value depends on, containers included."""
        if value is None or isinstance(value, (int, float, str, bytes, complex)):
            return NONE
        if isinstance(value, Unk):
            if not value.roots:
                return value.taint
            found: set[Atom] = set(value.taint)
            for root in value.roots:
                found |= self.root_facts(root, detached=value.detached)
            return frozenset(found)
        if depth == 0:
            return NONE
        return self._container(value, depth - 1)

    def _container(self, value: Value, depth: int) -> Taint:
        if isinstance(value, tuple):
            return union([self.taint(v, depth) for v in value])
        if isinstance(value, Lst):
            source: Lst | None = value
            found = [value.extra]
            while source is not None and source.base is not None:
                source = source.base
                found.append(source.extra)
            assert source is not None
            found += [self.taint(v, depth) for v in (source.items or ())]
            return union([*found, self.taint(source.rest, depth)])
        if isinstance(value, Dct):
            inside = [self.taint(v, depth) for v in list(value.items.values())[:200]]
            return union([value.taint, *inside, self.taint(value.rest, depth)])
        if isinstance(value, Obj):
            if value.root is not None:
                return frozenset(self.root_facts(value.root)) | value.taint
            inside = [self.taint(v, min(depth, 2)) for v in list(value.attrs.values())[:60]]
            return union([value.taint, *inside])
        if isinstance(value, Alt):
            return union([self.taint(v, depth) for v in value.options])
        if isinstance(value, Part):
            return union([self.taint(v, depth) for v in value.args])
        return NONE

    def roots_in(self, value: Value, depth: int = 5) -> frozenset[Root]:
        """Roots whose parameters a value holds."""
        if isinstance(value, Unk):
            return frozenset(root.find() for root in value.roots)
        if isinstance(value, Obj) and value.root is not None:
            return frozenset({value.root.find()})
        if depth == 0:
            return frozenset()
        inside: list[Value] = []
        if isinstance(value, tuple):
            inside = list(value)
        elif isinstance(value, Lst):
            inside = [*(value.items or ()), value.rest, value.base]
        elif isinstance(value, Dct):
            inside = [*value.items.values(), value.rest]
        elif isinstance(value, Alt):
            inside = list(value.options)
        return frozenset().union(*(self.roots_in(v, depth - 1) for v in inside))

    def live_numbers(self) -> frozenset[int]:
        return frozenset(loop.number for loop in self.live)

    def marks_of(self, taint: Taint) -> Marks:
        """Iterations of live loops that a number varies with."""
        live = self.live_numbers()
        return frozenset((a.loop, a.iteration) for a in taint if isinstance(a, Ix) and a.loop in live)

    def marked(self, taint: Taint, marks: Marks, cut: int | None = None) -> Taint:
        """The facts about what an index with these marks selects."""
        live = self.live_numbers()
        made: set[Atom] = set()
        for atom in taint:
            if isinstance(atom, Tok):
                cuts = atom.cuts if cut is None else atom.cuts | {cut}
                made.add(Tok(atom.stream, split_live(atom.marks, live) | marks, cuts))
            elif isinstance(atom, Sc):
                cuts = atom.cuts if cut is None else atom.cuts | {cut}
                made.add(Sc(atom.event, split_live(atom.marks, live) | marks, cuts))
            else:
                made.add(atom)
        made.update(Ix(loop, iteration) for loop, iteration in marks)
        return capped(frozenset(made))

    def counts_read(self, taint: Taint) -> Taint:
        """Facts of what is read from a table here: is the loop that fills it still going on?"""
        if not self.filling or not any(isinstance(a, Cnt) for a in taint):
            return taint
        live = self.live_numbers()
        return frozenset(
            replace(a, during=True) if isinstance(a, Cnt) and self.filling.get(a.event, NONE) & live else a
            for a in taint
        )

    def cut(self, node: ast.AST) -> int:
        """A number for this slice, reached by this chain of calls; slices written alike are alike."""
        text = ast.unparse(node.slice) if isinstance(node, ast.Subscript) else id(node)
        key = (text, *(id(call) for _, _, call in self.path))
        return self._cuts.setdefault(key, len(self._cuts) + 1)

    def calls(self) -> tuple[Call, ...]:
        return tuple(Call(name, where) for name, where, _ in self.path)

    def loop_marks(self) -> tuple[Mark, ...]:
        return tuple(Mark(loop.number, frozenset({loop.iteration})) for loop in self.live)

    def lost(self, reason: str, node: ast.AST) -> Taint:
        """A fact: this value passed through something that is not followed."""
        entry = (reason, self.where(node))
        if entry not in self.gaps:
            self.gaps.append(entry)
        return frozenset({Lost(self.gaps.index(entry))})

    def root_name(self, number: int) -> str:
        return next((r.find().name for r in self.roots if r.number == number), "model")

    @contextmanager
    def under(self, condition: str) -> Iterator[None]:
        """Everything in here happens only if a test that is not known goes this way."""
        self.weak += 1
        self.conditions.append(condition)
        self._aside.append([])
        try:
            yield
        finally:
            self.weak -= 1
            self.conditions.pop()
            for held, state, grad, extra in self._aside.pop():
                root = held.find()
                root.state |= state
                root.grad, root.extra = capped(root.grad | grad), root.extra | extra

    def forgetting(self, root: Root) -> Root:
        """The root, before what it holds is replaced: after a branch that may not be taken, both can be."""
        root = root.find()
        if self._aside:
            self._aside[-1].append((root, root.state, root.grad, root.extra))
        return root
