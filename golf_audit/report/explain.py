"""One ruling in full, for a pass as well: the law, every piece of evidence quoted, what would change it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.padding import Padding
from rich.text import Text

from golf_audit.errors import AuditError
from golf_audit.fingerprint import fingerprint
from golf_audit.model import Cite, Evidence, Finding, Report, Ruling, Verdict
from golf_audit.report import catalogue, words
from golf_audit.report.console import STYLE, apart, console_for, finished
from golf_audit.report.escape import QUOTE_CAP, terminal

Line = tuple[int, str, str]
"""Columns of indentation, text, style."""

_LONG_WORD = 60


def render(report: Report, rule_id: str, *, color: bool | None = None, width: int | None = None) -> str:
    """The page of one rule's ruling. Raises AuditError when the report holds none of that rule."""
    ruling = next((r for r in report.rulings if r.rule.id == rule_id), None)
    if ruling is None:
        crashed = next((c for c in report.crashes if c.rule == rule_id), None)
        raise AuditError(f"no ruling on {rule_id}: {crashed.error if crashed else 'the rule was not asked'}")
    console = console_for(color, width)
    title, word = f"{rule_id}  {ruling.rule.title}", ruling.verdict.value.upper()
    console.print(apart(terminal(title), word, console.width, "bold", STYLE[ruling.verdict]))
    for indent, text, style in _page(report, ruling):
        console.print(Padding(Text(text, style=style, overflow="fold"), (0, 0, 0, indent)))
    return finished(console)


def _page(report: Report, ruling: Ruling) -> Iterator[Line]:
    told = ruling.assessment
    about = f"{words.name(report)}, {report.track.value} track, law of {report.as_of}"
    yield 0, terminal(about), "dim"
    yield from _part("Why", [(2, terminal(words.reason(ruling)), "")])
    yield from _part("Law", _law(ruling))
    for number, finding in enumerate(told.findings, start=1):
        of = f" {number} of {len(told.findings)}" if len(told.findings) > 1 else ""
        yield from _part(f"Finding{of} ({finding.certainty.value})", _finding(ruling, finding))
    yield from _part("What the pass rests on", _evidence(told.basis))
    yield from _part("Notes, which decide nothing", _evidence(told.notes))
    yield from _part("What is missing", _missing(ruling))
    found = words.precedents_of(ruling)
    yield from _part("Precedents", [(2, terminal(one), "") for one in found.split("; ") if one])
    yield from _part("What would change it", [(2, line, "") for line in _changes(ruling)])
    look, blind = catalogue.paragraph(ruling.rule, "Look"), catalogue.paragraph(ruling.rule, "Blind")
    yield from _part("How it is looked for", [(2, look, "")] if look else [])
    yield from _part("What that cannot see", [(2, blind, "")] if blind else [])
    yield 0, "", ""
    yield 0, f"golf-audit rules {ruling.rule.id}  prints the rule with its legal and illegal examples", "dim"


def _part(heading: str, lines: Sequence[Line] | Iterator[Line]) -> Iterator[Line]:
    """A heading with its lines; nothing for no lines."""
    body = list(lines)
    if body:
        yield 0, "", ""
        yield 0, heading, "bold"
        yield from body


def _law(ruling: Ruling) -> Iterator[Line]:
    cites: list[Cite] = [f.law for f in ruling.assessment.findings]
    for cite in dict.fromkeys([*cites, *ruling.rule.cites]):
        yield 2, terminal(words.law(cite)), ""
        yield 6, terminal(cite.says), ""
    if not cites and not ruling.rule.cites:
        yield 2, catalogue.paragraph(ruling.rule, "Law"), ""


def _finding(ruling: Ruling, finding: Finding) -> Iterator[Line]:
    yield 2, terminal(finding.message), ""
    yield from _evidence(finding.evidence)
    yield 2, f"fingerprint {fingerprint(ruling.rule.id, finding)}, for a waiver", "dim"


def _evidence(evidence: Sequence[Evidence]) -> Iterator[Line]:
    for number, one in enumerate(evidence, start=1):
        yield 2, f"{number}. {words.label(one.kind)}: {terminal(one.says)}", ""
        if one.where is None:
            continue
        packed = f", packed in line {one.where.payload_line}" if one.where.payload_line is not None else ""
        yield 5, terminal(words.position(one.where)) + packed, "cyan"
        if one.where.quote:
            yield 5, _quoted(terminal(one.where.quote, QUOTE_CAP)), "italic"


def _quoted(code: str) -> str:
    """A quote behind its bar; minified code without blanks would leave the bar alone on a line."""
    return f"|{code}" if len(code.split(" ", 1)[0]) > _LONG_WORD else f"| {code}"


def _missing(ruling: Ruling) -> Iterator[Line]:
    yield from ((2, terminal(what), "") for what in dict.fromkeys(u.missing for u in ruling.assessment.unmet))
    yield from ((5, f"supplied by: {terminal(what)}", "") for what in words.supply(ruling))


def _changes(ruling: Ruling) -> Iterator[str]:
    told = ruling.assessment
    yield from (terminal(change) for change in words.changes(ruling))
    if ruling.verdict is Verdict.NEEDS_RULING:
        yield "an organiser's ruling, which enters as a citation of the rule"
    if ruling.verdict is Verdict.UNDETERMINED and told.unmet:
        yield "the missing evidence named above"
    if ruling.verdict is Verdict.PASS:
        yield "other evidence on what the pass rests on"
