"""What stands under the heading of a ruling, as labelled rows; every text is escaped here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from golf_audit.fingerprint import decisive
from golf_audit.model import Evidence, Finding, Report, Ruling, Where
from golf_audit.report import ancestry, words
from golf_audit.report.escape import QUOTE_CAP, terminal
from golf_audit.report.sections import notes

EVIDENCE_CAP = 6
"""Pieces of evidence of one finding without --verbose."""


@dataclass(frozen=True)
class Row:
    """One row: a label, what it says, the position that shows it, and the line found there."""

    label: str
    says: str
    at: str = ""
    quote: str = ""


def ruling_rows(report: Report, ruling: Ruling, verbose: bool) -> Iterator[Row]:
    """The demand, the findings with law and evidence, precedents, what to change, where to read more.

    The first finding in full; the others in a row each, unless `verbose`."""
    yield Row("demand", terminal(ruling.rule.title))
    for index, finding in enumerate(words.judged(ruling)):
        if index == 0 or verbose:
            yield from _finding(ruling, finding, verbose)
        else:
            where = decisive(finding)
            yield Row("also", terminal(finding.message), at(where) if where else "")
    yield from (Row("waived", terminal(line)) for line in words.waivers(ruling))
    yield from (Row("parent", terminal(told)) for told in ancestry.told_of_ruling(report, ruling))
    found = words.precedents_of(ruling)
    if found:
        yield Row("precedent", terminal(found))
    yield from (Row("to change", terminal(change)) for change in words.changes(ruling))
    yield from supply_rows(ruling)
    yield from (evidence_row(note, "note") for note in notes(ruling))
    yield Row("more", f"golf-audit explain {submission_argument(report)} {ruling.rule.id}")


def parent_rows(report: Report, verbose: bool) -> Iterator[Row]:
    """What --parent found, a row each."""
    for told in ancestry.told(report, verbose):
        quote = terminal(told.where.quote, QUOTE_CAP) if told.where else ""
        yield Row(told.label, terminal(told.says), at(told.where) if told.where else "", quote)


def supply_rows(ruling: Ruling) -> Iterator[Row]:
    """What is missing and the command that would supply it."""
    yield from (Row("missing", terminal(what)) for what in words.missing(ruling))
    yield from (Row("supply", terminal(what)) for what in words.supply(ruling))


def evidence_row(evidence: Evidence, label: str = "") -> Row:
    """One piece of evidence, labelled by its kind unless another label is given."""
    where, name = evidence.where, label or words.label(evidence.kind)
    if where is None:
        return Row(name, terminal(evidence.says))
    return Row(name, terminal(evidence.says), at(where), terminal(where.quote, QUOTE_CAP))


def at(where: Where) -> str:
    """A position for a terminal."""
    return terminal(words.position(where))


def submission_argument(report: Report) -> str:
    """How to name the submission in a command."""
    if report.head.pr is not None:
        return f"--repo CLONE --pr {report.head.pr}"
    return f"--repo CLONE --ref {terminal(report.head.commit[:12])}" if report.head.commit else "FOLDER"


def _finding(ruling: Ruling, finding: Finding, verbose: bool) -> Iterator[Row]:
    if not ruling.reason.startswith(finding.message):
        yield Row("finding", terminal(finding.message))
    yield from _evidence(finding, verbose)
    own, *others = words.laws(ruling.rule, finding)
    yield Row("law", f"{terminal(own)}: {terminal(finding.law.says)}")
    yield from (Row("law", terminal(other)) for other in others)


def _evidence(finding: Finding, verbose: bool) -> Iterator[Row]:
    """The evidence, without a computed figure that only repeats the message."""
    told: Sequence[Evidence] = [e for e in finding.evidence if e.where or e.says != finding.message]
    shown = told if verbose else told[:EVIDENCE_CAP]
    yield from (evidence_row(e) for e in shown)
    if len(told) > len(shown):
        yield Row("", f"and {len(told) - len(shown)} more (--verbose lists them)")
