"""What decides whether reruns reproduce a claim. Protects S03: a wrong word here disqualifies somebody.

The tests of difference are scipy's; the two one-sided tests are checked against scipy's one-sided tests.
"""

from __future__ import annotations

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from golf_audit.stats import Claimed, Outcome, against_value, compare, paired, sample, unpaired

MARGIN = 0.0019  # 0.005 nats per token at SP8192
CLAIMED = {42: 1.0611, 314: 1.0605, 999: 1.0618}
RERUN = {42: 1.0614, 314: 1.0603, 999: 1.0620}
spread = st.lists(st.floats(1.0, 1.2), min_size=3, max_size=6, unique_by=lambda v: round(v, 4))


def test_pairs_are_scipys_paired_test() -> None:
    difference = paired(list(CLAIMED.values()), list(RERUN.values()))
    expected = scipy.stats.ttest_rel(list(RERUN.values()), list(CLAIMED.values()))
    assert difference is not None
    assert (difference.t, difference.p) == pytest.approx((expected.statistic, expected.pvalue))
    interval, theirs = difference.interval(), expected.confidence_interval(0.90)
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high))


def test_other_seeds_are_scipys_welch_test() -> None:
    ours, theirs = [1.0612, 1.0607, 1.0621, 1.0615], list(CLAIMED.values())
    difference = unpaired(sample(theirs), sample(ours))
    expected = scipy.stats.ttest_ind(ours, theirs, equal_var=False)
    assert difference is not None
    assert (difference.t, difference.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert difference.df == pytest.approx(expected.df)
    theirs_90 = expected.confidence_interval(0.90)
    assert (difference.interval().low, difference.interval().high) == pytest.approx(
        (theirs_90.low, theirs_90.high)
    )


def test_one_number_is_scipys_one_sample_test() -> None:
    difference = against_value(1.0610, sample(list(RERUN.values())))
    expected = scipy.stats.ttest_1samp(list(RERUN.values()), 1.0610)
    assert difference is not None
    assert (difference.t, difference.p) == pytest.approx((expected.statistic, expected.pvalue))


def test_equivalence_is_the_larger_of_two_one_sided_tests() -> None:
    old, new = list(CLAIMED.values()), list(RERUN.values())
    difference = paired(old, new)
    assert difference is not None
    apart = [b - a for a, b in zip(old, new, strict=True)]
    above = scipy.stats.ttest_1samp(apart, -MARGIN, alternative="greater").pvalue
    below = scipy.stats.ttest_1samp(apart, MARGIN, alternative="less").pvalue
    assert difference.equivalence(MARGIN) == pytest.approx(max(above, below))


@given(spread, spread, st.floats(1e-4, 0.1))
def test_the_interval_and_the_two_one_sided_tests_say_the_same(
    old: list[float], new: list[float], margin: float
) -> None:
    difference = unpaired(sample(old), sample(new))
    assert difference is not None
    interval = difference.interval()
    inside = -margin < interval.low and interval.high < margin
    p = difference.equivalence(margin)
    if abs(p - 0.05) > 1e-9:
        assert inside == (p < 0.05)


def test_the_same_seeds_close_to_their_claims_reproduce_it() -> None:
    found = compare(Claimed(CLAIMED, 1.06113), RERUN, MARGIN)
    assert found.outcome is Outcome.REPRODUCED
    assert found.decisive is not None and found.decisive.how == "paired"
    assert [d.how for d in found.others] == ["Welch"]
    assert found.per_seed == pytest.approx({42: 0.0003, 314: -0.0002, 999: 0.0002})
    assert found.direction == "worse than claimed"  # by the mean alone; inside the margin


def test_a_claim_far_better_than_its_reruns_is_not_reproduced() -> None:
    found = compare(Claimed({s: v - 0.02 for s, v in CLAIMED.items()}, 1.04113), RERUN, MARGIN)
    assert found.outcome is Outcome.WORSE
    assert found.direction == "worse than claimed"


def test_a_claim_far_worse_than_its_reruns_gets_another_word() -> None:
    found = compare(Claimed({s: v + 0.02 for s, v in CLAIMED.items()}, 1.08113), RERUN, MARGIN)
    assert found.outcome is Outcome.BETTER
    assert found.direction == "better than claimed"


def test_a_headline_below_its_own_seeds_is_what_is_compared() -> None:
    """Seeds that reproduce do not cover a headline that they do not give."""
    found = compare(Claimed(CLAIMED, 1.04113, shift=0.02), RERUN, MARGIN)
    assert found.outcome is Outcome.WORSE


def test_inside_the_noise_the_number_of_seeds_is_named_and_it_decides() -> None:
    other = {7: 1.0632, 8: 1.0590, 9: 1.0612}
    found = compare(Claimed(CLAIMED, 1.06113), other, MARGIN)
    assert found.outcome is Outcome.UNDETERMINED
    assert found.seeds_needed is not None and found.seeds_needed > 3
    mean, sd = sample(list(other.values())).mean, sample(list(other.values())).sd
    assert sd is not None
    n = found.seeds_needed
    more = {i: mean + sd * (-1) ** i * (n / (n + 1)) ** 0.5 for i in range(n + n % 2)}
    assert compare(Claimed(CLAIMED, 1.06113), more, MARGIN).outcome is Outcome.REPRODUCED


def test_no_number_of_reruns_mends_a_claim_that_is_itself_spread_too_widely() -> None:
    wide = {42: 1.00, 314: 1.05, 999: 1.10}
    found = compare(Claimed(wide, 1.05), {7: 1.051, 8: 1.049}, MARGIN)
    assert (found.outcome, found.seeds_needed) == (Outcome.UNDETERMINED, None)


def test_digits_that_repeat_exactly_need_no_spread() -> None:
    same = compare(Claimed(CLAIMED, 1.06113), dict(CLAIMED), MARGIN)
    off = compare(Claimed({s: v - 0.02 for s, v in CLAIMED.items()}, 1.04113), dict(CLAIMED), MARGIN)
    assert (same.outcome, off.outcome) == (Outcome.REPRODUCED, Outcome.WORSE)
    assert same.decisive is not None and same.decisive.p == 1.0 and same.direction == "as claimed"
    assert off.decisive is not None and off.decisive.p == 0.0


def test_one_rerun_decides_nothing_and_asks_for_more() -> None:
    found = compare(Claimed(CLAIMED, 1.06113), {42: 1.0611}, MARGIN)
    assert found.outcome is Outcome.UNDETERMINED and found.decisive is None
    assert found.seeds_needed is not None and found.seeds_needed >= 2


def test_a_headline_without_seeds_is_compared_by_itself() -> None:
    found = compare(Claimed({}, 1.0612), RERUN, MARGIN)
    assert found.decisive is not None and found.decisive.how == "one-sample"
    assert found.outcome is Outcome.REPRODUCED or found.seeds_needed is not None


def test_without_reruns_there_is_nothing_to_say() -> None:
    assert compare(Claimed(CLAIMED, 1.06113), {}, MARGIN).outcome is Outcome.UNDETERMINED


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ValueError, match="both values"):
        paired([1.0], [1.0, 1.1])
