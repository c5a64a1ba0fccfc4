"""Two processes share the evaluation: is every target counted once over both?

The real run has eight ranks and the miniature one. The same script under two ranks, in a gloo group, must
count each target once over the ranks together, and its printed number must be the mean of what both counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from golf_audit.dynamic.attest import ROUNDING, half_of_loss
from golf_audit.dynamic.contract import Ending, Outcome, RunResult, Variation, Word
from golf_audit.dynamic.ledger import Ledger, Rows
from golf_audit.dynamic.messages import Message, Sink, Site, Start
from golf_audit.dynamic.observed import Printed, printed_results
from golf_audit.dynamic.probes.lines import Line, lines

SECONDS = 480.0
"""CPU time of both processes."""


class Ranks:
    """The run with two ranks, where the script reads RANK or WORLD_SIZE."""

    name = "two ranks"
    shows = "that over two ranks together each target is counted once in the printed number, or is not"
    cannot = "show what eight ranks do, nor which rank learned first where ranks do not wait for each other"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """One run with two processes."""
        if not baseline.job.ranked or not lines(baseline):
            return ()
        return (Variation("two ranks", ranks=2, seconds=SECONDS),)

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome, on the last attested result; none for a script that knows no ranks."""
        if not extra:
            return ()
        line, both = lines(baseline)[-1], extra[0]
        if both.ending is not Ending.OK or len(both.others) != 1:
            says = f"the run with two ranks did not come to its end: {both.reason}"
            return (Outcome(self.name, Word.VOID, says, ("P01",), line.index),)
        printed = next((p for p in reversed(printed_results(both)) if p.final.name == line.name), None)
        if printed is None or printed.final.loss is None:
            says = "with two ranks the result is not printed with its loss"
            return (Outcome(self.name, Word.VOID, says, ("P01",), line.index),)
        return (self._counted(baseline, both, line, printed),)

    def _counted(self, baseline: RunResult, both: RunResult, line: Line, printed: Printed) -> Outcome:
        found = shared(both, printed)
        rules = ("P01",)
        if found is None:
            says = f"{printed.final.loss} is the mean of no scores that were seen on both ranks together"
            return Outcome(self.name, Word.VOID, says, rules, line.index)
        targets = next((m.targets for m in baseline.of(Start)), 0)
        times = found.times()
        often = {times.get(p, 0) for p in range(1, targets + 1)}
        twice = sum(n > 1 for p, n in times.items() if p > 0)
        missing = targets - sum(p > 0 for p in times)
        same = "the same" if found.same_weights else "different"
        figures = (
            ("rows of rank 0", float(found.numbers[0])),
            ("rows of rank 1", float(found.numbers[1])),
            ("printed", float(printed.final.loss or 0.0)),
            ("printed by one rank", float(line.loss or 0.0)),
        )
        tail = f"; at the last score both ranks hold {same} weights"
        if often == {1}:
            word, says = Word.CLEAN, f"each of {targets:,} targets is counted once over both ranks"
        elif len(often) == 1:
            word, says = Word.NOTE, f"both ranks count all targets: each {often.pop()} times in the mean"
        else:
            most = 2 * max(line.counts.window, 1)
            word = Word.NOTE if max(twice, missing) <= most else Word.VIOLATION
            says = f"over both ranks {twice:,} targets are counted more than once and {missing:,} not at all"
        return Outcome(self.name, word, says + tail, rules, line.index, (), figures)


@dataclass(frozen=True)
class Shared:
    """The rows behind a number, rank by rank."""

    ledgers: tuple[Ledger, Ledger]
    rows: tuple[Rows, Rows]

    @property
    def numbers(self) -> tuple[int, int]:
        """How many rows each rank counted."""
        first, second = (sum(length * n for _, _, length, n in rows) for rows in self.rows)
        return first, second

    @property
    def same_weights(self) -> bool:
        """Whether both ranks had the same parameters and buffers when they scored last."""
        last = [ledger.scores[-1].model for ledger in self.ledgers if ledger.scores]
        return len(last) == 2 and last[0] == last[1]

    def times(self) -> dict[int, int]:
        """How often each position is counted over both."""
        found: dict[int, int] = {}
        for ledger, rows in zip(self.ledgers, self.rows, strict=True):
            for position, times in ledger.counts(rows).times.items():
                found[position] = found.get(position, 0) + times
        return found

    def mean(self) -> float | None:
        """The mean loss over both."""
        sums = [ledger.total(rows) for ledger, rows in zip(self.ledgers, self.rows, strict=True)]
        number = sum(count for _, count in sums)
        return sum(total for total, _ in sums) / number if number else None


def shared(both: RunResult, printed: Printed) -> Shared | None:
    """The sums that left both ranks at one place before the print and give its number together."""
    loss = printed.final.loss
    assert loss is not None
    half = half_of_loss(printed.final)
    ledgers = Ledger(both.messages), Ledger(both.others[0])
    ours = _by_site(both.messages, printed.message.n)
    theirs = _by_site(both.others[0], None)
    for rows in _pairs(ours, theirs):
        found = Shared(ledgers, rows)
        mean = found.mean()
        if mean is not None and abs(mean - loss) <= half * (1 + 1e-6) + ROUNDING * abs(loss):
            return found
    return None


def _by_site(messages: Sequence[Message], before: int | None) -> dict[Site, list[Sink]]:
    found: dict[Site, list[Sink]] = {}
    for message in messages:
        if isinstance(message, Sink) and (before is None or message.n < before):
            found.setdefault(message.site, []).append(message)
    return found


def _pairs(ours: dict[Site, list[Sink]], theirs: dict[Site, list[Sink]]) -> Iterator[tuple[Rows, Rows]]:
    """Rows of one sink of each rank, the latest first; then of all sinks of a place together."""
    for site, sinks in reversed(ours.items()):
        others = theirs.get(site, [])
        for at in range(min(len(sinks), len(others)) - 1, -1, -1)[:50]:
            yield sinks[at].rows, others[at].rows
    for site, sinks in ours.items():
        yield _all(sinks), _all(theirs.get(site, []))


def _all(sinks: Sequence[Sink]) -> Rows:
    return tuple(row for sink in sinks for row in sink.rows)
