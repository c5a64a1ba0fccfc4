"""The top of a report: the word, the sentence that decides it, and every rule as a chip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from golf_audit.report.page.build import Child, Element, h
from golf_audit.report.page.code import CHALLENGE
from golf_audit.report.page.rulings import STATES, changes, ordered, pull_request, state, waiver

Object = Mapping[str, Any]

_COMMIT = re.compile(r"[0-9a-f]{40}")


def head(report: Object, prefix: str, level: int) -> Element:
    """Name and place, the verdict, what decides it, and the rules at a glance."""
    return h(
        f"header.report.{report['verdict']}",
        h(
            "div.name",
            h(f"h{level}", name(report)),
            h("p.meta", _joined(_meta(report))),
        ),
        h(
            "div.verdict",
            h("strong.word", report["verdict"].upper()),
            h("div.lead", list(_lead(report, prefix))),
        ),
        _chips(report, prefix),
        [
            h("p.idle", f"A waiver without effect ({one['state']}): {one['rule']}, {waiver(one)}")
            for one in report.get("waivers", ())
            if one["state"] != "applied"
        ],
        [
            h(
                "p.crash",
                h("b", f"The tool failed on {crash['rule']}"),
                f", which is not judged: {crash['error']}",
            )
            for crash in report["crashes"]
        ],
    )


def name(report: Object) -> str:
    """The submission folder's own name."""
    return str(report["submission"]["folder"]).rsplit("/", 1)[-1]


def _joined(parts: Iterator[Child]) -> Iterator[Child]:
    for index, part in enumerate(parts):
        yield h("span.dot", " · ") if index else None
        yield part


def _meta(report: Object) -> Iterator[Child]:
    submission, commit = report["submission"], report["head"]["commit"]
    yield f"{submission['track']} track"
    if submission["claim"]:
        yield h("b", submission["claim"])
    if report["head"]["pr"] is not None:
        yield h("span", "pull request ", pull_request(report["head"]["pr"]))
    if commit is not None and _COMMIT.fullmatch(commit):
        yield h("a", f"commit {commit[:10]}", href=f"{CHALLENGE}/commit/{commit}", rel="noreferrer")
    yield f"law of {report['as_of']}"


def _lead(report: Object, prefix: str) -> Iterator[Element]:
    """What decides the word, in one sentence for each of the first rules, and what to change."""
    deciding = [r for r in ordered(report["rulings"]) if _decides(r, report["verdict"])]
    for ruling in deciding[:3]:
        yield h("p", h("a.id", ruling["rule"], href=f"#{prefix}{ruling['rule']}"), " ", ruling["reason"])
    if len(deciding) > 3:
        yield h("p.more", f"and {len(deciding) - 3} more: ", [_chip(r, prefix) for r in deciding[3:]])
    if report["verdict"] == "fail":
        told = [(r["rule"] if len(deciding) > 1 else "", changes(r)[0]) for r in deciding[:3]]
        yield h("p.change", h("b", "To change: "), "; ".join(f"{rule} {text}".strip() for rule, text in told))
    if report["verdict"] == "open":
        yield from _asked(deciding)
    if not deciding:
        yield h("p", _otherwise(report))
    if report["restricted_to"]:
        yield h("p.more", f"Asked only: {' '.join(report['restricted_to'])}; the word is about these rules.")


def _asked(deciding: Sequence[Object]) -> Iterator[Element]:
    """What would settle an open report."""
    disputed = [r["rule"] for r in deciding if r["verdict"] == "needs-ruling"]
    supply = dict.fromkeys(u["supply"] for r in deciding for u in r["unmet"] if u["supply"])
    told = [f"an organiser's ruling on {' '.join(disputed)}"] if disputed else []
    if told or supply:
        commands = [(", " if told or index else "", h("code", text)) for index, text in enumerate(supply)]
        yield h("p.change", h("b", "To settle: "), told, commands)


def _otherwise(report: Object) -> str:
    if not report["rulings"]:
        return "No rule was asked."
    waiting = [r["rule"] for r in report["rulings"] if state(r) == "not-yet-run"]
    rest = f" Not yet run: {' '.join(waiting)}." if waiting else ""
    return f"Every rule that could be judged holds.{rest}"


def _decides(ruling: Object, verdict: str) -> bool:
    """True for what made the word (golf_audit/outcome.py; the word itself is the report's)."""
    if ruling.get("waived"):
        return False
    if verdict == "fail":
        return bool(ruling["verdict"] == "fail" and ruling["severity"] != "A")
    unsettled = ruling["verdict"] in ("needs-ruling", "undetermined") and ruling["severity"] == "D"
    return bool(verdict == "open" and unsettled and state(ruling) != "not-yet-run")


def _chips(report: Object, prefix: str) -> Element:
    """Every rule by where it is found, worst first."""
    groups = []
    for word, label in STATES.items():
        those = [r for r in report["rulings"] if state(r) == word]
        if those:
            count = h("span.group", h("b", len(those)), f" {label}")
            groups.append(h(f"li.{word}", count, h("span.ids", [_chip(r, prefix) for r in those])))
    return h("ul.chips", groups, aria_label="rules by verdict")


def _chip(ruling: Object, prefix: str) -> Element:
    return h(
        f"a.chip.{state(ruling)}",
        ruling["rule"],
        href=f"#{prefix}{ruling['rule']}",
        title=f"{ruling['title']}: {STATES[state(ruling)]}",
    )
