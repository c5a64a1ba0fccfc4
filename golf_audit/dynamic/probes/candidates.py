"""Is a mixed probability one of a distribution? One target is scored again as every token of the vocabulary.

Where a script mixes the model's probability with that of a cache or a compressor, and computes it for the
target alone, no whole distribution can be seen. So the run is stopped before one target, and goes on once for
each candidate in its place, after exactly the same past; the candidates' probabilities must sum to one. As
soon as those tried exceed one in sum, the others can only add to it. The price is one run to the target and a
forked rest of the way for each candidate: it begins with the model's logits where the baseline's token then
gets the baseline's loss, else before the model runs, else before the first pass that meets the target. What
the time does not reach is told.

The run's files hold another token at the target than the baseline's: the baseline's own token, put into
memory as a candidate, must get the probability that the baseline gave it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from golf_audit.dynamic.contract import Outcome, RunResult, Variation, Word
from golf_audit.dynamic.job import Perturbation
from golf_audit.dynamic.messages import Probe, Start
from golf_audit.dynamic.probes.lines import Line, lines

NAME = "candidates"
TOLERANCE = 2e-3
"""Of the sum. A thousand float32 probabilities sum to one within 1e-5."""
ENOUGH = 1.01
"""A sum of some candidates that decides: the others can only add to it."""
SECONDS = 180.0
"""CPU time of all copies together."""
SAME = 1e-3
"""Nats between the probability of a candidate in memory and from files."""
DEPARTS = 1e-5
"""Nats between the mixed loss and the model's own."""
_FROM, _TO = 0.5, 0.97
"""Where in the stream the target lies: caches are filled, and little is left to run."""


@dataclass(frozen=True)
class Target:
    """The target that is tried: its counted score, and the model's own scores of it that led there."""

    position: int
    event: int
    row: int
    loss: float  # the counted one
    first: int  # the model's score before the first mixed one, of an earlier pass perhaps
    last: int  # the model's score before the counted one
    departs: float  # nats between the model's own loss and the counted one

    @property
    def points(self) -> str:
        """Where the run may fork: before the first pass meets the target, before the model's last score of
        it, and when that score's logits are there. The latest that serves is the cheapest."""
        points = (f"after {self.first - 1}", f"after {self.last - 1}", f"at {self.last}")
        return " ".join(dict.fromkeys(points))


class Candidates:
    """The sum over the vocabulary at one target of a mixed score."""

    name = NAME
    shows = "that the probabilities which a mixed score gives to all tokens in one place exceed one in sum"
    cannot = "say it of other targets, or where a cache never speaks in a stream without repeated pairs"

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """A run that forks; none where whole distributions were seen."""
        found = _asked(baseline)
        target = found and _target(found[0], found[1], baseline)
        if not target or target.departs < DEPARTS or target.position >= len(baseline.tokens):
            return ()
        forking = (
            ("position", target.position),
            ("points", target.points),
            ("counted_event", target.event),
            ("counted_row", target.row),
            ("candidate", baseline.tokens[target.position]),
            ("known", target.loss),
            ("same", SAME),
            ("seconds", self.seconds),
            ("enough", ENOUGH),
        )
        change = Perturbation("candidate", ((target.position, target.position + 1),), seed=6)
        return (Variation("candidates", change, options=forking),)

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome on the last attested result; none where whole distributions were seen."""
        found = _asked(baseline)
        if found is None:
            return ()
        line, mixed = found
        target = _target(line, mixed, baseline)
        word, says = Word.VOID, ""
        figures: Figures = ()
        if target is None:
            says = "no target in the second half of the stream has a score before it that a run could stop at"
        elif not extra:
            says = "the mixed loss never departs from the model's own in the miniature: nothing was mixed in"
        else:
            word, says, figures = _verdict(baseline, target, extra[0])
        places = tuple(
            dict.fromkeys(f"{s.site[0]}:{s.site[1]}" for s in line.ledger.scores if s.event in mixed)
        )
        return (Outcome(self.name, word, says, ("Q01",), line.index, places[:5], figures),)


Figures = tuple[tuple[str, float], ...]


def _verdict(baseline: RunResult, target: Target, forked: RunResult) -> tuple[Word, str, Figures]:
    told = next((m for m in forked.of(Probe) if m.name == NAME and m.values), None)
    if told is None:
        return Word.VOID, f"the candidates could not be tried: {forked.reason}", ()
    tried = [math.exp(-loss) for loss in told.values if not math.isnan(loss)]
    total = math.fsum(tried)
    figures = (
        ("position", float(target.position)),
        ("candidates", float(len(tried))),
        ("vocabulary", float(len(told.values))),
        ("sum", total),
    )
    theirs = told.values[baseline.tokens[target.position]]
    if not abs(target.loss - theirs) <= SAME:  # nan too
        says = f"the baseline's token has the loss {theirs:.5f} in memory and {target.loss:.5f} from files"
        return Word.VOID, f"{says}: copies were not found, or an earlier pass had met the target", figures
    whole = len(tried) == len(told.values)
    sums = (
        f"the probabilities of {len(tried):,} of {len(told.values):,} tokens at position {target.position} "
        f"sum to {total:.4f}"
    )
    if total > 1 + TOLERANCE:
        return Word.VIOLATION, f"{sums}: no distribution gives more than 1", figures
    if not whole:
        return Word.VOID, f"{sums}; the others were not reached in time", figures
    if total < 1 - TOLERANCE:
        return Word.NOTE, f"{sums}, less than 1", figures
    return Word.CLEAN, sums, figures


def _asked(baseline: RunResult) -> tuple[Line, frozenset[int]] | None:
    """The last attested result and its scores without a whole distribution, if there are any."""
    found = lines(baseline)
    if not found:
        return None
    scores = (found[-1].ledger.scores[event] for event in found[-1].events)
    mixed = frozenset(s.event for s in scores if s.off is None and not any(s.fingerprints))
    return (found[-1], mixed) if mixed else None


def _target(line: Line, mixed: frozenset[int], baseline: RunResult) -> Target | None:
    """Where the mixed loss departs clearly from the model's own just before, and little lies between; late in
    the stream, since a cache then knows more."""
    targets = next((m.targets for m in baseline.of(Start)), 0)
    ways = _ways(line)
    found: list[Target] = []
    for event, row, position in line.members():
        if event not in mixed or not _FROM * targets < position < _TO * targets:
            continue
        loss = line.ledger.scores[event].losses[row]
        first = next((own for number, own in ways[position] if number <= event), (event, math.nan))
        last = next((own for number, own in reversed(ways[position]) if number <= event), (event, math.nan))
        departs = math.inf if math.isnan(last[1]) else abs(loss - last[1])
        if first[0] > 0:
            found.append(Target(position, event, row, loss, first[0], last[0], departs))
    most = max((t.departs for t in found), default=0.0)
    clear = [t for t in found if t.departs >= most / 2]
    return min(clear, key=lambda t: (t.event - t.last, -t.position), default=None)


def _ways(line: Line) -> dict[int, list[tuple[int, tuple[int, float]]]]:
    """For each position its mixed scores in order, each with the model's score before it and the loss there;
    a mixed score with none before it stands for itself."""
    own: dict[int, tuple[int, float]] = {}
    ways: dict[int, list[tuple[int, tuple[int, float]]]] = defaultdict(list)
    for score in line.ledger.scores:
        whole = any(score.fingerprints)
        for row, position in enumerate(line.ledger.positions(score.event)):
            if whole:
                own[position] = (score.event, score.losses[row])
            elif position > 0 and score.off is None:
                ways[position].append((score.event, own.get(position, (score.event, math.nan))))
    return ways
