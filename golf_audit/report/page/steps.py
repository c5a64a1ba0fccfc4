"""The observed timeline as a picture: order from left to right, positions of the validation stream downwards.

Score-first adaptation is a staircase: each part is scored (blue), and learned from (orange) to the right.
Orange to the left of blue at the same height was learned before it was scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from golf_audit.report.page.build import Child, Element, bezier, h, svg
from golf_audit.report.page.code import Code
from golf_audit.report.page.lanes import Mark, in_words, sentence, verdict_of

Object = Mapping[str, Any]

_LEFT, _RIGHT, _TOP, _DEEP = 150.0, 1060.0, 64.0, 220.0
_WIDEST = 180.0


def steps(picture: Object, states: Mapping[str, str], code: Code) -> Element:
    """The picture; `states`: where each rule's ruling is found, by its id."""
    marks = {mark.moment["id"]: mark for mark in _placed(picture["moments"])}
    scale = _DEEP / max(1, picture["targets"] + 1)
    pairs = [p for p in picture["pairs"] if p["first"] in marks and p["then"] in marks]
    return svg(
        1080,
        _TOP + _DEEP + 56,
        "What the run did in order, and where in the validation stream; a table below lists it.",
        list(_grid(picture["targets"])),
        [_mark(mark, scale, code) for mark in marks.values()],
        [_joined(pair, marks, states, code, scale) for pair in pairs],
    )


def _placed(moments: Sequence[Object]) -> Iterator[Mark]:
    shown = [m for m in moments if m["kind"] != "read" and _lane(m) is not None]
    step = min(_WIDEST, (_RIGHT - _LEFT) / max(1, len(shown)))
    for index, moment in enumerate(shown):
        yield Mark(moment, _lane(moment) or "", _LEFT + index * step, step, 0)


def _lane(moment: Object) -> str | None:
    if moment["kind"] == "report":
        return "report"
    if moment["kind"] in ("score", "adapt", "calibrate"):
        return "stream" if moment["spans"] else "train"
    return None


def _grid(targets: int) -> Iterator[Element]:
    yield h("rect.band.train", x="0", y="14", width="1080", height="36", rx="4")
    yield h("text.lane", "training tokens", x="10", y="36")
    yield h("rect.band.stream", x="0", y=_TOP - 6, width="1080", height=_DEEP + 12, rx="4")
    yield h("text.lane", "validation stream", x="10", y=_TOP + 12)
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _TOP + share * _DEEP
        yield h("line.rule", x1=_LEFT, x2=_RIGHT, y1=y, y2=y)
        yield h("text.tick", f"{round(share * targets):,}", x=_LEFT - 8, y=y + 4, text_anchor="end")
    y = _TOP + _DEEP + 12
    yield h("rect.band.report", x="0", y=y, width="1080", height="24", rx="4")
    yield h("text.lane", "numbers printed", x="10", y=y + 16)
    yield h("text.axis", "order of events →", x=_LEFT, y=y + 40)


def _mark(mark: Mark, scale: float, code: Code) -> Element:
    moment = mark.moment
    gap = min(2.0, mark.width / 6)
    x, width = mark.x + gap, max(1.0, mark.width - 2 * gap)
    shapes = [
        h("rect", x=x, y=y, width=width, height=max(1.5, height), rx="1.5")
        for y, height in _heights(mark, scale)
    ]
    what = "train" if mark.lane == "train" else moment["kind"]
    kind = what + (".claimed" if moment["claimed"] else "") + ("" if moment["behind"] else ".aside")
    content: list[Child] = [h("title", in_words(moment)), shapes]
    anchor = code.anchor(moment)
    if not anchor:
        return h(f"g.mark.{kind}", content)
    return h(f"a.mark.{kind}", content, href=f"#{anchor}", aria_label=in_words(moment))


def _heights(mark: Mark, scale: float) -> Iterator[tuple[float, float]]:
    if mark.lane == "stream":
        for start, stop in mark.moment["spans"]:
            yield _TOP + start * scale, (stop - start) * scale
    else:
        yield (23.0, 18.0) if mark.lane == "train" else (_TOP + _DEEP + 15, 18.0)


def _joined(
    pair: Object, marks: Mapping[int, Mark], states: Mapping[str, str], code: Code, scale: float
) -> Element:
    a, b = marks[pair["first"]], marks[pair["then"]]
    y1, y2 = (_center(mark, scale) for mark in (a, b))
    x1, x2 = a.x + a.width / 2, b.x + b.width / 2
    middle = (x1 + x2) / 2
    curve = bezier((x1, y1), (middle, y1), (middle, y2), (x2, y2))
    word = verdict_of(pair["rule"], states)
    x, y = middle, (y1 + y2) / 2
    content: list[Child] = [
        h("title", sentence(pair, marks)),
        h("path", d=curve),
        h("circle", cx=x1, cy=y1, r="3.5"),
        h("circle", cx=x2, cy=y2, r="3.5"),
        h("rect", x=x - 19, y=y - 10, width="38", height="20", rx="10"),
        h("text", pair["rule"], x=x, y=y + 4.5, text_anchor="middle"),
    ]
    if pair["rule"] not in states:
        return h(f"g.tag.{word}", content)
    return h(f"a.tag.{word}", content, href=f"#{code.prefix}{pair['rule']}", aria_label=sentence(pair, marks))


def _center(mark: Mark, scale: float) -> float:
    spans = mark.moment["spans"]
    return _TOP + scale * (spans[0][0] + spans[-1][1]) / 2 if spans else 32.0
