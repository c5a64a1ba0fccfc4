"""Does the evaluation need the training shards? After its beginning they hold other tokens."""

from __future__ import annotations

from collections.abc import Sequence

from golf_audit.dynamic.contract import Ending, Outcome, RunResult, Variation, Word
from golf_audit.dynamic.messages import Read
from golf_audit.dynamic.observed import printed_results
from golf_audit.dynamic.probes.lines import Line
from golf_audit.dynamic.probes.moments import Begin, last_begin


class TrainingData:
    """Shards that are opened after the artifact was read back lead to others of the same size."""

    name = "training data"
    shows = "that a printed number depends on training shards which are read after the artifact"
    cannot = "see tokens that are kept in memory from training, or that native code reads"

    def variations(self, baseline: RunResult) -> Sequence[Variation]:
        """One run where a training shard is opened during the evaluation, else none."""
        found = last_begin(baseline)
        if found is None or not _opened(baseline, *found):
            return ()
        options = found[1].options("exchange")
        return (Variation("training data", exchanged=("train",), options=options),)

    def compare(self, baseline: RunResult, extra: Sequence[RunResult]) -> Sequence[Outcome]:
        """One outcome, on the last attested result."""
        found = last_begin(baseline)
        if found is None:
            return (Outcome(self.name, Word.VOID, "no printed result is attested", ("V03",)),)
        line, at = found
        opened = _opened(baseline, line, at)
        places = tuple(dict.fromkeys(f"{m.site[0]}:{m.site[1]}" for m in opened if m.site[1]))[:5]
        if not extra:
            says = f"no training shard is opened after {at.says}"
            return (Outcome(self.name, Word.CLEAN, says, ("V03",), line.index),)
        word, says = _verdict(baseline, extra[0], line, at)
        return (Outcome(self.name, word, says, ("V03",), line.index, places),)


def _verdict(baseline: RunResult, other: RunResult, line: Line, at: Begin) -> tuple[Word, str]:
    if other.ending is not Ending.OK:
        return Word.VOID, f"with other training shards the run did not come to its end: {other.reason}"
    before, after = _number(baseline, line), _number(other, line)
    if after is None:
        return Word.VOID, "with other training shards the result is not printed"
    if after != before:
        says = f"training shards opened after {at.says} decide the number: with others it is {after}"
        return Word.VIOLATION, f"{says}, not {before}"
    return Word.NOTE, f"training shards are opened after {at.says}; the number does not depend on them"


def _number(result: RunResult, line: Line) -> float | None:
    """What a run prints as that result: the loss, or the bpb where no loss is printed."""
    for printed in reversed(printed_results(result)):
        if printed.final.name == line.name:
            return printed.final.bpb if printed.final.loss is None else printed.final.loss
    return None


def _opened(baseline: RunResult, line: Line, at: Begin) -> list[Read]:
    """Openings of training shards between the beginning of the evaluation and its last score."""
    last = max(line.ledger.scores[event].n for event in line.events)
    return [m for m in baseline.of(Read) if m.stream == "train" and at.n < m.n < last]
