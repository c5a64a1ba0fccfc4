"""Figures that somebody printed beside their seeds, against what the seeds give."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from golf_audit.stats.significance import Sample, welch


@dataclass(frozen=True)
class Printed:
    """What a submission or a thread prints of a one-sided Welch test, each as text, to keep its precision.

    `t` counts without its sign: threads subtract either way."""

    sd: str = ""
    se: str = ""
    t: str = ""
    df: str = ""
    p: str = ""


@dataclass(frozen=True)
class Misprint:
    """One printed figure that the values do not give."""

    figure: str
    printed: str
    computed: float


def misprints(new: Sample, old: Sample, printed: Printed) -> tuple[Misprint, ...]:
    """The printed figures that differ from the computed ones by more than their own last digit."""
    return tuple(_misprints(new, old, printed))


def _misprints(new: Sample, old: Sample, printed: Printed) -> Iterator[Misprint]:
    test = welch(new, old)
    if test is None or new.sd is None or old.sd is None:
        return
    se = math.sqrt(new.sd**2 / new.n + old.sd**2 / old.n)
    computed = {"sd": new.sd, "se": se, "t": abs(test.t), "df": test.df, "p": test.p}
    for figure, value in computed.items():
        text = getattr(printed, figure).strip()
        if text and not _agrees(text, value):
            yield Misprint(figure, text, value)


def _agrees(text: str, value: float) -> bool:
    """True when the value, rounded or cut to the printed digits, is the printed one; "<0.001" is a bound."""
    bound, number = text[:1] in "<>", text.lstrip("<> ")
    try:
        stated = abs(float(number))
    except ValueError:
        return True  # not a figure: nothing to compare
    if bound:
        return value < stated if text[0] == "<" else value > stated
    mantissa, _, exponent = number.lower().partition("e")
    decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
    return abs(value - stated) <= 1.01 * 10.0**-decimals
