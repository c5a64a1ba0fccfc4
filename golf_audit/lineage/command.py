"""check --parent: find the parent of every submission, audit it by the same law, and compare."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from golf_audit.audit import audit
from golf_audit.errors import AuditError
from golf_audit.gitclone import Clone
from golf_audit.lineage import parents
from golf_audit.lineage.choose import choose
from golf_audit.lineage.compare import compare, name_of
from golf_audit.lineage.mentions import mentions
from golf_audit.lineage.model import Lineage, Name, Named
from golf_audit.lineage.origin import origins
from golf_audit.model import Report, Rule
from golf_audit.submission import Case, Submission

AUTO = "auto"
"""The argument of --parent that asks the README and submission.json."""
LINE_CAP = 8
"""Generations that are named."""


def with_lineage(
    cases: Sequence[Case], reports: Sequence[Report], rules: Sequence[Rule], argument: str, repo: Path | None
) -> list[Report]:
    """The reports, each with what --parent has to say of it.

    A parent that was asked for by name and cannot be read raises AuditError; one that a README names and
    that cannot be read is told in the report."""
    if argument == AUTO and repo is None:
        raise AuditError("--parent auto looks the parent up in a clone: it needs --repo CLONE")
    judges = _Judges(rules)
    with _opened(repo) as clone:
        return [
            replace(report, lineage=_lineage(case, report, argument, clone, judges))
            for case, report in zip(cases, reports, strict=True)
        ]


class _Judges:
    """Audits of ancestors, each made once: two children may have one parent."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._made: dict[tuple[str, dt.date, tuple[str, ...]], Report] = {}

    def report(self, submission: Submission, as_of: dt.date, only: Sequence[str] = ()) -> Report:
        """The report on an ancestor, by all rules or by some."""
        key = (submission.head.fingerprint, as_of, tuple(only))
        if key not in self._made:
            rules = [rule for rule in self._rules if not only or rule.id in only]
            self._made[key] = audit(Case(submission, as_of), rules)
        return replace(self._made[key], head=submission.head)


@contextmanager
def _opened(repo: Path | None) -> Iterator[Clone | None]:
    if repo is None:
        yield None
        return
    with Clone(repo) as clone:
        yield clone


def _lineage(
    case: Case,
    report: Report,
    argument: str,
    clone: Clone | None,
    judges: _Judges,
) -> Lineage:
    child = case.submission
    named = named_by(child)
    if argument == AUTO:
        assert clone is not None
        found = parents.found(named, clone, child)
    else:
        found = parents.given(argument, clone, child)
    if found.submission is None:
        return Lineage(None, named, found.why, found.notes)
    parent = found.submission
    if parent.head.fingerprint == child.head.fingerprint:
        return Lineage(None, named, f"{name_of(parent.head)} is this very folder, file for file", found.notes)
    above = judges.report(parent, case.as_of)
    comparison = compare(child, report, parent, above, found.how, found.where)
    line, circle = ancestors(parent, clone, {_key(child), _key(parent)})
    rooted = origins(
        comparison,
        parent,
        above,
        lambda s: _parent_by_words(s, clone),
        lambda s, only: judges.report(s, case.as_of, only),
    )
    return Lineage(comparison, named, notes=(*found.notes, *circle), line=line, origins=rooted)


def _parent_by_words(submission: Submission, clone: Clone | None) -> Submission | None:
    """The parent of an ancestor, where its texts call one the base and it can be read."""
    named = named_by(submission)
    return parents.found(named, clone, submission).submission if clone and named.candidates else None


def named_by(submission: Submission) -> Named:
    """What the texts of a submission say of its parent."""
    told = mentions(submission.tree, submission.claims, submission.head.folder)
    return choose(told, submission.head.pr, submission.head.folder)


def ancestors(
    parent: Submission, clone: Clone | None, seen: set[int | str]
) -> tuple[tuple[Name, ...], tuple[str, ...]]:
    """The parents of the parent, as long as one single name is given; and a note where the names go in a
    circle."""
    line: list[Name] = []
    here = parent
    while clone is not None and len(line) < LINE_CAP:
        candidates = named_by(here).candidates
        if len(candidates) != 1:
            break
        name = candidates[0].name
        key = name.pr or name.folder
        if key in seen:
            return tuple(line), (f"the names go in a circle: {name_of(here.head)} names {name} as its base",)
        seen.add(key)
        line.append(name)
        try:
            here = parents.read(name, clone)[0]
        except AuditError:
            break
    return tuple(line), ()


def _key(submission: Submission) -> int | str:
    return submission.head.pr or submission.name
