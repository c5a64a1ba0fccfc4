"""Joins what code, commands, submission.json and logs say into the configuration that was run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from golf_audit.claims import Claims
from golf_audit.filetree import FileTree
from golf_audit.model import Where
from golf_audit.runconfig.code import Code, read_code
from golf_audit.runconfig.commands import read_commands
from golf_audit.runconfig.literals import is_switch, literal, rounds_to, same, same_place
from golf_audit.runconfig.model import Command, Conflict, Knob, Origin, RunConfig, Setting
from golf_audit.runconfig.names import Names
from golf_audit.runconfig.printed import printed
from golf_audit.source import Sources
from golf_audit.support import Support
from golf_audit.trainlog import Log, Run

Settings = dict[str, Setting]

_OWN = re.compile(r"seed|run_?(?:id|name)|log_?file", re.IGNORECASE)
"""Names that every run has for itself: a command that shows another run's value contradicts nothing."""
_LABEL = re.compile(r"seed|run_?(?:id|name)|.*log_?(?:file|dir|path)?|.*(?:path|dir|files)", re.IGNORECASE)
"""Names whose value tells runs or machines apart: no reason to prefer one command to another."""
_STAND_IN_DEPTH = 5
_UNSUPPORTED_RUNS = 24
"""Runs that are compared when none supports the claim."""


def resolve(
    tree: FileTree, sources: Sources, claims: Claims, logs: tuple[Log, ...], support: Support
) -> RunConfig:
    """The configuration of the supporting runs: log over command over submission.json over code default."""
    code = read_code(tree, sources)
    names = Names.of(code.knobs, code.derived)
    found = read_commands(tree)
    resolver = _Resolver(tree, code, names, sources, found.commands, _claimed(claims, names))
    runs = tuple(support.runs)
    if runs:
        views = [resolver.view(resolver.logged(run)) for run in runs]
    else:
        views = [resolver.view(resolver.agreed([run for log in logs for run in log.runs]))]
    first = views[0]
    return RunConfig(
        settings=first.settings,
        per_seed=_per_seed(runs, views) if len(runs) > 1 else {},
        conflicts=first.conflicts,
        commands=tuple(
            replace(c, chosen=any(c is o for v in views for o in v.commands)) for c in found.commands
        ),
        knobs=code.knobs,
        aliases=names.aliases,
        undecided=first.undecided,
        unresolved=code.faults + found.skipped,
    )


def _claimed(claims: Claims, names: Names) -> Settings:
    """The settings that submission.json states."""
    stated: Settings = {}
    for key, claim in claims.env.items():
        name = names.canonical(key)
        if len(claim.value.split()) > 3:
            continue  # "0 to disable all components": prose
        where = Where(claims.file or "submission.json", claim.line, claim.column, pointer=claim.pointer)
        stated.setdefault(name, Setting(name, claim.value, Origin.SUBMISSION, where))
    return stated


@dataclass(frozen=True)
class _View:
    """The configuration as one run had it."""

    settings: Settings
    conflicts: tuple[Conflict, ...]
    commands: tuple[Command, ...]  # the one that was believed, if any
    undecided: Mapping[str, Where]


@dataclass(frozen=True)
class _Believed:
    """The chosen command, its settings under canonical names, and those of its rivals."""

    command: Command
    named: Settings
    rivals: Sequence[Settings]


