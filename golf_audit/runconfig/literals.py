"""Spellings of a value: what a text means as a constant, and when two texts mean the same."""

from __future__ import annotations

import math
import re

Literal = int | float | bool | str | None

_INT = re.compile(r"[-+]?\d{1,30}(?:_\d{3}){0,10}")
_FLOAT = re.compile(r"[-+]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][-+]?\d{1,3})?")
_WORDS: dict[str, bool | float | None] = {
    "true": True,
    "false": False,
    "yes": True,
    "no": False,
    "none": None,
    "null": None,
    "inf": math.inf,
    "-inf": -math.inf,
}


def literal(text: str) -> Literal:
    """int, float, bool or None where the text spells one; otherwise the text."""
    bare = text.strip()
    if _INT.fullmatch(bare):
        return int(bare.replace("_", ""))
    if _FLOAT.fullmatch(bare):
        return float(bare)
    return _WORDS.get(bare.lower(), text)


def same(a: str, b: str) -> bool:
    """True when two spellings mean one value: 1 and True, 1e-3 and 0.001, [1, 2] and 1,2, none and empty."""
    if a == b:
        return True
    ours, theirs = _items(a), _items(b)
    return len(ours) == len(theirs) and all(map(_same_item, ours, theirs))


_SWITCH = {"on": "True", "enabled": "True", "off": "False", "disabled": "False"}
"""Words for a switch; in code they may mean themselves, so only a comparison takes them so."""


def is_switch(text: str) -> bool:
    """True for on, off, enabled and disabled."""
    return text.lower() in _SWITCH


def same_place(a: str, b: str) -> bool:
    """True for two paths to one name: ./data and /workspace/pr1797/data differ by machine, not by setting."""
    ours, theirs = a.rstrip("/"), b.rstrip("/")
    return "/" in a + b and ours.rsplit("/", 1)[-1] == theirs.rsplit("/", 1)[-1]


def _items(text: str) -> list[str]:
    inner = text.strip().strip("[](){}")
    return [item.strip().strip("'\"") for item in inner.split(",")] if "," in inner else [inner.strip("'\"")]


def _same_item(a: str, b: str) -> bool:
    if a == b:
        return True
    ours, theirs = literal(_SWITCH.get(a.lower(), a)), literal(_SWITCH.get(b.lower(), b))
    if isinstance(ours, str) or isinstance(theirs, str):
        return {ours, theirs} == {"", None}  # an unset path prints as nothing or as None
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-9)


def rounds_to(exact: str, printed: str) -> bool:
    """True when `printed` shows `exact` in a fixed number of decimals: 0.0003 as 0.000, 600.4 as 600.00.

    Only trailing zeros prove a fixed format: a dump prints 0.1 for nothing but 0.1."""
    a, b = literal(exact), literal(printed)
    if isinstance(a, (str, bool)) or isinstance(b, (str, bool)) or a is None or b is None:
        return False
    decimals = len(printed.strip().partition(".")[2])
    if not math.isfinite(a) or decimals < 2 or not printed.strip().endswith("0"):
        return False
    return abs(a - b) <= 0.5 * 10.0**-decimals * (1 + 1e-9)
