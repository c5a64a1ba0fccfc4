"""The report for a terminal, in the order of shared interest: verdict, what failed, what is open, the rest.

Colour only on a terminal (NO_COLOR and FORCE_COLOR are honoured by rich). Every line is escaped before it is
laid out, so that nothing of a submission can move the cursor or speak to a CI runner.
"""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from golf_audit import __version__
from golf_audit.model import Evidence, Report, Ruling, Severity, Verdict, Where
from golf_audit.outcome import exit_code, verdict
from golf_audit.report import words
from golf_audit.report.escape import QUOTE_CAP, terminal
from golf_audit.report.sections import Sections, counts, grouped, notes, sections

NARROWEST, WIDEST, UNKNOWN_WIDTH = 60, 120, 100
"""Columns: the layout keeps between the first two; a pipe or a file gets the third."""
_INDENT = 6
_LABEL_WIDTH = 9
_POSITION_COLUMN = 36
_ROWS = 12
"""Rows of evidence per finding without --verbose."""

STYLE: dict[str | Verdict, str] = {
    "fail": "bold red",
    "open": "bold yellow",
    "pass": "bold green",
    Verdict.FAIL: "bold red",
    Verdict.NEEDS_RULING: "bold yellow",
    Verdict.UNDETERMINED: "bold magenta",
}
_WORD = {Verdict.FAIL: "FAIL", Verdict.NEEDS_RULING: "NEEDS RULING", Verdict.UNDETERMINED: "UNDETERMINED"}


def render(
    reports: Sequence[Report],
    *,
    verbose: bool = False,
    color: bool | None = None,
    width: int | None = None,
    strict: bool = False,
    require_run: bool = False,
    exit_zero: bool = False,
) -> str:
    """All reports and the last line with the counts and the exit code. `color` None asks the terminal."""
    console = console_for(color, width)
    for report in reports:
        for part in _Page(report, console.width, verbose, require_run).parts():
            console.print(part)
        console.print()
    code = exit_code(reports, strict=strict, require_run=require_run)
    shown = 0 if exit_zero and code != 4 else code
    console.print(_last_line(reports, shown, console.width, strict, require_run, exit_zero))
    return finished(console)


def console_for(color: bool | None, width: int | None) -> Console:
    """A console that writes into memory, as wide and as colourful as stdout allows."""
    stdout = Console()
    columns = width or (stdout.width if stdout.is_terminal else UNKNOWN_WIDTH)
    colorful = stdout.is_terminal and not stdout.no_color if color is None else color
    return Console(
        file=io.StringIO(),
        width=min(max(columns, NARROWEST), WIDEST),
        force_terminal=colorful,
        color_system="standard" if colorful else None,
        no_color=not colorful,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def finished(console: Console) -> str:
    """What was printed, without trailing blanks."""
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip().split("\n")) + "\n"


def _last_line(
    reports: Sequence[Report], code: int, width: int, strict: bool, require_run: bool, exit_zero: bool
) -> Text:
    if not reports:
        return apart("no submission in this pull request", f"exit {code}", width)
    folders = f"{len(reports)} submissions: " if len(reports) > 1 else ""
    flags = [flag for flag, on in (("--strict", strict), ("--exit-zero", exit_zero)) if on]
    given = f" ({' '.join(flags)})" if flags else ""
    return apart(f"{folders}{counts(reports, require_run)}", f"exit {code}{given}", width)


def apart(left: str, right: str, width: int, style: str = "", right_style: str = "") -> Text:
    """Left and right at the two ends of a line; the right one on its own line where both do not fit."""
    gap = width - cell_len(left) - cell_len(right)
    between = " " * gap if gap >= 2 else "\n" + " " * max(0, width - cell_len(right))
    return Text.assemble((left, style), between, (right, right_style))


@dataclass(frozen=True)
class Row:
    """One line under a heading: a label, what it says, and the position that shows it."""

    label: str
    says: str
    at: str = ""
    quote: str = ""


