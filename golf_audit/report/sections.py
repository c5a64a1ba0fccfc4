"""The order of information in every report for people: failed, disputed, undetermined, then the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from golf_audit.model import Certainty, Evidence, Report, Ruling, Severity, Unmet, Verdict
from golf_audit.outcome import fails, is_open, not_yet_run


@dataclass(frozen=True)
class Sections:
    """The rulings of one report, each in exactly one place.

    In rule order; among those that a reader acts on, advisory rules come last."""

    failed: tuple[Ruling, ...]
    needs_ruling: tuple[Ruling, ...]
    undetermined: tuple[Ruling, ...]
    waived: tuple[Ruling, ...]
    not_yet_run: tuple[Ruling, ...]
    not_applicable: tuple[Ruling, ...]
    holds: tuple[Ruling, ...]

    @property
    def to_settle(self) -> tuple[Ruling, ...]:
        """What a reader has to act on: failed, disputed and undetermined rules."""
        return self.failed + self.needs_ruling + self.undetermined


def sections(report: Report) -> Sections:
    """Sort the rulings of a report into the places where they are printed."""

    def those(verdict: Verdict, waiting: bool = False) -> list[Ruling]:
        those = (r for r in report.rulings if r.verdict is verdict and not r.waived)
        return [r for r in those if not_yet_run(r) is waiting]

    def ranked(rulings: list[Ruling]) -> tuple[Ruling, ...]:
        return tuple(sorted(rulings, key=lambda r: r.rule.severity is Severity.ADVISORY))

    return Sections(
        failed=ranked(those(Verdict.FAIL)),
        needs_ruling=ranked(those(Verdict.NEEDS_RULING)),
        undetermined=ranked(those(Verdict.UNDETERMINED)),
        waived=tuple(r for r in report.rulings if r.waived),
        not_yet_run=tuple(those(Verdict.UNDETERMINED, waiting=True)),
        not_applicable=tuple(those(Verdict.NOT_APPLICABLE)),
        holds=tuple(those(Verdict.PASS)),
    )


def grouped(rulings: Sequence[Ruling]) -> list[list[Ruling]]:
    """Undetermined rulings that lack the same thing and found nothing are one entry."""
    groups: dict[tuple[str, tuple[Unmet, ...]] | str, list[Ruling]] = {}
    for ruling in rulings:
        told = ruling.assessment
        alone = told.findings or told.notes
        groups.setdefault(ruling.rule.id if alone else (ruling.reason, told.unmet), []).append(ruling)
    return list(groups.values())


def notes(ruling: Ruling) -> list[Evidence]:
    """What decides nothing: the notes, then the evidence of findings that are only hints."""
    hints = [f for f in ruling.assessment.findings if f.certainty is Certainty.HINT]
    told = [Evidence(f.evidence[0].kind, f.message, f.evidence[0].where) for f in hints]
    return [*ruling.assessment.notes, *told]


@dataclass(frozen=True)
class Counts:
    """The figures of the last line."""

    failed: int
    open: int
    without_effect: int  # failed, disputed or undetermined, but the exit code does not ask
    crashed: int  # rules of the tool that failed to run
    waived: int = 0  # failed, disputed or undetermined, and let stand by maintainers

    def __str__(self) -> str:
        crashed = f", {self.crashed} crashed" if self.crashed else ""
        rest = f", {self.without_effect} without effect on the exit code" if self.without_effect else ""
        waived = f", {self.waived} waived" if self.waived else ""
        return f"{self.failed} failed, {self.open} open{waived}{crashed}{rest}"


def counts(reports: Sequence[Report], require_run: bool = False) -> Counts:
    """Counted over the rules of all reports."""
    failed = opened = rest = waived = 0
    for report in reports:
        split = sections(report)
        waived += len(split.waived)
        for ruling in (*split.to_settle, *(split.not_yet_run if require_run else ())):
            if fails(ruling):
                failed += 1
            elif is_open(ruling, require_run=require_run):
                opened += 1
            else:
                rest += 1
    return Counts(failed, opened, rest, sum(len(report.crashes) for report in reports), waived)
