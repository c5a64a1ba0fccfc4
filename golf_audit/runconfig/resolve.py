"""Joins what code, commands, submission.json and logs say into the configuration that was run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from golf_audit.claims import Claims
from golf_audit.filetree import FileTree
from golf_audit.model import Where
from golf_audit.runconfig.choice import Choice, Offer, choose, of_the_run, tells_runs_apart
from golf_audit.runconfig.code import Code, read_code
from golf_audit.runconfig.commands import read_commands
from golf_audit.runconfig.conflicts import agree, conflicts, distinct, refutes
from golf_audit.runconfig.labels import labels
from golf_audit.runconfig.literals import is_switch, literal, same
from golf_audit.runconfig.model import Command, Conflict, Knob, Origin, RunConfig, Setting
from golf_audit.runconfig.names import Names
from golf_audit.runconfig.printed import printed
from golf_audit.source import Sources
from golf_audit.support import Support
from golf_audit.text import lines
from golf_audit.trainlog import Log, Reading, Run

Settings = dict[str, Setting]

_NESTED = re.compile(r"[A-Za-z_]\w+[:=]\w")
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
        conflicts=_every_conflict(views),
        commands=tuple(replace(c, chosen=any(c is view.command for view in views)) for c in found.commands),
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
    command: Command | None  # the one that was believed
    undecided: Mapping[str, Where]


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
        self._last: tuple[str, list[tuple[int, str]]] = ("", [])
        self.labels = labels(code.trees, names.aliases.get)
        # the README's spelling of a name that the code does not have comes first
        self.offers = [Offer(command, self._named(command)) for command in of_the_run(commands, sources)]

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
        choice = choose(self.offers, logged)
        believed = choice is not None and not choice.refuted
        readings: dict[str, list[Setting]] = {}
        _add(readings, logged)
        _add(readings, choice.best.named if choice and believed else {})
        _add(readings, self.claimed)
        self._add_defaults(readings)
        settings = {name: self._joined(name, readings[name]) for name in sorted(readings)}
        found = conflicts(settings)
        if choice is None:
            return _View(settings, found, None, {})
        best = choice.best
        if choice.refuted:
            against = [s for s in best.named.values() if refutes(logged.get(s.name), s)]
            found += tuple(Conflict(s.name, settings[s.name], (s,)) for s in against)
            untold = [name for name in best.named if name not in logged]
        else:
            found += self._rivalry(choice, logged)
            names = (self.names.canonical(spelling) for spelling in best.command.unknown)
            untold = [name for name in names if name not in logged]
        undecided = {name: best.command.where for name in untold if name in self.known}
        return _View(settings, found, best.command if believed else None, undecided)

    def _add_defaults(self, readings: dict[str, list[Setting]]) -> None:
        """Defaults behind everything; what the code sets itself stands before every command."""
        for name, knobs in self.knobs.items():
            default = self._default(name, knobs, readings)
            if default is not None:
                stated = readings.setdefault(name, [])
                logs = sum(setting.origin is Origin.LOG for setting in stated)
                stated.insert(logs if knobs[0].writes == "value" else len(stated), default)

    def agreed(self, runs: Sequence[Run]) -> Settings:
        """Where no run is known to support the claim, only what all of them (the first 24) say counts."""
        first, *others = [self.logged(run) for run in runs[:_UNSUPPORTED_RUNS]] or [{}]
        return {n: s for n, s in first.items() if all(n in o and same(o[n].value, s.value) for o in others)}

    def logged(self, run: Run) -> Settings:
        """The dump of hyperparameters, then what the run prints in passing."""
        found: Settings = {}
        for key, reading in run.hyperparameters.items():
            in_passing = not self.names.knows(key) or _NESTED.match(reading.value)
            if in_passing and not _dumped(key, reading):
                continue  # `tokens:62021632`, `torch_compile:enabled:auto`: a figure or a heading
            name = self.names.canonical(key)
            if _fits(reading.value, self.knobs.get(name, ())):
                found.setdefault(name, Setting(name, reading.value, Origin.LOG, reading.where(run.file)))
        for key, (value, where) in printed(self._lines(run.file), run, self._printable).items():
            name = self.names.aliases.get(key) or self.labels[key]
            if name in self.known:
                found.setdefault(name, Setting(name, value, Origin.LOG, where))
        return found

    def _printable(self, word: str) -> bool:
        """True for a name of the code, and for a word under which the code prints a setting."""
        return word in self.names.aliases or word in self.labels

    def _lines(self, path: str) -> list[tuple[int, str]]:
        """The lines of a log; the last one is kept, since a file may hold many runs."""
        if self._last[0] != path:
            file = self.tree.get(path)
            self._last = path, lines(file.text.text) if file and file.text else []
        return self._last[1]

    def _rivalry(self, choice: Choice, logged: Settings) -> tuple[Conflict, ...]:
        """Settings in which commands differ that explain the log equally well; unset means the default."""
        everything = (choice.best, *choice.rivals)
        found: list[Conflict] = []
        for name in sorted(frozenset().union(*(offer.named for offer in everything)) - frozenset(logged)):
            if tells_runs_apart(name):
                continue
            ours, *theirs = (self._or_default(name, offer) for offer in everything)
            others = [
                s for s in theirs if s is not None and ours is not None and not same(s.value, ours.value)
            ]
            if ours is not None and others:
                found.append(Conflict(name, ours, distinct(others)))
        return tuple(found)

    def _or_default(self, name: str, offer: Offer) -> Setting | None:
        """What a command makes of a setting. A listing is silent on all that it does not name."""
        default = self._default(name, self.knobs.get(name, ()), {}) if offer.command.script else None
        return offer.named.get(name) or default

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
            spelled = next((s.value for s in weaker if agree(strongest, s)), None)
            value = spelled if spelled is not None else _respelled(value, self.knobs.get(name, ()))
        return replace(strongest, value=value, overridden=weaker, read=read)

    def _read(self, name: str, readings: Sequence[Setting]) -> bool | None:
        """Whether the code takes a name; only what a command sets can be said not to be taken."""
        origins = {s.origin for s in readings}
        if name not in self.known and (Origin.LOG in origins or origins == {Origin.SUBMISSION}):
            return None
        return self.code.reads(name, self.known)


def _dumped(key: str, reading: Reading[str]) -> bool:
    """True for a line of a dump, `key: value` and nothing else."""
    return len(key) > 1 and reading.text.strip() == f"{key}: {reading.value}".strip()


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


def _add(readings: dict[str, list[Setting]], more: Mapping[str, Setting]) -> None:
    for name, setting in more.items():
        readings.setdefault(name, []).append(setting)


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


def _every_conflict(views: Sequence[_View]) -> tuple[Conflict, ...]:
    """The conflicts of all runs, each name once."""
    by_name: dict[str, Conflict] = {}
    for view in views:
        for conflict in view.conflicts:
            by_name.setdefault(conflict.name, conflict)
    return tuple(by_name.values())


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
