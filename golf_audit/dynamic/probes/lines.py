"""The printed results of a run whose number is attested, and the rows behind each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from golf_audit.dynamic.attest import attest, half_of_loss
from golf_audit.dynamic.contract import RunResult
from golf_audit.dynamic.ledger import Counts, Ledger, Rows
from golf_audit.dynamic.observed import printed_results


@dataclass(frozen=True)
class Line:
    """One attested result. `index` among all Print messages, as outcomes name it."""

    index: int
    text: str
    rows: Rows
    ledger: Ledger
    loss: float | None = None  # as printed
    half: float = 0.0  # half a unit of the last printed digit of the loss
    bpb: float = 0.0  # as printed
    name: str = ""  # as trainlog normalises tags
    since: int = -1  # the message that printed the result before it
    half_of_bpb: float = 0.0  # half a unit of the last printed digit of the bpb

    @cached_property
    def counts(self) -> Counts:
        """How often each position is counted, and where first."""
        return self.ledger.counts(self.rows)

    @cached_property
    def in_order(self) -> bool:
        """True when positions are counted in the order of the stream."""
        moments = [self.counts.first[p] for p in sorted(self.counts.first)]
        return not any(b < a for a, b in pairwise(moments))

    @cached_property
    def events(self) -> tuple[int, ...]:
        """Score events that count positions, in order."""
        return tuple(sorted({row[0] for row in self.rows}))

    def members(self) -> Iterator[tuple[int, int, int]]:
        """(event, row, position) of every counted row that is a validation target."""
        for event, first, length, _ in self.rows:
            positions = self.ledger.positions(event)
            for row in range(first, first + length):
                if positions[row] > 0:
                    yield event, row, positions[row]


def lines(result: RunResult) -> tuple[Line, ...]:
    """The attested results, each set of rows once, in the order of printing."""
    ledger = Ledger(result.messages)
    found: dict[Rows, Line] = {}
    last = -1
    for printed in printed_results(result):
        since = last
        said = attest(ledger, printed.message.n, printed.final, result.counted, since=since)
        last = printed.message.n
        if said.attested and said.rows not in found:
            found[said.rows] = Line(
                printed.index,
                printed.message.text,
                said.rows,
                ledger,
                printed.final.loss,
                half_of_loss(printed.final),
                printed.final.bpb,
                printed.final.name,
                since,
                0.5 * 10.0**-printed.final.decimals,
            )
    return tuple(found.values())
