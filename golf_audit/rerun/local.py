"""A plan carried out on this machine, seed after seed, every step in the ledger.

Seeds that the ledger already holds a score of are kept. A run that was broken off (its process died, the
machine went down) holds no lock any more: it is marked, and the seed runs again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golf_audit.dynamic.sandbox import OLDEST
from golf_audit.errors import AuditError
from golf_audit.ledger import Entry, Ledger
from golf_audit.rerun import environment
from golf_audit.rerun import plan as plans
from golf_audit.rerun.install import install
from golf_audit.rerun.launch import Ended
from golf_audit.rerun.ledger import LedgerFile
from golf_audit.rerun.plan import Plan
from golf_audit.rerun.result import body as end_body
from golf_audit.rerun.result import latest
from golf_audit.rerun.seed import SeedSpec, run_seed, spec_of
from golf_audit.reruns import program_files
from golf_audit.reruns.view import runs_in
from golf_audit.scratch import scratch
from golf_audit.trainlog import Run

PROGRESS_S = 10.0
"""Seconds between two looks at a log for progress."""


@dataclass(frozen=True)
class Progress:
    """One running seed: seconds so far, and what its log says by now (None: nothing yet)."""

    seed: int
    seconds: float
    run: Run | None


@dataclass(frozen=True)
class Told:
    """How a rerun speaks while it goes on; each hears one sentence or one progress."""

    say: Callable[[str], None]
    progress: Callable[[Progress], None]


@dataclass(frozen=True)
class Place:
    """Where a rerun happens: the ledger, the data, and whether in the sandbox."""

    ledger: Path
    data: Path
    sandbox: bool = True

    @property
    def logs(self) -> Path:
        """The folder of the logs, beside the ledger."""
        return self.ledger.with_name(f"{re.sub(r'[^A-Za-z0-9_-]', '_', self.ledger.stem)}-logs")


def rerun_here(plan: Plan, place: Place, told: Told) -> None:
    """Run the plan's seeds that have no score yet. Raises LedgerError and AuditError."""
    book = LedgerFile(place.ledger)
    known = sound(book)
    prepare(place)
    mark_broken(book, known, place, told)
    left = seeds_left(plan, book.read(), told)
    if not left:
        return
    machine = environment.hardware()
    data = environment.fingerprint(place.data, lambda name: told.say(f"reading {name}"))
    check_readable(place.data, data, place.sandbox)
    packages = install(plan.packages.missing, place.logs, sandbox=place.sandbox)
    software = environment.software(_sandbox_name(place.sandbox))
    software["packages"] |= environment.packages_in(packages)
    entry = book.append("plan", plans.body(plan))
    where = book.append("environment", environment.body(machine, software, data))
    with program_folder(plan) as program:
        for seed in left:
            spec = spec_of(plan, seed, program, place.data, packages, sandbox=place.sandbox)
            _one(spec, plan.tag, machine, book, entry, where, place, told)
    for repair in book.repairs:
        told.say(f"the ledger was mended: {repair}")


def _one(
    spec: SeedSpec,
    tag: str,
    machine: environment.Hardware,
    book: LedgerFile,
    entry: Entry,
    where: Entry,
    place: Place,
    told: Told,
) -> None:
    """One seed: its start in the ledger, the run under a lock, its end in the ledger, whatever happens."""
    seed, base = spec.seed, place.ledger.parent
    start = book.append("start", start_body(entry.n, where.n, seed, attempts(book.read(), seed) + 1))
    log = place.logs / f"seed{seed}-entry{start.n}.log"
    make_way(log)
    told.say(f"seed {seed}: started (ledger entry {start.n})")
    follow = Follower(seed, log, told)
    with running(place.logs, start.n):
        try:
            ended, positions = run_seed(spec, machine, log, follow.tick)
        except BaseException as error:
            stopped = Ended("interrupted", _because(error), follow.seconds)
            book.append("end", end_body(stopped, start.n, seed, log, base, tag, where.n))
            raise
        end = book.append("end", end_body(ended, start.n, seed, log, base, tag, where.n))
        note_positions(book, start, positions, told)
    told.say(f"seed {seed}: {outcome(end)} (ledger entry {end.n})")


def note_positions(book: LedgerFile, start: Entry, positions: Mapping[str, Any] | None, told: Told) -> None:
    """The entry of an instrumented run that tells what it shows."""
    if positions is None:
        return
    seed = start.body["seed"]
    entry = book.append("positions", {"start": start.n, "seed": seed, **positions})
    if not positions["attested"]:
        told.say(f"seed {seed}: positions not known: {positions['why']} (ledger entry {entry.n})")
        return
    counts = ", ".join(f"{positions[kind]['count']:,} {kind}" for kind in ("missing", "repeated", "late"))
    told.say(f"seed {seed}: of {positions['targets']:,} targets {counts} (ledger entry {entry.n})")


def make_way(path: Path) -> None:
    """Move away what an earlier ledger of the same name left there; nothing of it is lost."""
    if os.path.lexists(path):
        path.rename(path.with_name(f"{path.name}.{time.time_ns()}.old"))


