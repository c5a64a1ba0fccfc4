"""Judge a head that lies in a repository. Everything that decides comes from the tool and the base branch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from golf_audit import checking, registry
from golf_audit.errors import AuditError
from golf_audit.figures import drawn
from golf_audit.filetree import FILE_CAP
from golf_audit.gate.touched import touched
from golf_audit.gitclone import Clone
from golf_audit.load import load_additions
from golf_audit.model import Report, Waiver
from golf_audit.observation import Observation
from golf_audit.pullrequest import additions
from golf_audit.submission import Case
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
    has_page: bool = False  # the reports hold what their page draws


def judge(task: Task) -> Judged:
    """Read the head's objects and judge each folder that it adds. Raises AuditError."""
    with Clone(task.repo) as any_base:
        base = any_base.resolve(task.base) if task.base else any_base.main
    with Clone(task.repo, base=base) as clone:
        waivers = _waivers(clone, base, task.waivers)
        found = additions(clone, clone.resolve(task.head))
        submissions = load_additions(clone, found, task.pr)
        notes: tuple[str, ...] = touched(found.changes, clone.tree(base), task.waivers)
    rules = registry.pick(task.rules)
    today = dt.datetime.now(dt.UTC).date()
    cases = checking.cases(submissions, task.as_of, None, (), task.dynamic and bool(submissions))
    notes += tuple(f"did not run in miniature to its end: {what}" for what in checking.not_run(cases))
    plain = checking.reports(cases, rules, restricted=bool(task.rules))
    reports = tuple(apply(report, waivers, today) for report in plain)
    pages, trouble = _drawn(cases, reports)
    seen = tuple(case.observation for case in cases if case.observation is not None)
    return Judged(pages or reports, (*notes, trouble) if trouble else notes, seen, bool(pages))


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


def _drawn(cases: Sequence[Case], reports: Sequence[Report]) -> tuple[tuple[Report, ...], str]:
    """The reports with what their pages draw; a figure that fails is told and takes no verdict with it."""
    try:
        return tuple(drawn(case, report) for case, report in zip(cases, reports, strict=True)), ""
    except Exception as error:  # noqa: BLE001 - told in the notes
        return (), f"has no page: a figure could not be drawn ({type(error).__name__}: {error})"