@dataclass(frozen=True)
class _Page:
    """One report, laid out for one width."""

    report: Report
    width: int
    verbose: bool
    require_run: bool

    def parts(self) -> Iterator[RenderableType]:
        split = sections(self.report)
        yield from self._header()
        for crash in self.report.crashes:
            yield Text()
            yield _heading("TOOL FAILED", crash.rule, terminal(crash.error), "bold red")
        for ruling in split.failed + split.needs_ruling:
            yield from self._block([ruling])
        for group in grouped(split.undetermined):
            yield from self._block(group)
        yield from self._folded(split)
        yield Text()
        yield self._configuration()
        if self.verbose:
            yield from self._settings()
        yield Text(self._provenance(), style="dim")

    def _header(self) -> Iterator[RenderableType]:
        report = self.report
        pr = f"#{report.head.pr} " if report.head.pr is not None else ""
        about = [pr + terminal(words.name(report)), f"{report.track.value} track", terminal(report.claim)]
        word = verdict(report, require_run=self.require_run)
        line = "   ".join(part for part in about if part)
        if cell_len(line) + len(word) + 2 > self.width:
            yield apart(about[0], word.upper(), self.width, "bold", STYLE[word])
            yield Text("   ".join(part for part in about[1:] if part))
        else:
            yield apart(line, word.upper(), self.width, "bold", STYLE[word])
        if report.restricted_to:
            yield Text(f"asked only: {' '.join(report.restricted_to)}; the word above is about these rules")

    def _block(self, rulings: Sequence[Ruling]) -> Iterator[RenderableType]:
        """One ruling, or several undetermined ones that lack the same thing."""
        first = rulings[0]
        ids = " ".join(r.rule.id for r in rulings)
        advisory = first.rule.severity is Severity.ADVISORY and len(rulings) == 1
        title = terminal(words.reason(first)) + ("  [advisory]" if advisory else "")
        yield Text()
        yield _heading(_WORD[first.verdict], ids, title, STYLE[first.verdict])
        yield self._rows(self._ruling_rows(first) if len(rulings) == 1 else _supply_rows(first))

    def _ruling_rows(self, ruling: Ruling) -> Iterator[Row]:
        shown = words.judged(ruling)
        yield Row("demand", terminal(ruling.rule.title))
        for index, finding in enumerate(shown):
            if index or finding.message != ruling.reason:
                yield Row("finding", terminal(finding.message))
            yield from self._evidence(finding.evidence)
            if finding.law != (shown[index - 1].law if index else None):
                own, *others = words.laws(ruling.rule, finding)
                yield Row("law", f"{terminal(own)}: {terminal(finding.law.says)}")
                yield from (Row("law", terminal(other)) for other in others)
        found = words.precedents_of(ruling)
        if found:
            yield Row("precedent", terminal(found))
        changes = [terminal(change) for change in dict.fromkeys(f.to_change for f in shown) if change]
        if ruling.verdict is Verdict.FAIL and not changes:
            changes = [f"as in the legal example: golf-audit rules {ruling.rule.id}"]
        yield from (Row("to change", change) for change in changes)
        yield from _supply_rows(ruling)
        yield from (_evidence_row(note, "note") for note in notes(ruling))
        yield Row("more", f"golf-audit explain {folder_argument(self.report)} {ruling.rule.id}")

    def _evidence(self, evidence: Sequence[Evidence]) -> Iterator[Row]:
        shown = evidence if self.verbose else evidence[:_ROWS]
        yield from (_evidence_row(e) for e in shown)
        if len(evidence) > len(shown):
            yield Row("", f"and {len(evidence) - len(shown)} more (--verbose lists them)")

    def _rows(self, rows: Iterable[Row]) -> RenderableType:
        """Label and text in two columns, positions aligned where they fit."""
        told = list(rows)
        room = self.width - _INDENT - _LABEL_WIDTH - 2
        ends = [(cell_len(row.says) + 2, cell_len(row.at)) for row in told if row.at]
        column = max([_POSITION_COLUMN, *(start for start, length in ends if start + length <= room)])
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=_LABEL_WIDTH, no_wrap=True)
        table.add_column(overflow="fold")
        before = None
        for row in told:
            body = _body(row, column, room)
            table.add_row(Text("" if row.label == before else row.label, style="dim"), body)
            before = row.label
        return Padding(table, (0, 0, 0, _INDENT))

    def _folded(self, split: Sections) -> Iterator[RenderableType]:
        """What needs no action: notes, what was not run, what does not apply, what holds."""
        rest = split.not_yet_run + split.not_applicable + split.holds
        told = [(r, note) for r in rest for note in notes(r)]
        if told:
            yield Text()
        for ruling, note in told:
            at = f"   {_at(note.where)}" if note.where else ""
            yield _heading("note", ruling.rule.id, terminal(note.says) + at, "dim")
        if rest:
            yield Text()
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=14, no_wrap=True)
        table.add_column(overflow="fold")
        for label, rulings in (("not yet run", split.not_yet_run), ("hold", split.holds)):
            if rulings:
                table.add_row(Text(label, style="dim"), " ".join(r.rule.id for r in rulings))
        if split.not_applicable:
            reasons: dict[str, list[str]] = {}
            for ruling in split.not_applicable:
                reasons.setdefault(terminal(ruling.reason), []).append(ruling.rule.id)
            said = "; ".join(f"{' '.join(ids)} ({reason})" for reason, ids in reasons.items())
            table.add_row(Text("not applicable", style="dim"), Text(said))
        yield table
        if self.verbose:
            yield from self._bases(split)

    def _bases(self, split: Sections) -> Iterator[RenderableType]:
        for ruling in split.holds:
            yield Text()
            yield _heading("hold", ruling.rule.id, terminal(ruling.rule.title), "green")
            yield self._rows(_evidence_row(e) for e in ruling.assessment.basis)

    def _configuration(self) -> Text:
        settings = self.report.configuration
        if not settings:
            return Text("configuration as run: no setting could be read")
        origins: dict[str, int] = {}
        for setting in settings:
            origins[setting.origin.value] = origins.get(setting.origin.value, 0) + 1
        listed = ", ".join(f"{count} from {origin}" for origin, count in sorted(origins.items()))
        hint = "" if self.verbose else "   (--verbose lists them)"
        return Text(f"configuration as run: {words.plural(len(settings), 'setting')}: {listed}{hint}")

    def _settings(self) -> Iterator[RenderableType]:
        table = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(3):
            table.add_column(overflow="fold")
        for setting in sorted(self.report.configuration, key=lambda s: str(s.name)):
            at = _at(setting.where) if setting.where else ""
            value = terminal(f"{setting.name}={setting.value}", QUOTE_CAP)
            table.add_row(Text(value), Text(setting.origin.value, style="dim"), Text(at, style="cyan"))
        yield Padding(table, (0, 0, 0, 2))

    def _provenance(self) -> str:
        head = self.report.head
        commit = f"commit {terminal(head.commit[:12])}, " if head.commit else ""
        return (
            f"golf-audit {__version__}, law of {self.report.as_of}, {commit}"
            f"folder sha256 {terminal(head.fingerprint[:12])}"
        )


