"""The part of a Slurm rerun that runs on the node: one seed, its log and its result into the job's folder.

submitit pickles this object for the node; nothing comes back by pickle. The result is a JSON file that
appears whole or not at all. Slurm may start a job again (`--requeue`, a dead node): each start has its log.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from golf_audit.rerun import environment
from golf_audit.rerun.launch import Ended
from golf_audit.rerun.seed import SeedSpec, run_seed

SPEC = "spec.json"
RESULT = "result.json"
STARTED = "started.json"


@dataclass(frozen=True)
class SeedJob:
    """Callable: runs what the folder's spec says."""

    folder: str

    def __call__(self) -> None:
        folder = Path(self.folder)
        spec = SeedSpec.from_json((folder / SPEC).read_text(encoding="utf-8"))
        restart = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
        machine = environment.hardware()
        log = folder / f"start{restart}.log"
        _write(folder / STARTED, {"restart": restart, "log": log.name})
        told_to_end: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: told_to_end.append(number))
        ended, positions = run_seed(spec, machine, log)
        if told_to_end:
            return  # Slurm ended it, to start it again or for good: Slurm's own state tells which
        programs = environment.software("bubblewrap" if spec.sandbox else "none")
        programs["packages"] |= environment.packages_in(Path(spec.packages) if spec.packages else None)
        _write(folder / RESULT, {
            "restart": restart,
            "log": log.name,
            "how": ended.how,
            "reason": ended.reason,
            "wall_s": ended.wall_s,
            "hardware": asdict(machine),
            "software": programs,
            "positions": positions,
        })  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """A job's result as the submitting side reads it."""

    ended: Ended
    log: Path
    machine: environment.Hardware
    software: dict[str, Any]
    positions: dict[str, Any] | None


def read_result(folder: Path) -> Outcome | None:
    """The result in a job's folder; None when there is none yet."""
    try:
        raw = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    ended = Ended(raw["how"], raw["reason"], raw["wall_s"])
    machine = environment.Hardware(**raw["hardware"])
    return Outcome(ended, folder / raw["log"], machine, raw["software"], raw["positions"])


def started(folder: Path) -> tuple[int, Path] | None:
    """How often Slurm had started the job again when it last began, and the log of that start."""
    try:
        raw = json.loads((folder / STARTED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return raw["restart"], folder / raw["log"]


def _write(path: Path, value: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(path)
