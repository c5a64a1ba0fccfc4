"""The organisers' table: every pull request with its status, its reason and a link; CSV or a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from golf_audit import registry
from golf_audit.model import Severity, Verdict
from golf_audit.report.page.build import Element, h
from golf_audit.report.page.controls import controls
from golf_audit.report.page.shell import page

CHALLENGE = "https://github.com/openai/parameter-golf"
STATUS = ("fail", "open", "pass", "no submission", "not read", "tool failed")
"""Of a submission folder its verdict, of other pull requests why there is none."""
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CLASS = {"no submission": "not-applicable", "not read": "undetermined", "tool failed": "fail"}


@dataclass(frozen=True)
class Line:
    """One submission folder, or a pull request without one."""

    pr: int
    status: str
    rule: str  # the one that decides the status; "" where none does
    reason: str
    folder: str = ""
    track: str = ""
    claim: str = ""
    as_of: str = ""
    head: str = ""
    rulings: Mapping[str, str] | None = None

    @property
    def link(self) -> str:
        return f"{CHALLENGE}/pull/{self.pr}"


def lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[Line]:
    """A line per submission folder, and one for each pull request that holds none."""
    for row in rows:
        pr, head = row["pr"], row["head"]
        if row["crash"]:
            yield Line(pr, "tool failed", "", row["crash"], head=head)
        elif row["error"]:
            yield Line(pr, "not read", "", row["error"], head=head)
        elif not row["submissions"]:
            yield Line(pr, "no submission", "", "", head=head)
        for entry in row["submissions"]:
            rule, reason = _decisive(entry)
            yield Line(
                pr=pr,
                status=entry["verdict"],
                rule=rule,
                reason=reason,
                folder=entry["folder"],
                track=entry["track"],
                claim=entry["claim"],
                as_of=entry["as_of"],
                head=head,
                rulings={**entry["rulings"], **dict.fromkeys(entry["crashes"], "crashed")},
            )


def _decisive(entry: Mapping[str, Any]) -> tuple[str, str]:
    """The rule that made the word on a folder, and its reason (as golf_audit/outcome.py decides it)."""
    if entry["verdict"] == "pass":
        return "", ""
    for wanted, severities in _DECIDES[entry["verdict"]]:
        for rule in registry.rules():
            counts = rule.severity in severities and (wanted is Verdict.FAIL or rule.reading_decides)
            if entry["rulings"].get(rule.id) == wanted.value and counts:
                return rule.id, entry["reasons"].get(rule.id, "")
    return next(iter(entry["crashes"].items()), ("", ""))


_DECIDES = {
    "fail": ((Verdict.FAIL, (Severity.DISQUALIFYING, Severity.INCOMPLETE)),),
    "open": (
        (Verdict.NEEDS_RULING, (Severity.DISQUALIFYING,)),
        (Verdict.UNDETERMINED, (Severity.DISQUALIFYING,)),
    ),
}


def to_csv(rows: Iterable[Mapping[str, Any]], rule_ids: Iterable[str]) -> str:
    """The table for a spreadsheet, with a column per rule."""
    ids = list(rule_ids)
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(
        ["pr", "status", "rule", "reason", "link", "claim", "track", "as_of", "folder", "head", *ids]
    )
    for line in lines(rows):
        cells = [line.pr, line.status, line.rule, line.reason, line.link, line.claim, line.track]
        cells += [line.as_of, line.folder, line.head, *((line.rulings or {}).get(i, "") for i in ids)]
        table.writerow([_plain(cell) for cell in cells])
    return out.getvalue()


def _plain(cell: object) -> str:
    """Spreadsheets run cells that begin with = + - @, also behind blanks; an apostrophe keeps them text."""
    printable = "".join(c if c.isprintable() else " " for c in str(cell))
    return "'" + printable if printable.lstrip(" \u3000").startswith(_FORMULA) else printable


def to_html(rows: Iterable[Mapping[str, Any]]) -> str:
    """The table as a page: sorted by a click on a title, filtered by status and text, nothing loaded."""
    found = list(lines(rows))
    counts = {status: sum(line.status == status for line in found) for status in STATUS}
    told = [f"{count} {status}" for status, count in counts.items() if count]
    titles = ("pull request", "status", "rule", "reason", "claim", "track", "law of", "folder")
    heads = [h("th", h("button", title, type="button"), scope="col") for title in titles]
    table = h(
        "table.sweep",
        h("thead", h("tr", heads)),
        h("tbody", [_row(line) for line in found]),
        data_sort=True,
    )
    return page(
        f"{len(found)} rows: {', '.join(told)}",
        h("div.top", h("b", "golf-audit"), " what was scored, what was adapted on, in which order"),
        h(
            "main.overview",
            h("h1", "Pull requests of openai/parameter-golf"),
            h("p.about", f"{', '.join(told)}. A click on a title sorts."),
            h(
                "section",
                controls(
                    [(s, s, _class(s), counts[s]) for s in STATUS], "rows", "number, rule, word, folder"
                ),
                h("div.scroll", table, tabindex="0", role="region", aria_label="pull requests"),
                h("p.none", "No row matches.", hidden=True),
                data_filter=True,
            ),
        ),
    )


def _class(status: str) -> str:
    return _CLASS.get(status, status)


def _row(line: Line) -> Element:
    name = line.folder.rstrip("/").rsplit("/", 1)[-1]
    return h(
        "tr",
        h("td", h("a", f"#{line.pr}", href=line.link, rel="noreferrer"), data_key=str(line.pr)),
        h("td", h(f"span.pill.{_class(line.status)}", line.status), data_key=str(STATUS.index(line.status))),
        h("td", h("b.id", line.rule) if line.rule else None),
        h("td.reason", line.reason),
        h("td", line.claim.removeprefix("claims ")),
        h("td", line.track),
        h("td.day", line.as_of),
        h("td.folder", name),
        data_state=line.status,
    )
