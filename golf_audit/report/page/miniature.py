"""The run in miniature: losses along the validation stream, and what each probe moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from golf_audit.report.page.axis import Axis
from golf_audit.report.page.build import Child, Element, h, number, svg

Object = Mapping[str, Any]

WORDS = {"clean": "ok", "violation": "violation", "note": "note", "void": "not tried"}
_OF = {
    "rows changed": ("rows compared", "that must not change"),
    "of these changed": ("rows after the cut", "after the change"),
    "of these changed too": ("rows far behind", "far behind the change"),
}
"""A count of changed scores, what it is out of, and which scores these are."""
_WIDTH, _LEFT, _TOP, _DEEP = 1080.0, 60.0, 14.0, 150.0


def losses(run: Object) -> Element | None:
    """The curve of the claimed number; None in a trace that holds none."""
    points = [(n, value) for n, value in enumerate(run["losses"]) if value is not None]
    if not points or run["block"] < 1:
        return None
    low, high = min(value for _, value in points), max(value for _, value in points)
    room = max(high - low, 0.01)
    across = Axis(0, max(1, len(run["losses"])), _LEFT, _WIDTH - 10)
    up = Axis(max(0.0, low - room / 2), high + room / 8, _TOP + _DEEP, _TOP)
    late = [
        h(
            "rect.late",
            x=across.at(start / run["block"]),
            y=_TOP + _DEEP + 1,
            width=max(1.0, across.at(stop / run["block"]) - across.at(start / run["block"])),
            height=7,
        )
        for start, stop in run["late"]
    ]
    drawing = svg(
        _WIDTH,
        _TOP + _DEEP + 36,
        "Mean loss in nats per token along the validation stream.",
        list(_scales(across, up, run["block"])),
        h("path.curve", d=_path(points, across, up)),
        late,
    )
    each = (
        f"each point the mean of {run['block']} neighbouring targets" if run["block"] > 1 else "each target"
    )
    parts: list[Child] = [h("p", f"as counted by the claimed line: {run['text']}; {each}")]
    if late:
        parts.append(h("p.key", h("span.swatch.late"), " counted after a gradient on it"))
    return h(
        "figure.plot.wide",
        h("figcaption", h("h3", "Loss by token, nats"), parts),
        _scrolling(drawing, "losses"),
    )


def _scrolling(drawing: Element, label: str) -> Element:
    return h("div.scroll", drawing, tabindex="0", role="region", aria_label=label)


def _scales(across: Axis, up: Axis, block: int) -> Iterator[Element]:
    values, decimals = up.ticks(4)
    for value in values:
        y = up.at(value)
        yield h("line.rule", x1=_LEFT, x2=_WIDTH - 10, y1=y, y2=y)
        yield h("text.tick", f"{value:.{decimals}f}", x=_LEFT - 8, y=y + 4, text_anchor="end")
    for value in across.ticks(8)[0]:
        x = across.at(value)
        yield h("text.tick", f"{round(value * block):,}", x=x, y=_TOP + _DEEP + 26, text_anchor="middle")


def _path(points: Sequence[tuple[int, float]], across: Axis, up: Axis) -> str:
    """A line through neighbours, broken where a block holds no score."""
    made, last = [], None
    for n, value in points:
        letter = "L" if last is not None and n == last + 1 else "M"
        made.append(f"{letter}{number(across.at(n + 0.5))} {number(up.at(value))}")
        last = n
    return "".join(made)


def probes(run: Object) -> Element | None:
    """Every probe's word on the claimed number, and the share of scores that it moved."""
    if not run["words"]:
        return None
    rows = [_probe(outcome) for outcome in run["words"]]
    return h(
        "figure.plot.wide",
        h("figcaption", h("h3", "Probes"), h("p", "tokens are changed; which scores move?")),
        h("div.probes", rows),
    )


def _probe(outcome: Object) -> Element:
    figures = dict(outcome["figures"])
    bars = [
        _share(int(figures[changed]), int(figures[out_of]), which, outcome["word"])
        for changed, (out_of, which) in _OF.items()
        if figures.get(out_of, 0) >= 1 and changed in figures
    ]
    rules = f" ({' '.join(outcome['rules'])})" if outcome["rules"] else ""
    return h(
        f"div.probe.{outcome['word']}",
        h("span.pill", WORDS[outcome["word"]]),
        h("div", h("p", h("b", outcome["name"]), rules, ": ", outcome["says"]), bars),
    )


def _share(changed: int, out_of: int, which: str, word: str) -> Element:
    share = min(1.0, changed / out_of)
    bad = ".bad" if word == "violation" and which == _OF["rows changed"][1] else ""
    says = f"{changed:,} of {out_of:,} scores {which}"
    bar = h(
        "svg",
        h("rect.track", x="0", y="1", width="240", height="8", rx="4"),
        h("rect.value", x="0", y="1", width=240 * share, height="8", rx="4"),
        viewBox="0 0 240 10",
        aria_hidden="true",
    )
    return h(f"div.share{bad}", bar, h("span", says))
