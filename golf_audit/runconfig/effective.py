"""What a run has to be given so that it is the run of the claim: environment, arguments, processes.

Only what differs from the code's own defaults is given. Values that name places or the run itself
(RUN_ID, ranks, ports) belong to another machine: places below a folder `data` are kept relative to it, as the
challenge's own layout has them; others are told as problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from golf_audit.runconfig.literals import same
from golf_audit.runconfig.model import Command, Knob, Origin, RunConfig, Setting

SEED = "SEED"
OF_THE_LAUNCH = frozenset(
    {
        *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "NODE_RANK", "NNODES"),
        *("MASTER_ADDR", "MASTER_PORT", "CUDA_VISIBLE_DEVICES", "NPROC", "NPROC_PER_NODE"),
        *("RUN_ID", "RUN_NAME", "LOGFILE", "LOG_FILE", "LOG_DIR", "OUTPUT_DIR", "OUT_DIR"),
        *("PATH", "HOME", "USER", "SHELL", "PWD", "TMPDIR", "LD_PRELOAD", "LD_LIBRARY_PATH"),
        *("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "VIRTUAL_ENV", "WANDB_API_KEY", "HF_TOKEN"),
    }
)
_ENVIRONMENT = re.compile(r"[A-Z_][A-Z0-9_]{0,100}")
_PAIR = re.compile(r"[A-Za-z_]\w{0,60}[:=]\s?\S")
_DATA = re.compile(r"(?:^|.*?/)data(?=/|$)")


@dataclass(frozen=True)
class Effective:
    """One run of the claimed configuration. `problems` are sentences about what could not be carried over."""

    environ: Mapping[str, str]
    argv: tuple[str, ...]
    processes: int | None
    launched: bool  # the README starts it with torchrun or its kin
    seed_env: str | None
    seed_flag: str | None
    problems: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)  # settings that name places of another machine


def effective(config: RunConfig, script: str) -> Effective:
    """The configuration that all seeds share, without the seed itself."""
    command = _command(config, script)
    knob = _seed_knob(config)
    seed_env = knob.env if knob is not None else (SEED if SEED in config.settings else None)
    seed_flag = knob.flags[0] if knob is not None and not knob.env and knob.flags else None
    environ: dict[str, str] = {}
    problems = [f"{n} is set to something that cannot be told" for n in sorted(config.undecided) if n != SEED]
    problems += _by_seed(config)
    elsewhere: dict[str, str] = {}
    commanded = set(command.settings) if command is not None else set()
    for setting in _given(config, command):
        if setting.name in (seed_env, SEED):
            continue
        value = _placed(setting)
        if value is None:
            elsewhere[setting.name] = setting.value
        elif setting.default is None or not same(setting.default.value, value):
            environ[setting.name] = value
            if setting.name not in commanded and _in_passing(setting):
                problems.append(f"{setting.name}={value} is only printed by the log, no command gives it")
    flags = tuple(_flags(command, seed_flag)) if command is not None else ()
    processes = command.processes if command is not None else None
    launched = processes is not None
    return Effective(environ, flags, processes, launched, seed_env, seed_flag, tuple(problems), elsewhere)


def _by_seed(config: RunConfig) -> list[str]:
    """Settings of the code in which the claimed runs differ beside the seed."""
    known = {knob.env for knob in config.knobs if knob.env is not None} - OF_THE_LAUNCH - {SEED}
    differing = sorted({name for settings in config.per_seed.values() for name in settings} & known)
    return [f"{name} differs from seed to seed; every rerun has the first one's" for name in differing]


def _command(config: RunConfig, script: str) -> Command | None:
    """The command behind the claim: a chosen one of this script, else any of it."""
    name = script.rsplit("/", 1)[-1]
    own = [command for command in config.commands if command.program == name]
    return next((c for c in own if c.chosen), own[0] if own else None)


def _seed_knob(config: RunConfig) -> Knob | None:
    for knob in config.knobs:
        spelled = (knob.env or "", *(a.rsplit(".", 1)[-1] for a in knob.attributes), *knob.flags)
        if any(word.strip("-").lower() == "seed" for word in spelled):
            return knob
    return None


def _given(config: RunConfig, command: Command | None) -> Iterator[Setting]:
    """Settings of the run that its code would not choose by itself, by name."""
    known = {knob.env for knob in config.knobs if knob.env is not None}
    commanded = set(command.settings) if command is not None else set()
    for name in sorted(config.settings):
        setting = config.settings[name]
        if setting.origin is Origin.CODE or name in OF_THE_LAUNCH:
            continue
        if not _ENVIRONMENT.fullmatch(name) or (name not in known and name not in commanded):
            continue
        if name.startswith(("LD_", "PYTHON", "BASH_")):
            continue
        default = setting.default
        if default is None or not same(default.value, setting.value):
            yield setting


def _in_passing(setting: Setting) -> bool:
    """True for a value that a log prints among others on a line: what the run used, perhaps after other
    settings had their say (`embed_lr` of tied embeddings). A dump of settings has a line for each."""
    return (
        setting.origin is Origin.LOG
        and setting.where is not None
        and len(_PAIR.findall(setting.where.quote)) > 1
    )


def _placed(setting: Setting) -> str | None:
    """The value, with a place below `data` made relative to the run folder; None for another place."""
    relative = [s.value for s in setting.overridden if s.value and not s.value.startswith(("/", "~"))]
    if not setting.value.startswith(("/", "~")):
        return setting.value
    match = _DATA.match(setting.value)
    if match is not None:
        return "./data" + setting.value[match.end() :]
    return relative[0] if relative else None


def _flags(command: Command, seed_flag: str | None) -> Iterator[str]:
    for name, setting in command.settings.items():
        if name.startswith("-") and name != seed_flag:
            yield name
            if setting.value:
                yield setting.value
