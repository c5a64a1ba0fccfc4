"""What each probe says of runs whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from types import MappingProxyType

import pytest

from golf_audit.dynamic.contract import Ending, Outcome, RunResult, Word
from golf_audit.dynamic.messages import Score, expand
from golf_audit.dynamic.observed import spans
from golf_audit.dynamic.probes import FULL, QUICK
from golf_audit.dynamic.probes.control import Controlled
from golf_audit.dynamic.probes.documents import Documents
from golf_audit.dynamic.probes.lines import lines
from golf_audit.dynamic.probes.order import Order, cut_of
from golf_audit.dynamic.probes.prefix import Prefix
from golf_audit.dynamic.probes.stream import Cuts
from golf_audit.dynamic.probes.swap import Swap
from golf_audit.dynamic.probes.whole import Whole
from tests.dynamic.fake import Story

Rows = Callable[[int, int], bool]


def chunks(*groups: Collection[int]) -> RunResult:
    """Scores chunk by chunk, then the mean of all of them is printed."""
    story = Story(64)
    events = [story.score(list(group)) for group in groups]
    story.report(events)
    return story.end()


IN_ORDER = chunks(*(range(1 + 16 * n, 17 + 16 * n) for n in range(4)))
SORTED = chunks(range(33, 49), range(1, 17), range(49, 65), range(17, 33))  # documents by length


def changed(run: RunResult, wanted: Rows) -> RunResult:
    """The run again, with other distributions where `wanted(event, position)`."""

    def other(score: Score) -> Score:
        positions = expand(score.positions)
        prints = [
            f + 0.5 if wanted(score.event, p) else f
            for p, f in zip(positions, score.fingerprints, strict=True)
        ]
        return replace(score, fingerprints=prints)

    return replace(run, messages=tuple(other(m) if isinstance(m, Score) else m for m in run.messages))


def only(outcomes: Collection[Outcome]) -> Outcome:
    (outcome,) = outcomes
    return outcome


def test_the_cut_lies_in_the_last_stretch_of_the_median_event() -> None:
    cut = cut_of(lines(IN_ORDER)[-1])
    assert cut is not None
    assert (cut.event, cut.first) == (1, 25)
    assert spans(cut.positions) == ((25, 65),)


def test_the_cut_follows_the_processing_order() -> None:
    cut = cut_of(lines(SORTED)[-1])
    assert cut is not None
    assert spans(cut.positions) == ((9, 33), (49, 65))


def reacts(positions: Collection[int]) -> Rows:
    return lambda event, p: p in positions


@pytest.mark.parametrize(
    ("run", "moved", "word"),
    [
        (IN_ORDER, range(26, 65), Word.CLEAN),  # everything after the first changed token
        (IN_ORDER, range(25, 65), Word.VIOLATION),  # the row that predicts it saw it: one token ahead
        (IN_ORDER, [3, *range(26, 65)], Word.VIOLATION),
        (IN_ORDER, range(60, 65), Word.VOID),  # a deaf model proves nothing
        (SORTED, [*range(10, 33), *range(49, 65)], Word.CLEAN),
        (SORTED, [40, *range(10, 33), *range(49, 65)], Word.VIOLATION),  # counted before, later in the stream
    ],
)
def test_order(run: RunResult, moved: Collection[int], word: Word) -> None:
    outcome = only(Order().compare(run, [changed(run, reacts(moved))]))
    assert outcome.word is word
    assert outcome.line is not None


def test_a_line_that_is_counted_after_the_changed_tokens_is_void() -> None:
    """The cut follows the last line; of a line in stream order almost nothing lies before it."""
    story = Story(64)
    story.report([story.score(list(range(1, 65)))], tag="plain")
    story.report([story.score(list(part)) for part in (range(33, 65), range(1, 33))], tag="sorted")
    run = story.end()
    cut = cut_of(lines(run)[-1])
    assert cut is not None
    assert min(cut.positions) == 1
    calm, _ = Order().compare(run, [changed(run, lambda e, p: p > 1 and p in cut.positions)])
    assert calm.word is Word.VOID


def test_an_extra_run_that_failed_or_took_another_course_is_void() -> None:
    failed = replace(IN_ORDER, ending=Ending.FAILED, reason="it fell over")
    assert only(Order().compare(IN_ORDER, [failed])).word is Word.VOID
    shorter = chunks(range(1, 33), range(33, 65))
    assert only(Order().compare(IN_ORDER, [shorter])).word is Word.VOID


def test_a_run_that_repeats_lets_the_probes_speak() -> None:
    leak = changed(IN_ORDER, reacts(range(2, 65)))
    control, order = Controlled((Order(),)).compare(IN_ORDER, [IN_ORDER, leak])
    assert (control.word, order.word) == (Word.CLEAN, Word.VIOLATION)


def test_a_run_that_does_not_repeat_voids_them() -> None:
    """A score that changes by itself must not become a violation."""
    leak = changed(IN_ORDER, reacts(range(2, 65)))
    control, order = Controlled((Order(),)).compare(IN_ORDER, [changed(IN_ORDER, reacts([5])), leak])
    assert (control.word, order.word) == (Word.VOID, Word.VOID)


def cuts(run: RunResult, leak: Collection[int] = ()) -> list[Outcome]:
    targets = 64
    extra = [
        changed(run, lambda e, p, at=at: p > at or p in leak)  # type: ignore[misc]
        for at in (int(0.1 * targets), 32, int(0.9 * targets))
    ]
    return list(Cuts().compare(run, extra))


def test_stream_order() -> None:
    assert {o.word for o in cuts(IN_ORDER)} == {Word.CLEAN}
    assert [o.word for o in cuts(IN_ORDER, leak=[40])] == [Word.CLEAN, Word.CLEAN, Word.VIOLATION]


def test_a_permuted_order_is_a_note_in_the_stream_probe() -> None:
    assert [o.word for o in cuts(SORTED, leak=[20])] == [Word.CLEAN, Word.NOTE, Word.NOTE]


def test_a_distribution_must_not_know_its_own_target() -> None:
    at = int(0.55 * 64) + 3
    assert only(Swap().compare(IN_ORDER, [changed(IN_ORDER, lambda e, p: p > at)])).word is Word.CLEAN
    assert only(Swap().compare(IN_ORDER, [changed(IN_ORDER, lambda e, p: p >= at)])).word is Word.VIOLATION


def with_off(run: RunResult, off: float | None) -> RunResult:
    told = tuple(replace(m, off=off) if isinstance(m, Score) else m for m in run.messages)
    return replace(run, messages=told)


@pytest.mark.parametrize(("off", "word"), [(1e-6, Word.CLEAN), (0.03, Word.VIOLATION), (None, Word.VOID)])
def test_normalisation(off: float | None, word: Word) -> None:
    assert only(Whole().compare(with_off(IN_ORDER, off), [])).word is word


def test_prefix_compares_the_printed_number_of_half_a_stream() -> None:
    half = chunks(range(1, 17), range(17, 33))
    assert only(Prefix().compare(IN_ORDER, [half])).word is Word.CLEAN
    cheat = Story(64)
    cheat.report([cheat.score(list(range(1, 33)))], off=0.01)
    assert not Prefix().compare(IN_ORDER, [cheat.end()])  # its number is not even attested


def test_documents_is_a_note() -> None:
    assert only(Documents().compare(IN_ORDER, [IN_ORDER])).word is Word.NOTE


def test_every_probe_asks_for_runs_under_a_name_of_its_own_and_says_what_it_cannot_show() -> None:
    names = [v.name for probe in FULL for v in probe.variations(IN_ORDER)]
    assert len(set(names)) == len(names)
    assert sum(len(probe.variations(IN_ORDER)) for probe in QUICK) == 2
    assert all(probe.shows and probe.cannot for probe in FULL)
    assert MappingProxyType({p.name: p for p in FULL}).keys() == {p.name for p in FULL}
