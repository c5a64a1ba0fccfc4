"""Filters above a list: a toggle per word with its count, and a field for text. page.js makes them work."""

from __future__ import annotations

from collections.abc import Sequence

from golf_audit.report.page.build import Element, h


def controls(words: Sequence[tuple[str, str, str, int]], noun: str, hint: str) -> Element:
    """`words`: value, label, class and count of each toggle. They filter what carries data-state inside the
    nearest element with data-filter. Hidden until the script shows it: without one the list stands whole."""
    toggles = [
        h(
            f"button.toggle.{kind}",
            f"{label} ",
            h("b", count),
            type="button",
            aria_pressed="true",
            value=value,
        )
        for value, label, kind, count in words
        if count
    ]
    return h(
        "div.controls",
        h("div.toggles", toggles, role="group", aria_label=f"show {noun} by verdict"),
        h("label", "Find ", h("input", type="search", placeholder=f"{hint}   ( / )")),
        h("output.count", f"{sum(word[3] for word in words)} {noun}", aria_live="polite", data_noun=noun),
        hidden=True,
    )
