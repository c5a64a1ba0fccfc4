"""When two readings of a setting agree, and which of them contradict each other."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from golf_audit.runconfig.literals import rounds_to, same, same_place
from golf_audit.runconfig.model import Conflict, Origin, Setting

_OWN = re.compile(r"seed|run_?(?:id|name)|log_?file", re.IGNORECASE)
"""Names that every run has for itself: a command that shows another run's value contradicts nothing."""


def agree(log: Setting, other: Setting) -> bool:
    """True when a log's reading is another's value, rounding of the print allowed."""
    return same(log.value, other.value) or rounds_to(other.value, log.value)


def refutes(log: Setting | None, other: Setting) -> bool:
    """True when a log says otherwise, about more than the run's own name."""
    if log is None or _OWN.fullmatch(other.name):
        return False
    return not agree(log, other) and not same_place(log.value, other.value)


def _equivalent(a: Setting, b: Setting) -> bool:
    return same(a.value, b.value) or same_place(a.value, b.value)


def distinct(settings: Sequence[Setting]) -> tuple[Setting, ...]:
    """The first setting of each value."""
    kept: list[Setting] = []
    for setting in settings:
        if not any(same(setting.value, other.value) for other in kept):
            kept.append(setting)
    return tuple(kept)


def conflicts(settings: Mapping[str, Setting]) -> tuple[Conflict, ...]:
    """Settings whose origins, code defaults aside, differ in value."""
    found: list[Conflict] = []
    for name, setting in settings.items():
        if _OWN.fullmatch(name):
            continue
        stated = (s for s in setting.overridden if s.origin is not Origin.CODE)
        others = tuple(s for s in stated if not _equivalent(s, setting))
        if others:
            found.append(Conflict(name, setting, others))
    return tuple(found)
