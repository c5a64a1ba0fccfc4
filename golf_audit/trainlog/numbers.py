"""Numbers, durations and quotes, shared by the readers of a log."""

from __future__ import annotations

import re

NUMBER = r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d{1,3})?"
"""A decimal number, as part of a pattern."""

_UNITS = {
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "secs": 1.0,
    "seconds": 1.0,
    "m": 60.0,
    "min": 60.0,
    "minutes": 60.0,
}
_DURATION = re.compile(
    rf"(?:(?<!\w)(?P<key>[A-Za-z_]\w{{0,40}}))? ?[:=(]? ?(?<![\w.])(?P<number>{NUMBER}) ?"
    r"(?P<unit>ms|seconds|secs|sec|s|minutes|min|m)(?![\w/])"
)
QUOTE = 200
"""Characters of a line that a reading keeps."""


def quote(line: str) -> str:
    """The line, stripped and cut to what a report shows."""
    return line.strip()[:QUOTE]


def integer(digits: str) -> int:
    """`15,811,202` and `15_811_202` as 15811202."""
    return int(digits.replace(",", "").replace("_", ""))


def seconds(number: str, unit: str) -> float:
    """A number with its unit, in seconds."""
    return float(number) * _UNITS[unit]


def durations(line: str) -> list[tuple[str, float]]:
    """(key before it, seconds) of every duration with a unit: `elapsed=43.1s`, `in 12.7s`, `(93.5s)`."""
    single_spaced = " ".join(line.split())
    return [
        ((m["key"] or "").lower(), seconds(m["number"], m["unit"])) for m in _DURATION.finditer(single_spaced)
    ]
