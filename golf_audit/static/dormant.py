"""Violations that a run does not commit because a switch is off: the program once more, with it turned on.

Only what the forced run shows is told, and nothing of it changes a verdict: dead code is not guilt.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from golf_audit.model import Where
from golf_audit.runconfig import Origin, RunConfig, Setting
from golf_audit.static.interpreter.program import Interpreter
from golf_audit.static.interpreter.switches import COUNTS, Switch
from golf_audit.static.leaks import Kind, leaks, unguarded
from golf_audit.static.tables import mixed_in, rescored
from golf_audit.timeline import Adapt, Dormant, Overlap, Score, Timeline

RUNS = 3
"""Switches that are tried in one program."""

Forced = dict[int, bool]
Again = Callable[[Forced, RunConfig], Iterable[Timeline]]
"""The program interpreted with forced branches under another configuration: what its results rest on."""

_OWNERS = {Kind.BEFORE: "T01", Kind.EPOCH: "T02", Kind.RESCORE: "P01"}


@dataclass(frozen=True)
class _Violation:
    rule: str
    score: Score
    adapt: Adapt

    @property
    def place(self) -> tuple[str, Where, Where]:
        return self.rule, self.score.where, self.adapt.where


def dormant(run: Interpreter, real: Timeline, again: Again) -> tuple[Dormant, ...]:
    """One per switch and rule: what would break the rule with the switch turned, and does not in this run."""
    known = {violation.place for violation in _violations(real, sure=False)}
    found: dict[tuple[str, str], Dormant] = {}
    for switch in _switches(run, real)[:RUNS]:
        setting, change = switch.setting, _change(switch)
        forced = run.forced | _turned(run, setting)
        for timeline in again(forced, _other(run.config, switch)):
            for v in _violations(timeline, sure=True):
                if v.place not in known:
                    told = Dormant(v.rule, setting.name, change, v.score, v.adapt)
                    found.setdefault((setting.name, v.rule), told)
    return tuple(found.values())


def _switches(run: Interpreter, real: Timeline) -> list[Switch]:
    """For each setting the first test that it decided and whose other side adapts or counts. After the
    claimed print only a table is of interest: what would be trained there makes another number."""
    report = real.reported
    end = max((p.event for p in run.printed if report is not None and p.where == report.where), default=0)
    first: dict[str, Switch] = {}
    for decided in run.decided.values():
        wanted = decided.does if decided.event < end else decided.does & {COUNTS}
        if decided.taken is not None and decided.switch is not None and wanted:
            first.setdefault(decided.switch.setting.name, decided.switch)
    return list(first.values())


def _turned(run: Interpreter, setting: Setting) -> Forced:
    """The other side of every `if` that this setting decided."""
    return {
        number: not decided.taken
        for number, decided in run.decided.items()
        if decided.taken is not None
        and decided.switch is not None
        and decided.switch.setting.name == setting.name
    }


def _violations(timeline: Timeline, *, sure: bool) -> Iterator[_Violation]:
    """What breaks a rule of order or mixture; with `sure`, only what is exact and behind no unknown test."""
    for leak in leaks(timeline):
        if leak.kind in _OWNERS and (not sure or _exact(leak.score, leak.adapt, leak.overlap)):
            yield _Violation(_OWNERS[leak.kind], leak.score, leak.adapt)
    for twice in rescored(timeline):
        if not sure or _exact(twice.score, twice.table, twice.overlap):
            yield _Violation("P01", twice.score, twice.table)
    for score in timeline.scores():
        for table in mixed_in(timeline, score)[:1]:
            yield _Violation("Q01", score, table)
            if score.consults_target:
                yield _Violation("Q02", score, table)


def _exact(score: Score, adapt: Adapt, overlap: Overlap) -> bool:
    return overlap is Overlap.SHOWN and unguarded(score, adapt)


def _change(switch: Switch) -> str:
    """How the switch would have to stand, for a sentence."""
    if _on_off(switch):
        return "turned off" if switch.setting.literal else "turned on"
    return f"where not ({switch.says})" if switch.held else f"where {switch.says}"


def _on_off(switch: Switch) -> bool:
    """True for a setting of two values, by what it is and by what the test asks of it."""
    numbers = {n.value for n in ast.walk(switch.test) if isinstance(n, ast.Constant)}
    plain = all(isinstance(n, str) or n in (0, 1, None) for n in numbers)
    return plain and switch.setting.literal in (0, 1)


def _other(config: RunConfig, switch: Switch) -> RunConfig:
    """The configuration with the switch turned; a number that would have to be another is not known."""
    setting = switch.setting
    if not _on_off(switch):
        where = setting.where or Where("")
        return replace(config, undecided={**config.undecided, setting.name: where})
    words = ("False", "True") if isinstance(setting.literal, bool) else ("0", "1")
    turned = replace(setting, value=words[not setting.literal], origin=Origin.SHELL, overridden=())
    return replace(config, settings={**config.settings, setting.name: turned})
