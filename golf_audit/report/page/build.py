"""Elements of a page. Every text and attribute passes escape.page, and the standard library's writer escapes
markup: nothing of a submission can become an element, an attribute or a script.

    h("a.at", "train_gpt.py:147", href="#c0-147")    ->    <a class="at" href="#c0-147">train_gpt.py:147</a>
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree

from golf_audit.report import escape

Element = ElementTree.Element
Point = tuple[float, float]
Child = Element | str | int | None | Iterable["Child"]


_ATTRIBUTE_CAP = 20_000
"""Characters of an attribute; the longest is the path of a curve."""


def h(selector: str, *children: Child, **attributes: str | float | bool | None) -> Element:
    """An element: tag, id and classes from the selector ("div#top.verdict.fail"), then its children.

    Underscores in names of attributes are hyphens, one at the end is dropped (`for_`); None and False leave
    an attribute out, True leaves it without a value."""
    head, *classes = selector.split(".")
    tag, _, name = head.partition("#")
    made = Element(tag)
    if name:
        made.set("id", name)
    if classes:
        made.set("class", " ".join(classes))
    for key, value in attributes.items():
        if value is not None and value is not False:
            made.set(key.rstrip("_").replace("_", "-"), _attribute(value))
    _append(made, children)
    return made


def svg(width: float, height: float, label: str, *children: Child) -> Element:
    """A picture with its own coordinates; `label` is what it says to whoever cannot see it."""
    return h(
        "svg",
        h("title", label),
        *children,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="group",
        preserveAspectRatio="xMinYMin meet",
    )


def bezier(start: Point, out: Point, into: Point, end: Point) -> str:
    """The path of a curve that leaves `start` towards `out` and reaches `end` from `into`."""
    points = [f"{number(x)} {number(y)}" for x, y in (start, out, into, end)]
    return f"M{points[0]} C{' '.join(points[1:])}"


def number(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def text_of(element: Element) -> str:
    """The HTML of an element."""
    return ElementTree.tostring(element, encoding="unicode", method="html")


def _attribute(value: str | float | bool) -> str:
    if value is True:
        return ""
    return escape.page(value, _ATTRIBUTE_CAP) if isinstance(value, str) else number(value)


def _append(parent: Element, children: Iterable[Child]) -> None:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Element):
            parent.append(child)
        elif isinstance(child, str | int):
            _text(parent, escape.page(str(child)))
        else:
            _append(parent, child)


def _text(parent: Element, text: str) -> None:
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text
