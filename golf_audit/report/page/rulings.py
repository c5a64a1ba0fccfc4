"""Each ruling with its law, evidence, precedents and what to change; and the controls that filter them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from golf_audit.report.page.build import Child, Element, h
from golf_audit.report.page.code import CHALLENGE, Code
from golf_audit.report.page.controls import controls

Object = Mapping[str, Any]

STATES = {
    "fail": "fail",
    "needs-ruling": "needs ruling",
    "undetermined": "undetermined",
    "waived": "waived",
    "not-yet-run": "not yet run",
    "pass": "holds",
    "not-applicable": "not applicable",
}
"""Where a ruling is found, worst first, and its word on the page."""
SEVERITY = {"D": "disqualifying", "I": "incomplete", "A": "advisory"}
_LABEL = {"source": "code", "readme": "README"}
_SPEAKER = {
    "README of the challenge": "",
    "organiser's ruling": "organiser on ",
    "accepted practice": "accepted practice, ",
    "community": "community, ",
}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def state(ruling: Object) -> str:
    """The verdict; apart from it what was waived, and what only waits for a run (report/sections.py)."""
    if ruling.get("waived"):
        return "waived"
    waits = any(unmet["awaits"] for unmet in ruling["unmet"])
    if ruling["verdict"] == "undetermined" and not ruling["reading_decides"] and waits:
        return "not-yet-run"
    return str(ruling["verdict"])


def ordered(rulings: Sequence[Object]) -> list[Object]:
    """Worst first; among equals advisory rules last, then in the catalogue's order."""
    ranks = list(STATES)
    return sorted(rulings, key=lambda r: (ranks.index(state(r)), r["severity"] == "A"))


def section(report: Object, code: Code) -> Element:
    """All rulings, with the controls above them."""
    rulings = ordered(report["rulings"])
    return h(
        f"section#{code.prefix}rulings.rulings",
        h("h2", "Rulings"),
        controls(_counted(rulings), "rulings", "rule, word, file"),
        h("div.list", [_ruling(ruling, code) for ruling in rulings]),
        h("p.none", "No ruling matches.", hidden=True),
        data_filter=True,
    )


def _counted(rulings: Sequence[Object]) -> list[tuple[str, str, str, int]]:
    return [(word, label, word, sum(state(r) == word for r in rulings)) for word, label in STATES.items()]


def _ruling(ruling: Object, code: Code) -> Element:
    word = state(ruling)
    return h(
        f"details#{code.prefix}{ruling['rule']}.ruling.{word}",
        h(
            "summary",
            h("span.pill", STATES[word]),
            h("b.id", ruling["rule"]),
            h(
                "span.reason",
                h("span.title", ruling["title"]),
                h("span.tag", SEVERITY[ruling["severity"]]) if ruling["severity"] != "D" else None,
                h("span.why", _reason(ruling)),
            ),
        ),
        h("dl", list(_rows(ruling, code))),
        data_state=word,
        open=word in ("fail", "needs-ruling"),
    )


def _reason(ruling: Object) -> str:
    """The ruling's sentence; one that rests on a finding which is not shown says so."""
    unshown = ruling["verdict"] == "undetermined" and judged(ruling)
    return f"likely, but not shown: {ruling['reason']}" if unshown else str(ruling["reason"])


def judged(ruling: Object) -> list[Object]:
    """The findings that can decide something: all but hints."""
    return [f for f in ruling["findings"] if f["certainty"] != "hint"]


