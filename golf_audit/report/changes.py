"""`check --baseline`: only what changed since an earlier report, in every format."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.padding import Padding
from rich.text import Text

from golf_audit.model import Report
from golf_audit.outcome import exit_code
from golf_audit.report import escape, sarif
from golf_audit.report.baseline import Changes, Difference, Object, compare
from golf_audit.report.console import STYLE, apart, console_for, finished, grid
from golf_audit.report.escape import code, markdown, terminal
from golf_audit.report.github import Annotation, capped
from golf_audit.report.sections import counts

SCHEMA = "golf-audit/changes/1"
_NONE = "nothing changed since the baseline"


def render(
    form: str,
    baseline: Sequence[Object],
    reports: Sequence[Report],
    *,
    require_run: bool = False,
    strict: bool = False,
    open_passes: bool = False,
    color: bool | None = None,
) -> str:
    """The changes in one of the formats of `check`."""
    if form == "sarif":
        return _sarif(baseline, reports, require_run)
    found = compare(baseline, reports, require_run)
    code = exit_code(reports, strict, require_run, open_passes)
    ending = f"{counts(reports, require_run)}   exit {code}"
    if form == "text":
        return _text(found, ending, color)
    return {"json": _json, "markdown": _markdown, "github": _github}[form](found, ending)


def _folder(changes: Changes) -> str:
    return str(changes.now["submission"]["folder"]).rsplit("/", 1)[-1]


def _against(changes: Changes) -> str:
    """What this report is held against."""
    if changes.was is None:
        return "not in the baseline"
    was = changes.was
    told = f"golf-audit {was['tool']['version']}, law of {was['as_of']}"
    same = was["submission"]["fingerprint"] == changes.now["submission"]["fingerprint"]
    return f"against {told}, {'the same files' if same else 'other files'}"


def _verdict(changes: Changes) -> str:
    now = str(changes.now["verdict"]).upper()
    was = str(changes.was["verdict"]).upper() if changes.was is not None else ""
    return f"{now}, was {was}" if was not in ("", now) else now


def _place(finding: Object) -> str:
    """file:line of the decisive evidence."""
    shown = next((e for e in finding["evidence"] if e["file"] is not None), None)
    if shown is None:
        return ""
    layer = f" layer {shown['layer']}" if shown["layer"] else ""
    return f"{shown['file']}{layer}" + (f":{shown['line']}" if shown["line"] is not None else "")


def _lines(changes: Changes) -> Iterator[tuple[str, str, str, str]]:
    """(kind, rule, sentence, position), not escaped."""
    for moved in changes.moved:
        yield (
            "changed",
            moved.rule,
            f"{moved.was or 'not asked'} -> {moved.now or 'not asked'}: {moved.reason}",
            "",
        )
    for kind, found in (("new", changes.new), ("gone", changes.gone)):
        for one in found:
            yield kind, one.rule, str(one.finding["message"]), _place(one.finding)


def _text(found: Sequence[Changes], ending: str, color: bool | None) -> str:
    console = console_for(color, None)
    for changes in found:
        left = f"{terminal(_folder(changes))}   {_against(changes)}"
        word = _verdict(changes)
        console.print(apart(left, word, console.width, "bold", STYLE[changes.now["verdict"]]))
        table = grid(7, 3, None)
        for kind, rule, says, place in _lines(changes):
            said = terminal(says) + (f"   {terminal(place)}" if place else "")
            table.add_row(Text(kind, style="bold"), Text(rule), Text(said))
        console.print(Padding(table, (0, 0, 0, 2)) if table.row_count else f"  {_NONE}")
        if table.row_count:
            console.print(f"  {changes.same} rules as before")
        console.print()
    console.print(ending if found else "no submission in this pull request")
    return finished(console)


def _json(found: Sequence[Changes], _: str) -> str:
    whole = {"schema": SCHEMA, "reports": [_object(changes) for changes in found]}
    return escape.json_text(json.dumps(whole, indent=2, ensure_ascii=True, allow_nan=False)) + "\n"


def _object(changes: Changes) -> dict[str, Any]:
    was, now = changes.was, changes.now

    def pair(read: Callable[[Object], Any]) -> dict[str, Any]:
        return {"was": read(was) if was is not None else None, "now": read(now)}

    return {
        "folder": now["submission"]["folder"],
        "fingerprint": pair(lambda told: told["submission"]["fingerprint"]),
        "verdict": pair(lambda told: told["verdict"]),
        "tool": pair(lambda told: told["tool"]),
        "as_of": pair(lambda told: told["as_of"]),
        "rulings": [
            {"rule": m.rule, "was": m.was or None, "now": m.now or None, "reason": m.reason}
            for m in changes.moved
        ],
        "new": [{"rule": d.rule, **d.finding} for d in changes.new],
        "gone": [{"rule": d.rule, **d.finding} for d in changes.gone],
        "unchanged_rules": changes.same,
    }


def _markdown(found: Sequence[Changes], ending: str) -> str:
    parts = []
    for changes in found:
        parts.append(f"### {_verdict(changes)}: {code(_folder(changes))}, {markdown(_against(changes))}\n")
        rows = [
            f"| {kind} | {rule} | {markdown(says, 300)} | {code(place, in_table=True) if place else ''} |"
            for kind, rule, says, place in _lines(changes)
        ]
        if rows:
            parts.append("\n".join(["| change | rule | what | where |", "|---|---|---|---|", *rows, ""]))
            parts.append(f"{changes.same} rules as before.\n")
        else:
            parts.append(f"{_NONE.capitalize()}.\n")
    return "\n".join([*parts, f"{ending if found else 'No submission in this pull request.'}\n"])


def _github(found: Sequence[Changes], ending: str) -> str:
    """Annotations for new findings only; what moved and what is gone stands in plain lines."""
    fresh = [_annotation(changes, one) for changes in found for one in changes.new]
    lines = [str(a) for a in capped(fresh)]
    for changes in found:
        lines.append(f"golf-audit: {_verdict(changes)} {terminal(_folder(changes))}, {_against(changes)}")
        told = [(kind, rule, says) for kind, rule, says, _ in _lines(changes) if kind != "new"]
        lines += [f"golf-audit: {kind} {rule} {terminal(says)}" for kind, rule, says in told]
    return (
        "\n".join([*lines, f"golf-audit: {ending if found else 'no submission in this pull request'}"]) + "\n"
    )


def _annotation(changes: Changes, one: Difference) -> Annotation:
    shown = next((e for e in one.finding["evidence"] if e["file"] is not None), None)
    ruling = next(r for r in changes.now["rulings"] if r["rule"] == one.rule)
    fails = ruling["verdict"] == "fail" and ruling["severity"] != "A" and not one.finding.get("waived")
    title = f"{one.rule} {one.verdict}, new: {ruling['title']}"
    body = [str(one.finding["message"])]
    level = "error" if fails else "warning" if ruling["verdict"] != "undetermined" else "notice"
    if shown is None:
        return Annotation(level, (one.rule,), title, body)
    inner = bool(shown["layer"])
    file = escape.path(f"{changes.now['submission']['folder']}/{shown['file']}")
    line = shown["payload_line"] if inner else shown["line"]
    return Annotation(level, (one.rule,), title, body, file, line, None if inner else shown["column"])


def _sarif(baseline: Sequence[Object], reports: Sequence[Report], require_run: bool) -> str:
    """All results, each with SARIF's own baselineState: a viewer that drops some would close them."""
    known = {
        finding["fingerprint"]
        for told in baseline
        for ruling in told["rulings"]
        for finding in ruling["findings"]
    }
    whole = json.loads(sarif.render(reports, require_run=require_run))
    for result in whole["runs"][0]["results"]:
        own = result["partialFingerprints"]["primaryLocationLineHash"].split(":")[0]
        result["baselineState"] = "unchanged" if own in known else "new"
    return escape.json_text(json.dumps(whole, indent=2, ensure_ascii=True, allow_nan=False)) + "\n"
