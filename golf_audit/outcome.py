"""From rulings to the word on a whole report and to the exit code (DESIGN section 4). Pure.

0  nothing failed and nothing is open        3  no fail, but a D rule that reading can decide is open
1  a D or I rule failed                      4  the tool itself failed on this submission
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from golf_audit.model import Report, Ruling, Severity, Verdict

Word = Literal["pass", "fail", "open"]

PASSED, FAILED, OPEN, TOOL_FAILED = 0, 1, 3, 4
_WORST_FIRST = (TOOL_FAILED, FAILED, OPEN, PASSED)
_UNSETTLED = (Verdict.NEEDS_RULING, Verdict.UNDETERMINED)


def fails(ruling: Ruling) -> bool:
    """A broken rule that fails the submission: D and I do, an advisory or waived one never does."""
    return (
        ruling.verdict is Verdict.FAIL and not ruling.waived and ruling.rule.severity is not Severity.ADVISORY
    )


def is_open(ruling: Ruling, *, require_run: bool = False) -> bool:
    """A disqualifying rule without a decision. One that only a run can decide counts with `require_run`."""
    undecided = ruling.verdict in _UNSETTLED and not ruling.waived
    undecided = undecided and ruling.rule.severity is Severity.DISQUALIFYING
    return undecided and (ruling.rule.reading_decides or require_run)


def not_yet_run(ruling: Ruling) -> bool:
    """Undetermined because its only evidence is a run that has not been made."""
    waits = any(unmet.awaits is not None for unmet in ruling.assessment.unmet)
    return ruling.verdict is Verdict.UNDETERMINED and not ruling.rule.reading_decides and waits


def verdict(report: Report, *, require_run: bool = False) -> Word:
    """The word on the whole submission: fail goes with exit code 1, open with 3, pass with 0.

    A rule that crashed was not judged, and a report without rulings asked nothing: both stay open."""
    if any(fails(r) for r in report.rulings):
        return "fail"
    undecided = any(is_open(r, require_run=require_run) for r in report.rulings)
    return "open" if undecided or report.crashes or not report.rulings else "pass"


def exit_code(
    reports: Sequence[Report], strict: bool = False, require_run: bool = False, open_passes: bool = False
) -> int:
    """The worst of all reports, 4 > 1 > 3 > 0. No report at all gives 0.

    `strict` turns 3 into 1, `open_passes`, as at a gate, into 0."""
    codes = {_one(report, require_run) for report in reports}
    worst = next((code for code in _WORST_FIRST if code in codes), PASSED)
    if worst == OPEN and strict:
        return FAILED
    return PASSED if worst == OPEN and open_passes else worst


def _one(report: Report, require_run: bool) -> int:
    if report.crashes:
        return TOOL_FAILED
    return {"fail": FAILED, "open": OPEN, "pass": PASSED}[verdict(report, require_run=require_run)]
