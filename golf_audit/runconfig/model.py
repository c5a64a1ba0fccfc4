"""The configuration of a run: settings with origin and position, and the places in the code that take them.

A setting has up to three spellings: the environment variable (`TTT_ENABLED`), the attribute that holds it
(`Hyperparameters.ttt_enabled`, which is what logs print) and a command-line flag (`--ttt-enabled`). Every
lookup accepts any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from golf_audit.model import Fault, Where
from golf_audit.runconfig.literals import Literal, literal, same


class Origin(Enum):
    """Where a value was read, weakest first."""

    CODE = "code"
    SUBMISSION = "submission.json"
    SHELL = "shell script"
    README = "README"
    LOG = "log"


@dataclass(frozen=True)
class Setting:
    """One setting as one origin has it. `overridden` holds the other origins' readings, strongest first.

    `value` is spelled as the code would read it ("1" where a log prints True); `where` quotes the original.
    `read` is False when no executed code takes this name, None when that cannot be told."""

    name: str
    value: str
    origin: Origin
    where: Where | None = None
    overridden: tuple[Setting, ...] = ()
    read: bool | None = None

    @property
    def literal(self) -> Literal:
        """The value as a Python constant: int, float, bool, None, else the text itself."""
        return literal(self.value)

    @property
    def default(self) -> Setting | None:
        """The code's own default, also when it is what was run; None when the code has none."""
        return next((s for s in (self, *self.overridden) if s.origin is Origin.CODE), None)

    @property
    def witnesses(self) -> tuple[Where, ...]:
        """Every position that states this value, the strongest origin first."""
        readings = (self, *(s for s in self.overridden if same(s.value, self.value)))
        return tuple(s.where for s in readings if s.where is not None)


@dataclass(frozen=True)
class Conflict:
    """Origins that each claim to describe the run and differ in value. Code defaults never conflict."""

    name: str
    chosen: Setting
    others: tuple[Setting, ...]


@dataclass(frozen=True)
class Command:
    """One command of a README or shell script, with the environment and flags it gives to `script`.

    `chosen`: its settings entered the configuration. `processes`: workers per node, if the launcher says."""

    origin: Origin
    where: Where
    script: str  # as written: "train_gpt.py", "records/.../train_gpt.py", "run.sh"
    settings: Mapping[str, Setting]
    unknown: tuple[str, ...] = ()  # names whose value could not be told: $1, $(date), <seed>
    processes: int | None = None
    conditional: bool = False  # inside if, while or until
    chosen: bool = False

    @property
    def program(self) -> str:
        """The script's file name without folders."""
        return self.script.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Knob:
    """One place in the code that takes a setting.

    `attributes` hold the value itself, up to its type; `default` is None where the code computes it, or
    names in `default_of` the setting that stands in. `writes` tells what the code does to the variable:
    "value" sets it (and beats every command), "default" sets it unless it is set, "" only reads."""

    env: str | None
    where: Where
    attributes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    kind: str = ""  # "int", "float", "bool", "str", "list" or "" when nothing converts it
    default: str | None = None
    default_of: str | None = None
    writes: str = ""
    constant: str | None = None  # a value that a flag alone stands for: store_true gives "True"

    @property
    def name(self) -> str:
        """The canonical spelling: the variable, else the bare attribute."""
        return self.env or self.attributes[0].rsplit(".", 1)[-1]


@dataclass(frozen=True)
class RunConfig:
    """The configuration that was run, each value with its origin.

    `settings` describes the first supporting run; `per_seed` holds, for every supporting run, the settings
    in which these runs differ. `undecided` names are set by a command to a value that it does not tell ($1,
    $(date), an arm of a `case`) or that cannot be trusted (the log contradicts the command elsewhere), and no
    log states them: the code's default must not stand in. `unresolved` says what could not be read."""

    settings: Mapping[str, Setting]
    per_seed: Mapping[int, Mapping[str, Setting]] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    commands: tuple[Command, ...] = ()
    knobs: tuple[Knob, ...] = ()
    undecided: Mapping[str, Where] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    unresolved: tuple[Fault, ...] = ()

    def name(self, spelling: str) -> str:
        """The canonical name behind an environment variable, attribute (bare or dotted) or flag."""
        if spelling in self.settings:
            return spelling
        bare = spelling.rsplit(".", 1)[-1]
        return self.aliases.get(spelling) or self.aliases.get(bare) or bare

    def setting(self, spelling: str, seed: int | None = None) -> Setting | None:
        """The setting under any of its spellings; with `seed`, as that seed's run had it."""
        name = self.name(spelling)
        own = self.per_seed.get(seed, {}) if seed is not None else {}
        return own.get(name) or self.settings.get(name)

    def get(self, spelling: str, seed: int | None = None) -> str | None:
        """The value as text, None when no origin gives one."""
        found = self.setting(spelling, seed)
        return found.value if found else None

    def literal(self, spelling: str, seed: int | None = None) -> Literal:
        """The value as a Python constant, None also when no origin gives one."""
        found = self.setting(spelling, seed)
        return found.literal if found else None

    def explicit(self, spelling: str, seed: int | None = None) -> Setting | None:
        """The setting when something other than a code default states it.

        An interpreter asks this one: each `os.environ.get` has its own default, which may differ by site."""
        found = self.setting(spelling, seed)
        return found if found and found.origin is not Origin.CODE else None

    @cached_property
    def counts(self) -> dict[Origin, int]:
        """Number of settings per origin, every origin listed."""
        return {o: sum(s.origin is o for s in self.settings.values()) for o in Origin}

    @cached_property
    def unread(self) -> tuple[Setting, ...]:
        """Settings that a command gives and no executed code takes."""
        return tuple(s for s in self.settings.values() if s.read is False)
