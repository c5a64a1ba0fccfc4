"""What the evaluator knows of a value. Known constants are plain Python objects.

Tokens of the validation text are never known: they are variables. A tensor that depends on them elementwise
is `Lanes`: its element for every assignment of sample tokens to those variables. Shape is not followed.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from golf_audit.bytetable.samples import SIZE
from golf_audit.source import Layer

ALTERNATIVES = 4
"""Values that one name may have where branches meet; more are forgotten."""
VARIABLES = 2
"""Token variables of one elementwise value: the target and the token before it."""


@dataclass(frozen=True)
class Variable:
    """A stream of tokens from a start on: one more `plus` with all else the same is one token further."""

    stream: int
    base: tuple[int, ...] = ()
    plus: int = 0

    def after(self, other: Variable) -> bool:
        """True when this one is shown to hold the token that follows the other's."""
        return (self.stream, self.base, self.plus) == (other.stream, other.base, other.plus + 1)


@dataclass(frozen=True)
class Mark:
    """Something that an unknown value is known to come from: a place and a sentence."""

    what: str
    layer: Layer | None = None
    line: int = 0


SIDECAR = Mark("bytes read from a file beside the tokens")
FILE = Mark("a table read from a file")
BITS = Mark("a loss in bits")
ORIGINS = (SIDECAR, FILE, BITS)
"""Marks that say what a value is; any other one says where a byte count was lost."""


@dataclass(frozen=True, eq=False)
class Opaque:
    """A value that is not known: tokens, losses, models. `added` is a known number added to it, `marks` name
    what matters of its past."""

    variable: Variable
    added: int = 0
    marks: frozenset[Mark] = frozenset()


@dataclass(eq=False)
class Table:
    """A one-dimensional array or tensor with known elements; `fill` where nothing was stored.

    `pieces`: it was filled while the tokenizer was asked. `asked` is how often that had happened before."""

    fill: Any = 0
    items: dict[int, Any] = field(default_factory=dict)
    size: int | None = None
    place: tuple[Layer, int] | None = None
    pieces: bool = False
    asked: int = 0

    def get(self, index: int) -> Any:
        """One element; negative indices count from the end. Raises IndexError."""
        if self.size is not None:
            if not -self.size <= index < self.size:
                raise IndexError(index)
            index %= self.size
        elif index < 0:
            raise IndexError(index)
        return self.items.get(index, self.fill)

    def values(self) -> list[Any]:
        """All elements, of the first `SIZE` ids where the length is not known."""
        return [self.get(i) for i in range(SIZE if self.size is None else min(self.size, 2**18))]

    def copy(self) -> Table:
        return replace(self, items=dict(self.items))


def table(values: Iterable[Any], place: tuple[Layer, int] | None = None, pieces: bool = False) -> Table:
    """A table of known elements."""
    items = dict(enumerate(values))
    return Table(0, items, len(items), place, pieces)


@dataclass(frozen=True, eq=False)
class Lanes:
    """An elementwise function of token variables: `values` in the order of the product of all sample ids.

    `places` are the lines that built and used it, `weighted` that an unknown factor or mask was applied."""

    variables: tuple[Variable, ...]
    values: tuple[Any, ...]
    tables: tuple[Table, ...] = ()
    places: tuple[tuple[Layer, int], ...] = ()
    weighted: bool = False

    @property
    def counts(self) -> bool:
        """True when a table of the tokenizer's pieces is in it."""
        return any(held.pieces for held in self.tables)

    def at(self, assigned: Mapping[Variable, int]) -> Any:
        """The element where the variables hold these ids."""
        index = 0
        for variable in self.variables:
            index = index * SIZE + assigned[variable]
        return self.values[index]


@dataclass(frozen=True, eq=False)
class Total:
    """A sum over tokens: of terms that were each summed once, times `scale`."""

    terms: tuple[Lanes, ...]
    scale: float = 1.0
    marks: frozenset[Mark] = frozenset()


@dataclass(frozen=True, eq=False)
class Several:
    """What a name may hold after branches that could not be decided. Options of one `origin` go together: the
    second of one with the second of the other."""

    options: tuple[Any, ...]
    origin: object = field(default_factory=object)

    def together(self, other: Several) -> bool:
        """True when the options of both come from the same branch."""
        return self.origin is other.origin and len(self.options) == len(other.options)


@dataclass(frozen=True)
class External:
    """A name of an imported library: "torch.zeros"."""

    path: str

    @property
    def last(self) -> str:
        return self.path.rsplit(".", 1)[-1]


@dataclass(frozen=True)
class Tokenizer:
    """A SentencePiece processor; it answers with the sample vocabulary."""


@dataclass(eq=False)
class Scope:
    """Names of one function call, class body or module, over those around it."""

    layer: Layer
    names: dict[str, Any] = field(default_factory=dict)
    around: Scope | None = None
    module: Scope | None = None
    hidden: bool = False  # a class body: methods do not see its names
    outside: dict[str, Scope] = field(default_factory=dict)  # names declared global or nonlocal
    returned: list[tuple[Lanes | None, Any]] = field(default_factory=list)  # under which condition, what

    def find(self, name: str) -> Scope | None:
        """The scope that holds a name."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names and (scope is self or not scope.hidden):
                return scope
            scope = scope.around
        return None


@dataclass(frozen=True, eq=False)
class Function:
    """A function of the submission with the scope that it closes over."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    defaults: Mapping[str, Any] = field(default_factory=dict)
    is_property: bool = False
    is_static: bool = False
    is_class: bool = False