def _rows(ruling: Object, code: Code) -> Iterator[Element]:
    found = judged(ruling)
    for index, finding in enumerate(found):
        label = "finding" if len(found) == 1 else f"finding {index + 1}"
        said = None if ruling["reason"].startswith(finding["message"]) else h("p", finding["message"])
        yield from _row(label, said, _trail(finding["evidence"], code))
    yield from _row("rests on", _trail(ruling["basis"], code) if not found else None)
    hints = [
        {**f["evidence"][0], "says": f["message"]} for f in ruling["findings"] if f["certainty"] == "hint"
    ]
    yield from _row("note", _trail([*ruling["notes"], *hints], code))
    missing = dict.fromkeys(u["missing"] for u in ruling["unmet"] if u["missing"] not in ruling["reason"])
    yield from _row("missing", [h("p", text) for text in missing])
    supply = dict.fromkeys(u["supply"] for u in ruling["unmet"] if u["supply"])
    yield from _row("supplied by", [h("p", h("code", text)) for text in supply])
    yield from _row("law", list(_laws(ruling)))
    yield from _row("precedents", list(_precedents(ruling)))
    yield from _row("to change", [h("p", text) for text in changes(ruling)])
    yield from _row("waived", [h("p", waiver(f["waived"])) for f in found if f.get("waived")])


def _row(label: str, *content: Child) -> Iterator[Element]:
    if any(content):
        yield h("dt", label)
        yield h("dd", *content)


def _trail(evidence: Sequence[Object], code: Code) -> Element | None:
    """Pieces of evidence in order, each with its quote; a click leads to the line among its neighbours."""
    if not evidence:
        return None
    return h("ol.trail", [_piece(piece, code) for piece in evidence])


def _piece(piece: Object, code: Code) -> Element:
    quote = piece["quote"]
    anchor = code.anchor(piece)
    quoted = h("code.quote", quote[:400]) if quote else None
    return h(
        "li",
        h("span.kind", _LABEL.get(piece["kind"], piece["kind"])),
        h("span.says", piece["says"], " ", code.link(piece)),
        h("a.to", quoted, href=f"#{anchor}") if quoted is not None and anchor else quoted,
    )


def _laws(ruling: Object) -> Iterator[Element]:
    """The laws of the findings first, then what else the rule rests on, each once."""
    once: dict[tuple[str, str], Object] = {}
    for cite in (*(f["law"] for f in judged(ruling)), *ruling["law"]):
        once.setdefault((cite["source"], cite["says"]), cite)
    for cite in once.values():
        since = "" if _DATE.search(cite["source"]) else f" ({cite['since']})"
        who = f"{_SPEAKER[cite['authority']]}{cite['source']}{since}"
        disputed = h("span.tag", "disputed") if cite["disputed"] else None
        yield h("p", _linked(who), disputed, ": " if not disputed else " ", cite["says"])


def _linked(text: str) -> list[Child]:
    """The numbers of pull requests in one of our own citations, as links."""
    parts = re.split(r"#(\d{1,6})\b", text)
    return [pull_request(int(p)) if index % 2 else p for index, p in enumerate(parts)]


def pull_request(number: int) -> Element:
    """A quiet link to a pull request of the challenge."""
    return h("a", f"#{number}", href=f"{CHALLENGE}/pull/{number}", rel="noreferrer")


def _precedents(ruling: Object) -> Iterator[Element]:
    """Those that the findings name, else the rule's, by outcome."""
    if not judged(ruling):
        return
    named = [p for f in judged(ruling) for p in f["precedents"]] or list(ruling["precedents"])
    outcomes: dict[str, dict[int, Object]] = {}
    for one in named:
        outcomes.setdefault(one["outcome"], {}).setdefault(one["pr"], one)
    for outcome, those in outcomes.items():
        told: list[Child] = [h("b", outcome), " "]
        for number, one in those.items():
            told += [pull_request(number), f" ({one['note']}) " if one["note"] else " "]
        yield h("p", told)


def waiver(one: Object) -> str:
    """Who let a finding stand, why, and until when."""
    return f"by {one['who']}: {one['reason']} (until {one['expires']})"


def changes(ruling: Object) -> list[str]:
    """What to change, each once; the legal example where a failed rule's findings do not say."""
    told = list(dict.fromkeys(f["to_change"] for f in judged(ruling) if f["to_change"]))
    if not told and ruling["verdict"] == "fail":
        return [f"as in the legal example: golf-audit rules {ruling['rule']}"]
    return told
