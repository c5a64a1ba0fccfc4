"""The report as a comment on a pull request: updated in place through MARKER, never posted twice."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from golf_audit import __version__
from golf_audit.fingerprint import decisive
from golf_audit.model import Evidence, Report, Ruling, Severity, Verdict, Where
from golf_audit.outcome import fails, is_open, verdict
from golf_audit.report import ancestry, words
from golf_audit.report.escape import PROSE_CAP, code, fence, html, markdown, path
from golf_audit.report.sections import counts, grouped, notes, sections

MARKER = "<!-- golf-audit/report -->"
"""First line of the comment: a workflow looks for it and edits that comment instead of adding one."""
COMMENT_CAP = 60_000
"""Characters; GitHub refuses a comment of more than 65,536."""
_EVIDENCE_CAP = 12
_SETTINGS_CAP = 60
_CELL_CAP = 300
"""Characters of a reason in the table; the details hold it whole."""
_WORST = ("fail", "open", "pass")


def render(reports: Sequence[Report], *, require_run: bool = False) -> str:
    """One comment for all reports. Details that do not fit into a comment are left out, and it says so."""
    if not reports:
        return f"{MARKER}\n## golf-audit\n\nNo submission in this pull request.\n"
    ending = _reproduce(reports, require_run)
    return "\n".join([*_fitting(_parts(reports, require_run), COMMENT_CAP - len(ending)), ending])


def _parts(reports: Sequence[Report], require_run: bool) -> Iterator[str]:
    """Heading, the essentials of every report, then the details, in the order in which they may be cut."""
    said = [verdict(report, require_run=require_run) for report in reports]
    one = len(reports) == 1
    title = code(words.name(reports[0])) if one else f"{len(reports)} submissions"
    yield f"{MARKER}\n## golf-audit: {min(said, key=_WORST.index).upper()}: {title}\n"
    for report, word in zip(reports, said, strict=True):
        if not one:
            yield f"### {word.upper()}: {code(words.name(report))}\n"
        yield from _essential(report, require_run)
    for report in reports:
        yield from _details(report, name_folder=not one)


def _fitting(parts: Iterable[str], room: int) -> Iterator[str]:
    for part in parts:
        room -= len(part) + 1
        if room < 0:
            yield "Further details do not fit into a comment; the command below prints them.\n"
            return
        yield part


def _essential(report: Report, require_run: bool) -> Iterator[str]:
    about = [f"{report.track.value} track", markdown(report.claim), str(counts([report], require_run))]
    yield ", ".join(part for part in about if part) + "\n"
    yield _to_do(report, require_run) + "\n"
    for crash in report.crashes:
        yield f"The tool failed on rule {crash.rule}, which is not judged: {code(crash.error)}\n"
    for line in words.idle_waivers(report):
        yield f"{markdown(line)}\n"
    if ancestry.lineage(report) is not None:
        yield f"**Parent:** {markdown(ancestry.title(report))}. {_states(report)}\n"
    rows = list(_table_rows(report))
    if rows:
        yield "\n".join(["| rule | what | where | law |", "|---|---|---|---|", *rows, ""])


def _to_do(report: Report, require_run: bool) -> str:
    """The one sentence that an author can act on."""
    split = sections(report)
    failed = [r for r in split.failed if fails(r)]
    if failed:
        first = failed[0]
        return f"**To change ({first.rule.id}):** {markdown(words.changes(first)[0].rstrip('.'))}."
    undecided = [r for r in report.rulings if is_open(r, require_run=require_run)]
    disputed = " ".join(r.rule.id for r in undecided if r.verdict is Verdict.NEEDS_RULING)
    missing = " ".join(r.rule.id for r in undecided if r.verdict is Verdict.UNDETERMINED)
    asks = [
        f"an organiser's ruling is needed on {disputed}" if disputed else "",
        f"the evidence does not decide {missing}, see what is missing below" if missing else "",
    ]
    if any(asks):
        return "**Nothing failed:** " + "; ".join(ask for ask in asks if ask) + "."
    waiting = " ".join(r.rule.id for r in split.not_yet_run)
    return "Every rule that could be judged holds." + (f" Not yet run: {waiting}." if waiting else "")


def _table_rows(report: Report) -> Iterator[str]:
    split = sections(report)
    for ruling in split.failed + split.needs_ruling:
        yield _row([ruling], _places(ruling), _law(ruling))
    for group in grouped(split.undetermined):
        yield _row(group, _places(group[0]), _law(group[0]))
    for ruling in split.waived:
        yield _row([ruling], _places(ruling), _law(ruling))


def _row(rulings: Sequence[Ruling], where: str, law: str) -> str:
    ids = " ".join(r.rule.id for r in rulings)
    mark = " (advisory)" if all(r.rule.severity is Severity.ADVISORY for r in rulings) else ""
    word = ("waived: " if rulings[0].waived else "") + rulings[0].verdict.value
    what = f"**{word}**{mark} {markdown(words.reason(rulings[0]), _CELL_CAP)}"
    return f"| {ids} | {what} | {where} | {law} |"


def _places(ruling: Ruling) -> str:
    """The decisive position of each finding, at most three."""
    found = [decisive(f) for f in words.judged(ruling)]
    told = list(dict.fromkeys(_at(w, in_table=True) for w in found if w is not None))
    return "<br>".join(told[:3]) + (f"<br>and {len(told) - 3} more" if len(told) > 3 else "")


def _law(ruling: Ruling) -> str:
    cites = dict.fromkeys(words.law(f.law) for f in words.judged(ruling))
    return "<br>".join(markdown(cite) for cite in cites)


def _details(report: Report, name_folder: bool) -> Iterator[str]:
    """Folded parts, the ones that matter most first."""
    split = sections(report)
    of = f"<code>{html(words.name(report))}</code> " if name_folder else ""
    for ruling in split.failed + split.needs_ruling + split.waived:
        yield _folded(f"{of}{ruling.rule.id}: {html(ruling.rule.title)}", _ruling_details(report, ruling))
    for group in grouped(split.undetermined):
        lines = _ruling_details(report, group[0])
        ids = " ".join(r.rule.id for r in group)
        if lines:
            yield _folded(f"{of}{ids}: what is missing", lines)
    if ancestry.lineage(report) is not None:
        yield _folded(
            f"{of}Against the parent", [_told(line) for line in ancestry.told(report, verbose=True)]
        )
    yield _folded(f"{of}The other rules", list(_rest(report)))
    yield _folded(f"{of}Configuration as run", _settings(report))


def _folded(summary: str, lines: Sequence[str]) -> str:
    """A closed <details>; the summary is HTML already."""
    body = "\n".join(line for line in lines if line)
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>\n"


def _ruling_details(report: Report, ruling: Ruling) -> list[str]:
    lines = []
    law = None
    for finding in words.judged(ruling):
        lines.append(f"{markdown(finding.message)}\n")
        lines += [_item(e) for e in finding.evidence[:_EVIDENCE_CAP]]
        if len(finding.evidence) > _EVIDENCE_CAP:
            lines.append(f"- and {len(finding.evidence) - _EVIDENCE_CAP} more in the JSON report")
        lines[-1] += "\n"
        if finding.law != law:
            own, *others = (markdown(cite) for cite in words.laws(ruling.rule, finding))
            lines.append(f"Law: {'; '.join([f'{own}: {markdown(finding.law.says)}', *others])}\n")
        law = finding.law
    lines += [f"Waived: {markdown(line)}\n" for line in words.waivers(ruling)]
    lines += [f"Parent: {markdown(told)}\n" for told in ancestry.told_of_ruling(report, ruling)]
    lines += [f"To change: {markdown(change)}\n" for change in words.changes(ruling)]
    found = words.precedents_of(ruling)
    if found:
        lines.append(f"Precedents: {markdown(found)}\n")
    lines += [f"- missing: {markdown(what)}" for what in words.missing(ruling)]
    lines += [f"- supplied by: {markdown(what)}" for what in words.supply(ruling)]
    lines += [_item(note, "note") for note in notes(ruling)]
    return lines


def _states(report: Report) -> str:
    """ "inherited: T01; new: A04": the rules by what the parent has to do with them."""
    told = (f"{state} {' '.join(rules)}" for state, rules in ancestry.by_state(report).items())
    return markdown("; ".join(told))


def _told(line: ancestry.Told) -> str:
    place = f" ({_at(line.where)})" if line.where is not None else ""
    return f"- {line.label}: {markdown(line.says)}{place}"


def _item(evidence: Evidence, label: str = "") -> str:
    where = evidence.where
    at = f" ({_at(where)})" if where is not None else ""
    line = f"- {label or words.label(evidence.kind)}: {markdown(evidence.says)}{at}"
    if where is not None and where.quote:
        language = "python" if where.file.endswith(".py") else ""
        line += "\n" + fence(where.quote, language, indent="  ")
    return line


def _at(where: Where, in_table: bool = False) -> str:
    packed = f", packed in line {where.payload_line}" if where.payload_line is not None else ""
    return code(words.position(where) + packed, in_table=in_table)


def _rest(report: Report) -> Iterator[str]:
    split = sections(report)
    for label, rulings in (("Hold", split.holds), ("Not yet run", split.not_yet_run)):
        if rulings:
            yield f"{label}: {' '.join(r.rule.id for r in rulings)}\n"
    for ruling in split.not_applicable:
        yield f"- {ruling.rule.id} not applicable: {markdown(ruling.reason)}"
    for ruling in split.holds + split.not_yet_run:
        yield from (_item(note, f"{ruling.rule.id} note") for note in notes(ruling))


def _settings(report: Report) -> list[str]:
    """The settings that depart from the code's defaults first: they decide what was run."""
    ordered = sorted(report.configuration, key=lambda s: (words.default(s) is None, str(s.name)))
    if not ordered:
        return ["No setting could be read."]
    lines = ["| setting | value | default in code | from |", "|---|---|---|---|"]
    for setting in ordered[:_SETTINGS_CAP]:
        at = f" {_at(setting.where, in_table=True)}" if setting.where else ""
        default = words.default(setting)
        name, value = code(setting.name, in_table=True), code(setting.value, in_table=True)
        other = code(default, in_table=True) if default is not None else ""
        lines.append(f"| {name} | {value} | {other} | {setting.origin.value}{at} |")
    if len(ordered) > _SETTINGS_CAP:
        lines.append(f"\nand {len(ordered) - _SETTINGS_CAP} more in the JSON report")
    return lines


def _reproduce(reports: Sequence[Report], require_run: bool) -> str:
    """The commands that print this report on any machine with the tool."""
    first = reports[0]
    flags = "".join(f" --rule {rule}" for rule in first.restricted_to)
    flags += " --require-run" if require_run else ""
    flags += " --waivers FILE" if any(report.waivers for report in reports) else ""
    if first.head.pr is not None:
        commands = [
            f"git fetch origin refs/pull/{first.head.pr}/head:refs/pull/{first.head.pr}/head",
            f"golf-audit check --repo . --pr {first.head.pr} --as-of {first.as_of}{flags}",
        ]
    elif first.head.commit:
        commands = [f"golf-audit check --repo . --ref {first.head.commit} --as-of {first.as_of}{flags}"]
    else:
        folders = " ".join(shlex.quote(path(report.head.folder)) for report in reports)
        commands = [f"golf-audit check {folders} --as-of {first.as_of}{flags}"]
    prints = ", ".join(code(report.head.fingerprint[:12]) for report in reports)
    return (
        f"To reproduce with golf-audit {__version__} (folder sha256 {prints}):\n\n"
        + fence("\n".join(commands), "sh", cap=PROSE_CAP)
        + "\n"
    )
