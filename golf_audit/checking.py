"""`check` and `report` between reading and printing: cases, their rulings, and what a page draws."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from golf_audit import observation
from golf_audit.audit import audit
from golf_audit.errors import AuditError
from golf_audit.ledger import Ledger
from golf_audit.model import Report, Rule
from golf_audit.observation import Observation
from golf_audit.submission import Case, Submission


def cases(
    submissions: Sequence[Submission],
    as_of: dt.date | None,
    book: Ledger | None,
    traces: Sequence[Path] = (),
    dynamic: bool = False,
) -> list[Case]:
    """Each submission with the day whose law applies and what was run of it. Raises AuditError."""
    seen = _observations(submissions, traces, dynamic)
    return [Case(s, as_of or s.date, book, seen.get(s.head.fingerprint)) for s in submissions]


def reports(
    found: Sequence[Case], rules: Sequence[Rule], *, restricted: bool = False, figures: bool = False
) -> list[Report]:
    """The rulings on each case; with `figures` also what its page draws."""
    told = [audit(case, rules, restricted=restricted) for case in found]
    if not figures:
        return told
    from golf_audit.figures import drawn

    return [drawn(case, report) for case, report in zip(found, told, strict=True)]


def not_run(found: Sequence[Case]) -> tuple[str, ...]:
    """For each submission whose run in miniature did not come to its end: its name and why."""
    seen = ((case.submission.name, case.observation) for case in found)
    return tuple(f"{name}: {o.reason}" for name, o in seen if o is not None and o.ending != "ok")


def _observations(
    submissions: Sequence[Submission], traces: Sequence[Path], dynamic: bool
) -> dict[str, Observation]:
    """What was run of these submissions, by their fingerprints."""
    if dynamic:
        from golf_audit.dynamic.command import observe, plan

        how = plan("full", "cpu", False)
        return {s.head.fingerprint: observe(s, how) for s in submissions}
    known = {s.head.fingerprint for s in submissions}
    found = {}
    for path in traces:
        seen = observation.read(path)
        if seen.fingerprint not in known:
            raise AuditError(f"{path} was made of another folder, or of another state of it: trace it again")
        found[seen.fingerprint] = seen
    return found
