"""The page that a reviewer opens: one HTML file made of the JSON report alone.

build      elements, escaped          shell     the document, its policy, style and script
head       the verdict                lanes     the predicted timeline      steps      the observed one
plots      scores and bytes           miniature losses and probes           rulings    law and evidence
code       the lines that are cited   parent    what is inherited           body       all of it in order
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from golf_audit.model import Report
from golf_audit.report import jsonreport
from golf_audit.report.page.body import report_part
from golf_audit.report.page.build import Element, h
from golf_audit.report.page.head import name
from golf_audit.report.page.shell import page

__all__ = ["render", "render_documents"]

_WORST = ("fail", "open", "pass")


def render(reports: Sequence[Report], *, require_run: bool = False) -> str:
    """The page of reports that were just made."""
    return render_documents([jsonreport.to_dict(report, require_run=require_run) for report in reports])


def render_documents(reports: Sequence[Mapping[str, Any]]) -> str:
    """The page of JSON reports; `readback.read` holds those of a file to the schema."""
    if not reports:
        return page(
            "golf-audit: no submission", _top(), h("main", h("h1", "No submission in this pull request"))
        )
    if len(reports) == 1:
        word = reports[0]["verdict"].upper()
        return page(f"{word}: {name(reports[0])}", _top(), h("main", report_part(reports[0], "", 1)))
    word = min((r["verdict"] for r in reports), key=_WORST.index).upper()
    parts = [report_part(report, f"s{n}-", 2) for n, report in enumerate(reports, start=1)]
    return page(
        f"{word}: {len(reports)} submissions", _top(), h("main", _several(reports), h("div.several", parts))
    )


def _top() -> Element:
    return h("div.top", h("b", "golf-audit"), " what was scored, what was adapted on, in which order")


def _several(reports: Sequence[Mapping[str, Any]]) -> Element:
    links = [
        h("li", h(f"span.pill.{r['verdict']}", r["verdict"]), " ", h("a", name(r), href=f"#s{n}-report"))
        for n, r in enumerate(reports, start=1)
    ]
    return h("nav.several", h("h1", f"{len(reports)} submissions"), h("ul", links), aria_label="submissions")