class _Resolver:
    """What is the same for every run of a submission: its code, its commands, its claims."""

    def __init__(
        self,
        tree: FileTree,
        code: Code,
        names: Names,
        sources: Sources,
        commands: Sequence[Command],
        claimed: Settings,
    ) -> None:
        self.tree = tree
        self.code = code
        self.names = names
        self.claimed = claimed
        self.knobs = _by_name(code.knobs, names)
        self.known = frozenset(self.knobs)
        # the README's spelling of a name that the code does not have comes first
        self.offers = [(command, self._named(command)) for command in _of_the_run(commands, sources)]

    def _named(self, command: Command) -> Settings:
        """The command's settings under canonical names, switches with the value they stand for."""
        named: Settings = {}
        for spelling, setting in command.settings.items():
            name = self.names.canonical(spelling)
            value = setting.value
            if spelling.startswith("-") and not value:
                value = next((k.constant for k in self.knobs.get(name, ()) if k.constant), "True")
            named[name] = replace(setting, name=name, value=value)
        return named

    def view(self, logged: Settings) -> _View:
        """Resolve for one run, or for what several agree on."""
        readings: dict[str, list[Setting]] = {}
        _add(readings, logged)
        believed, contradicted = self._believed(logged)
        if believed is not None:
            _add(readings, believed.named)
        _add(readings, self.claimed)
        for name, knobs in self.knobs.items():
            default = self._default(name, knobs, readings)
            if default is not None:
                at = 0 if knobs[0].writes == "value" else len(readings.get(name, ()))
                forced_behind_log = at == 0 and name in logged
                readings.setdefault(name, []).insert(1 if forced_behind_log else at, default)
        settings = {name: self._joined(name, readings[name]) for name in sorted(readings)}
        if believed is None:
            refuted = (
                Conflict(n, settings[n], (s,)) for n, s in contradicted.items() if _refutes(logged.get(n), s)
            )
            untold = {n: s.where for n, s in contradicted.items() if n not in logged and s.where}
            return _View(settings, (*_conflicts(settings), *refuted), (), untold)
        conflicts = (*_conflicts(settings), *self._rivalry(believed, logged))
        names = (self.names.canonical(spelling) for spelling in believed.command.unknown)
        undecided = {name: believed.command.where for name in names if name not in logged}
        return _View(settings, conflicts, (believed.command,), undecided)

    def agreed(self, runs: Sequence[Run]) -> Settings:
        """Where no run is known to support the claim, only what every run says counts."""
        first, *others = [self.logged(run) for run in runs[:_UNSUPPORTED_RUNS]] or [{}]
        return {n: s for n, s in first.items() if all(n in o and same(o[n].value, s.value) for o in others)}

    def logged(self, run: Run) -> Settings:
        """The dump of hyperparameters, then what the run prints in passing."""
        found: Settings = {}
        for key, reading in run.hyperparameters.items():
            name = self.names.canonical(key)
            if _fits(reading.value, self.knobs.get(name, ())):
                found.setdefault(name, Setting(name, reading.value, Origin.LOG, reading.where(run.file)))
        file = self.tree.get(run.file)
        if file is not None:
            for key, (value, where) in printed(file, run, self.names.aliases.__contains__).items():
                name = self.names.canonical(key)
                if name in self.known:
                    found.setdefault(name, Setting(name, value, Origin.LOG, where))
        return found

    def _believed(self, logged: Settings) -> tuple[_Believed | None, Settings]:
        """The command that explains most of this log; without one, what the best of them says against it."""
        offers = [(_explains(named, logged), command, named) for command, named in self.offers]
        if not offers:
            return None, {}
        score, command, named = max(offers, key=_preference)  # the first of equals
        if score < 0:
            return None, named
        rivals = [other for s, c, other in offers if s == score and _rivals(c, command)]
        return _Believed(command, named, rivals), {}

    def _rivalry(self, believed: _Believed, logged: Settings) -> list[Conflict]:
        """Settings in which commands differ that explain the log equally well; unset means the default."""
        chosen, rivals = believed.named, believed.rivals
        found: list[Conflict] = []
        for name in sorted(frozenset(chosen).union(*rivals) - frozenset(logged)):
            if _LABEL.fullmatch(name):
                continue
            ours, *theirs = (self._or_default(name, settings) for settings in (chosen, *rivals))
            if ours is None:
                continue
            others = [s for s in theirs if s is not None and not same(s.value, ours.value)]
            if others:
                found.append(Conflict(name, ours, _distinct(others)))
        return found

    def _or_default(self, name: str, settings: Settings) -> Setting | None:
        return settings.get(name) or self._default(name, self.knobs.get(name, ()), {})

    def _default(
        self, name: str, knobs: Sequence[Knob], readings: Mapping[str, list[Setting]]
    ) -> Setting | None:
        """What the code takes when nobody says anything."""
        for knob in knobs:
            value = knob.default
            if value is None and knob.default_of is not None:
                value = self._stand_in(knob.default_of, readings, 0)
            if value is not None:
                return Setting(name, value, Origin.CODE, knob.where, read=True)
        return None

    def _stand_in(self, spelling: str, readings: Mapping[str, list[Setting]], depth: int) -> str | None:
        """The value of the setting that serves as another's default."""
        name = self.names.aliases.get(spelling) or self.names.aliases.get(spelling.rsplit(".", 1)[-1])
        if name is None or depth > _STAND_IN_DEPTH:
            return None
        if readings.get(name):
            return readings[name][0].value
        for knob in self.knobs.get(name, ()):
            if knob.default is not None:
                return knob.default
            if knob.default_of is not None:
                return self._stand_in(knob.default_of, readings, depth + 1)
        return None

    def _joined(self, name: str, readings: Sequence[Setting]) -> Setting:
        """The strongest reading with the others behind it, spelled as the code reads it."""
        read = self._read(name, readings)
        strongest, weaker = readings[0], tuple(replace(s, read=read) for s in readings[1:])
        value = strongest.value
        if strongest.origin is Origin.LOG:
            spelled = next((s.value for s in weaker if _agree(strongest, s)), None)
            value = spelled if spelled is not None else _respelled(value, self.knobs.get(name, ()))
        return replace(strongest, value=value, overridden=weaker, read=read)

    def _read(self, name: str, readings: Sequence[Setting]) -> bool | None:
        """Whether the code takes a name; only what a command sets can be said not to be taken."""
        origins = {s.origin for s in readings}
        if name not in self.known and (Origin.LOG in origins or origins == {Origin.SUBMISSION}):
            return None
        return self.code.reads(name, self.known)


