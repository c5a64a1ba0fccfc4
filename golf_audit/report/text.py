"""The report for a terminal, in the order of interest: verdict, what failed, what is open, then the rest.

Every string is escaped before it is laid out, so that nothing of a submission can move the cursor or speak to
a CI runner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from golf_audit import __version__
from golf_audit.model import Report, Ruling, Severity, Verdict
from golf_audit.outcome import TOOL_FAILED, exit_code, verdict
from golf_audit.report import ancestry, words
from golf_audit.report.console import STYLE, apart, console_for, finished, grid, heading
from golf_audit.report.escape import QUOTE_CAP, terminal
from golf_audit.report.rows import Row, at, evidence_row, parent_rows, ruling_rows, supply_rows
from golf_audit.report.sections import Sections, counts, grouped, notes, sections

_INDENT, _LABEL_WIDTH, _POSITION_COLUMN = 6, 9, 36
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
    open_passes: bool = False,
) -> str:
    """All reports and the last line with the counts and the exit code. `color` None asks the terminal."""
    console = console_for(color, width)
    for report in reports:
        for part in _Page(report, console.width, verbose, require_run).parts():
            console.print(part)
        console.print()
    code = exit_code(reports, strict, require_run, open_passes)
    shown = code if code == TOOL_FAILED or not exit_zero else 0
    flags = " ".join(flag for flag, on in (("--strict", strict), ("--exit-zero", exit_zero)) if on)
    ending = f"exit {shown} ({flags})" if flags else f"exit {shown}"
    console.print(apart(_tally(reports, require_run), ending, console.width))
    return finished(console)


def _tally(reports: Sequence[Report], require_run: bool) -> str:
    if not reports:
        return "no submission in this pull request"
    several = f"{len(reports)} submissions: " if len(reports) > 1 else ""
    return f"{several}{counts(reports, require_run)}"


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
            yield heading("TOOL FAILED", crash.rule, terminal(crash.error), "bold red")
        for ruling in split.failed + split.needs_ruling:
            yield from self._block([ruling])
        for group in grouped(split.undetermined):
            yield from self._block(group)
        for ruling in split.waived:
            yield from self._block([ruling])
        yield from self._parent()
        yield from self._notes(split)
        yield from self._folded(split)
        if self.verbose:
            yield from self._bases(split)
        yield Text()
        yield self._configuration()
        if self.verbose:
            yield self._settings()
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

    def _parent(self) -> Iterator[RenderableType]:
        if ancestry.lineage(self.report) is None:
            return
        yield Text()
        yield heading("PARENT", "", terminal(ancestry.title(self.report)), "bold")
        yield self._rows(parent_rows(self.report, self.verbose))

    def _block(self, rulings: Sequence[Ruling]) -> Iterator[RenderableType]:
        """One ruling, or several undetermined ones that lack the same thing."""
        first, alone = rulings[0], len(rulings) == 1
        advisory = alone and first.rule.severity is Severity.ADVISORY
        word, style = _WORD[first.verdict], STYLE[first.verdict]
        if advisory and first.verdict is Verdict.FAIL:
            word, style = "ADVISORY", STYLE["open"]
        if first.waived:
            word, style = f"WAIVED {word}", "bold"
        title = terminal(words.reason(first)) + ("  [advisory]" if advisory and word != "ADVISORY" else "")
        yield Text()
        yield heading(word, " ".join(r.rule.id for r in rulings), title, style)
        rows = list(ruling_rows(self.report, first, self.verbose) if alone else supply_rows(first))
        if rows:
            yield self._rows(rows)

    def _rows(self, rows: Iterable[Row]) -> RenderableType:
        """Label and text in two columns; positions are aligned where they fit."""
        told = list(rows)
        room = self.width - _INDENT - _LABEL_WIDTH - 2
        ends = [(cell_len(row.says) + 2, cell_len(row.at)) for row in told if row.at]
        column = max([_POSITION_COLUMN, *(start for start, length in ends if start + length <= room)])
        table = grid(_LABEL_WIDTH, None)
        before = None
        for row in told:
            label = "" if row.label == before else row.label
            table.add_row(Text(label, style="dim"), _body(row, column, room))
            before = row.label
        return Padding(table, (0, 0, 0, _INDENT))

    def _notes(self, split: Sections) -> Iterator[RenderableType]:
        """The first note of each rule that needs no action; all of them when verbose."""
        told = [(r, notes(r)) for r in split.not_yet_run + split.not_applicable + split.holds if notes(r)]
        if told:
            yield Text()
        for ruling, found in told:
            shown = found if self.verbose else found[:1]
            hidden = f"   ({len(found) - 1} more: --verbose)" if len(found) > len(shown) else ""
            for note in shown:
                place = f"   {at(note.where)}" if note.where else ""
                yield heading("note", ruling.rule.id, terminal(note.says) + place + hidden, "dim")

    def _folded(self, split: Sections) -> Iterator[RenderableType]:
        """Rules by id: not run, holding, not applicable with the reason."""
        table = grid(14, None)
        for label, rulings in (("not yet run", split.not_yet_run), ("hold", split.holds)):
            if rulings:
                table.add_row(Text(label, style="dim"), " ".join(r.rule.id for r in rulings))
        reasons: dict[str, list[str]] = {}
        for ruling in split.not_applicable:
            reasons.setdefault(terminal(ruling.reason), []).append(ruling.rule.id)
        if reasons:
            said = "; ".join(f"{' '.join(ids)} ({reason})" for reason, ids in reasons.items())
            table.add_row(Text("not applicable", style="dim"), Text(said))
        if table.row_count:
            yield Text()
            yield table
        for line in words.idle_waivers(self.report):
            yield Text(terminal(line), style="yellow")

    def _bases(self, split: Sections) -> Iterator[RenderableType]:
        for ruling in split.holds:
            yield Text()
            yield heading("hold", ruling.rule.id, terminal(ruling.rule.title), "green")
            yield self._rows(evidence_row(e) for e in ruling.assessment.basis)

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

    def _settings(self) -> RenderableType:
        table = grid(None, None, None)
        for setting in sorted(self.report.configuration, key=lambda s: str(s.name)):
            place = at(setting.where) if setting.where else ""
            value = terminal(f"{setting.name}={setting.value}", QUOTE_CAP)
            default = words.default(setting)
            value += f"  (default in code: {terminal(default, QUOTE_CAP)})" if default is not None else ""
            table.add_row(Text(value), Text(setting.origin.value, style="dim"), Text(place, style="cyan"))
        return Padding(table, (0, 0, 0, 2))

    def _provenance(self) -> str:
        head = self.report.head
        commit = f"commit {terminal(head.commit[:12])}, " if head.commit else ""
        folder = f"folder sha256 {terminal(head.fingerprint[:12])}"
        return f"golf-audit {__version__}, law of {self.report.as_of}, {commit}{folder}"


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
