"""Two runs of one submission, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from golf_audit.dynamic.contract import Ending, RunResult
from golf_audit.dynamic.ledger import Ledger
from golf_audit.dynamic.messages import Score
from golf_audit.dynamic.probes.lines import Line

SENSITIVE = 0.95
"""Share of the rows after a change that must change; of a deaf model a clean comparison says nothing."""


@dataclass(frozen=True)
class Change:
    """Rows that should not have changed, and did."""

    compared: int
    changed: tuple[tuple[int, int], ...]  # (position, score event)
    places: tuple[str, ...]  # "file:line" of the scores


@dataclass(frozen=True)
class Pair:
    """The baseline's ledger beside another run's."""

    before: Ledger
    after: Ledger
    exchanged: tuple[tuple[int, int], ...] = ()  # spans of positions whose own token is another one

    def comparable(self, event: int, row: int, position: int) -> bool:
        """False for a row of which only the loss was seen, and whose target itself was exchanged."""
        if self.before.scores[event].fingerprints[row] or self.after.scores[event].fingerprints[row]:
            return True
        return not any(first <= position < end for first, end in self.exchanged)

    def differs(self, event: int, row: int) -> bool:
        """True when the distribution of a row changed; its loss, where no whole distribution was seen."""
        a, b = self.before.scores[event], self.after.scores[event]
        if a.fingerprints[row] or b.fingerprints[row]:
            return a.fingerprints[row] != b.fingerprints[row]
        return a.losses[row] != b.losses[row]

    def changed(self, members: Iterable[tuple[int, int, int]]) -> Change:
        """Compare rows (event, row, position)."""
        compared = 0
        changed: list[tuple[int, int]] = []
        places: dict[str, None] = {}
        for event, row, position in members:
            compared += 1
            if self.differs(event, row):
                changed.append((position, event))
                site = self.before.scores[event].site
                places[f"{site[0]}:{site[1]}"] = None
        return Change(compared, tuple(changed), tuple(places)[:5])


def pair(baseline: RunResult, other: RunResult) -> Pair | str:
    """Both runs, or a sentence why their rows cannot be compared."""
    if other.ending is not Ending.OK:
        return f"the extra run did not come to its end: {other.reason}"
    before, after = baseline.of(Score), other.of(Score)
    if len(before) != len(after):
        return f"the extra run computed {len(after)} scores, the baseline {len(before)}"
    for a, b in zip(before, after, strict=True):
        if (a.site, len(a.losses), a.scorer) != (b.site, len(b.losses), b.scorer):
            return f"score {a.event} was another one in the extra run"
    exchanged = other.job.perturbation.spans if other.job.perturbation is not None else ()
    return Pair(Ledger(baseline.messages), Ledger(other.messages), exchanged)


def chosen(line: Line, wanted: Callable[[int, int, int], bool]) -> Iterator[tuple[int, int, int]]:
    """The counted rows of a line for which `wanted(event, row, position)` holds."""
    return (member for member in line.members() if wanted(*member))
