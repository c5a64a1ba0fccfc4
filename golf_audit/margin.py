"""A submission's seeds against the record before it: the numbers that S01 and S02 print."""

from __future__ import annotations

from dataclasses import dataclass

from golf_audit.premises import loss_beside
from golf_audit.records import Record, frontier
from golf_audit.reruns import measured
from golf_audit.stats import README_NATS, Improvement, Sample, Welch, improvement, sample, welch
from golf_audit.submission import Case


@dataclass(frozen=True)
class Margin:
    """The step over the record before, with one-sided Welch tests without and with the 0.005 nats."""

    record: Record
    ours: Sample
    step: Improvement
    any_at_all: Welch | None
    beyond_readme: Welch | None
    asked: float | None  # the bpb that beats the record by the README's 0.005 nats per token

    @property
    def says(self) -> str:
        """The numbers in one sentence, with their units."""
        spread = f", sd {self.ours.sd:.5f}" if self.ours.sd is not None else ""
        better = "better" if self.step.bpb >= 0 else "worse"
        nats = f"{abs(self.step.per_token):.5f} nats per token, " if self.step.per_token is not None else ""
        return (
            f"{self.ours.mean:.5f} over {self.ours.n} seed{'s' * (self.ours.n != 1)}{spread} "
            f"against {self.record.name}'s {self.record.sample.mean:.5f} ({self.record.date}): "
            f"{better} by {abs(self.step.bpb):.5f} bpb, {nats}{abs(self.step.per_byte):.5f} nats per byte"
        )

    @property
    def untested(self) -> str:
        """Why there is no test: a side has one seed, or its seeds have one value."""
        single = [side.n for side in (self.ours, self.record.sample) if side.n < 2]
        return "one seed on a side: no test" if single else "no spread over the seeds: no test"

    def advice(self, otherwise: str) -> str:
        """What would change a ruling: seeds help only a score that is better than the record's."""
        worse = "more seeds do not help a score that is worse; hand it in off the record track"
        return otherwise if self.step.bpb > 0 else worse


def margin(case: Case) -> Margin | None:
    """The margin of a claim; None where it states no score, or where no record came before it."""
    values, record = _values(case), record_before(case)
    if not values or record is None:
        return None
    ours, ratio = sample(values), _loss_per_bpb(case)
    step = improvement(ours.mean, record.sample.mean, ratio)
    least = None if ratio is None else README_NATS / ratio
    beyond = None if least is None else welch(ours, record.sample, least)
    asked = None if least is None else record.sample.mean - least
    return Margin(record, ours, step, welch(ours, record.sample), beyond, asked)


@dataclass(frozen=True)
class Pooled:
    """The claimed seeds and their reruns taken together, as organisers did for #1855."""

    sample: Sample
    any_at_all: Welch | None
    beyond_readme: Welch | None
    entries: tuple[int, ...]  # of the ledger

    def says(self, test: Welch) -> str:
        """The pooled figures of one of the two tests, naming the ledger's entries."""
        entries = ", ".join(str(n) for n in self.entries)
        return (
            f"pooled with {len(self.entries)} reruns (ledger entries {entries}): {self.sample.mean:.5f} over "
            f"{self.sample.n} runs, one-sided Welch p = {test.p:.4f}"
        )


def pooled(case: Case) -> Pooled | None:
    """None without reruns on the rule's hardware and data, or without a record before the claim."""
    reruns, record = measured(case), record_before(case)
    values = _values(case)
    if not reruns or record is None or not values:
        return None
    both = sample([*values, *(run.bpb for run in reruns if run.bpb is not None)])
    ratio = _loss_per_bpb(case)
    beyond = None if ratio is None else welch(both, record.sample, README_NATS / ratio)
    return Pooled(both, welch(both, record.sample), beyond, tuple(run.entry for run in reruns))


def record_before(case: Case) -> Record | None:
    """The record that the submission has to beat; None before the first."""
    head = case.submission.head
    return frontier(case.submission.date, head.pr, head.folder)


def _values(case: Case) -> list[float]:
    """One score per seed: from the logs, else from submission.json, else its single number."""
    claims, support = case.submission.claims, case.submission.support
    logged = {line.run.any_seed: line.final.bpb for line in support.lines}
    if len(logged) > 1 or (logged and len(claims.seeds) < 2):
        return list(logged.values())
    stated = [seed.bpb.value for seed in claims.seeds if seed.bpb is not None]
    if stated:
        return stated
    return [claims.bpb.value] if claims.bpb is not None else []


def _loss_per_bpb(case: Case) -> float | None:
    """val_loss / val_bpb on a claimed line: what turns bits per byte into nats per token."""
    for line in case.submission.support.lines:
        pair = loss_beside(line.run, line.final)
        if pair is not None and pair.loss is not None:
            return pair.loss / pair.bpb
    return None
