"""Judge a head that lies in a repository. Everything that decides comes from the tool and the base branch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from golf_audit import registry
from golf_audit.audit import audit
from golf_audit.dynamic.command import observe, plan
from golf_audit.errors import AuditError
from golf_audit.filetree import FILE_CAP
from golf_audit.gate.touched import touched
from golf_audit.gitclone import Clone
from golf_audit.load import load_additions
from golf_audit.model import Report, Waiver
from golf_audit.observation import Observation
from golf_audit.pullrequest import additions
from golf_audit.submission import Case, Submission
from golf_audit.waiverfile import read_waivers
from golf_audit.waivers import apply


@dataclass(frozen=True)
class Task:
    """What to judge: a head of a repository against its base branch."""

    repo: Path
    head: str  # commit id, branch or ref
    base: str | None = None  # the same; None for the repository's main branch
    pr: int | None = None
    waivers: str = ""  # path of the waiver file on the base branch; empty for none
    as_of: dt.date | None = None
    dynamic: bool = False
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """The reports, what the pull request touches besides, and what was run."""

    reports: tuple[Report, ...]
    notes: tuple[str, ...] = ()
    observations: tuple[Observation, ...] = ()


def judge(task: Task) -> Judged:
    """Read the head's objects and judge each folder that it adds. Raises AuditError."""
    with Clone(task.repo) as any_base:
        base = any_base.resolve(task.base) if task.base else any_base.main
    with Clone(task.repo, base=base) as clone:
        waivers = _waivers(clone, base, task.waivers)
        found = additions(clone, clone.resolve(task.head))
        submissions = load_additions(clone, found, task.pr)
        notes = touched(found.changes, clone.tree(base), task.waivers)
    observations = _observations(submissions) if task.dynamic else {}
    rules = registry.pick(task.rules)
    today = dt.datetime.now(dt.UTC).date()
    reports = []
    for submission in submissions:
        seen = observations.get(submission.head.fingerprint)
        case = Case(submission, task.as_of or submission.date, None, seen)
        reports.append(apply(audit(case, rules, restricted=bool(task.rules)), waivers, today))
    return Judged(tuple(reports), notes, tuple(observations.values()))


def _waivers(clone: Clone, base: str, path: str) -> tuple[Waiver, ...]:
    """The waivers that the base branch holds; the head's own file is never looked at."""
    entry = next((e for e in clone.tree(base) if path and e.path == path), None)
    if entry is None:
        return ()
    size = clone.size(entry.oid)
    data = clone.read(entry.oid) if size is not None and size <= FILE_CAP else None
    if data is None or entry.mode not in ("100644", "100755"):
        raise AuditError(f"{path} of the base branch is no file that can be read")
    return read_waivers(data, path)


def _observations(submissions: Sequence[Submission]) -> dict[str, Observation]:
    how = plan("full", "cpu", False) if submissions else None
    return {s.head.fingerprint: observe(s, how) for s in submissions} if how is not None else {}
