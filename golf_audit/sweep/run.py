"""Audit many heads in parallel processes. One head's failure is its own row and stops nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Protocol

from golf_audit import __version__, registry
from golf_audit.audit import audit
from golf_audit.errors import AuditError
from golf_audit.gitclone import Clone
from golf_audit.load import load_pull_request, load_ref
from golf_audit.pullrequest import additions
from golf_audit.submission import Case, Submission
from golf_audit.sweep.row import SCHEMA, row_of

JOBS = 8
"""Slurm jobs that the heads are divided among."""


@dataclass(frozen=True)
class Target:
    """A head to audit: a pull request, or a ref of the clone when `ref` is given (then `pr` is a label)."""

    pr: int
    ref: str = ""


def sweep(
    clone: Path, targets: Sequence[Target], jobs: int, rule_ids: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Rows in the order they finish. Heads that share a script go to one process, which parses it once.

    A process that dies (out of memory, killed) costs the head it was on, reported as a crash."""
    return in_processes(_grouped(clone, targets), Task(clone, _Audit(tuple(rule_ids))), jobs)


class Work(Protocol):
    """What is done with heads; picklable, since Slurm carries it to a node."""

    @property
    def name(self) -> str:
        """The job's name."""

    def rows(self, targets: Sequence[Target], jobs: int) -> Iterator[dict[str, Any]]:
        """A row for each head, by so many processes."""


@dataclass(frozen=True)
class Audits:
    """The rules of a sweep."""

    clone: str
    rule_ids: tuple[str, ...]
    name: str = "golf-audit-sweep"

    def rows(self, targets: Sequence[Target], jobs: int) -> Iterator[dict[str, Any]]:
        return sweep(Path(self.clone), targets, jobs, self.rule_ids)


def in_processes(groups: list[list[Target]], task: Task, jobs: int) -> Iterator[dict[str, Any]]:
    """The rows of a task, a group of heads at a time in each process; with one job in this process."""
    if jobs == 1:
        for group in groups:
            yield from task(group)
        return
    pending = list(reversed(groups))
    suspects: list[list[Target]] = []
    while pending or suspects:
        alone = not pending
        workers = 1 if alone else jobs
        with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_end_with_parent) as pool:
            running: dict[Future[list[dict[str, Any]]], list[Target]] = {}
            try:
                while pending or running or (alone and suspects):
                    source = suspects if alone else pending
                    while source and len(running) < (1 if alone else 2 * jobs):
                        group = source.pop()
                        running[pool.submit(task, group)] = group
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        rows = future.result()
                        del running[future]
                        yield from rows
            except BrokenProcessPool:
                # Every head in flight is suspect. Each is tried again alone; one that dies then is the crash.
                lost = list(running.values())
                if alone:
                    for target in lost[0]:
                        yield crashed(target, "the process auditing it died")
                else:
                    suspects += [[target] for group in lost for target in group]


def _end_with_parent() -> None:
    """A worker whose sweep was killed ends too, instead of waiting for work for ever."""
    parent = parent_process()
    if parent is not None:

        def wait_for_end() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=wait_for_end, daemon=True).start()


def _grouped(clone: Path, targets: Sequence[Target]) -> list[list[Target]]:
    """Heads that add the same scripts, byte for byte, side by side: their parse is then shared."""
    groups: dict[str, list[Target]] = {}
    with Clone(clone) as git:
        for target in targets:
            groups.setdefault(_scripts(git, target), []).append(target)
    return list(groups.values())


def _scripts(git: Clone, target: Target) -> str:
    """The blob ids of the Python files that a head adds; a head without any, or unreadable, stands alone."""
    alone = f"#{target.pr} {target.ref}"
    try:
        added = additions(git, _head(git, target))
    except AuditError:
        return alone  # the same error comes up, and is reported, when the head is audited
    inside = tuple(f"{folder}/" for folder in added.folders)
    blobs = (c.new for c in added.changes if c.path.endswith(".py") and c.path.startswith(inside))
    return " ".join(sorted(blobs)) or alone


def _head(git: Clone, target: Target) -> str:
    return git.resolve(target.ref) if target.ref else git.resolve_pr(target.pr)


@cache
def _opened(clone: Path) -> Clone:
    """The clone, opened once in each worker process."""
    return Clone(clone)


Look = Callable[[Target, Submission], dict[str, Any]]
"""What is done with one submission of a head, picklable: its entry in the row."""


@dataclass(frozen=True)
class _Audit:
    """The rules of a sweep, asked about one submission."""

    rule_ids: tuple[str, ...]

    def __call__(self, target: Target, submission: Submission) -> dict[str, Any]:
        report = audit(Case(submission, submission.date), registry.pick(self.rule_ids))
        return row_of(submission, report)


class Task:
    """Looks at a group of heads in a worker process; picklable."""

    def __init__(self, clone: Path, look: Look, schema: str = SCHEMA) -> None:
        self.clone, self.look, self.schema = clone, look, schema

    def __call__(self, group: list[Target]) -> list[dict[str, Any]]:
        return [self.one(target) for target in group]

    def one(self, target: Target) -> dict[str, Any]:
        started = time.perf_counter()
        head = target.ref
        try:
            git = _opened(self.clone)
            head = _head(git, target)
            found = load_ref(git, head) if target.ref else load_pull_request(git, target.pr)
            row = _row(target, head, [self.look(target, submission) for submission in found])
        except AuditError as error:
            row = _row(target, head, [], error=str(error))
        except Exception as error:  # noqa: BLE001 - one head's crash is its own row, named, never silent
            row = _row(target, head, [], crash=f"{type(error).__name__}: {error}")
        return {**row, "schema": self.schema, "seconds": round(time.perf_counter() - started, 3)}


def crashed(target: Target, why: str) -> dict[str, Any]:
    """The row of a head whose audit gave none."""
    return _row(target, "", [], crash=why)


def _row(
    target: Target, head: str, entries: list[dict[str, Any]], error: str = "", crash: str = ""
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "tool": __version__,
        "pr": target.pr,
        "head": head,
        "submissions": entries,
        "error": error,
        "crash": crash,
        "seconds": 0.0,
    }
