"""Which of several commands was the run: the one that explains most lines of the log."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from golf_audit.runconfig.conflicts import agree
from golf_audit.runconfig.model import Command, Origin, Setting
from golf_audit.source import Sources

_LABEL = re.compile(r"seed|run_?(?:id|name)|.*log_?(?:file|dir|path)?|.*(?:path|dir|files)", re.IGNORECASE)
"""Names whose value tells runs or machines apart: no reason to prefer one command to another."""


@dataclass(frozen=True)
class Offer:
    """A command that may have been the run, with its settings under canonical names."""

    command: Command
    named: Mapping[str, Setting]


@dataclass(frozen=True)
class Choice:
    """The best offer and those that explain the log as well. `refuted`: the log contradicts even the best."""

    best: Offer
    rivals: tuple[Offer, ...] = ()
    refuted: bool = False


def choose(offers: Sequence[Offer], logged: Mapping[str, Setting]) -> Choice | None:
    """The offer that explains most of a log, the first of equals; None without any offer."""
    if not offers:
        return None
    scores = [_explains(offer.named, logged) for offer in offers]
    score, best = max(
        zip(scores, offers, strict=True), key=lambda pair: (pair[0], *_preference(pair[1].command))
    )
    equals = [offer for s, offer in zip(scores, offers, strict=True) if s == score]
    return Choice(best, tuple(o for o in equals if _rivals(o.command, best.command)), refuted=score < 0)


def tells_runs_apart(name: str) -> bool:
    """True for seeds, run names, paths and log files."""
    return bool(_LABEL.fullmatch(name))


def of_the_run(commands: Sequence[Command], sources: Sources) -> list[Command]:
    """Commands of an executed file or of a shell script, and listings of settings.

    Where no executed file is named, commands of a train*.py too: READMEs name the script as it was called
    elsewhere."""
    executed = {file.rsplit("/", 1)[-1] for file in sources.executed}
    named = any(command.program in executed for command in commands)

    def fits(command: Command) -> bool:
        program = command.program
        known = program in executed or program.endswith(".sh") or not command.script
        return known or (not named and program.startswith("train"))

    return [command for command in commands if fits(command)]


def _explains(named: Mapping[str, Setting], logged: Mapping[str, Setting]) -> int:
    """Log lines that a command agrees with, less those that it contradicts."""
    score = 0
    for name, setting in named.items():
        if name in logged:
            wrong = 0 if tells_runs_apart(name) else -1
            score += 1 if agree(logged[name], setting) else wrong
    return score


def _preference(command: Command) -> tuple[bool, bool, bool, bool]:
    """A real command before a listing, then unconditional, on eight workers, in the README."""
    readme = command.origin is Origin.README
    return bool(command.script), not command.conditional, command.processes == 8, readme


def _rivals(other: Command, chosen: Command) -> bool:
    """True for another command that is no less the run itself: on as many workers, as unconditional."""
    alike = other.processes == chosen.processes or not other.script
    return other.where != chosen.where and alike and other.conditional == chosen.conditional
