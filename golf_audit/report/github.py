"""Annotations on the lines of a pull request, as GitHub workflow commands.

GitHub shows ten errors, ten warnings and ten notices of a step and drops the rest without a word. So the
worst come first, and where there are more than ten of a level the tenth names the rules of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from golf_audit.fingerprint import decisive
from golf_audit.model import Certainty, Finding, Report, Ruling, Verdict, Where
from golf_audit.outcome import fails, is_open, verdict
from golf_audit.report import words
from golf_audit.report.escape import QUOTE_CAP, annotation, attribute, terminal
from golf_audit.report.sections import counts, grouped, sections

PER_LEVEL = 10
"""Annotations of one level that GitHub shows per step."""
LEVELS = ("error", "warning", "notice")


@dataclass(frozen=True)
class Annotation:
    """One workflow command before it is encoded. `file` is empty when nothing can be opened."""

    level: str
    rules: tuple[str, ...]
    title: str
    body: Sequence[str]
    file: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        properties = {"file": self.file, "line": self.line, "col": self.column, "title": self.title}
        told = ",".join(f"{key}={attribute(str(value))}" for key, value in properties.items() if value)
        return f"::{self.level} {told}::{annotation(self.body)}"


def render(reports: Sequence[Report], *, require_run: bool = False) -> str:
    """The annotations of all reports, worst first, and one plain line per report."""
    found = [a for report in reports for a in _of(report, require_run)]
    lines = []
    for level in LEVELS:
        lines += [str(a) for a in capped([a for a in found if a.level == level])]
    for report in reports:
        word = verdict(report, require_run=require_run).upper()
        line = f"golf-audit: {word} {terminal(words.name(report))}: {counts([report], require_run)}"
        lines.append(line)
    if not reports:
        lines.append("golf-audit: no submission in this pull request")
    return "\n".join(lines) + "\n"


def capped(found: list[Annotation]) -> list[Annotation]:
    """Ten of one level at most, the tenth naming the rules of the others."""
    if len(found) <= PER_LEVEL:
        return found
    kept, rest = found[: PER_LEVEL - 1], found[PER_LEVEL - 1 :]
    rules = tuple(dict.fromkeys(rule for a in rest for rule in a.rules))
    body = (f"{len(rest)} more: {' '.join(rules)}", "GitHub shows ten of a level; the full report has all.")
    return [*kept, Annotation(rest[0].level, rules, "golf-audit: more findings", body)]


def _of(report: Report, require_run: bool) -> Iterator[Annotation]:
    """Annotations of one report in the order of its sections."""
    split = sections(report)
    for crash in report.crashes:
        yield Annotation("error", (crash.rule,), f"golf-audit {crash.rule}: the tool failed", [crash.error])
    for ruling in split.failed + split.needs_ruling:
        yield from _of_ruling(report, ruling, require_run)
    for group in grouped(split.undetermined):
        if len(group) == 1:
            yield from _of_ruling(report, group[0], require_run)
        else:
            yield _undecided(group, require_run)
    for ruling in report.rulings:
        yield from _waived(report, ruling)
    for line in words.idle_waivers(report):
        yield Annotation("warning", (), "golf-audit: a waiver without effect", [line])


def _waived(report: Report, ruling: Ruling) -> Iterator[Annotation]:
    for finding, waiver in words.waived(ruling):
        where = decisive(finding)
        body = [finding.message, f"waived {words.waiver(waiver)}"]
        yield _at(report, where, "notice", ruling, f"{ruling.rule.id} waived: {ruling.rule.title}", body)


def _at(
    report: Report, where: Where | None, level: str, ruling: Ruling, title: str, body: Sequence[str]
) -> Annotation:
    """An annotation on the line that the repository shows, or on none."""
    file = words.in_repository(report, where) if where is not None else ""
    line, column = words.outer(where) if where is not None else (None, None)
    return Annotation(level, (ruling.rule.id,), title, body, file, line, column)


def _of_ruling(report: Report, ruling: Ruling, require_run: bool) -> Iterator[Annotation]:
    level = _level(ruling, require_run)
    judged = words.judged(ruling)
    if not judged:
        yield _undecided([ruling], require_run)
    for finding in judged:
        where = decisive(finding)
        title = f"{ruling.rule.id} {ruling.verdict.value}: {ruling.rule.title}"
        yield _at(report, where, level, ruling, title, _body(ruling, finding, where))


def _undecided(group: Sequence[Ruling], require_run: bool) -> Annotation:
    ids = tuple(r.rule.id for r in group)
    supply = [f"supplied by: {what}" for what in words.supply(group[0])]
    level = min((_level(r, require_run) for r in group), key=LEVELS.index)
    title = f"{' '.join(ids)} {group[0].verdict.value}"
    return Annotation(level, ids, title, [words.reason(group[0]), *supply])


def _level(ruling: Ruling, require_run: bool) -> str:
    if ruling.verdict is Verdict.FAIL:
        return "error" if fails(ruling) else "notice"
    return "warning" if is_open(ruling, require_run=require_run) else "notice"


def _body(ruling: Ruling, finding: Finding, where: Where | None) -> list[str]:
    likely = "" if finding.certainty is Certainty.SHOWN or finding.proof else "likely, but not shown: "
    lines = [likely + finding.message]
    if where is not None and (where.layer or where.quote):
        lines.append(f"{words.position(where)}: {where.quote[:QUOTE_CAP]}")
    lines.append(f"law: {words.law(finding.law)}")
    found = words.precedents_of(ruling)
    if found:
        lines.append(f"precedents: {found}")
    if finding.to_change:
        lines.append(f"to change: {finding.to_change}")
    return lines
