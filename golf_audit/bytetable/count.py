"""The bytes that a submission divides by, held against the canonical count for each pair of sample tokens."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations

from golf_audit.bytetable.core import BudgetSpent
from golf_audit.bytetable.files import TableFile, table_files
from golf_audit.bytetable.machine import Division, Machine
from golf_audit.bytetable.samples import SIZE, VOCABULARY, Piece
from golf_audit.bytetable.values import (
    BITS,
    FILE,
    ORIGINS,
    SIDECAR,
    Lanes,
    Opaque,
    Several,
    Total,
    Variable,
    marks_of,
)
from golf_audit.filetree import FileTree
from golf_audit.model import Where
from golf_audit.runconfig import RunConfig
from golf_audit.source import Layer, Sources

_CANONICAL = tuple(
    VOCABULARY[target].bytes_after(VOCABULARY[before]) for target in range(SIZE) for before in range(SIZE)
)
_SCALES = (1.0, math.log(2), 1 / math.log(2))
"""What a denominator may be multiplied by: it is where nats become bits."""


@dataclass(frozen=True)
class Difference:
    """A token after another one, its bytes and what is counted for it."""

    piece: Piece
    before: Piece
    expected: int
    counted: float

    @property
    def occurs(self) -> bool:
        """False when text is never tokenised into such a pair."""
        return self.piece.occurs and self.before.occurs


@dataclass(frozen=True)
class Count:
    """One division by counted bytes. `differences` are empty where the count is canonical.

    `lost` says where the count could not be followed; `sidecar` that bytes come from a file beside the
    tokens; `file` that it is a table read from a file; `constant` is a number of bytes for every token;
    `exact` that no unknown factor was taken for a mask; `ordered` that one index was shown to be the token
    before the other."""

    used: Where
    places: tuple[Where, ...] = ()
    differences: tuple[Difference, ...] = ()
    lost: tuple[str, ...] = ()
    sidecar: bool = False
    file: bool = False
    constant: float | None = None
    exact: bool = True
    ordered: bool = True

    @property
    def bytes(self) -> bool:
        """True when bytes of tokens are known to be in what is divided by."""
        return bool(self.places) or self.sidecar or self.file


@dataclass(frozen=True)
class Counting:
    """All divisions by counted bytes in what is executed. `problem`: why the evaluation is not whole;
    `tables` are the byte tables that the folder ships as files, `loose` the lines that take bytes from a
    table which no division was seen to use."""

    counts: tuple[Count, ...]
    problem: str = ""
    tables: tuple[TableFile, ...] = ()
    loose: tuple[Where, ...] = ()


def count_bytes(tree: FileTree, sources: Sources, config: RunConfig) -> Counting:
    """Evaluate the program of a submission over the sample vocabulary. Executes nothing of it."""
    entry = sources.entry_module.program if sources.entry_module is not None else None
    layers = [x for x in dict.fromkeys((entry, sources.main)) if x is not None and x.parsed.tree is not None]
    if not layers:
        return Counting((), "there is no script that could be read")
    for layer in layers:  # the file that the entry hands over to, where the entry itself divides nothing
        machine, problem = _evaluated(sources, config, layer)
        if machine.divisions:
            break
    found = [count for division in machine.divisions for count in _counts(division, machine.asked > 0)]
    counts = {replace(count, places=()): count for count in reversed(found)}  # each division once
    used = {place for count in found for place in count.places}
    taken = dict.fromkeys(layer.at(line) for layer, line in machine.lookups)
    loose = tuple(where for where in taken if where not in used)
    return Counting(tuple(counts.values()), problem, table_files(tree), loose)


def _evaluated(sources: Sources, config: RunConfig, layer: Layer) -> tuple[Machine, str]:
    machine = Machine(sources, config)
    try:
        machine.run(layer)
    except (BudgetSpent, RecursionError):
        return machine, "the script is too large to be evaluated within its budget"
    return machine, ""


def _counts(division: Division, tokenizer: bool) -> Iterator[Count]:
    """What one division says. `tokenizer`: the script asked one about its pieces."""
    bottom = division.bottom
    used = division.layer.where(division.node)
    for option in bottom.options if isinstance(bottom, Several) else (bottom,):
        marks = marks_of(option)
        lost = tuple(sorted(f"{m.what} (line {m.line})" for m in marks.difference(ORIGINS)))
        count = Count(used, lost=lost, sidecar=SIDECAR in marks, file=FILE in marks)
        if isinstance(option, float):
            yield replace(count, constant=option)
        elif isinstance(option, Opaque):
            if marks - {BITS}:
                yield count
        elif isinstance(option, (Lanes, Total)):
            total = option if isinstance(option, Total) else Total((option,))
            if any(term.counts for term in total.terms):
                if _each_one(total):
                    continue  # tokens under a mask were counted, not bytes
                yield _compared(total, count)
            elif not tokenizer and _each_one(total):
                yield replace(count, constant=1.0)


def _each_one(total: Total) -> bool:
    """True when every token counts one byte, or none: the tokens are bytes."""
    return all(value in (0, 1) for term in total.terms for value in term.values)


def _compared(total: Total, count: Count) -> Count:
    """Terms that are canonical by themselves are set aside; the others are one count together."""
    scale = 1.0 if any(math.isclose(total.scale, s, rel_tol=1e-6) for s in _SCALES) else total.scale
    alone = [_judge((term,), scale) for term in total.terms]
    rest = [term for term, (differences, _) in zip(total.terms, alone, strict=True) if differences]
    terms = tuple(rest) or total.terms
    differences: tuple[Difference, ...] = ()
    verified = all(ordered for _, ordered in alone)
    if rest:
        differences, verified = _judge(terms, scale)
        kinds = {found for found, _ in alone if found}
        if differences and len(kinds) == 1:  # the same wrong count for several parts of the text
            differences = kinds.pop()
    weighted = any(term.weighted for term in terms)
    places = tuple(dict.fromkeys(layer.at(line) for term in terms for layer, line in term.places))
    if any(math.isnan(d.counted) for d in differences):
        lost = (*count.lost, "the count depends on more than two streams of tokens")
        return replace(count, places=places, lost=lost)
    return replace(count, places=places, differences=differences, exact=not weighted, ordered=verified)


def _judge(terms: tuple[Lanes, ...], scale: float) -> tuple[tuple[Difference, ...], bool]:
    """The differences of a sum of terms under the assignment of streams that fits best, and whether that
    assignment was shown: one stream is the other, one token on."""
    variables = tuple(dict.fromkeys(v for term in terms for v in term.variables))
    if not variables:
        return _differences(terms, {}, scale), True
    best: tuple[tuple[Difference, ...], bool] | None = None
    for target, before in _roles(variables):
        found = _differences(terms, {target: 0, **({before: 1} if before is not None else {})}, scale)
        verified = before is None or target.after(before)
        if best is None or (verified, -len(found)) > (best[1], -len(best[0])):
            best = (found, verified)
    assert best is not None
    return best


def _roles(variables: tuple[Variable, ...]) -> Iterator[tuple[Variable, Variable | None]]:
    if len(variables) == 1:
        yield variables[0], None
    else:
        yield from permutations(variables, 2)


def _differences(
    terms: tuple[Lanes, ...], roles: dict[Variable, int], scale: float
) -> tuple[Difference, ...]:
    found = []
    index = 0
    for target in range(SIZE):
        for before in range(SIZE):
            held = (target, before)
            counted = 0.0
            for term in terms:
                if any(v not in roles for v in term.variables):
                    counted = math.nan
                    break
                counted += scale * float(term.at({v: held[roles[v]] for v in term.variables}))
            if counted != _CANONICAL[index]:
                found.append(Difference(VOCABULARY[target], VOCABULARY[before], _CANONICAL[index], counted))
            index += 1
    return tuple(found)
