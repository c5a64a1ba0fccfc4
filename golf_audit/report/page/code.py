"""The code that a report cites: where each line stands on the page, and the listing itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from golf_audit.filetree import OUTSIDE
from golf_audit.report import escape
from golf_audit.report.page.build import Child, Element, h

Object = Mapping[str, Any]
Place = tuple[str, int]
"""A file, as written in the report, and a layer of it."""

CHALLENGE = "https://github.com/openai/parameter-golf"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Code:
    """The excerpts of one report. `prefix` keeps the anchors of several reports on one page apart."""

    prefix: str
    excerpts: Sequence[Object]
    places: tuple[Place, ...]
    lines: frozenset[tuple[Place, int]]

    def anchor(self, at: Object) -> str | None:
        """The id of the line that a position names; None when it is not on the page."""
        place = (at["file"], at["layer"] or 0)
        if at["line"] is None or (place, at["line"]) not in self.lines:
            return None
        return f"{self.prefix}c{self.places.index(place)}-{at['line']}"

    def link(self, at: Object) -> Element | None:
        """A position as a link to its line, else as text; None for what lies nowhere."""
        if at["file"] is None:
            return None
        anchor = self.anchor(at)
        said = position(at)
        return h("a.at", said, href=f"#{anchor}") if anchor else h("span.at", said)


def code_of(report: Object, prefix: str) -> Code:
    """The excerpts of a report, by place."""
    excerpts = (report.get("figures") or {}).get("code", ())
    places = tuple(dict.fromkeys((e["file"], e["layer"] or 0) for e in excerpts))
    lines = frozenset(
        ((e["file"], e["layer"] or 0), number)
        for e in excerpts
        for number in range(e["first"], e["first"] + len(e["lines"]))
    )
    return Code(prefix, excerpts, places, lines)


def position(at: Object) -> str:
    """file:line as an editor opens it; a packed layer and a JSON pointer are named."""
    layer = f" layer {at['layer']}" if at["layer"] else ""
    line = f":{at['line']}" if at["line"] is not None else ""
    pointer = f" ({at['pointer']})" if at.get("pointer") else ""
    return f"{at['file']}{layer}{line}{pointer}"


@dataclass(frozen=True)
class Cited:
    """What is said of a line: the worst state of a ruling that cites it, and the words."""

    state: str
    words: Sequence[Child]


Marks = Mapping[tuple[Place, int], Cited]
"""Cited lines, what the worst ruling cites first."""


def listing(report: Object, code: Code, marks: Marks) -> Element | None:
    """Every excerpt by file and layer, what the worst ruling cites first; cited lines say by what."""
    if not code.excerpts:
        return None
    ordered = dict.fromkeys((*(place for place, _ in marks if place in code.places), *code.places))
    return h(
        f"section#{code.prefix}code.code",
        h("h2", "The code that is cited"),
        [_file(report, code, place, marks) for place in ordered],
    )


def _file(report: Object, code: Code, place: Place, marks: Marks) -> Element:
    mine = [e for e in code.excerpts if (e["file"], e["layer"] or 0) == place]
    file, layer = place
    packed = mine[0]["payload_line"]
    about = [f"layer {layer}, unpacked ({mine[0]['unpacked']})" if layer else None]
    about.append(f"packed in line {packed}" if layer and packed is not None else None)
    outside = _on_github(report, file, packed if layer else None)
    titles = [h("th", text, scope="col") for text in ("line", "code", "cited for")]
    return h(
        "section.file",
        h(
            "h3",
            h("span.name", file),
            [h("span.about", part) for part in about if part],
            h("a.out", "whole file at GitHub", href=outside, rel="noreferrer") if outside else None,
        ),
        h(
            "table",
            h("colgroup", h("col.n"), h("col"), h("col.by")),
            h("thead", h("tr", titles)),
            [_excerpt(code, e, index > 0, marks) for index, e in enumerate(mine)],
        ),
    )


def _excerpt(code: Code, excerpt: Object, later: bool, marks: Marks) -> Element:
    place = (excerpt["file"], excerpt["layer"] or 0)
    number = code.places.index(place)
    rows = []
    for line, text in enumerate(excerpt["lines"], start=excerpt["first"]):
        cited = marks.get((place, line))
        rows.append(
            h(
                f"tr#{code.prefix}c{number}-{line}" + (f".cited.{cited.state}" if cited else ""),
                h("td.n", line),
                h("td.l", h("code", text)),
                h("td.by", cited.words if cited else None),
            )
        )
    return h("tbody.later" if later else "tbody", rows)


def _on_github(report: Object, file: str, line: int | None) -> str | None:
    """The file at the commit that was audited."""
    commit = report["head"]["commit"]
    if commit is None or not _COMMIT.fullmatch(commit):
        return None
    outside = file.startswith(OUTSIDE)
    path = file.removeprefix(OUTSIDE) if outside else f"{report['submission']['folder']}/{file}"
    return f"{CHALLENGE}/blob/{commit}/{escape.uri(path)}" + (f"#L{line}" if line else "")
