"""The predicted timeline as a picture: events in order from left to right, a lane for what each does to what.

A pair that a rule is about is joined by a line; marks lead to their code, the line to the ruling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from golf_audit.report.page.build import Child, Element, bezier, h, svg
from golf_audit.report.page.code import Code

Object = Mapping[str, Any]

_VAL = "validation tokens"
LANES = {
    "train": "training tokens",
    "save": "files written",
    "adapt": "learned from validation",
    "score": "validation scored",
    "report": "numbers printed",
}
"""Lanes from top to bottom; the two that a rule of order compares are neighbours."""
_LEFT, _RIGHT, _TOP, _LANE, _BAR = 160.0, 1062.0, 2.0, 46.0, 18.0
_WIDEST, _BEHIND, _ASIDE = 30.0, 2.0, 0.6


@dataclass(frozen=True)
class Mark:
    """A moment with its place in the picture."""

    moment: Object
    lane: str
    x: float
    width: float
    y: float
    label: str = ""


def lane_of(moment: Object) -> str | None:
    """Where a moment is drawn; None for what only the table lists."""
    kind = moment["kind"]
    if kind in ("adapt", "calibrate", "select"):
        return "adapt" if moment["stream"].startswith("validation") else "train"
    return {"score": "score", "save": "save", "report": "report"}.get(kind)


def lanes(picture: Object, states: Mapping[str, str], code: Code) -> Element:
    """`states`: where each rule's ruling is found, by its id."""
    marks = {mark.moment["id"]: mark for mark in _placed(picture["moments"])}
    height = _TOP + _LANE * len(LANES) + 26
    return svg(
        1080,
        height,
        "Events in order, by what they do to which tokens; a table below lists them.",
        list(_grid(height)),
        [_joined(pair, marks, states, code) for pair in picture["pairs"] if _drawn(pair, marks)],
        [_mark(mark, code) for mark in marks.values()],
        [_name(pair, marks, states, code) for pair in picture["pairs"] if _drawn(pair, marks)],
    )


def _drawn(pair: Object, marks: Mapping[int, Mark]) -> bool:
    return pair["first"] in marks and pair["then"] in marks


def _placed(moments: Sequence[Object]) -> Iterator[Mark]:
    shown = [(moment, lane) for moment in moments if (lane := lane_of(moment)) is not None]
    weights = [_BEHIND if moment["behind"] else _ASIDE for moment, _ in shown]
    step = min(_WIDEST, (_RIGHT - _LEFT) / max(1.0, sum(weights)))
    x = _LEFT
    labelled: dict[str, tuple[int | None, float]] = {}  # lane -> the last line named, and where it ends
    for (moment, lane), weight in zip(shown, weights, strict=True):
        width = step * weight
        named, free = labelled.get(lane, (None, _LEFT))
        label = ""
        if moment["behind"] and moment["line"] is not None and moment["line"] != named and x >= free:
            label = str(moment["line"])
            labelled[lane] = (moment["line"], x + 7.0 * len(label) + 6)
        yield Mark(moment, lane, x, width, _middle(lane), label)
        x += width


def _middle(lane: str) -> float:
    return _TOP + _LANE * (list(LANES).index(lane) + 0.5)


def _grid(height: float) -> Iterator[Element]:
    for lane, label in LANES.items():
        y = _middle(lane)
        yield h(f"rect.band.{lane}", x="0", y=y - _LANE / 2 + 2, width="1080", height=_LANE - 4, rx="4")
        yield h("text.lane", label, x="10", y=y + 4)
    yield h("text.axis", "order of events →", x=_LEFT, y=height - 6)
    yield h(
        "text.axis", "in outline: not behind the claimed number", x=_RIGHT, y=height - 6, text_anchor="end"
    )


