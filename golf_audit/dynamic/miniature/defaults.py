"""Which switches the declared configuration sets otherwise than the script's own defaults.

Somebody who starts the script without settings runs another program: test-time training off, say, that was
on behind the claim. A rate or a weight is no switch, also where it is 0.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from golf_audit.runconfig.choice import tells_runs_apart
from golf_audit.runconfig.literals import is_switch, literal, same

Values = Mapping[str, str | None]
"""What each setting of a miniature comes to; None where the code computes it."""


def differing(declared: Values, plain: Values) -> tuple[str, ...]:
    """ "TTT_ENABLED=1 (by default 0)" for each switch that two miniatures of one script have otherwise."""
    return tuple(
        f"{name}={value} (by default {plain[name] or 'empty'})" for name, value in _switches(declared, plain)
    )


def _switches(declared: Values, plain: Values) -> Iterator[tuple[str, str]]:
    for name, value in sorted(declared.items()):
        default = plain.get(name)
        if value is None or default is None or same(value, default) or tells_runs_apart(name):
            continue
        if isinstance(literal(value), float) or isinstance(literal(default), float):
            continue
        if _state(value) != _state(default):
            yield name, value


def _state(value: str) -> bool | str:
    """Off, on, or which of several words."""
    if is_switch(value):
        return value.lower() in ("on", "enabled")
    found = literal(value)
    return found.strip().lower() or False if isinstance(found, str) else bool(found)
