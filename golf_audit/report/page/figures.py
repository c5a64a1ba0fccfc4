"""The pictures of one report, with the tables that say the same in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from golf_audit.report.page import lanes, miniature, plots, steps
from golf_audit.report.page.build import Child, Element, h
from golf_audit.report.page.code import Code
from golf_audit.report.page.rulings import STATES, state

Object = Mapping[str, Any]

_KEY = {
    "predicted": (("train", "trained"), ("adapt", "adapted"), ("score", "scored"), ("printed", "printed")),
    "observed": (
        ("train", "trained"),
        ("adapt", "learned from"),
        ("score", "scored and counted"),
        ("printed", "printed"),
    ),
}


def timelines(report: Object, code: Code) -> Iterator[Element]:
    """The predicted and the observed order of events."""
    figures = report.get("figures") or {}
    states = {ruling["rule"]: state(ruling) for ruling in report["rulings"]}
    predicted, observed = figures.get("predicted"), figures.get("observed")
    if predicted is not None and predicted["moments"]:
        yield _timeline("Timeline, as read", predicted, lanes.lanes(predicted, states, code), states, code)
    if observed is not None and observed["moments"]:
        yield _timeline(
            "Timeline, as run in miniature", observed, steps.steps(observed, states, code), states, code
        )


def _timeline(
    title: str, picture: Object, drawing: Element, states: Mapping[str, str], code: Code
) -> Element:
    name = f"{code.prefix}{picture['origin']}"
    return h(
        f"section#{name}.timeline",
        h("h2", title),
        h("p.about", _about(picture, states)),
        h("div.scroll", drawing, tabindex="0", role="region", aria_label=title),
        h("p.key", [(h(f"span.swatch.{kind}"), f" {word}") for kind, word in _KEY[picture["origin"]]]),
        _table(picture, code),
    )


def _about(picture: Object, states: Mapping[str, str]) -> str:
    """What the picture shows, in a sentence."""
    if not any(m["claimed"] for m in picture["moments"]):
        return "No printed number could be told to be the claimed one: what it rests on is not known."
    ran = picture["origin"] == "observed"
    names = list(dict.fromkeys(pair["rule"] for pair in picture["pairs"]))
    if names:
        told = ", ".join(f"{n} ({STATES[states[n]]})" if n in states else n for n in names)
        how = " Orange left of blue at one height was learned before it was scored." if ran else ""
        return f"Joined: what came before a counted score and should not have: {told}.{how}"
    if picture["gaps"]:
        return "No such pair was found, but not everything on the way to the number could be followed."
    said = "Nothing that the claimed number rests on was adapted to its tokens before they were scored."
    learned = any(m["kind"] == "adapt" and m["spans"] and m["behind"] for m in picture["moments"])
    return (
        f"{said} Blue, then orange to its right: each part is scored, then learned from." if learned else said
    )


def _table(picture: Object, code: Code) -> Element:
    rows = [
        h(
            f"tr.{moment['kind']}" + ("" if moment["behind"] else ".aside"),
            h("td.n", moment["id"]),
            h("td", moment["kind"]),
            h("td", lanes.in_words({**moment, "line": None})),
            h("td", code.link(moment)),
        )
        for moment in picture["moments"]
    ]
    omitted = f" ({picture['omitted']} more did not fit)" if picture["omitted"] else ""
    gaps = [h("li", gap["says"], " ", code.link(gap)) for gap in picture["gaps"]]
    titles = h("thead", h("tr", [h("th", t, scope="col") for t in ("event", "kind", "what", "where")]))
    return h(
        "details.events",
        h("summary", f"The {len(rows)} events as a table{omitted}"),
        h(
            "div.scroll",
            h("table", titles, h("tbody", rows)),
            tabindex="0",
            role="region",
            aria_label="events",
        ),
        [h("h4", "What could not be followed"), h("ul", gaps)] if gaps else None,
    )


def plotted(report: Object, code: Code) -> Iterator[Element]:
    """Scores, bytes, losses and probes."""
    figures = report.get("figures") or {}
    side: list[Child] = []
    if figures.get("scores") is not None:
        side.append(plots.scores(figures["scores"], code))
    if figures.get("sizes") is not None:
        side.append(plots.sizes(figures["sizes"], code))
    if side:
        yield h("div.side", side)
    run = figures.get("run")
    if run is not None:
        yield h(
            "section.run",
            h("h2", "The run in miniature"),
            _ending(run),
            miniature.losses(run),
            miniature.probes(run),
        )
    problems = figures.get("problems") or ()
    if problems:
        yield h("section.problems", h("h2", "Not drawn"), h("ul", [h("li", text) for text in problems]))


def _ending(run: Object) -> Element:
    caged = "" if run["sandboxed"] else ", WITHOUT A SANDBOX"
    ended = "" if run["ending"] == "ok" else f"; it did not run to its end: {run['reason']}"
    seen = (
        "the printed number is attested: the losses seen give it again"
        if run["attested"]
        else "the number is not attested"
    )
    return h("p.about", f"On {run['device']}{caged}, {run['probes']} probes{ended}; {seen}.")
