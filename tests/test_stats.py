"""The organisers' own p-values and the units of the community are reproduced from per-seed values.

Protects S01 and S02: a reader compares what we print with the p-values printed in the challenge's README.
"""

from __future__ import annotations

import datetime as dt
import math

import pytest

from golf_audit import stats
from golf_audit.records import Record, frontier, records
from golf_audit.stats import Printed, Sample, improvement, misprints, sample, welch

BY_PR: dict[int | None, Record] = {record.pr: record for record in records()}
POOLED_1855 = Sample(1.060755, 0.000933, 6)  # three seeds and three reproductions (formats.md e2)
RERUN_1868 = sample([1.06083288, 1.06090748, 1.06248776])


@pytest.mark.parametrize(
    ("new", "old", "printed"),
    [
        pytest.param(BY_PR[1514].sample, BY_PR[1493].sample, 0.020, id="1514 against 1493"),
        pytest.param(BY_PR[1529].sample, BY_PR[1514].sample, 0.001, id="1529 against 1514"),
        pytest.param(
            BY_PR[1769].sample, BY_PR[1736].sample, 0.063, id="1769 against 1736, five against three"
        ),
        pytest.param(
            POOLED_1855, RERUN_1868, 0.188, id="1855 pooled with its reproductions against the 1868 rerun"
        ),
        pytest.param(BY_PR[2135].sample, BY_PR[2014].sample, 0.014, id="2135 against 2014"),
    ],
)
def test_the_p_values_of_the_leaderboard_are_reproduced(new: Sample, old: Sample, printed: float) -> None:
    result = welch(new, old)
    assert result is not None
    assert round(result.p, 3) == printed


def test_it_is_scipys_welch_test() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    ours, theirs = [1.0801, 1.0794, 1.0799], [1.0811, 1.0808, 1.0815, 1.0806]
    expected = scipy_stats.ttest_ind(ours, theirs, equal_var=False, alternative="less")
    result = welch(sample(ours), sample(theirs))
    assert result is not None
    assert result.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert (result.t, result.df) == pytest.approx((expected.statistic, expected.df))


def test_a_margin_is_demanded_on_top_of_the_old_mean() -> None:
    new, old = sample([1.0700, 1.0701, 1.0699]), sample([1.0720, 1.0722, 1.0718])
    clear, beyond = welch(new, old, margin=0.001), welch(new, old, margin=0.003)
    assert clear is not None and beyond is not None
    assert clear.p < 0.01 and beyond.p > 0.9


FOUR_1967 = sample([1.05764, 1.05886, 1.05904, 1.05674])


def test_the_figures_miscalculated_in_the_thread_of_1967_come_out_right() -> None:
    """The thread prints sd 0.00103, SE 0.000627, t 4.29, p 0.0026 for these four against the pooled six."""
    four = FOUR_1967
    result = welch(four, POOLED_1855)
    assert four.mean == pytest.approx(1.05807, abs=5e-6)
    assert four.sd == pytest.approx(0.001083, abs=5e-7)
    assert result is not None
    assert result.t == pytest.approx(-4.056, abs=5e-4)
    assert result.p == pytest.approx(0.00353, abs=5e-6)


def test_the_figures_miscalculated_in_the_thread_of_1967_are_found() -> None:
    printed = Printed(sd="0.00103", se="0.000627", t="4.29", p="0.0026")
    found = {m.figure: m.computed for m in misprints(FOUR_1967, POOLED_1855, printed)}
    assert found == {
        "sd": pytest.approx(0.001083, abs=5e-7),
        "se": pytest.approx(0.000662, abs=5e-7),
        "t": pytest.approx(4.056, abs=5e-4),
        "p": pytest.approx(0.00353, abs=5e-6),
    }


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param(Printed(sd="0.001083", se="0.00066", t="-4.06", df="5.8", p="0.0035"), id="rounded"),
        pytest.param(Printed(p="<0.01"), id="a bound that holds"),
        pytest.param(Printed(p="3.5e-3"), id="with an exponent"),
        pytest.param(Printed(p="significant"), id="no figure at all"),
    ],
)
def test_right_figures_are_not_misprints(printed: Printed) -> None:
    assert misprints(FOUR_1967, POOLED_1855, printed) == ()


def test_a_bound_that_does_not_hold_is_a_misprint() -> None:
    assert [m.figure for m in misprints(FOUR_1967, POOLED_1855, Printed(p="<0.001"))] == ["p"]


@pytest.mark.parametrize(
    ("new", "old"),
    [
        pytest.param(sample([1.1]), sample([1.2, 1.21]), id="one new seed"),
        pytest.param(sample([1.1, 1.11]), sample([1.2]), id="one old seed"),
        pytest.param(Sample(1.1, 0.0, 3), Sample(1.2, 0.0, 3), id="no spread on either side"),
    ],
)
def test_no_p_value_is_made_up(new: Sample, old: Sample) -> None:
    assert welch(new, old) is None


def test_an_empty_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        sample([])


def test_every_unit_of_an_improvement() -> None:
    step = improvement(1.0798, 1.0810, 2.5831)
    assert step.bpb == pytest.approx(0.0012)
    assert step.per_byte == pytest.approx(0.0012 * math.log(2))
    assert step.per_token == pytest.approx(0.0012 * 2.5831)
    assert improvement(1.0798, 1.0810, None).per_token is None


def test_the_readmes_margin_is_in_nats_per_token() -> None:
    """formats.md e3: 0.005 nats is 0.00194 bpb at SP8192."""
    in_bpb = stats.README_NATS / 2.5831
    assert in_bpb == pytest.approx(0.00194, abs=5e-6)


@pytest.mark.parametrize(
    ("date", "pr", "folder", "name"),
    [
        pytest.param(dt.date(2026, 4, 27), 1855, "", "#1851", id="the record of the day before"),
        pytest.param(
            dt.date(2026, 5, 9), 1855, "", "#1851", id="a rewritten head is still an early pull request"
        ),
        pytest.param(dt.date(2026, 4, 9), 1493, "", "#1477", id="not itself"),
        pytest.param(
            dt.date(2026, 4, 27),
            None,
            "x/2026-04-27_SP8192_LQER_SparseGate_BOSSmearFix_9HpStack_1.0611",
            "#1851",
            id="not itself when only the folder is known",
        ),
        pytest.param(dt.date(2026, 3, 18), None, "", "#49", id="the first day has records too"),
    ],
)
def test_the_record_to_beat(date: dt.date, pr: int | None, folder: str, name: str) -> None:
    record = frontier(date, pr, folder)
    assert record is not None
    assert record.name == name


def test_before_the_launch_there_is_no_record() -> None:
    assert frontier(dt.date(2026, 3, 1)) is None


def test_every_record_states_its_source_and_a_score_its_seeds_explain() -> None:
    """A listed score is the mean of its seeds, or its best seed where the note says so."""
    for record in records():
        assert record.source, record.name
        if not record.values:
            continue
        best = "best seed" in record.note
        expected = min(v for _, v in record.values) if best else record.sample.mean
        assert record.score == pytest.approx(expected, abs=3e-4), (
            record.name
        )  # the README rounds #49 to 3 places
