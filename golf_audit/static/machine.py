"""The interpreter's state: what happened, which loops are live, and how values join."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from golf_audit.model import Where
from golf_audit.static.regions import region_of, split_live
from golf_audit.static.values import (
    NONE,
    Alt,
    Atom,
    Blend,
    Bound,
    Cnt,
    Dct,
    Dep,
    Env,
    Fn,
    Grad,
    Ix,
    Lost,
    Lst,
    Marks,
    Obj,
    Out,
    Own,
    Par,
    Part,
    Root,
    Sc,
    Sel,
    Slot,
    Space,
    Taint,
    Text,
    Tok,
    Unk,
    Value,
    capped,
    known,
    union,
)
from golf_audit.timeline import (
    Adapt,
    Calibrate,
    Call,
    Event,
    Fetch,
    Mark,
    Read,
    Region,
    Score,
    Select,
    Stream,
)

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


class Machine:
    """State shared by statements, expressions and calls."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.extents: dict[int, frozenset[Tok]] = {}  # event -> exact extents of its region
        self.printed: list[Printed] = []
        self.gaps: list[tuple[str, Where | None]] = []
        self.roots: list[Root] = []
        self.live: list[Loop] = []
        self.frames: list[Frame] = []
        self.path: list[tuple[str, Where, ast.AST]] = []
        self.conditions: list[str] = []
        self.settings: dict[str, str] = {}
        self.disk: dict[str, Slot] = {}
        self.blends: dict[int, dict[Sc, frozenset[int]]] = {}  # site -> score -> tables it was mixed with
        self.smoothed: set[int] = set()  # blends of the form (count + c * p) / (total + c)
        self.weak = 0
        self.grad = True
        self.steps = 0
        self._numbers = 0
        self._events = 0
        self._made: dict[Any, int] = {}
        self._cuts: dict[Any, int] = {}

    def spend(self) -> None:
        """Count one step."""
        self.steps += 1
        if self.steps > STEP_CAP:
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

    # --- facts -----------------------------------------------------------------------------------------

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

    def cut(self, node: ast.AST) -> int:
        """A number for this slice, reached by this chain of calls; slices written alike are alike."""
        text = ast.unparse(node.slice) if isinstance(node, ast.Subscript) else id(node)
        key = (text, *(id(call) for _, _, call in self.path))
        return self._cuts.setdefault(key, len(self._cuts) + 1)

    # --- events ----------------------------------------------------------------------------------------

    def calls(self) -> tuple[Call, ...]:
        return tuple(Call(name, where) for name, where, _ in self.path)

    def loop_marks(self) -> tuple[Mark, ...]:
        return tuple(Mark(loop.number, frozenset({loop.iteration})) for loop in self.live)

    def next_event(self) -> int:
        self._events += 1
        return self._events

    def _common(self, node: ast.AST) -> dict[str, Any]:
        return {
            "id": self.next_event(),
            "where": self.where(node),
            "path": self.calls(),
            "conditions": tuple(self.conditions),
            "loops": self.loop_marks(),
        }

    def token_extents(self, taint: Taint) -> dict[Stream, frozenset[Tok]]:
        """Extents per stream, only with marks of live loops."""
        live = self.live_numbers()
        found: dict[Stream, set[Tok]] = {}
        for atom in taint:
            if isinstance(atom, Tok):
                kept = Tok(atom.stream, split_live(atom.marks, live), atom.cuts)
                found.setdefault(atom.stream, set()).add(kept)
        return {stream: frozenset(extents) for stream, extents in found.items()}

    def score(self, node: ast.AST, logits: Taint, targets: Taint) -> Taint:
        """Losses of targets are computed; the facts of the result."""
        kept = frozenset(a for a in logits | targets if not isinstance(a, Own))
        extents = self.token_extents(targets).get(Stream.VAL)
        if not extents:
            return kept
        state = frozenset(a.event for a in logits if isinstance(a, Dep))
        tables = frozenset(a.event for a in logits if isinstance(a, Cnt))
        model = ", ".join(sorted({self.root_name(a.root) for a in logits if isinstance(a, Out)}))
        key = (
            "score",
            id(node),
            extents,
            state,
            model,
            tuple(id(c) for _, _, c in self.path),
            self.loop_marks(),
        )
        if key not in self._made:
            event = Score(
                **self._common(node), region=region_of(extents), model=model, state=state, table=tables
            )
            self.events.append(event)
            self.extents[event.id] = extents
            self._made[key] = event.id
        return capped(frozenset(a for a in kept if not isinstance(a, Cnt)) | {Sc(self._made[key])})

    def adapt(self, node: ast.AST, name: str, facts: Taint, kind: str, *, scratch: bool = False) -> Taint:
        """Something changes as a function of tokens: the Dep facts of the events (one per stream)."""
        made: set[Atom] = set()
        for stream, extents in self.token_extents(facts).items():
            if stream in (Stream.VAL_BYTES, Stream.OTHER):
                continue
            key = (
                "adapt",
                id(node),
                name,
                kind,
                extents,
                tuple(id(c) for _, _, c in self.path),
                self.loop_marks(),
            )
            if key not in self._made:
                region = region_of(extents)
                if kind == "statistic":
                    event: Event = Calibrate(**self._common(node), statistic=name, region=region)
                else:
                    event = Adapt(
                        **self._common(node), parameters=name, region=region, kind=kind, scratch=scratch
                    )
                self.events.append(event)
                self.extents[event.id] = extents
                self._made[key] = event.id
            made.add(Dep(self._made[key]))
        return frozenset(made)

    def read(self, node: ast.AST, stream: Stream, pattern: str) -> None:
        """A token stream is opened here (told once per chain of calls)."""
        key = ("read", id(node), stream, pattern, tuple(id(call) for _, _, call in self.path))
        if key not in self._made:
            event = Read(**self._common(node), stream=stream, pattern=pattern)
            self.events.append(event)
            self._made[key] = event.id

    def fetch(self, node: ast.AST, what: str) -> None:
        """Something comes from the network (told once per chain of calls)."""
        key = ("fetch", id(node), tuple(id(call) for _, _, call in self.path))
        if key not in self._made:
            event = Fetch(**self._common(node), what=what)
            self.events.append(event)
            self._made[key] = event.id

    def select(self, node: ast.AST, facts: Taint) -> Taint:
        """One of several scores is kept."""
        among = frozenset(a.event for a in facts if isinstance(a, Sc))
        key = ("select", id(node), among, tuple(id(c) for _, _, c in self.path))
        if key not in self._made:
            extents = frozenset().union(*(self.extents.get(e, frozenset()) for e in among))
            region = region_of(extents) if extents else Region(Stream.VAL)
            event = Select(**self._common(node), among=among, by=region)
            self.events.append(event)
            self._made[key] = event.id
        return frozenset({Sel(self._made[key])})

    def blend(self, node: ast.AST, facts: Taint) -> Taint:
        """A gold probability is mixed with counts of a table."""
        tables = frozenset(a.event for a in facts if isinstance(a, Cnt))
        site = self.cut(node)
        mixed = self.blends.setdefault(site, {})
        for atom in facts:
            if isinstance(atom, Sc):
                mixed[atom] = mixed.get(atom, frozenset()) | tables
        return frozenset({Blend(site)})

    def combined(self, node: ast.AST, taints: list[Taint]) -> Taint:
        """Facts of a sum or choice: where a gold probability meets a table's value, a Blend."""
        found = union(taints)
        if len(taints) < 2 or not any(isinstance(a, Cnt) for a in found):
            return found
        kinds = [{type(a) for a in taint} for taint in taints]
        pairs = [(a, b) for i, a in enumerate(kinds) for j, b in enumerate(kinds) if i != j]
        # a mask may bring counts to the gold side, a gate the score to the other; what is blended is summed
        if any(
            Sc in a and Cnt in b and Blend not in a | b and (Sc not in b or Cnt not in a) for a, b in pairs
        ):
            return found | self.blend(node, found)
        return found

    def lost(self, reason: str, node: ast.AST) -> Taint:
        """A fact: this value passed through something that is not followed."""
        entry = (reason, self.where(node))
        if entry not in self.gaps:
            self.gaps.append(entry)
        return frozenset({Lost(self.gaps.index(entry))})

    def root_name(self, number: int) -> str:
        return next((r.find().name for r in self.roots if r.number == number), "model")

    # --- parameters ------------------------------------------------------------------------------------

    def backward(self, loss: Taint) -> None:
        """Gradients of a loss reach every root that it is differentiable in."""
        reached = {a.root for a in loss if isinstance(a, Par)}
        facts = frozenset(a for a in loss if isinstance(a, (Tok, Dep, Lost)))
        if not reached:
            return
        for root in self.roots:
            if root.number in reached:
                root.find().grad = capped(root.find().grad | facts)

    def update(self, node: ast.AST, root: Root, facts: Taint, *, replace: bool = False) -> None:
        """Parameters of a root change by values with these facts; `replace`: nothing of the old remains."""
        root = root.find()
        kind = "gradient" if any(isinstance(a, (Grad, Sc)) for a in facts) else "statistic"
        events = self.adapt(node, root.name, facts, kind, scratch=root.leaf)
        state = frozenset(a.event for a in facts | events if isinstance(a, Dep))
        extra = frozenset(a for a in facts if isinstance(a, Lost))
        if replace and not self.weak:
            root.state, root.extra = state, extra
        else:
            root.state |= state
            root.extra |= extra

    # --- joining ---------------------------------------------------------------------------------------

    def join(self, a: Value, b: Value, depth: int = 4) -> Value:
        """A value that stands for both."""
        if a is b or (known(a) and known(b) and type(a) is type(b) and a == b):
            return a
        if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b) and depth:
            return tuple(self.join(x, y, depth - 1) for x, y in zip(a, b, strict=True))
        if isinstance(a, Lst) and isinstance(b, Lst) and depth:
            return Lst(None, self.join(self.element(a), self.element(b), depth - 1), a.extra | b.extra)
        if isinstance(a, (Unk, int, float, str)) and isinstance(b, (Unk, int, float, str)):
            return self._join_plain(a, b)
        options: list[Value] = []
        for value in (a, b):
            for option in value.options if isinstance(value, Alt) else (value,):
                if option is not None and not any(option is o for o in options):
                    options.append(option)
        if len(options) == 1:
            return options[0]
        if not options:
            return None
        if any(not isinstance(o, Unk) and not known(o) for o in options):
            return Alt(tuple(options[:4]))
        return Unk(union([self.taint(o) for o in options]))

    def _join_plain(self, a: Value, b: Value) -> Value:
        if isinstance(a, Unk) and isinstance(b, Unk):
            roots = a.roots | b.roots
            same = a.parts if a.parts == b.parts else None
            return Unk(
                capped(a.taint | b.taint),
                a.kind if a.kind == b.kind else "",
                roots,
                a.base or b.base,
                same,
                a.detached and b.detached,
            )
        parts: tuple[str | Taint, ...] | None = None
        if isinstance(a, str) and isinstance(b, str):
            parts = (frozenset(),)
        kind = "number" if not isinstance(a, (str, Unk)) and not isinstance(b, (str, Unk)) else ""
        if isinstance(a, Unk) or isinstance(b, Unk):
            return a if isinstance(a, Unk) and not known(b) else self._lift(a, b)
        return Unk(NONE, kind, parts=parts)

    def _lift(self, a: Value, b: Value) -> Unk:
        unknown = a if isinstance(a, Unk) else b
        return Unk(unknown.taint, unknown.kind, unknown.roots, unknown.base, unknown.parts, unknown.detached)

    def element(self, value: Lst) -> Value:
        """One value that stands for every element."""
        base = value
        extra = value.extra
        while base.base is not None:
            base = base.base
            extra |= base.extra
        found = self.one_of([*(base.items or ()), base.rest])
        return self.marked_value(found, self.marks_of(extra)) if extra else found

    def one_of(self, values: list[Value]) -> Value:
        """One of these values; of tensors an alias of all, so that writing to it reaches each."""
        found: Value = None
        for value in values:
            found = value if found is None else self.join(found, value, 3)
        tensors = [v for v in values if isinstance(v, Unk) and v.kind != "number" and not v.roots]
        if isinstance(found, Unk) and len(tensors) > 1 and found.kind != "number" and found.base is None:
            found.base = tuple(tensors[:40])
        return found

    def marked_value(self, value: Value, marks: Marks, depth: int = 4) -> Value:
        """The value, as selected by an index with these marks."""
        if not marks or depth == 0:
            return value
        if isinstance(value, Unk):
            if value.roots:
                return value
            return Unk(
                self.marked(value.taint, marks), value.kind, value.roots, value, value.parts, value.detached
            )
        if isinstance(value, tuple):
            return tuple(self.marked_value(v, marks, depth - 1) for v in value)
        if isinstance(value, Lst):
            return Lst(None, None, frozenset(Ix(*m) for m in marks), value)
        if isinstance(value, Obj) and value.root is None and not value.kind:
            copy = Obj(value.cls, value.kind)
            copy.attrs = {k: self.marked_value(v, marks, depth - 1) for k, v in value.attrs.items()}
            copy.taint = value.taint
            return copy
        if isinstance(value, Alt):
            return Alt(tuple(self.marked_value(v, marks, depth - 1) for v in value.options))
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return Unk(frozenset(Ix(*m) for m in marks), "number")
        return value

    def join_vars(self, a: dict[str, Value], b: dict[str, Value]) -> dict[str, Value]:
        """Names after a branch that took one side or the other."""
        if a is b:
            return a
        made = dict(a)
        for name, value in b.items():
            if name not in made:
                made[name] = value
            elif made[name] is not value:
                made[name] = self.join(made[name], value)
        return made

    @contextmanager
    def under(self, condition: str) -> Iterator[None]:
        """Everything in here happens only if a test that is not known goes this way."""
        self.weak += 1
        self.conditions.append(condition)
        try:
            yield
        finally:
            self.weak -= 1
            self.conditions.pop()


__all__ = ["Bound", "Machine", "Own", "Space", "Text"]
