"""Is a mixed probability one of a distribution? One target is scored again as every token of the vocabulary.

Where a script mixes the model's probability with that of a cache or a compressor, and computes it for the
target alone, no whole distribution can be seen. So the run is stopped before one target, and goes on once for
each candidate in its place, after exactly the same past; the candidates' probabilities must sum to one. The
price is one run to the target and a forked rest of a batch for each candidate; what a minute does not reach
is told. The run's files hold another token at the target than the baseline's: the baseline's own token, put
into memory as a candidate, must get the probability that the baseline gave it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from golf_audit.dynamic.contract import Outcome, RunResult, Variation, Word
from golf_audit.dynamic.job import Perturbation
from golf_audit.dynamic.messages import Probe, Score, Start
from golf_audit.dynamic.probes.lines import Line, lines

NAME = "candidates"
TOLERANCE = 2e-3
"""Of the sum. A thousand float32 probabilities sum to one within 1e-5."""
SECONDS = 60.0
"""CPU time of all copies together."""
SAME = 1e-3
"""Nats between the probability of a candidate in memory and from files."""
DEPARTS = 1e-5
"""Nats between the mixed loss and the model's own."""
_FROM, _TO = 0.5, 0.97
"""Where in the stream the target lies: caches are filled, and little is left to run."""


@dataclass(frozen=True)
class Target:
    """The target that is tried: its counted score, and the first score that touches it."""

    position: int
    event: int
    row: int
    first: int
    departs: float  # nats between the loss there and the counted one


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
            ("after_event", target.first - 1),
            ("counted_event", target.event),
            ("counted_row", target.row),
            ("candidate", baseline.tokens[target.position]),
            ("seconds", self.seconds),
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
    ours = baseline.of(Score)[target.event].losses[target.row]
    theirs = told.values[baseline.tokens[target.position]]
    if not abs(ours - theirs) <= SAME:  # nan too
        says = f"the baseline's token has the loss {theirs:.5f} in memory and {ours:.5f} from files"
        return Word.VOID, f"{says}: the script keeps copies that were not found", figures
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
    """The target whose mixed loss departs most from the loss at its first score in this evaluation."""
    targets = next((m.targets for m in baseline.of(Start)), 0)
    first: dict[int, tuple[int, float]] = {}
    for score in line.ledger.scores:
        if score.n > line.since:
            for row, position in enumerate(line.ledger.positions(score.event)):
                first.setdefault(position, (score.event, score.losses[row]))
    best: Target | None = None
    for event, row, position in line.members():
        if event not in mixed or not _FROM * targets < position < _TO * targets:
            continue
        begun, loss = first[position]
        departs = abs(line.ledger.scores[event].losses[row] - loss) if begun != event else math.inf
        if begun > 0 and (best is None or departs > best.departs):
            best = Target(position, event, row, begun, departs)
    return best
