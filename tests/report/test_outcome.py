"""Exit codes and the word on a report (DESIGN section 4), one sentence per row."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from golf_audit.model import Report, Severity, Verdict
from golf_audit.outcome import exit_code, verdict

D, I, A = Severity.DISQUALIFYING, Severity.INCOMPLETE, Severity.ADVISORY  # noqa: E741 - the catalogue's letters
FAIL, RULING, UNKNOWN = Verdict.FAIL, Verdict.NEEDS_RULING, Verdict.UNDETERMINED
PASS, NOT = Verdict.PASS, Verdict.NOT_APPLICABLE
Row = tuple[str, Severity, str, Verdict]
Make = Callable[..., Report]

ONE: dict[str, tuple[Row, int, str]] = {
    "a disqualifying rule that failed fails": (("T01", D, "T X", FAIL), 1, "fail"),
    "an incomplete submission fails": (("R01", I, "T G", FAIL), 1, "fail"),
    "a fail that only a run can show fails": (("M01", D, "X (T)", FAIL), 1, "fail"),
    "a disputed disqualifying rule opens": (("A03", D, "L T", RULING), 3, "open"),
    "a disqualifying rule without evidence opens": (("B02", D, "L", UNKNOWN), 3, "open"),
    "git alone can open": (("X01", D, "G", UNKNOWN), 3, "open"),
    "a rule whose engine is not built is open too": (("T02", D, "T X", UNKNOWN), 3, "open"),
    "an advisory rule that failed changes nothing": (("S02", A, "L", FAIL), 0, "pass"),
    "a disputed advisory rule changes nothing": (("S01", A, "L", RULING), 0, "pass"),
    "an advisory rule without evidence changes nothing": (("H01", A, "T", UNKNOWN), 0, "pass"),
    "a disputed incomplete rule changes nothing": (("A02", I, "T L", RULING), 0, "pass"),
    "an incomplete rule without evidence changes nothing": (("R05", I, "L", UNKNOWN), 0, "pass"),
    "a rule that only a run decides waits": (("S03", D, "X", UNKNOWN), 0, "pass"),
    "text in brackets does not decide": (("M01", D, "X (T)", UNKNOWN), 0, "pass"),
    "a run that needs a ruling does not count as reading": (("M01", D, "X (T)", RULING), 0, "pass"),
    "a rule that holds passes": (("T01", D, "T X", PASS), 0, "pass"),
    "a rule that does not apply passes": (("M02", D, "T X", NOT), 0, "pass"),
}


@pytest.mark.parametrize(("row", "code", "word"), ONE.values(), ids=ONE.keys())
def test_one_ruling(make_report: Make, row: Row, code: int, word: str) -> None:
    report = make_report(row)
    assert (exit_code([report]), verdict(report)) == (code, word)


@pytest.mark.parametrize(("row", "code", "word"), ONE.values(), ids=ONE.keys())
def test_strict_turns_open_into_failed_and_nothing_else(
    make_report: Make, row: Row, code: int, word: str
) -> None:
    assert exit_code([make_report(row)], strict=True) == (1 if code == 3 else code)


REQUIRED = {
    "a rule that only a run decides opens": (("S03", D, "X", UNKNOWN), 3),
    "so does one with text in brackets": (("M01", D, "X (T)", UNKNOWN), 3),
    "an advisory rule that needs a run still changes nothing": (("M03", A, "X", UNKNOWN), 0),
    "a run that showed it holds passes": (("M01", D, "X (T)", PASS), 0),
}


@pytest.mark.parametrize(("row", "code"), REQUIRED.values(), ids=REQUIRED.keys())
def test_with_require_run(make_report: Make, row: Row, code: int) -> None:
    report = make_report(row)
    assert exit_code([report], require_run=True) == code
    assert verdict(report, require_run=True) == ("open" if code else "pass")


def test_a_fail_outweighs_what_is_open(make_report: Make) -> None:
    assert exit_code([make_report(("A01", D, "L T", FAIL), ("A03", D, "L T", RULING))]) == 1


def test_a_crash_outweighs_a_fail_and_is_never_a_pass(make_report: Make) -> None:
    failed = make_report(("A01", D, "L T", FAIL), crashes=("T01",))
    clean = make_report(("A01", D, "L T", PASS), crashes=("T01",))
    assert exit_code([failed]) == exit_code([clean]) == exit_code([clean], strict=True) == 4
    assert (verdict(failed), verdict(clean)) == ("fail", "open")


def test_a_report_that_asked_nothing_is_not_a_pass(make_report: Make) -> None:
    assert verdict(make_report()) == "open"


def test_several_folders_give_the_worst_code_4_1_3_0(make_report: Make) -> None:
    passed = make_report(("T01", D, "T X", PASS))
    opened = make_report(("T01", D, "T X", UNKNOWN))
    failed = make_report(("T01", D, "T X", FAIL))
    broken = make_report(("T01", D, "T X", PASS), crashes=("A01",))
    assert exit_code([passed, opened]) == 3
    assert exit_code([passed, opened, failed]) == 1
    assert exit_code([failed, broken, opened]) == 4


def test_no_submission_in_a_pull_request_is_no_failure() -> None:
    assert exit_code([]) == exit_code([], strict=True, require_run=True) == 0


def test_at_a_gate_open_passes_unless_strict(make_report: Make) -> None:
    opened = make_report(("T01", D, "T", Verdict.UNDETERMINED))
    failed = make_report(("T01", D, "T", Verdict.FAIL))
    assert exit_code([opened]) == 3 and exit_code([opened], open_passes=True) == 0
    assert exit_code([opened], strict=True, open_passes=True) == 1
    assert exit_code([failed], open_passes=True) == 1
