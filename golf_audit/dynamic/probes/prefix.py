"""The printed number alone, without the recorder: validation cut short must cost what its part cost.

An extra run has only a part of the validation stream and prints its mean loss. The baseline's losses of the
same targets must give it again: then what the recorder says about them is what the script itself prints when
nothing else is there. Half of the stream is tried. Where the script adapts, a schedule may depend on how much
validation there is (a cosine over its chunks); so the targets that are counted before it adapts for the
second time are tried alone as well: the first adaptation still meets the schedule's beginning. A script that
takes documents in an order of its own and in batches (by length, each with its own adapter) gets those
documents alone that it counts first: half of the stream would make other batches. Their ends are cut so that
they fill whole sequences, since scripts drop the rest, and so that none changes its place by length.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from golf_audit.dynamic.contract import Ending, Outcome, RunResult, Variation, Word
from golf_audit.dynamic.job import LEAVE_OUT, Perturbation
from golf_audit.dynamic.messages import Gradient, Start
from golf_audit.dynamic.miniature.sizes import SEQUENCE
from golf_audit.dynamic.probes.documents import document_starts
from golf_audit.dynamic.probes.lines import Line, lines

SHARE = 0.5
ROUNDING = 5e-7
"""Relative: float32 sums in another order."""
LEAST = 64
"""Targets that a shorter part must hold."""


class Prefix:
    """The first half of the validation stream, and the part that is counted first."""

    name = "prefix"
    shows = "that the recorded losses of a first part are what the script prints when the rest is not there"
    cannot = "be judged where schedules depend on the length of validation: a difference is no violation"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """One run on the first half, and one on the part that is counted first if there is any."""
        targets = _targets(baseline)
        return tuple(
            Variation(f"{self.name} {part.short}", Perturbation(LEAVE_OUT, part.gone(targets)))
            for part in _parts(baseline)
        )

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome for each attested result and part that the short run prints too."""
        outcomes: list[Outcome] = []
        for part, other in zip(_parts(baseline), extra, strict=True):
            if other.ending is not Ending.OK:
                says = f"{part.name}: the short run did not come to its end: {other.reason}"
                outcomes.append(Outcome(self.name, Word.VOID, says))
                continue
            short = {line.name: line for line in lines(other)}
            ours = [line for line in lines(baseline) if line.name in short]
            streams = baseline.tokens, other.tokens
            outcomes += [
                self._line(line, short[line.name], part, streams)
                for line in ours
                if part.in_order or not line.in_order
            ]
        return tuple(outcomes)

    def _line(
        self, line: Line, short: Line, part: Part, streams: tuple[Sequence[int], Sequence[int]]
    ) -> Outcome:
        """The printed mean of the short run against the baseline's losses of the targets that it counts."""
        losses = {p: line.ledger.scores[e].losses[r] for e, r, p in reversed(list(line.members()))}
        window = max(short.counts.window, 1)
        tail, where = part.targets - window, part.places(*streams, window)
        total, number, compared = 0.0, 0, 0
        for event, first, length, times in short.rows:
            positions, own = short.ledger.positions(event), short.ledger.scores[event].losses
            for row in range(first, first + length):
                position = positions[row]
                known = losses.get(where.get(position, -1))
                compared += times * (known is not None)
                total += times * (own[row] if known is None else known)
                number += times
        mean = total / number if number else 0.0
        if short.loss is None:
            says = f"{part.name}: alone no loss is printed"
            return Outcome(self.name, Word.VOID, says, ("T01", "M01", "P03"), line.index)
        printed = short.loss
        figures = (("targets", float(part.targets)), ("recorded mean", mean), ("printed", printed))
        if 2 * compared < min(number, tail):
            word, says = Word.VOID, f"{part.name}: few of its targets are counted in the whole stream"
        elif tail > 0 and abs(mean - printed) <= short.half + ROUNDING * abs(printed):
            word = Word.CLEAN
            says = f"{part.name}: alone the loss is printed as {printed}, as it was recorded"
        elif tail <= 0:
            word, says = Word.VOID, f"{part.name}: shorter than one window"
        else:
            word = Word.VOID
            says = (
                f"{part.name}: alone the loss is printed as {printed}, the recorded losses give {mean:.8f}; "
                "a schedule may depend on the length of validation"
            )
        return Outcome(self.name, word, says, ("T01", "M01", "P03"), line.index, (), figures)


