"""A plan carried out by Slurm: one job per seed, submitted by submitit, followed, every step in the ledger.

We schedule nothing ourselves. The submitting side writes the ledger; a job writes into its own folder below
the logs, which all nodes must see. When this process ends early the jobs go on, and the same command follows
them again. What sbatch needs beyond this (partition, account) it takes from its own SBATCH_* variables.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golf_audit.ledger import Entry
from golf_audit.rerun import environment, queue
from golf_audit.rerun import plan as plans
from golf_audit.rerun.install import install
from golf_audit.rerun.launch import Ended
from golf_audit.rerun.ledger import LedgerFile
from golf_audit.rerun.local import (
    PROGRESS_S,
    Place,
    Progress,
    Told,
    attempts,
    check_readable,
    make_way,
    mark_broken,
    note_positions,
    outcome,
    prepare,
    running,
    seeds_left,
    sound,
    start_body,
    write_program,
)
from golf_audit.rerun.plan import Plan
from golf_audit.rerun.result import body as end_body
from golf_audit.rerun.result import latest
from golf_audit.rerun.seed import spec_of
from golf_audit.rerun.slurmjob import SPEC, SeedJob, read_result, started
from golf_audit.reruns import program_fingerprint

JOB = "slurm"
JOB_ID = "job.id"
POLL_S = 2.0
GRACE_S = 20.0
"""Seconds after Slurm calls a job over in which its result may still appear on a shared file system."""
SPARE_MIN = 10


@dataclass
class Followed:
    """One job: its start in the ledger, its folder, and what is known of it by now."""

    start: Entry
    folder: Path
    job: str
    locks: contextlib.ExitStack  # tell others that we follow it
    restarts: int = 0
    over_since: float | None = None
    told_at: float = 0.0


def rerun_by_slurm(plan: Plan, place: Place, told: Told, poll_s: float = POLL_S) -> None:
    """Submit the seeds that have no score yet, and follow every job to its end. Raises AuditError."""
    queue.require_slurm()
    book = LedgerFile(place.ledger)
    known = sound(book)
    prepare(place)
    mark_broken(book, known, place, told)
    with contextlib.ExitStack() as locks:
        followed = _earlier(book, place, told, locks)
        left = seeds_left(plan, book.read(), told)
        if left:
            followed += _submit_all(plan, left, book, place, told, locks)
        _follow(followed, book, place, plan, told, poll_s)
    for repair in book.repairs:
        told.say(f"the ledger was mended: {repair}")


def parameters(plan: Plan) -> dict[str, Any]:
    """What submitit asks of Slurm for one seed."""
    return {
        "job_name": "golf-audit",
        "time": math.ceil(plan.limit_s / 60) + SPARE_MIN,
        "nodes": 1,
        "ntasks_per_node": 1,
        "gpus_per_node": plan.processes,
        "signal_delay_s": 60,
        "stderr_to_stdout": True,
        "additional_parameters": {"requeue": True},
    }


def sbatch_script(plan: Plan, place: Place) -> str:
    """The script that submitit would hand to sbatch for the first seed."""
    return queue.script(place.logs.resolve() / "submitit", parameters(plan))


def _submit_all(
    plan: Plan,
    seeds: Sequence[int],
    book: LedgerFile,
    place: Place,
    told: Told,
    locks: contextlib.ExitStack,
) -> list[Followed]:
    data = environment.fingerprint(place.data, lambda name: told.say(f"reading {name}"))
    check_readable(place.data, data, place.sandbox)
    packages = install(plan.packages.missing, place.logs, sandbox=place.sandbox)
    program = _program(plan, place)
    entry = book.append("plan", plans.body(plan))
    here = environment.body(environment.Hardware(), environment.software("on the node"), data)
    where = book.append("environment", here)
    followed = []
    for seed in seeds:
        start = book.append("start", start_body(entry.n, where.n, seed, attempts(book.read(), seed) + 1, JOB))
        locks.enter_context(running(place.logs, start.n))
        folder = _folder(place, start.n)
        make_way(folder)
        folder.mkdir()
        spec = spec_of(plan, seed, program, place.data, packages, sandbox=place.sandbox)
        (folder / SPEC).write_text(spec.to_json(), encoding="utf-8")
        job = queue.submit(SeedJob(str(folder.resolve())), place.logs / "submitit", parameters(plan))
        (folder / JOB_ID).write_text(job, encoding="utf-8")
        told.say(f"seed {seed}: Slurm job {job} (ledger entry {start.n})")
        followed.append(Followed(start, folder, job, locks))
    return followed


def _program(plan: Plan, place: Place) -> Path:
    """The program's files where every node finds them."""
    folder = place.logs / f"program-{program_fingerprint(plan.submission)[:16]}"
    shutil.rmtree(folder, ignore_errors=True) if not (folder / ".whole").exists() else None
    if not folder.exists():
        folder.mkdir()
        write_program(plan, folder)
        (folder / ".whole").touch()
    return folder