def _body(row: Row, column: int, room: int) -> Text:
    """What a row says, its position at `column` or close behind it or below, and the line quoted."""
    body = Text(row.says)
    if row.at:
        said, length = cell_len(row.says), cell_len(row.at)
        start = next((c for c in (column, said + 2) if c >= said + 2 and c + length <= room), None)
        body.append("\n  " if start is None else " " * (start - said))
        body.append(row.at, style="cyan")
    if row.quote and row.quote not in row.says:
        clipped = Text(f"| {row.quote}")
        clipped.truncate(room, overflow="ellipsis")
        body.append("\n").append(clipped.plain.replace("\u2026", "..."), style="italic")
    return body


def folder_argument(report: Report) -> str:
    """How to name the submission in a command: its path, or the pull request in a clone."""
    head = report.head
    if head.pr is not None:
        return f"--repo CLONE --pr {head.pr}"
    if head.commit:
        return f"--repo CLONE --ref {terminal(head.commit[:12])}"
    return terminal(shlex.quote(head.folder))


def _supply_rows(ruling: Ruling) -> Iterator[Row]:
    for unmet in ruling.assessment.unmet:
        if unmet.missing != ruling.reason:
            yield Row("missing", terminal(unmet.missing))
        if unmet.supply:
            yield Row("supply", terminal(unmet.supply))


def _evidence_row(evidence: Evidence, label: str = "") -> Row:
    where = evidence.where
    name = label or words.label(evidence.kind)
    if where is None:
        return Row(name, terminal(evidence.says))
    return Row(name, terminal(evidence.says), _at(where), terminal(where.quote, QUOTE_CAP))


def _at(where: Where) -> str:
    return terminal(words.position(where))


def _heading(word: str, ids: str, title: str, style: str) -> RenderableType:
    """The word, the rule and a sentence that wraps under itself."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    many = len(ids) > 12
    if not many:
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    cells = [Text(word, style=style), Text(ids, style="bold"), Text(title)]
    if many:
        cells = [cells[0], Text.assemble((ids, "bold"), "\n", title)]
    table.add_row(*cells)
    return table