def _mark(mark: Mark, code: Code) -> Element:
    moment = mark.moment
    faded = "" if moment["behind"] else ".aside"
    claimed = ".claimed" if moment["claimed"] else ""
    gap = min(2.0, mark.width / 5)
    height = _BAR if moment["behind"] else _BAR - 6
    shape = h(
        "rect",
        x=mark.x + gap,
        y=mark.y - height / 2,
        width=max(1.5, mark.width - 2 * gap),
        height=height,
        rx="2.5",
    )
    words: list[Child] = [h("title", in_words(moment)), shape]
    if mark.label:
        below = mark.lane in ("score", "report")  # lines that join a pair come from above
        y = mark.y + (height / 2 + 11 if below else -height / 2 - 4)
        words.append(h("text.line", mark.label, x=mark.x + gap, y=y))
    anchor = code.anchor(moment)
    kind = f"{mark.lane}{faded}{claimed}"
    if not anchor:
        return h(f"g.mark.{kind}", words)
    return h(f"a.mark.{kind}", words, href=f"#{anchor}", aria_label=in_words(moment))


def in_words(moment: Object) -> str:
    """One sentence: what happens, on which tokens, how often, and under which unknown tests."""
    tokens = f": {moment['stream']}, {moment['extent']}" if moment["extent"] else ""
    times = f", {moment['times']} times in the reading" if moment["times"] > 1 else ""
    tests = f", if {' and '.join(moment['conditions'])}" if moment["conditions"] else ""
    line = f" (line {moment['line']})" if moment["line"] is not None else ""
    return f"{moment['says']}{tokens}{times}{tests}{line}"


def verdict_of(rule: str, states: Mapping[str, str]) -> str:
    """The class of a pair: how the rule that it is about was ruled."""
    word = states.get(rule, "unasked")
    return word if word in ("fail", "needs-ruling", "undetermined") else "unasked"


def sentence(pair: Object, marks: Mapping[int, Mark]) -> str:
    """What a pair says."""
    first, then = marks[pair["first"]].moment, marks[pair["then"]].moment
    sure = "" if pair["sure"] else ", possibly on the same tokens"
    told = [f"{m['says']} (line {m['line']})" for m in (first, then)]
    return f"{pair['rule']}: {', then '.join(told)}{sure}"


def _joined(pair: Object, marks: Mapping[int, Mark], states: Mapping[str, str], code: Code) -> Element:
    a, b = marks[pair["first"]], marks[pair["then"]]
    x1, x2 = a.x + a.width / 2, b.x + b.width / 2
    y1, y2 = a.y + _BAR / 2, b.y - _BAR / 2
    if a.lane == b.lane:
        y1 = y2 = a.y - _BAR / 2
    curve = bezier((x1, y1), (x1, y1 + 26), (x2, y2 - 26), (x2, y2))
    word = verdict_of(pair["rule"], states)
    target = f"#{code.prefix}{pair['rule']}" if pair["rule"] in states else None
    says = h("title", sentence(pair, marks))
    path = h("path", d=curve)
    wide = h("path.catch", d=curve)
    if target is None:
        return h(f"g.pair.{word}", says, path)
    return h(f"a.pair.{word}", says, wide, path, href=target, tabindex="-1", aria_hidden="true")


def _name(pair: Object, marks: Mapping[int, Mark], states: Mapping[str, str], code: Code) -> Element:
    """The rule's id, on the line that joins the pair."""
    a, b = marks[pair["first"]], marks[pair["then"]]
    x = (a.x + a.width / 2 + b.x + b.width / 2) / 2
    y = (a.y + b.y) / 2
    word = verdict_of(pair["rule"], states)
    label: list[Child] = [
        h("title", sentence(pair, marks)),
        h("rect", x=x - 19, y=y - 10, width="38", height="20", rx="10"),
        h("text", pair["rule"], x=x, y=y + 4.5, text_anchor="middle"),
    ]
    if pair["rule"] not in states:
        return h(f"g.tag.{word}", label)
    return h(f"a.tag.{word}", label, href=f"#{code.prefix}{pair['rule']}", aria_label=sentence(pair, marks))
