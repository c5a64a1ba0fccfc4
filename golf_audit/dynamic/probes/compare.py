"""Two runs of one submission, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    twins: Mapping[int, int] | None = None  # the same score in the other run; None: its number

    def twin(self, event: int) -> Score:
        """The other run's score."""
        return self.after.scores[event if self.twins is None else self.twins[event]]

    def comparable(self, event: int, row: int, position: int) -> bool:
        """False for a row of which only the loss was seen, and whose target itself was exchanged."""
        if self.before.scores[event].fingerprints[row] or self.twin(event).fingerprints[row]:
            return True
        return not any(first <= position < end for first, end in self.exchanged)

    def differs(self, event: int, row: int) -> bool:
        """True when the distribution of a row changed; its loss, where no whole distribution was seen."""
        a, b = self.before.scores[event], self.twin(event)
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


def pair(baseline: RunResult, other: RunResult, counting: Sequence[Line] = ()) -> Pair | str:
    """Both runs, or a sentence why their rows cannot be compared.

    Where a cache speaks depends on the tokens, so runs of different tokens may look up and mix other rows on
    the way. With `counting`, only the scores at the lines of code that give those results are set side by
    side; they must be as many and as long."""
    if other.ending is not Ending.OK:
        return f"the extra run did not come to its end: {other.reason}"
    before, after = baseline.of(Score), other.of(Score)
    why, twins = _unlike(before, after), None
    if why and counting:
        sites = {before[event].site for line in counting for event in line.events}
        ours, theirs = ([s for s in scores if s.site in sites] for scores in (before, after))
        if not _unlike(ours, theirs):
            why, twins = "", {a.event: b.event for a, b in zip(ours, theirs, strict=True)}
    if why:
        return why
    exchanged = other.job.perturbation.spans if other.job.perturbation is not None else ()
    return Pair(Ledger(baseline.messages), Ledger(other.messages), exchanged, twins)


def _unlike(before: Sequence[Score], after: Sequence[Score]) -> str:
    """Why two lists of scores are not the same ones; empty when they are."""
    if len(before) != len(after):
        return f"the extra run computed {len(after)} scores, the baseline {len(before)}"
    for a, b in zip(before, after, strict=True):
        if (a.site, len(a.losses), a.scorer) != (b.site, len(b.losses), b.scorer):
            return f"score {a.event} was another one in the extra run"
    return ""


def chosen(line: Line, wanted: Callable[[int, int, int], bool]) -> Iterator[tuple[int, int, int]]:
    """The counted rows of a line for which `wanted(event, row, position)` holds."""
    return (member for member in line.members() if wanted(*member))
