"""Plots of scores by seed and of bytes under the cap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from golf_audit.report.page.axis import Axis, around
from golf_audit.report.page.build import Child, Element, h, svg
from golf_audit.report.page.code import Code

Object = Mapping[str, Any]

_WIDTH, _LEFT, _ROW = 520.0, 118.0, 34.0


def scores(found: Object, code: Code) -> Element:
    """A row for each source of scores, a dot for each seed, a bar at the mean."""
    rows = [(label, kind, seeds) for label, kind, seeds in _rows(found) if seeds]
    values = [one["bpb"] for _, _, seeds in rows for one in seeds]
    values += [v for v in (found["claim"], found["asked"]) if v is not None]
    axis = around(values, _LEFT + 8, _WIDTH - 14, 0.0004)
    bottom = 14 + _ROW * len(rows)
    drawing = svg(
        _WIDTH,
        bottom + 44,
        "Bits per byte by source, a dot for each seed, a bar at the mean.",
        list(_scale(axis, 8, bottom)),
        list(_limit(found, axis, bottom)),
        [
            _row(label, kind, seeds, axis, 14 + _ROW * (n + 0.5), code)
            for n, (label, kind, seeds) in enumerate(rows)
        ],
    )
    return h("figure.plot", h("figcaption", h("h3", "Scores, bits per byte"), _told(found)), drawing)


def _rows(found: Object) -> Iterator[tuple[str, str, Sequence[Object]]]:
    claim = found["claimed"] or ([] if found["claim"] is None else [{"seed": None, "bpb": found["claim"]}])
    yield "claimed", "claim", claim
    yield "in its logs", "log", found["logged"]
    yield "rerun", "rerun", found["reruns"]
    yield found["baseline_name"], "baseline", found["baseline"]


def _told(found: Object) -> Element:
    parts: list[Child] = []
    if found["claim"] is not None:
        parts += ["claims ", h("b", f"{found['claim']:.5f}")]
    if found["baseline"]:
        mean = fmean(one["bpb"] for one in found["baseline"])
        parts += [f", the record before it ({found['baseline_name']}) {mean:.5f}"]
    if found["reruns"]:
        where = f" on {found['reruns_on']}" if found["reruns_on"] else ""
        parts += [f", rerun{where} {fmean(one['bpb'] for one in found['reruns']):.5f}"]
    return h("p", parts)


def _scale(axis: Axis, top: float, bottom: float) -> Iterator[Element]:
    ticks, decimals = axis.ticks(5)
    for value in ticks:
        x = axis.at(value)
        yield h("line.rule", x1=x, x2=x, y1=top, y2=bottom)
        yield h("text.tick", f"{value:.{decimals}f}", x=x, y=bottom + 16, text_anchor="middle")


def _limit(found: Object, axis: Axis, bottom: float) -> Iterator[Element]:
    if found["asked"] is not None:
        x = axis.at(found["asked"])
        yield h("line.limit", x1=x, x2=x, y1=4, y2=bottom + 22)
        words = f"README: 0.005 nats below {found['baseline_name']}"
        left = x < _WIDTH / 2
        yield h(
            "text.axis",
            words,
            x=x + (5 if left else -5),
            y=bottom + 36,
            text_anchor="start" if left else "end",
        )


def _row(label: str, kind: str, seeds: Sequence[Object], axis: Axis, y: float, code: Code) -> Element:
    mean = axis.at(fmean(one["bpb"] for one in seeds))
    return h(
        f"g.seeds.{kind}",
        h("text.lane", label[:17], x="0", y=y + 4),
        h("line.track", x1=_LEFT, x2=_WIDTH - 6, y1=y, y2=y),
        h("line.mean", x1=mean, x2=mean, y1=y - 10, y2=y + 10),
        [_dot(one, axis, y, code) for one in seeds],
    )


def _dot(one: Object, axis: Axis, y: float, code: Code) -> Element:
    seed = f"seed {one['seed']}: " if one["seed"] is not None else ""
    entry = f" (ledger entry {one['entry']})" if one.get("entry") is not None else ""
    says = f"{seed}{one['bpb']:.8f}{entry}"
    content = [h("title", says), h("circle", cx=axis.at(one["bpb"]), cy=y, r="4.5")]
    anchor = code.anchor(one) if "file" in one else None
    return h("a", content, href=f"#{anchor}", aria_label=says) if anchor else h("g", content)


def sizes(found: Object, code: Code) -> Element:
    """The whole artifact against the cap, and the margin under it at a scale where it can be seen."""
    counts = [c for c in found["counts"] if _total(c) is not None]
    cap = found["cap"]
    margins = [_total(c) - cap for c in counts]
    reach = max(1, *(abs(m) for m in margins)) * 1.15
    bottom = 14 + _ROW * len(counts)
    whole = Axis(0, max(cap * 1.02, *(_total(c) for c in counts)), _LEFT - 30, 322)
    close = Axis(-reach, reach, 344, _WIDTH - 4)
    drawing = svg(
        _WIDTH,
        bottom + 44,
        f"Bytes of each run's artifact against the cap of {cap:,}.",
        [_bar(c, cap, whole, close, 14 + _ROW * (n + 0.5), code) for n, c in enumerate(counts)],
        _line(whole.at(cap), bottom),
        h("text.axis", f"{cap:,}", x=whole.at(cap), y=bottom + 34, text_anchor="end"),
        _line(close.at(0), bottom),
        h("text.axis", "under", x=close.at(0) - 8, y=bottom + 34, text_anchor="end"),
        h("text.axis", "over the cap", x=close.at(0) + 6, y=bottom + 34),
    )
    worst = max(margins)
    says = f"{abs(worst):,} {'over' if worst > 0 else 'under'} the cap of {cap:,}"
    caption = h("p", "the largest is ", h("b", says), ", as logged")
    return h("figure.plot", h("figcaption", h("h3", "Artifact, bytes"), caption), drawing)


def _total(count: Object) -> Any:
    return count["total"] if count["total"] is not None else count["model"]


def _line(x: float, bottom: float) -> Element:
    return h("line.limit", x1=x, x2=x, y1=6, y2=bottom + 20)


def _bar(count: Object, cap: int, whole: Axis, close: Axis, y: float, code: Code) -> Element:
    total = _total(count)
    model = count["model"] if count["model"] is not None and count["model"] <= total else total
    margin = total - cap
    zero, edge = close.at(0), close.at(margin)
    wide = abs(edge - zero) >= 60
    says = f"{total:,} bytes"
    parts = f": model {model:,}, code {total - model:,}" if model < total else ""
    title = h("title", f"{says}{parts}; {abs(margin):,} {'over' if margin > 0 else 'under'}")
    content: list[Child] = [
        title,
        h("rect.model", x=whole.at(0), y=y - 8, width=whole.at(model) - whole.at(0), height=16),
        h(
            "rect.script",
            x=whole.at(model),
            y=y - 8,
            width=max(0.0, whole.at(total) - whole.at(model)),
            height=16,
        ),
        h("text.inside", says, x=whole.at(0) + 8, y=y + 4),
        h(
            "rect.over" if margin > 0 else "rect.under",
            x=min(zero, edge),
            y=y - 8,
            width=max(1.5, abs(edge - zero)),
            height=16,
        ),
        h(
            "text.margin.on" if margin > 0 and wide else "text.margin",
            f"{margin:+,}",
            x=(zero + edge) / 2 if wide else edge + (4 if margin > 0 else -4),
            y=y + 4,
            text_anchor="middle" if wide else "start" if margin > 0 else "end",
        ),
    ]
    label = h("text.lane", f"seed {count['seed']}" if count["seed"] is not None else "run", x="0", y=y + 4)
    anchor = code.anchor(count)
    bar = h("a", content, href=f"#{anchor}", aria_label=says) if anchor else h("g", content)
    return h("g.bytes", label, bar)
