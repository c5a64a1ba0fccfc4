"""One report as a part of a page: head, pictures, rulings, code, configuration, and how to print it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from golf_audit.report import escape
from golf_audit.report.page.build import Element, h
from golf_audit.report.page.code import Cited, Code, Place, code_of, listing
from golf_audit.report.page.figures import plotted, timelines
from golf_audit.report.page.head import head
from golf_audit.report.page.parent import parent
from golf_audit.report.page.rulings import judged, ordered, section, state

Object = Mapping[str, Any]

_SETTINGS = 400


def report_part(report: Object, prefix: str, level: int) -> Element:
    """The report's own <article>; `prefix` keeps anchors apart, `level` is that of its heading."""
    code = code_of(report, prefix)
    return h(
        f"article#{prefix}report",
        head(report, prefix, level),
        list(timelines(report, code)),
        list(plotted(report, code)),
        section(report, code) if report["rulings"] else None,
        parent(report, code),
        listing(report, code, _marks(report, code)),
        _configuration(report, code),
        _again(report),
    )


def _marks(report: Object, code: Code) -> dict[tuple[Place, int], Cited]:
    """What is said of each cited line, by the worst ruling first."""
    told: dict[tuple[Place, int], dict[str, tuple[Object, str]]] = {}
    for ruling in ordered(report["rulings"]):
        strong = [e for f in judged(ruling) for e in f["evidence"]]
        for piece in (*strong, *ruling["notes"], *ruling["basis"]):
            if piece["file"] is not None and piece["line"] is not None:
                where = ((piece["file"], piece["layer"] or 0), piece["line"])
                told.setdefault(where, {}).setdefault(ruling["rule"], (ruling, piece["says"]))
    figures = report.get("figures") or {}
    for name in ("predicted", "observed"):
        for moment in (figures.get(name) or {}).get("moments", ()):
            if moment["behind"] and moment["line"] is not None:
                told.setdefault(((moment["file"], moment["layer"] or 0), moment["line"]), {})
    return {where: _cited(code, says) for where, says in told.items()}


def _cited(code: Code, says: Mapping[str, tuple[Object, str]]) -> Cited:
    """The first of `says` is of the worst ruling."""
    if not says:
        return Cited("event", [h("span.says", "an event behind the claimed number")])
    rules = [
        (h(f"a.chip.{state(ruling)}", rule, href=f"#{code.prefix}{rule}", title=text), " ")
        for rule, (ruling, text) in says.items()
    ]
    texts = list(dict.fromkeys(text for _, text in says.values()))
    more = f" (and {len(texts) - 1} more)" if len(texts) > 1 else ""
    worst = state(next(iter(says.values()))[0])
    return Cited(worst, [*rules, h("span.says", f"{texts[0]}{more}")])


def _configuration(report: Object, code: Code) -> Element | None:
    """The settings that were run; those that depart from the code's defaults first."""
    settings = report["configuration"]
    if not settings:
        return None
    by_origin = sorted(settings, key=lambda s: (_default(s) is None, s["name"]))
    rows = [
        h(
            "tr",
            h("td", h("code", s["name"])),
            h("td", h("code", s["value"][:120])),
            h("td", h("code", (_default(s) or "")[:120])),
            h("td", s["origin"], " ", code.link(s)),
        )
        for s in by_origin[:_SETTINGS]
    ]
    more = len(settings) - len(rows)
    departing = sum(_default(s) is not None for s in settings)
    titles = ("setting", "value", "default in code", "from")
    return h(
        f"section#{code.prefix}configuration",
        h("h2", "Configuration as run"),
        h(
            "details",
            h("summary", f"{len(settings)} settings, {departing} of them not as the code's default"),
            h(
                "div.scroll",
                h("table", h("thead", h("tr", [h("th", t, scope="col") for t in titles])), h("tbody", rows)),
                tabindex="0",
                role="region",
                aria_label="settings",
            ),
            h("p", f"and {more} more in the JSON report") if more else None,
        ),
    )


def _default(setting: Object) -> str | None:
    """The code's default, where the run departs from it."""
    found = next((s["value"] for s in setting["overridden"] if s["origin"] == "code"), None)
    return str(found) if found is not None and found != setting["value"] else None


def _again(report: Object) -> Element:
    tool, submission = report["tool"], report["submission"]
    return h(
        "section.again",
        h("h2", "The same again"),
        h("pre", h("code", "\n".join(_commands(report)))),
        h(
            "p",
            f"golf-audit {tool['version']}, rules {tool['ruleset']}, folder sha256 ",
            h("code", submission["fingerprint"]),
        ),
    )


def _commands(report: Object) -> Sequence[str]:
    pr, commit = report["head"]["pr"], report["head"]["commit"]
    flags = f" --as-of {report['as_of']}" + "".join(f" --rule {rule}" for rule in report["restricted_to"])
    if pr is not None:
        fetch = f"git fetch origin refs/pull/{pr}/head:refs/pull/{pr}/head"
        return (fetch, f"golf-audit report --repo . --pr {pr}{flags}")
    if commit is not None and re.fullmatch(r"[0-9a-f]{40}", commit):
        return (f"golf-audit report --repo . --ref {commit}{flags}",)
    return (f"golf-audit report {shlex.quote(escape.path(report['submission']['folder']))}{flags}",)