def attempts(known: Ledger, seed: int) -> int:
    """How often a seed was started before, by any plan."""
    return sum(start.body["seed"] == seed for start in known.of("start"))


def _because(error: BaseException) -> str:
    return "stopped by hand" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"


class Follower:
    """Looks at a growing log every few seconds."""

    def __init__(self, seed: int, log: Path, told: Told) -> None:
        self._seed, self._log, self._told = seed, log, told
        self._next = PROGRESS_S
        self.seconds = 0.0

    def tick(self, seconds: float) -> None:
        self.seconds = seconds
        if seconds >= self._next:
            self._next = seconds + PROGRESS_S
            self._told.progress(Progress(self._seed, seconds, latest(self._log)))


def start_body(plan: int, where: int | None, seed: int, attempt: int, job: str = "") -> dict[str, Any]:
    """The ledger's entry of kind "start"."""
    return {"plan": plan, "environment": where, "seed": seed, "attempt": attempt, "job": job}


def outcome(end: Entry) -> str:
    """How a run ended, in a few words."""
    score = end.body["score"]
    if end.body["ending"] == "finished" and score is not None:
        return f"{score['bpb']:.8f} bpb in {end.body['wall_s']:.0f} s"
    return f"{end.body['ending']}: {end.body['reason']}"


def sound(book: LedgerFile) -> Ledger:
    """The ledger, when nothing in it was altered. Raises AlteredLedger."""
    known = book.read()
    if known.problems:
        first = known.problems[0]
        raise AlteredLedger(f"{book.path}:{first.line}: {first.says}; nothing was run")
    return known


class AlteredLedger(AuditError):
    """The ledger that was given does not hold together."""


def prepare(place: Place) -> None:
    """The folder for the logs. Raises AuditError when it cannot be made or there are no data."""
    if not place.data.is_dir():
        raise AuditError(f"{place.data}: no such folder; --data names the folder that a run sees as ./data")
    try:
        place.logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AuditError(f"cannot make {place.logs}: {error.strerror}") from error


def mark_broken(book: LedgerFile, known: Ledger, place: Place, told: Told) -> None:
    """Write an end for every start without one whose process is gone; one that lives is left alone."""
    ended = {end.body["start"] for end in known.of("end")}
    for start in known.of("start"):
        if start.n in ended or start.body["job"]:
            continue
        log = place.logs / f"seed{start.body['seed']}-entry{start.n}.log"
        try:
            with running(place.logs, start.n):
                if any(end.body["start"] == start.n for end in book.read().of("end")):
                    continue  # it came to its end after we had read the ledger
                gone = Ended("interrupted", "broken off: its process is gone", 0.0)
                seed, where = start.body["seed"], start.body["environment"]
                book.append("end", end_body(gone, start.n, seed, log, place.ledger.parent, "", where))
        except BlockingIOError:
            told.say(f"seed {start.body['seed']}: another process runs it (ledger entry {start.n})")
        else:
            told.say(f"seed {start.body['seed']}: an earlier run was broken off (ledger entry {start.n})")


def seeds_left(plan: Plan, known: Ledger, told: Told) -> list[int]:
    """The plan's seeds without a score in the ledger, nor running in another process."""
    runs = runs_in(known, plan.submission, instrumented=plan.instrument)
    mine = [run for run in runs.runs if run.plan.body["processes"] == plan.processes]
    told_of = {entry.body["start"] for entry in known.of("positions")}
    over = [run for run in mine if run.finished and run.bpb is not None]
    done = {run.seed: run.entry for run in over if not plan.instrument or run.start.n in told_of}
    busy = {run.seed for run in mine if run.end is None}
    for seed in plan.seeds:
        if seed in done:
            told.say(f"seed {seed}: kept from ledger entry {done[seed]}")
    return [seed for seed in plan.seeds if seed not in done and seed not in busy]


@contextlib.contextmanager
def running(logs: Path, entry: int) -> Iterator[None]:
    """Holds the lock that tells others that this run lives. Raises BlockingIOError when somebody holds it."""
    path = logs / f"entry{entry}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def program_folder(plan: Plan) -> Iterator[Path]:
    """The program's files in a folder that the run may read."""
    with scratch("program") as folder:
        write_program(plan, folder)
        yield folder


def write_program(plan: Plan, folder: Path) -> None:
    """Every file of the program below `folder`."""
    folder.chmod(0o755)
    for file in program_files(plan.submission):
        if file.data is None:
            continue  # a link, or too large: the plan said that the run does not find it
        parts = file.path.split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise AuditError(f"{plan.submission.name}: {file.path!r} is no path inside a folder")
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        target.chmod(0o644)


def check_readable(folder: Path, data: environment.Data, sandbox: bool) -> None:
    """Root's sandbox reads as nobody: say so before a run fails on it."""
    if not sandbox or os.geteuid() != 0:
        return
    for shard in data.shards:
        if not (folder / shard.name).stat().st_mode & stat.S_IROTH:
            raise AuditError(f"{folder / shard.name} is not readable for everybody: chmod -R go+rX {folder}")


def _sandbox_name(sandbox: bool) -> str:
    return f"bubblewrap {'.'.join(map(str, OLDEST))} or newer" if sandbox else "none"
