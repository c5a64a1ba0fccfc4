"""Messages of a run -> the observed Timeline, and what stands behind every printed result.

The messages are not believed: a number is attested only when the losses that are said to have reached it give
it again, to its printed digits (research: equal for every honest script tried).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean

from golf_audit.dynamic.attest import Attestation, attest
from golf_audit.dynamic.contract import RunResult
from golf_audit.dynamic.ledger import Ledger
from golf_audit.dynamic.messages import (
    LOOSE,
    Change,
    Gradient,
    Message,
    Print,
    Read,
    Score,
    Site,
    Start,
    Step,
)
from golf_audit.model import Where
from golf_audit.observation import Curve, Result, Spans
from golf_audit.timeline import Adapt, Call, Event, Gap, Origin, Region, Report, Stream, Timeline
from golf_audit.timeline import Read as Opened
from golf_audit.timeline import Score as Scored
from golf_audit.trainlog import Final, results_of

_STREAMS = {"train": Stream.TRAIN, "val": Stream.VAL, "val_bytes": Stream.VAL_BYTES}
_NAMES = 3
_BLOCKS = 256
"""Points of the curve of losses: what a picture can show."""


@dataclass(frozen=True)
class Truth:
    """What our process knows of the miniature, since it wrote it."""

    exempt: frozenset[int]  # positions whose target counts no bytes
    counted: Sequence[int] = ()  # bytes of the target at each position, from 0; empty: not known
    tokens: Sequence[int] = ()


@dataclass(frozen=True)
class Printed:
    """A result that the run printed."""

    index: int
    message: Print
    final: Final


def printed_results(result: RunResult) -> list[Printed]:
    """Every printed result, once: a line that goes to the output and to a log file is one."""
    found: list[Printed] = []
    seen: set[str] = set()
    for index, message in enumerate(result.of(Print)):
        if message.text in seen:
            continue
        for final in results_of(index + 1, message.text):
            seen.add(message.text)
            found.append(Printed(index, message, final))
    return found


def observe(result: RunResult, truth: Truth, script: str) -> tuple[Timeline, tuple[Result, ...]]:
    """The timeline and the printed results of a run. `script` is the file that unpacked layers belong to."""
    ledger = Ledger(result.messages)
    printed = printed_results(result)
    attestations = [
        attest(ledger, p.message.n, p.final, truth.counted, since=_before(printed, p)) for p in printed
    ]
    timeline, reports = _Builder(result.messages, ledger, printed, attestations, script).build()
    targets = next((m.targets for m in result.of(Start)), 0)
    results = [
        _result(p, a, ledger, truth, targets, event)
        for p, a, event in zip(printed, attestations, reports, strict=True)
    ]
    return timeline, tuple(results)


def _before(printed: Sequence[Printed], this: Printed) -> int:
    """The message that printed the result before this one; -1 for the first."""
    return max((p.message.n for p in printed if p.message.n < this.message.n), default=-1)


def _result(
    printed: Printed, attestation: Attestation, ledger: Ledger, truth: Truth, targets: int, event: int
) -> Result:
    bare = Result(
        index=printed.index,
        text=printed.message.text,
        name=printed.final.name,
        event=event,
        attested=attestation.attested,
        why=_why(attestation, printed.message.site),
        targets=targets,
    )
    if not attestation.attested:
        return bare
    counts = ledger.counts(attestation.rows)
    late = {p for p, n in counts.first.items() if ledger.adapted_before(p, n)}
    touched = {p for p, n in counts.first.items() if ledger.touched_before(p, n)}
    counted = {p for p in counts.times if p > 0}
    firsts = sorted(counts.first, key=lambda p: (counts.first[p], p))
    return replace(
        bare,
        rows=counts.rows,
        missing=spans(set(range(1, targets + 1)) - counted),
        repeated=spans(p for p in counted if counts.times[p] > 1),
        window=counts.window,
        rescored=spans(ledger.rescored(attestation.rows)),
        late=spans(late - truth.exempt),
        undone=spans(touched - late - truth.exempt),
        exempt=len(late & truth.exempt),
        inversions=sum(a > b for a, b in pairwise(firsts)),
        losses=counts.digest,
        curve=_curve(counts.loss, targets),
    )


def _curve(loss: Mapping[int, float], targets: int) -> Curve:
    """The mean counted loss of each block of neighbouring positions; None where a block holds no score."""
    block = max(1, -(-targets // _BLOCKS))
    means = []
    for first in range(1, targets + 1, block):
        found = [loss[p] for p in range(first, min(first + block, targets + 1)) if p in loss]
        means.append(round(fmean(found), 6) if found else None)
    return Curve(block, tuple(means))


def _why(attestation: Attestation, site: Site) -> str:
    """Why a number is not attested, and where it is printed."""
    if attestation.attested or not site[1]:
        return attestation.why
    return f"{attestation.why}; it is printed at {site[0]}, line {site[1]}"


def spans(positions: Iterable[int]) -> Spans:
    """Positions as half-open spans, in order."""
    found: list[tuple[int, int]] = []
    for position in sorted(positions):
        if found and found[-1][1] == position:
            found[-1] = (found[-1][0], position + 1)
        else:
            found.append((position, position + 1))
    return tuple(found)


class _Builder:
    """Messages in order -> events. Neighbours of one kind and place become one event."""

    def __init__(
        self,
        messages: Sequence[Message],
        ledger: Ledger,
        printed: Sequence[Printed],
        attestations: Sequence[Attestation],
        script: str,
    ) -> None:
        self._messages, self._ledger, self._script = messages, ledger, script
        self._printed: dict[int, list[int]] = {p.message.n: [] for p in printed}
        for place, p in enumerate(printed):
            self._printed[p.message.n].append(place)
        self._results, self._attestations = printed, attestations
        self._counted: dict[int, set[int]] = {}  # score event -> rows that some result counts
        for attestation in attestations:
            for event, first, length, _ in attestation.rows:
                self._counted.setdefault(event, set()).update(range(first, first + length))
        self._events: list[Event] = []
        self._number_of: dict[int, int] = {}  # score event -> event of the timeline
        self._reports: dict[int, int] = {}  # place of a result -> its Report
        self._since: dict[int, int] = {}  # Adapt -> its first message
        self._pending: set[int] = set()  # positions whose gradients no step has used
        self._into = ""
        self._site: Site = ("", 0)

    def build(self) -> tuple[Timeline, list[int]]:
        """The timeline, and for each result the number of its Report."""
        for message in self._messages:
            if isinstance(message, Read):
                self._read(message)
            elif isinstance(message, Score):
                self._score(message)
            elif isinstance(message, Gradient):
                self._pending.update(self._ledger.positions_of(message.event, message.rows))
                self._into = message.into
                self._site = self._ledger.scores[message.event].site
            elif isinstance(message, Step):
                self._adapt(message.n, message.names, message.site, "gradient")
            elif isinstance(message, Change):
                self._adapt(message.n, message.names, message.site, "assignment")
            elif isinstance(message, Print) and message.n in self._printed:
                self._report(message)
        gaps = tuple(
            Gap(f'"{p.message.text[:60]}": {a.why}', self._where(p.message.site), behind_report=False)
            for p, a in zip(self._results, self._attestations, strict=True)
            if not a.attested
        )
        timeline = Timeline(Origin.OBSERVED, tuple(self._events), gaps)
        return timeline, [self._reports[place] for place in range(len(self._results))]

    def _read(self, message: Read) -> None:
        stream = _STREAMS.get(message.stream)
        if stream is None:
            return
        for event in self._events:
            if isinstance(event, Opened) and (event.stream, event.pattern) == (stream, message.path):
                return
        self._events.append(
            Opened(self._next, self._where(message.site), (), (), (), stream=stream, pattern=message.path)
        )

    def _score(self, message: Score) -> None:
        rows = self._counted.get(message.event)
        if not rows:
            return
        positions = self._ledger.positions(message.event)
        region = Region(Stream.VAL, spans=spans(positions[row] for row in rows if positions[row] > 0))
        where = self._where(message.site)
        last = self._events[-1] if self._events else None
        if isinstance(last, Scored) and last.where == where and last.model == message.model:
            assert last.region.spans is not None and region.spans is not None
            both = _union(last.region.spans, region.spans)
            self._events[-1] = replace(last, region=replace(region, spans=both))
            self._number_of[message.event] = last.id
            return
        state = frozenset(
            e.id for e in self._events if isinstance(e, Adapt) and not self._undone(e, message.model)
        )
        event = Scored(self._next, where, (), (), (), region=region, model=message.model, state=state)
        self._number_of[message.event] = event.id
        self._events.append(event)

    def _undone(self, adapt: Adapt, model: str) -> bool:
        """True when a score had been made with the same parameters and buffers before that adaptation."""
        return not adapt.scratch and self._ledger.first_with[model] < self._since[adapt.id]

    def _adapt(self, number: int, names: Sequence[str], site: Site, kind: str) -> None:
        positions = {p for p in self._pending if p > 0}
        if positions:
            region = Region(Stream.VAL, spans=spans(positions))
        elif kind == "gradient":
            region = Region(Stream.TRAIN, spans=())
        else:
            region = Region(Stream.OTHER, spans=())
        self._pending = set()
        loose = bool(names) and all(name.startswith(LOOSE) for name in names)
        scratch = bool(positions) and (loose or self._into == "scratch")
        # Where the loss is computed says more than the line of the step, which all of training shares.
        where = self._where(self._site if positions and self._site[1] else site)
        adapt = Adapt(
            self._next,
            where,
            (Call("step", self._where(site)),) if site[1] else (),
            (),
            (),
            parameters=_named(names),
            region=region,
            kind=kind,
            scratch=scratch,
        )
        for place in range(len(self._events) - 1, -1, -1):
            earlier = self._events[place]
            if not isinstance(earlier, Adapt):
                break  # between two scores the order of adaptations does not matter
            if _alike(earlier, adapt):
                both = _union(earlier.region.spans or (), region.spans or ())
                self._events[place] = replace(earlier, region=replace(region, spans=both))
                return
        self._since[adapt.id] = number
        self._events.append(adapt)

    def _report(self, message: Print) -> None:
        for place in self._printed[message.n]:
            rows = self._attestations[place].rows
            final = self._results[place].final
            report = Report(
                self._next,
                self._where(message.site),
                (),
                (),
                (),
                tag=final.tag,
                scores=frozenset(self._number_of[event] for event, *_ in rows if event in self._number_of),
                value=final.bpb,
            )
            self._reports[place] = report.id
            self._events.append(report)

    @property
    def _next(self) -> int:
        return len(self._events)

    def _where(self, site: Site) -> Where:
        """A place in the submission; unpacked text belongs to the script it was packed in."""
        name, line = site
        if name.startswith("<layer ") and name[7:-1].isdecimal():
            return Where(self._script, line or None, layer=int(name[7:-1]))
        return Where(name or self._script, line or None)


def _alike(a: Adapt, b: Adapt) -> bool:
    """True for two steps at one line on the loss of one line."""
    same = (a.where, a.path, a.kind, a.scratch) == (b.where, b.path, b.kind, b.scratch)
    return same and a.region.stream is b.region.stream


def _union(a: Spans, b: Spans) -> Spans:
    found: list[tuple[int, int]] = []
    for start, stop in sorted((*a, *b)):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return tuple(found)


def _named(names: Sequence[str]) -> str:
    """Parameters for a sentence: the first few, and how many more."""
    known = [name for name in names if name]
    if not known:
        return "the model"
    more = f" and {len(known) - _NAMES} more" if len(known) > _NAMES else ""
    return ", ".join(known[:_NAMES]) + more