@dataclass(eq=False)
class Class:
    """A class of the submission."""

    node: ast.ClassDef
    names: dict[str, Any]
    bases: tuple[Any, ...] = ()

    def find(self, name: str) -> Any:
        """An attribute of the class or of a base that the submission defines; MISSING without one."""
        if name in self.names:
            return self.names[name]
        for base in self.bases:
            found = base.find(name) if isinstance(base, Class) else MISSING
            if found is not MISSING:
                return found
        return MISSING


@dataclass(eq=False)
class Instance:
    """An object with known attributes; `of` None for a namespace."""

    of: Class | None
    names: dict[str, Any] = field(default_factory=dict)
    order: tuple[str, ...] = ()  # fields of a named tuple


@dataclass(frozen=True, eq=False)
class Bound:
    """A function with its first arguments given: a method, functools.partial."""

    function: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A method of a library's object, taken without calling it: `piece_of = sp.id_to_piece`."""

    name: str


class Items(list[Any]):
    """A list of the submission; `open` when it may hold more or less than what was seen. `pieces` as for
    Table."""

    open: bool = False
    pieces: bool = False
    asked: int = 0


class _Missing:
    """No such name; None is a value."""


MISSING = _Missing()


def marks_of(value: Any, depth: int = 0) -> frozenset[Mark]:
    """The marks of a value and of what it holds."""
    if isinstance(value, (Opaque, Total)):
        return value.marks
    if depth < 3 and isinstance(value, (list, tuple)):
        return frozenset().union(*(marks_of(v, depth + 1) for v in value[:16]))
    if isinstance(value, Several):
        return frozenset().union(*(marks_of(v, depth + 1) for v in value.options))
    return frozenset()


def several(values: Iterable[Any]) -> Any:
    """One value for what several branches left; equal ones count once."""
    options: list[Any] = []
    for value in values:
        for option in value.options if isinstance(value, Several) else (value,):
            if not any(_same(option, other) for other in options):
                options.append(option)
    if len(options) == 1:
        return options[0]
    telling = [o for o in options if not isinstance(o, Opaque) or o.marks]
    plain = [o for o in options if isinstance(o, Opaque) and not o.marks]
    kept = [*telling, *plain[:1]][:ALTERNATIVES]
    return Several(tuple(kept)) if len(kept) > 1 else kept[0]


def each(held: Several, function: Callable[[Any], Any]) -> Any:
    """A function of every option, which stay in their order."""
    return aligned([function(option) for option in held.options], held.origin)


def aligned(results: list[Any], origin: object) -> Any:
    """Results of the options of one origin, as one value."""
    if any(isinstance(result, Several) for result in results):
        return several(results)
    if all(_same(result, results[0]) for result in results):
        return results[0]
    return Several(tuple(results), origin)


def _same(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if isinstance(a, Opaque) and isinstance(b, Opaque):
        return (a.variable, a.added, a.marks) == (b.variable, b.added, b.marks)
    plain = (bool, int, float, str, bytes, type(None), External, Tokenizer)
    return type(a) is type(b) and isinstance(a, plain) and bool(a == b)


def known(value: Any) -> bool:
    """True for a constant that Python itself can compute with."""
    return isinstance(value, (bool, int, float, str, bytes, type(None), range)) or (
        isinstance(value, (list, tuple, set, frozenset, dict)) and not isinstance(value, Several)
    )


def number(value: Any) -> bool:
    """True for a known number."""
    return isinstance(value, (bool, int, float))


# -- elementwise ---------------------------------------------------------------------------------------------


def as_lanes(value: Any) -> Lanes | None:
    """A value as a function of token variables: itself, a constant, or unknown tokens as a variable."""
    if isinstance(value, Lanes):
        return value
    if number(value):
        return Lanes((), (value,))
    if isinstance(value, Opaque):
        return Lanes((value.variable,), tuple(i + value.added for i in range(SIZE)))
    return None


def elementwise(function: Callable[..., Any], *operands: Lanes) -> Lanes | None:
    """Apply a function to each element. None when it depends on too many streams or the function refuses."""
    variables = tuple(dict.fromkeys(v for lanes in operands for v in lanes.variables))
    if len(variables) > VARIABLES:
        return None
    try:
        values = tuple(
            function(*(lanes.at(assigned) for lanes in operands)) for assigned in assignments(variables)
        )
    except (ArithmeticError, TypeError, ValueError, IndexError):
        return None
    return Lanes(
        variables,
        values,
        tuple(dict.fromkeys(t for lanes in operands for t in lanes.tables)),
        tuple(dict.fromkeys(p for lanes in operands for p in lanes.places)),
        any(lanes.weighted for lanes in operands),
    )


def assignments(variables: tuple[Variable, ...]) -> Iterator[dict[Variable, int]]:
    """Every way to give the variables sample tokens, the last one changing fastest."""
    for ids in itertools.product(range(SIZE), repeat=len(variables)):
        yield dict(zip(variables, ids, strict=True))


def lookup(held: Table, index: Lanes, place: tuple[Layer, int]) -> Lanes | None:
    """A table indexed by tokens."""
    found = elementwise(lambda i: _scalar(held.get(int(i))), index)
    if found is None:
        return None
    places = tuple(p for p in (held.place, place) if p is not None)
    return replace(found, tables=(*found.tables, held), places=tuple(dict.fromkeys((*found.places, *places))))


def _scalar(value: Any) -> Any:
    if not isinstance(value, (bool, int, float, str, bytes)):
        raise TypeError("no scalar")
    return value
