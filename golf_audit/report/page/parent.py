"""What --parent found: who the parent is, what is inherited and what is new, and the differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from golf_audit.report.page.build import Child, Element, h
from golf_audit.report.page.code import Code

Object = Mapping[str, Any]


def parent(report: Object, code: Code) -> Element | None:
    """Nothing where no parent was asked for."""
    lineage = report.get("lineage")
    if lineage is None:
        return None
    return h(
        f"section#{code.prefix}parent",
        h("h2", "Against the parent"),
        h("p", lineage["title"]),
        h("dl.parent", list(_lines(lineage, code))),
    )


def _lines(lineage: Object, code: Code) -> Iterator[Child]:
    for line in lineage["lines"]:
        yield h("dt", line["label"])
        yield h("dd", line["says"], " ", code.link(line) if line["file"] is not None else None)