def _fits(value: str, knobs: Sequence[Knob]) -> bool:
    """False for a printed word where the code takes a number: `parallel_residual:active=1` is no setting."""
    kinds = {knob.kind for knob in knobs}
    return (
        not kinds
        or not kinds <= {"int", "float", "bool"}
        or not isinstance(literal(value), str)
        or is_switch(value)
    )


def _by_name(knobs: Iterable[Knob], names: Names) -> dict[str, list[Knob]]:
    found: dict[str, list[Knob]] = {}
    for knob in knobs:
        found.setdefault(names.of_knob(knob), []).append(knob)
    return found


def _of_the_run(commands: Sequence[Command], sources: Sources) -> list[Command]:
    """Commands of an executed file or of a shell script, and listings of settings.

    Where there is none, commands of a train*.py: READMEs name the script as it was called elsewhere."""
    executed = {file.rsplit("/", 1)[-1] for file in sources.executed}
    own = [c for c in commands if c.program in executed or c.program.endswith(".sh") or not c.script]
    if any(c.program in executed for c in own):
        return own
    return [c for c in commands if c in own or c.program.startswith("train")]


def _add(readings: dict[str, list[Setting]], more: Settings) -> None:
    for name, setting in more.items():
        readings.setdefault(name, []).append(setting)


def _explains(named: Settings, logged: Settings) -> int:
    """Log lines that a command agrees with, less those that it contradicts."""
    score = 0
    for name, setting in named.items():
        if name in logged:
            label = bool(_LABEL.fullmatch(name))
            score += 1 if _agree(logged[name], setting) else 0 if label else -1
    return score


def _preference(offer: tuple[int, Command, Settings]) -> tuple[int, bool, bool, bool, bool]:
    """What explains the log; then a real command, unconditional, on eight workers, in the README."""
    score, command, _ = offer
    readme = command.origin is Origin.README
    return score, bool(command.script), not command.conditional, command.processes == 8, readme


def _rivals(other: Command, chosen: Command) -> bool:
    """True for another command that is no less the run itself: on as many workers, as unconditional."""
    alike = other.processes == chosen.processes or not other.script
    return other.where != chosen.where and alike and other.conditional == chosen.conditional


def _distinct(settings: Sequence[Setting]) -> tuple[Setting, ...]:
    """The first setting of each value."""
    kept: list[Setting] = []
    for setting in settings:
        if not any(same(setting.value, other.value) for other in kept):
            kept.append(setting)
    return tuple(kept)


def _refutes(log: Setting | None, other: Setting) -> bool:
    """True when a log says otherwise, about more than the run's own name."""
    if log is None or _OWN.fullmatch(other.name):
        return False
    return not _agree(log, other) and not same_place(log.value, other.value)


def _equivalent(a: Setting, b: Setting) -> bool:
    return same(a.value, b.value) or same_place(a.value, b.value)


def _conflicts(settings: Settings) -> tuple[Conflict, ...]:
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


def _agree(log: Setting, other: Setting) -> bool:
    return same(log.value, other.value) or rounds_to(other.value, log.value)


def _respelled(value: str, knobs: Sequence[Knob]) -> str:
    """A printed value as the variable would be set: True is 1 where the code reads an integer first."""
    kinds = {knob.kind for knob in knobs if knob.env}
    default = next((knob.default for knob in knobs if knob.default is not None), "")
    if "bool" in kinds and value in ("True", "False") and default.lower() not in ("true", "false"):
        return "1" if value == "True" else "0"
    if "list" in kinds:
        return ",".join(
            item.strip().strip("'\"") for item in value.strip("[](){}").split(",") if item.strip()
        )
    return value


def _per_seed(runs: Sequence[Run], views: Sequence[_View]) -> dict[int, Settings]:
    """By seed, the settings in which the runs differ; the first run of a seed stands for it."""
    every = sorted(frozenset().union(*(view.settings for view in views)))
    differing = [name for name in every if not _unanimous(name, views)]
    found: dict[int, Settings] = {}
    for run, view in zip(runs, views, strict=True):
        if run.any_seed is not None and run.any_seed not in found:
            found[run.any_seed] = {n: view.settings[n] for n in differing if n in view.settings}
    return found


def _unanimous(name: str, views: Sequence[_View]) -> bool:
    values = [view.settings[name].value if name in view.settings else None for view in views]
    first = values[0]
    return all(v is first or (v is not None and first is not None and same(v, first)) for v in values)