def _folder(place: Place, start: int) -> Path:
    return place.logs / f"entry{start}"


def _earlier(book: LedgerFile, place: Place, told: Told, locks: contextlib.ExitStack) -> list[Followed]:
    """Jobs that have no end in the ledger yet, and that no other process follows."""
    known = book.read()
    ended = {end.body["start"] for end in known.of("end")}
    found = []
    for start in known.of("start"):
        if start.body["job"] != JOB or start.n in ended:
            continue
        try:
            locks.enter_context(running(place.logs, start.n))
        except BlockingIOError:
            told.say(f"seed {start.body['seed']}: another process follows it (ledger entry {start.n})")
            continue
        folder = _folder(place, start.n)
        number = folder / JOB_ID
        job = number.read_text(encoding="utf-8") if number.exists() else ""
        told.say(f"seed {start.body['seed']}: following Slurm job {job or '(never submitted)'} again")
        begun = started(folder)
        restarts = begun[0] if begun is not None and folder.is_symlink() else 0
        found.append(Followed(start, folder, job, locks, restarts))
    return found


def _follow(
    followed: list[Followed], book: LedgerFile, place: Place, plan: Plan, told: Told, poll_s: float
) -> None:
    """Until every job has its end in the ledger."""
    while followed:
        for one in list(followed):
            if _step(one, book, place, plan, told):
                followed.remove(one)
        if followed:
            time.sleep(poll_s)


def _step(one: Followed, book: LedgerFile, place: Place, plan: Plan, told: Told) -> bool:
    """Look at one job once; True when it is over and the ledger says so."""
    result = read_result(one.folder)
    if result is None:
        _notice_restart(one, book, place, plan, told)
        state = queue.state(one.job) if one.job else "never submitted"
        if state in queue.OVER or not one.job:
            one.over_since = one.over_since or time.monotonic()
            if time.monotonic() - one.over_since > GRACE_S or not one.job:
                ended = Ended("killed", f"Slurm job {one.job or '(none)'}: {state or 'gone'}, no result", 0.0)
                _end(one, ended, _log(one), None, book, place, plan, told)
                return True
        else:
            one.over_since = None
            _progress(one, told)
        return False
    _notice_restart(one, book, place, plan, told)
    body = environment.body(result.machine, result.software, environment.Data())
    data = book.read().entries[one.start.body["environment"]].body["data"]
    where = book.append("environment", {**body, "data": data})
    _end(one, result.ended, result.log, where.n, book, place, plan, told)
    note_positions(book, one.start, result.positions, told)
    return True


def _notice_restart(one: Followed, book: LedgerFile, place: Place, plan: Plan, told: Told) -> None:
    """Slurm started the job again: the earlier start ends in the ledger, and another one begins."""
    begun = started(one.folder)
    if begun is None or begun[0] <= one.restarts:
        return
    seed, log = one.start.body["seed"], one.folder / f"start{one.restarts}.log"
    ended = Ended("interrupted", f"Slurm job {one.job} was requeued", 0.0)
    base = place.ledger.parent
    book.append("end", end_body(ended, one.start.n, seed, log, base, plan.tag, one.start.body["environment"]))
    again = start_body(
        one.start.body["plan"], one.start.body["environment"], seed, attempts(book.read(), seed) + 1, JOB
    )
    start = book.append("start", again)
    one.locks.enter_context(running(place.logs, start.n))
    link = _folder(place, start.n)
    make_way(link)
    link.symlink_to(one.folder.name)
    told.say(f"seed {seed}: Slurm requeued job {one.job} (ledger entry {start.n})")
    one.start, one.restarts = start, begun[0]


def _log(one: Followed) -> Path:
    begun = started(one.folder)
    return begun[1] if begun is not None else one.folder / "start0.log"


def _end(
    one: Followed,
    ended: Ended,
    log: Path,
    where: int | None,
    book: LedgerFile,
    place: Place,
    plan: Plan,
    told: Told,
) -> None:
    seed = one.start.body["seed"]
    end = book.append("end", end_body(ended, one.start.n, seed, log, place.ledger.parent, plan.tag, where))
    told.say(f"seed {seed}: {outcome(end)} (ledger entry {end.n})")


def _progress(one: Followed, told: Told) -> None:
    begun = started(one.folder)
    now = time.monotonic()
    if begun is None or now - one.told_at < PROGRESS_S or not begun[1].exists():
        return
    one.told_at = now
    seconds = max(0.0, time.time() - begun[1].parent.joinpath("started.json").stat().st_mtime)
    told.progress(Progress(one.start.body["seed"], seconds, latest(begun[1])))
