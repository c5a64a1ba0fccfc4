"""Facts that a value can depend on. A taint is a set of them; joining only ever makes it larger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from golf_audit.static.places import At
from golf_audit.timeline import Stream

Marks = frozenset[tuple[int, int]]
"""Pairs of (execution of a loop, iteration of it)."""


NO_MARKS: Marks = frozenset()


@dataclass(frozen=True, slots=True)
class Tok:
    """Content of tokens: which stream, indexed in which loop iterations, cut by which slices."""

    stream: Stream
    marks: Marks = NO_MARKS
    cuts: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Ix:
    """A number that varies with a live loop."""

    loop: int
    iteration: int


@dataclass(frozen=True, slots=True)
class Sc:
    """A loss or a probability of targets, from the Score event `event`; `marks` from later indexing."""

    event: int
    marks: Marks = NO_MARKS
    cuts: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Dep:
    """Depends on parameters that an Adapt or Calibrate event changed."""

    event: int


@dataclass(frozen=True, slots=True)
class Par:
    """Differentiable with respect to the parameters of a root."""

    root: int


@dataclass(frozen=True, slots=True)
class Out:
    """Computed by the parameters of a root."""

    root: int


@dataclass(frozen=True, slots=True)
class Own:
    """A copy of the parameters of a root."""

    root: int


@dataclass(frozen=True, slots=True)
class Cnt:
    """Read from a table that an Adapt event of kind "table" wrote at validation tokens; `during`: read while
    the loop that fills it was going on; `column`: a token itself, not a key made of tokens, selected it;
    `single`: one number stands under each key, and nothing was selected from it since."""

    event: int
    during: bool = False
    column: bool = False
    single: bool = False


@dataclass(frozen=True, slots=True)
class Blend:
    """A gold probability was mixed, at this site, with a value read from tables."""

    site: int


@dataclass(frozen=True, slots=True)
class Sel:
    """One of several scores was kept, by a Select event."""

    event: int


@dataclass(frozen=True, slots=True)
class Ord:
    """Taken in another order than it was made in, by a Reorder event."""

    event: int


@dataclass(frozen=True, slots=True)
class Doc:
    """Positions that were found from validation tokens: where documents begin."""


@dataclass(frozen=True, slots=True)
class Grad:
    """Came out of a backward pass."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A log-probability that was divided among the bytes of its token."""


@dataclass(frozen=True, slots=True)
class Tilt:
    """log(1 + q (e^b - 1)): what normalises a distribution of which one id, of probability q, gains b."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Passed through something that could not be followed: an index into the machine's gaps."""

    gap: int


Atom = (
    Tok | At | Ix | Sc | Dep | Par | Out | Own | Cnt | Blend | Sel | Ord | Doc | Grad | Spread | Tilt | Lost
)


Taint = frozenset[Atom]


NONE: Taint = frozenset()


CAP = 400
"""Atoms of one taint; beyond it training tokens' extents are dropped."""


def capped(taint: Taint) -> Taint:
    """Within CAP: positions are forgotten first, then extents of training tokens, then marks of all."""
    if len(taint) <= CAP:
        return taint
    taint = frozenset(a for a in taint if not isinstance(a, At))
    if len(taint) <= CAP:
        return taint
    slim = frozenset(
        Tok(a.stream) if isinstance(a, Tok) and a.stream is not Stream.VAL else a
        for a in taint
        if not isinstance(a, Ix)
    )
    if len(slim) <= CAP:
        return slim
    return frozenset(
        Tok(a.stream) if isinstance(a, Tok) else Sc(a.event) if isinstance(a, Sc) else a for a in slim
    )


def union(taints: Iterable[Taint]) -> Taint:
    """All facts together."""
    return capped(NONE.union(*taints))