@dataclass(frozen=True)
class Part:
    """A part of the stream that a run has alone: its positions, with the token before the first target."""

    name: str
    kept: Sequence[int]
    in_order: bool = True  # a beginning of the stream

    @property
    def short(self) -> str:
        """For the name of its run."""
        return str(self.targets) if self.in_order else "documents"

    @property
    def targets(self) -> int:
        return len(self.kept) - 1

    def places(self, ours: Sequence[int], theirs: Sequence[int], window: int) -> dict[int, int]:
        """Where its targets lie in the baseline, the next document's BOS by what it follows. In the window
        before an end that the baseline has not, which ends sooner there, the run's own losses count."""
        found = {p: self.kept[p - 1] + 1 for p in range(1, self.targets + 1)}
        told = len(theirs) == len(self.kept)
        ends = [p for p, q in found.items() if told and ours[q] != theirs[p]] + [self.targets]
        return {p: q for p, q in found.items() if ends[bisect_left(ends, p)] - p >= window}

    def gone(self, targets: int) -> tuple[tuple[int, int], ...]:
        """The half-open spans of the stream that the part leaves out."""
        edges = [-1, *self.kept, targets + 1]
        return tuple((a + 1, b) for a, b in pairwise(edges) if b > a + 1)


def _parts(baseline: RunResult) -> list[Part]:
    """The parts that are tried."""
    found = lines(baseline)
    if not found:
        return []
    line, half = found[-1], int(SHARE * _targets(baseline))
    parts = [Part("the first half", range(half + 1))]
    early = _before_second(baseline, line)
    if LEAST <= early < half:
        parts.append(Part(f"the first {early:,} targets", range(early + 1)))
    if not line.in_order:
        parts += _first_documents(baseline, line, half)
    return parts


def _first_documents(baseline: RunResult, line: Line, half: int) -> list[Part]:
    """The documents that are counted first: all their targets before any target of another document. As many
    as half of the stream holds, or the fewest if these are more; none where they are too few or all."""
    starts, targets = document_starts(baseline), _targets(baseline)
    homes = {position: bisect_right(starts, position - 1) - 1 for position in line.counts.first}
    left, begun = Counter(homes.values()), set[int]()
    whole: frozenset[int] = frozenset()
    in_turn = sorted((moment.n, homes[position]) for position, moment in line.counts.first.items())
    for number, ((score, home), (later, _)) in enumerate(pairwise([*in_turn, (-1, -1)]), start=1):
        begun.add(home)
        left[home] -= 1
        if number > half and whole:
            break
        if score != later and not any(left[one] for one in begun):
            whole = frozenset(begun)
    ends = [*starts[1:], targets + 1]
    documents = [(starts[home], ends[home]) for home in sorted(whole)]
    if not LEAST < sum(end - start for start, end in documents) <= targets - LEAST:
        return []
    kept = whole_sequences(documents, targets + 1)
    return [Part(f"the {len(whole)} documents that are counted first", kept, in_order=False)]


def whole_sequences(documents: Sequence[tuple[int, int]], length: int) -> list[int]:
    """The tokens of these documents, as few as possible of their ends left out: the targets fill sequences,
    and documents sorted by length stay in their order. All tokens, where that cannot be."""
    targets = {start: min(end, length - 1) - start for start, end in documents}
    order = sorted(targets, key=lambda start: (targets[start], start))
    for start in list(targets)[-1:]:
        targets[start] = min(targets[start], documents[-1][1] - start - 1)  # no BOS follows the last one
    for start, after in reversed(list(pairwise(order))):
        targets[start] = min(targets[start], targets[after] - (start > after))
    for _ in range(sum(targets.values()) % SEQUENCE):
        least = [1, *(targets[before] + (before > start) for before, start in pairwise(order))]
        cut = next((s for s, n in reversed(list(zip(order, least, strict=True))) if targets[s] > n), None)
        if cut is None:
            return [p for start, end in documents for p in range(start, end)]
        targets[cut] -= 1
    ends = {start: start + targets[start] for start in targets}
    return [*(p for start, end in ends.items() for p in range(start, end)), max(ends.values(), default=0)]


def _before_second(baseline: RunResult, line: Line) -> int:
    """How many targets, all at the beginning, are counted before the second adaptation; 0 where other
    targets are among them or nothing adapts twice."""
    learned = [
        m.n
        for m in baseline.of(Gradient)
        if m.n > line.since and any(p > 0 for p in line.ledger.positions_of(m.event, m.rows))
    ]
    counted = sorted((moment.n, position) for position, moment in line.counts.first.items())
    second = 0
    for before, after in pairwise(learned):
        if bisect_left(counted, (before, 0)) < bisect_left(counted, (after, 0)):
            second = after
            break
    early = sorted(position for n, position in counted if n < second)
    return len(early) if early == list(range(1, len(early) + 1)) else 0


def _targets(baseline: RunResult) -> int:
    return next((m.targets for m in baseline.of(Start)), 0)
