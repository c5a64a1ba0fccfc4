"""The difference between two effective configurations: what the child's run had otherwise.

Left out are names that tell runs and machines apart (seed, run id, paths to the same data), and what a log
prints of a setting that neither code takes.
"""

from __future__ import annotations

from collections.abc import Iterator

from golf_audit.lineage.model import Difference
from golf_audit.runconfig import RunConfig, Setting
from golf_audit.runconfig.effective import OF_THE_LAUNCH, SEED
from golf_audit.runconfig.literals import same, same_place

_OFF = frozenset({"0", "false", "no", "off", "disabled", ""})
_SWITCH_VALUES = _OFF | {"1", "true", "yes", "on", "enabled"}


def differences(ours: RunConfig, theirs: RunConfig) -> tuple[Difference, ...]:
    """Settings with another value, and those that only one of the two has; in the order of interest."""
    found = [d for name in _names(ours, theirs) if (d := _difference(name, ours, theirs)) is not None]
    return tuple(sorted(found, key=_weight))


def _weight(found: Difference) -> tuple[bool, bool, bool, bool, str]:
    """Sort key: what both have comes first, what is off and unknown to the other last."""
    only, value = found.ours is None or found.theirs is None, found.ours or found.theirs or ""
    idle = only and found.switch and value.strip().lower() in _OFF
    return idle, only, found.ours is None, not found.switch, found.name


def _names(ours: RunConfig, theirs: RunConfig) -> Iterator[str]:
    """Settings that the code of either takes."""
    taken = {knob.name for config in (ours, theirs) for knob in config.knobs}
    commanded = {
        name for config in (ours, theirs) for c in config.commands if c.chosen for name in c.settings
    }
    known = (taken | commanded) - OF_THE_LAUNCH - {SEED}
    yield from sorted(name for name in {*ours.settings, *theirs.settings} if name in known)


def _difference(name: str, ours: RunConfig, theirs: RunConfig) -> Difference | None:
    here, there = ours.settings.get(name), theirs.settings.get(name)
    if here is not None and there is not None:
        if same(here.value, there.value) or same_place(here.value, there.value):
            return None
    elif _undecided(name, ours if here is None else theirs):
        return None
    stated = here or there
    switch = all(
        setting is None or setting.value.strip().lower() in _SWITCH_VALUES for setting in (here, there)
    )
    return Difference(name, _value(here), _value(there), stated.where if stated else None, switch)


def _undecided(name: str, config: RunConfig) -> bool:
    """True where a configuration has the setting and nobody can tell its value: no difference is known
    then."""
    return name in config.undecided


def _value(setting: Setting | None) -> str | None:
    return setting.value if setting is not None else None
