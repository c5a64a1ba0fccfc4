"""Is a printed number the mean of losses that we saw? The ledger answers, not the submission.

A set of rows that a sink names is tried first, then the sinks of one line of code together (scripts that add
up Python numbers batch by batch), then all since the last printed result, then those in which a second pass
takes the place of a first. Exact to the printed digits first;
what differs by the rounding of a float32 sum is attested too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from golf_audit.dynamic.ledger import Ledger, Rows
from golf_audit.dynamic.messages import Sink, Site
from golf_audit.trainlog import Final

ROUNDING = 2e-6
"""Relative: a float32 sum over some thousand losses."""
_PLACES = 2
_SINKS = 4_000
"""Sinks before a line that are tried one by one, the latest first."""


@dataclass(frozen=True)
class Attestation:
    """`rows` gives the printed number again; without such rows `why` says what is missing."""

    attested: bool
    why: str = ""
    rows: Rows = ()


@dataclass(frozen=True)
class Wanted:
    """The printed number and how it comes of losses: their mean, or their sum over the bytes."""

    value: float
    half: float  # half a unit of the last printed digit
    bytes_at: Sequence[int]  # empty: the value is a mean loss


def attest(ledger: Ledger, before: int, final: Final, counted: Sequence[int], since: int) -> Attestation:
    """Find the rows behind a result that was printed by message `before`; `since`: the result before it."""
    sinks = [sink for sink in ledger.sinks if sink.n < before]
    if not sinks:
        return Attestation(False, "no number that a score went into was seen before it")
    goal = wanted(final, counted)
    if goal is None:
        return Attestation(False, "it prints no loss, and the bytes of the miniature's tokens are not known")
    near: Rows | None = None
    for rows in _candidates(ledger, sinks, since):
        found = _value(ledger, rows, goal)
        if found is None:
            continue
        apart = abs(found - goal.value)
        if apart <= goal.half * (1 + 1e-6):
            return Attestation(True, "", rows)
        if near is None and apart <= goal.half + ROUNDING * abs(goal.value):
            near = rows
    if near is not None:
        return Attestation(True, "", near)
    return Attestation(
        False, f"no set of scores that was seen gives {goal.value} again{_computed(sinks, since)}"
    )


def _computed(sinks: Sequence[Sink], since: int) -> str:
    """Where the numbers that scores went into left the tensors, the last places first named."""
    recent = [s.site for s in sinks if s.n > since] or [s.site for s in sinks]
    places = dict.fromkeys(site for site in reversed(recent) if site[1])
    told = [f"{name}, line {line}" for name, line in list(places)[:_PLACES]]
    return f"; the last that scores went into: {' and '.join(told)}" if told else ""


def wanted(final: Final, counted: Sequence[int]) -> Wanted | None:
    """The number that a line prints, as losses give it; None: no loss, and the bytes are not known."""
    if final.loss is not None:
        return Wanted(final.loss, half_of_loss(final), ())
    if not counted:
        return None
    return Wanted(final.bpb, 0.5 * 10.0**-final.decimals, counted)


def half_of_loss(final: Final) -> float:
    """Half a unit of the last printed digit of the loss; the bpb beside it may have others."""
    return 0.5 * 10.0 ** -_decimals(final.text, final.loss or 0.0, final.decimals)


def _decimals(text: str, value: float, otherwise: int) -> int:
    """Printed digits after the point of a value, found again in its line."""
    for match in re.finditer(r"\d+\.(\d+)", text):
        if float(match[0]) == abs(value):
            return len(match[1])
    return otherwise


def _value(ledger: Ledger, rows: Rows, wanted: Wanted) -> float | None:
    total, count = ledger.total(rows)
    if count == 0:
        return None
    if not wanted.bytes_at:
        return total / count
    size = 0
    for event, first, length, times in rows:
        at = ledger.positions(event)[first : first + length]
        size += times * sum(wanted.bytes_at[p] for p in at if 0 < p < len(wanted.bytes_at))
    return total / math.log(2.0) / size if size else None


def _candidates(ledger: Ledger, sinks: Sequence[Sink], since: int) -> Iterator[Rows]:
    recent = list(reversed(sinks))[:_SINKS]
    yield from (sink.rows for sink in recent)
    for window in ([s for s in recent if s.n > since], recent):
        by_site: dict[Site, list[Sink]] = {}
        for sink in window:
            by_site.setdefault(sink.site, []).append(sink)
        groups = [group for group in by_site.values() if len(group) > 1]
        if len(groups) != 1 or len(groups[0]) != len(window):
            groups.append(window)
        for group in groups:
            yield tuple(row for sink in group for row in sink.rows)
    for group in groups:
        yield _first_of_each(ledger, group)
        yield _first_of_each(ledger, list(reversed(group)))
    yield _later_passes(ledger, recent)


def _first_of_each(ledger: Ledger, sinks: Sequence[Sink]) -> Rows:
    """The sinks, one after the other, that count no position which one before them counts: of two passes
    whose later scores take the place of earlier ones, those that are left."""
    taken: set[int] = set()
    rows: list[tuple[int, int, int, int]] = []
    for sink in sinks:
        own = _positions(ledger, sink)
        if taken.isdisjoint(own):
            taken |= own
            rows += sink.rows
    return tuple(rows)


def _later_passes(ledger: Ledger, sinks: Sequence[Sink]) -> Rows:
    """The same where each pass has a line of its own, latest sinks first: within one pass a position may
    count more than once, as the last windows of a stream do."""
    by_site: dict[Site, list[Sink]] = {}
    for sink in sinks:
        by_site.setdefault(sink.site, []).append(sink)
    taken: set[int] = set()
    rows: list[tuple[int, int, int, int]] = []
    for group in by_site.values():
        left = [(sink, own) for sink in group if taken.isdisjoint(own := _positions(ledger, sink))]
        for sink, own in left:
            taken |= own
            rows += sink.rows
    return tuple(rows)


def _positions(ledger: Ledger, sink: Sink) -> set[int]:
    """The positions whose scores went into a number."""
    return {
        p for event, first, length, _ in sink.rows for p in ledger.positions(event)[first : first + length]
    }
