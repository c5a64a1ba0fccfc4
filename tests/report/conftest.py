"""Fixtures over the reports of samples.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from golf_audit.model import Crash, Head, Report, Rule, Severity, Track, Verdict
from tests.report.samples import DAY, SAMPLES, hostile, rule, ruling


@pytest.fixture(scope="session")
def sample() -> Callable[[str], Report]:
    """A report by name: failing, disputed, packed, passing, crashed."""
    return lambda name: SAMPLES[name]()


@pytest.fixture(scope="session")
def with_text() -> Callable[[str], Report]:
    """A report that holds the given text in every place that a submission can influence."""
    return hostile


@pytest.fixture(scope="session")
def make_rule() -> Callable[..., Rule]:
    return rule


@pytest.fixture(scope="session")
def make_report() -> Callable[..., Report]:
    """A report of bare verdicts: make_report(("T01", Severity, evidence, Verdict), ...)."""

    def make(*rows: tuple[str, Severity, str, Verdict], crashes: tuple[str, ...] = ()) -> Report:
        rulings = tuple(
            ruling(rule(id, id, severity, evidence), verdict, "because")
            for id, severity, evidence, verdict in rows
        )
        return Report(
            Head("records/x/y", "e" * 64),
            Track.RECORD,
            DAY,
            "",
            rulings,
            crashes=tuple(Crash(c, "x") for c in crashes),
        )

    return make
