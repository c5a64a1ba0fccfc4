"""The rules on real pull requests, from a clone of the challenge (GOLF_AUDIT_CLONE).

Protects the borders: what organisers accepted carries no disqualifying fail; what they or its authors gave up
is found where its logs hold the evidence. No rule knows any of these numbers.
"""

from __future__ import annotations

import os
from functools import cache

import pytest

from golf_audit.audit import audit
from golf_audit.load import load_pull_request
from golf_audit.model import Report, Severity, Verdict
from golf_audit.records import Record, records
from golf_audit.registry import pick
from golf_audit.submission import Case

CLONE = os.environ.get("GOLF_AUDIT_CLONE", "")
READING = ["A", "B02", "B03", "B04", "V04", "H", "N02", "R", "S01", "S02"]
pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CLONE, reason="GOLF_AUDIT_CLONE names no clone of the challenge"),
]
FOUND = {Verdict.FAIL, Verdict.NEEDS_RULING}


@cache
def reports(pr: int) -> tuple[Report, ...]:
    """The reading rules on every folder of a pull request, under the law of its date."""
    rules = pick(READING)
    return tuple(audit(Case(s, s.date), rules, restricted=True) for s in load_pull_request(CLONE, pr))


def verdicts(pr: int, rule: str) -> set[Verdict]:
    return {ruling.verdict for report in reports(pr) for ruling in report.rulings if ruling.rule.id == rule}


@pytest.mark.parametrize(
    "record", [r for r in records() if r.pr is not None], ids=lambda r: f"{r.pr} {r.folder[:40]}"
)
def test_no_accepted_record_fails_a_rule_that_disqualifies(record: Record) -> None:
    assert record.pr is not None
    found = [r for r in reports(record.pr) if r.head.folder.endswith(record.folder)]
    assert found, "the head still holds the folder"
    for report in found:
        assert not report.crashes
        failed = [
            f"{ruling.rule.id}: {ruling.reason}"
            for ruling in report.rulings
            if ruling.verdict is Verdict.FAIL and ruling.rule.severity is Severity.DISQUALIFYING
        ]
        assert failed == []


@pytest.mark.parametrize(
    ("pr", "rule"),
    [
        *((pr, "A01") for pr in (355, 1399, 1698, 1809, 1835)),
        *((pr, "A03") for pr in (569, 593, 609, 1028)),
        *((pr, "A04") for pr in (517, 915, 1114, 1557, 1972, 2121)),
        *((pr, "B02") for pr in (1687, 1698, 1711, 1712, 2071)),
        *((pr, "B03") for pr in (1578, 1585, 1693)),
        *((pr, "B04") for pr in (1835, 1869, 1978, 1981, 2032, 2039)),
        (2130, "V04"),
    ],
)
def test_what_was_given_up_is_found_in_its_logs(pr: int, rule: str) -> None:
    assert verdicts(pr, rule) & FOUND


@pytest.mark.parametrize("pr", [1687, 1711, 1712])
def test_doubled_leading_spaces_are_named(pr: int) -> None:
    reasons = [r.reason for report in reports(pr) for r in report.rulings if r.rule.id == "B02"]
    assert any("leading space of a piece counted twice" in reason for reason in reasons)
