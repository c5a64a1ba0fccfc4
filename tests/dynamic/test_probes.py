"""What each probe says of runs whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import pytest

from golf_audit.dynamic.contract import Ending, Outcome, RunResult, Word
from golf_audit.dynamic.job import Perturbation
from golf_audit.dynamic.messages import (
    HERE,
    Message,
    Network,
    Read,
    Score,
    Sink,
    Subprocess,
    Write,
    expand,
)
from golf_audit.dynamic.messages import Probe as MeasuredInside
from golf_audit.dynamic.observed import spans
from golf_audit.dynamic.probes import FULL, QUICK
from golf_audit.dynamic.probes.artifact import Artifact
from golf_audit.dynamic.probes.candidates import Candidates
from golf_audit.dynamic.probes.control import Controlled
from golf_audit.dynamic.probes.defaults import Defaults
from golf_audit.dynamic.probes.documents import Documents
from golf_audit.dynamic.probes.forwards import Forwards
from golf_audit.dynamic.probes.lines import lines
from golf_audit.dynamic.probes.network import Reach
from golf_audit.dynamic.probes.order import Order, cut_of
from golf_audit.dynamic.probes.prefix import Prefix, whole_sequences
from golf_audit.dynamic.probes.ranks import Ranks
from golf_audit.dynamic.probes.recount import Recount
from golf_audit.dynamic.probes.stream import Cuts
from golf_audit.dynamic.probes.swap import Swap
from golf_audit.dynamic.probes.training import TrainingData
from golf_audit.dynamic.probes.whole import Whole
from golf_audit.observation import WHILE_TRAINING, Spans
from tests.dynamic.fake import Story

Rows = Callable[[int, int], bool]


def chunks(*groups: Collection[int]) -> RunResult:
    """Scores chunk by chunk, then the mean of all of them is printed."""
    story = Story(max(64, *map(max, groups)))
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


def bare(run: RunResult, moved: Collection[int] = (), *, exchanged: Spans = ()) -> RunResult:
    """The run of a mixer: losses without distributions, other ones at `moved`; and what was exchanged."""

    def other(score: Score) -> Score:
        losses = [x + (p in moved) for x, p in zip(score.losses, expand(score.positions), strict=True)]
        return replace(score, losses=losses, fingerprints=[0.0] * len(losses))

    job = replace(run.job, perturbation=Perturbation("order", exchanged)) if exchanged else run.job
    told = tuple(other(m) if isinstance(m, Score) else m for m in run.messages)
    return replace(run, job=job, messages=told)


@pytest.mark.parametrize(
    ("moved", "word"),
    [
        (range(25, 65), Word.CLEAN),  # the loss of an exchanged target is another one, whatever the model
        ([24, *range(25, 65)], Word.VIOLATION),
    ],
)
def test_where_only_losses_are_seen_an_exchanged_target_is_not_compared(
    moved: Collection[int], word: Word
) -> None:
    """#779 and every honest mixer: no distribution is in sight, so the row at the cut says nothing."""
    exchanged = ((25, 65),)
    outcome = only(Order().compare(bare(IN_ORDER), [bare(IN_ORDER, moved, exchanged=exchanged)]))
    assert outcome.word is word
    first, *_ = Cuts().compare(bare(IN_ORDER), [bare(IN_ORDER, range(6, 65), exchanged=((6, 65),))] * 3)
    assert first.word is Word.CLEAN


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


DOCUMENTS = replace(
    chunks(*(range(1 + 64 * n, 65 + 64 * n) for n in range(16))),
    counted=[0 if p % 128 == 0 else 3 for p in range(1025)],
)
"""Eight documents of 128 tokens; the third (positions 256 to 383) is exchanged."""


def documents(moved: Collection[int]) -> list[Word]:
    (variation,) = Documents().variations(DOCUMENTS)
    assert variation.perturbation is not None
    assert variation.perturbation.spans == ((257, 384),), "its BOS stays"
    return [o.word for o in Documents().compare(DOCUMENTS, [changed(DOCUMENTS, reacts(moved))])]


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        (range(258, 385), [Word.CLEAN, Word.CLEAN]),  # 384 is predicted from the document's last token
        (range(258, 390), [Word.NOTE, Word.CLEAN]),  # the border is crossed
        (range(258, 1025), [Word.NOTE, Word.NOTE]),  # state is carried along
        (range(300, 310), [Word.VOID, Word.VOID]),  # the document's own scores hardly react
    ],
)
def test_documents(moved: Collection[int], words: list[Word]) -> None:
    assert documents(moved) == words


def test_documents_whose_borders_are_not_known_are_not_asked() -> None:
    assert not Documents().variations(IN_ORDER)
    assert only(Documents().compare(IN_ORDER, [])).word is Word.VOID


def story(*, after: Sequence[Message] = (), late: Sequence[Message] = (), digest: str = "aa") -> RunResult:
    """Training, an artifact that is written and read back, then the scores behind the printed number."""
    told = Story(64)
    told.add(Read(path="data/fineweb_train_0.bin", stream="train", site=("train_gpt.py", 6)))
    told.train()
    told.add(Write(path="model.int6.ptz", size=9, digest=digest))
    told.add(Read(path="model.int6.ptz", stream="artifact", site=("train_gpt.py", 50)))
    for message in after:
        told.add(message)
    events = [told.score(range(1, 33)), told.score(range(33, 65))]
    for message in late:
        told.add(message)
    told.report(events)
    return told.end()


SHARD = Read(path="data/fineweb_train_0.bin", stream="train", site=("train_gpt.py", 77))


def test_an_artifact_that_changes_with_validation_tokens() -> None:
    run = story()
    (variation,) = Artifact().variations(run)
    assert dict(variation.options) == {"artifact_reads": 1, "then": "stop"}
    assert variation.perturbation is not None and variation.perturbation.spans == ((1, 65),)
    assert only(Artifact().compare(run, [story(digest="aa")])).word is Word.CLEAN
    leak = only(Artifact().compare(run, [story(digest="bb")]))
    assert leak.word is Word.VIOLATION and "model.int6.ptz" in leak.says and leak.rules == ("V02",)
    failed = replace(story(), ending=Ending.FAILED, reason="no")
    assert only(Artifact().compare(run, [failed])).word is Word.VOID


def test_a_file_that_differs_from_run_to_run_shows_nothing() -> None:
    """A time or a process number beside the weights."""
    probe = Controlled((Artifact(),))
    run, other = story(), story(digest="bb")
    assert [o.word for o in probe.compare(run, [run, other])] == [Word.CLEAN, Word.VIOLATION]
    assert [o.word for o in probe.compare(run, [other, other])] == [Word.CLEAN, Word.VOID]


def test_weights_stand_for_an_artifact_that_is_never_read_back() -> None:
    run = IN_ORDER
    (variation,) = Artifact().variations(run)
    assert dict(variation.options) == {"score_event": 1, "then": "stop"}, "after the first score"
    assert only(Artifact().compare(run, [run])).word is Word.CLEAN
    other = replace(
        run, messages=tuple(replace(m, model="x") if isinstance(m, Score) else m for m in run.messages)
    )
    assert only(Artifact().compare(run, [other])).word is Word.VIOLATION


def test_training_shards_that_are_opened_before_the_artifact_alone_need_no_run() -> None:
    run = story(late=[SHARD])  # after the last score: the next part of the program
    assert not TrainingData().variations(run)
    assert only(TrainingData().compare(run, [])).word is Word.CLEAN


def test_training_shards_that_decide_the_number() -> None:
    run = story(after=[SHARD])
    (variation,) = TrainingData().variations(run)
    assert variation.exchanged == ("train",)
    assert dict(variation.options) == {"artifact_reads": 1, "then": "exchange"}
    same = only(TrainingData().compare(run, [run]))
    assert same.word is Word.NOTE and same.places == ("train_gpt.py:77",), "opened, and of no effect"
    cheat = Story(64)
    cheat.report([cheat.score(range(1, 33))])
    assert only(TrainingData().compare(run, [cheat.end()])).word is Word.VIOLATION
    failed = replace(run, ending=Ending.FAILED, reason="no")
    assert only(TrainingData().compare(run, [failed])).word is Word.VOID


@pytest.mark.parametrize(
    ("factor", "word"), [(1.0, Word.CLEAN), (1.001, Word.CLEAN), (1.17, Word.VIOLATION), (0.9, Word.NOTE)]
)
def test_bytes_are_counted_again(factor: float, word: Word) -> None:
    """A Story prints half its loss as bpb: the bytes that this takes, and a factor too many."""
    loss = sum(Story().loss(p) for p in range(1, 65)) / 64
    bpb = loss / 2
    per_target = loss / math.log(2) / bpb
    assert Recount().compare(IN_ORDER, [])[0].word is Word.VOID, "no bytes are known"
    run = replace(IN_ORDER, counted=[0.0, *([per_target / factor] * 64)])  # type: ignore[list-item]
    assert only(Recount().compare(run, [])).word is word


def forwards(off: float = 0.0, *, plain: bool = True, between: bool = False) -> list[Outcome]:
    """A plain evaluation, then one that adapts after each half of the first document."""
    told = Story(64)
    if plain:
        told.report([told.score(range(1, 65))], tag="plain")
    if between:
        told.train()
    first = told.score(range(1, 33), line=25)
    scored = told.scored(first)
    told.told[scored.n] = replace(scored, losses=[x + off for x in scored.losses])
    told.learn(range(1, 33))
    told.report([first, told.score(range(33, 65), line=25)], tag="ttt")
    run = replace(told.end(), counted=[0, *([3] * 20), 0, *([3] * 43)])
    return list(Forwards().compare(run, []))


def test_the_adapted_forward_pass_agrees_before_anything_adapts() -> None:
    agreed = only(forwards())
    assert agreed.word is Word.CLEAN and dict(agreed.figures)["targets"] == 20, "the first document alone"
    assert only(forwards(off=0.02)).word is Word.VIOLATION
    assert only(forwards(plain=False)).word is Word.VOID
    assert only(forwards(between=True)).word is Word.CLEAN, "the losses agree whatever was stepped between"
    assert only(forwards(off=0.02, between=True)).word is Word.VOID
    assert not Forwards().compare(IN_ORDER, []), "nothing adapts: one forward pass"


def mixed(*, departs: float = 0.5, whole: bool = False) -> RunResult:
    """The model's own losses, then those mixed with something, of which no distribution is seen."""
    told = Story(64)
    plain = [told.score(range(1, 33)), told.score(range(33, 65))]
    events = []
    for event in plain:
        losses = [x + departs for x in told.scored(event).losses]
        told.score(range(1, 33) if event == plain[0] else range(33, 65), line=44)
        at = told.told[-1]
        assert isinstance(at, Score)
        told.told[-1] = replace(at, losses=losses, scorer="numpy", fingerprints=[float(whole)] * len(losses))
        events.append(at.event)
    told.report(events)
    return replace(told.end(), tokens=[7] * 65)


def candidates(values: Sequence[float], run: RunResult | None = None) -> Outcome:
    run = run or mixed()
    (variation,) = Candidates().variations(run)
    options = dict(variation.options)
    assert variation.perturbation is not None and options["candidate"] == 7
    assert options["points"] == "after 0 at 1", "before the model sees the target, or with its logits"
    loss = run.of(Score)[int(options["counted_event"] or 0)].losses[int(options["counted_row"] or 0)]
    given = [loss if math.isinf(x) else x for x in values]
    other = Story(64)
    other.add(MeasuredInside(name="candidates", values=given))
    return only(Candidates().compare(run, [other.end()]))


def test_probabilities_of_all_candidates_sum_to_one() -> None:
    """inf stands for the loss that the baseline gave its own token, the eighth of sixteen."""
    own = [math.inf if token == 7 else 50.0 for token in range(16)]
    rest = -math.log(1 - math.exp(-candidates_loss()))
    assert candidates([rest if t == 3 else x for t, x in enumerate(own)]).word is Word.CLEAN
    assert candidates([0.1 if t in (3, 4) else x for t, x in enumerate(own)]).word is Word.VIOLATION
    assert candidates(own).word is Word.NOTE, "less than one"
    unreached = [math.nan if t == 15 else x for t, x in enumerate(own)]
    assert candidates(unreached).word is Word.VOID
    assert candidates([0.1 if t in (3, 4) else x for t, x in enumerate(unreached)]).word is Word.VIOLATION
    assert candidates([3.0] * 16).word is Word.VOID, "the baseline's token has another loss in memory"


def candidates_loss() -> float:
    run = mixed()
    options = dict(Candidates().variations(run)[0].options)
    return run.of(Score)[int(options["counted_event"] or 0)].losses[int(options["counted_row"] or 0)]


def test_candidates_are_tried_where_something_is_mixed_in_unseen() -> None:
    assert not Candidates().variations(IN_ORDER) and not Candidates().compare(IN_ORDER, [])
    never = mixed(departs=0.0)
    assert not Candidates().variations(never)
    assert "never departs" in only(Candidates().compare(never, [])).says


def looked_up(rows: int, moved: Collection[int] = ()) -> RunResult:
    """Scores that a mixture makes on its way, as many as a cache has heard of, and then the counted ones."""
    told = Story(64)
    told.score(range(1, 1 + rows), line=43)
    events = []
    for first in range(1, 65, 16):
        event = told.score(range(first, first + 16), line=44)
        at = told.scored(event)
        losses = [x + (0.5 if p in moved else 0.0) for p, x in enumerate(at.losses, first)]
        told.told[at.n] = replace(at, losses=losses, fingerprints=[0.0] * 16, scorer="numpy")
        events.append(event)
    told.report(events)
    return told.end()


def test_what_a_cache_looks_up_on_the_way_may_differ_from_run_to_run() -> None:
    """#959 takes logarithms of those rows alone of which its cache has heard: other ones for other tokens."""
    for moved, word in (((), Word.VOID), ((3,), Word.VIOLATION)):
        assert only(Order().compare(looked_up(5), [looked_up(7, moved)])).word is word, "deaf, or a leak"
    (longer,) = Order().compare(looked_up(5), [IN_ORDER])
    assert longer.word is Word.VOID and "computed" in longer.says


def ranked(first: Collection[int], second: Collection[int], off: float = 0.0) -> RunResult:
    """Two ranks that each add up their part; the mean over both is printed by rank 0."""
    one, other = Story(64), Story(64)
    sums = []
    for told, part in ((one, first), (other, second)):
        event = told.score(list(part))
        sums += told.scored(event).losses
        told.add(Sink(value=0.0, rows=((event, 0, len(part), 1),), site=("train_gpt.py", 39)))
    mean = sum(sums) / len(sums) + off
    one.say(f"final val_loss:{mean:.8f} val_bpb:{mean / 2:.8f}")
    return replace(one.end(), others=(other.end().messages,))


def two_ranks(first: Collection[int], second: Collection[int], off: float = 0.0) -> Outcome:
    alone = replace(IN_ORDER, job=replace(IN_ORDER.job, ranked=True))
    assert [v.ranks for v in Ranks().variations(alone)] == [2]
    return only(Ranks().compare(alone, [ranked(first, second, off)]))


def test_two_ranks() -> None:
    assert two_ranks(range(1, 33), range(33, 65)).word is Word.CLEAN
    twice = two_ranks(range(1, 65), range(1, 65))
    assert twice.word is Word.NOTE and "2 times" in twice.says, "both count all: the mean is the same"
    assert two_ranks(range(1, 65), range(1, 40)).word is Word.VIOLATION
    assert two_ranks(range(1, 33), range(33, 63)).word is Word.NOTE, "less than a window is left out"
    assert two_ranks(range(1, 33), range(33, 65), off=0.01).word is Word.VOID
    assert not Ranks().variations(IN_ORDER), "a script that knows no ranks"


def by_default(run: RunResult | None, *differing: str) -> Outcome:
    probe = Defaults(run=run is not None)
    baseline = replace(IN_ORDER, differing=differing)
    variations = probe.variations(baseline)
    assert [v.defaults for v in variations] == ([True] if run is not None and differing else [])
    return only(probe.compare(baseline, [run] if variations and run is not None else []))


def test_the_script_s_own_defaults_are_told_beside_and_decide_nothing() -> None:
    late = Story(64)
    late.report([late.score(range(1, 65))], tag="first")
    late.learn(range(1, 65))
    late.report([late.score(range(1, 65))], tag="final")
    late.say("other val_loss:1.23456789 val_bpb:1.00000000")
    said = by_default(late.end(), "TTT=1 (by default 0)")
    assert said.word is Word.NOTE and said.rules == ("T01",) and said.line is None
    assert "declared is TTT=1 (by default 0)" in said.says
    assert "first (attested; none scored after a gradient on it)" in said.says
    assert "final (attested; 64 of 64 targets scored after a gradient on them)" in said.says
    assert "other (not attested)" in said.says
    clean = by_default(IN_ORDER, "TTT=1 (by default 0)")
    assert (clean.word, clean.rules) == (Word.NOTE, ())
    failed = replace(IN_ORDER, ending=Ending.FAILED, reason="TypeError: no")
    assert by_default(failed, "TTT=1 (by default 0)").word is Word.VOID
    assert "does not run: TypeError: no" in by_default(failed, "TTT=1 (by default 0)").says
    assert by_default(IN_ORDER).word is Word.CLEAN
    quick = by_default(None, "TTT=1 (by default 0)")
    assert quick.word is Word.NOTE and "--probes full" in quick.says


def prefix_of(run: RunResult, *short: RunResult) -> list[Outcome]:
    return list(Prefix().compare(run, short))


def adapting() -> RunResult:
    """256 targets in four parts; after each it learns."""
    told = Story(256)
    events = []
    for first in range(1, 257, 64):
        events.append(told.score(range(first, first + 64)))
        told.learn(range(first, first + 64))
    told.report(events)
    return told.end()


def test_the_part_before_a_second_adaptation_is_tried_alone_too() -> None:
    """A schedule over the chunks makes half of the stream cost something else; two chunks cost the same."""
    run = adapting()
    assert [v.name for v in Prefix().variations(run)] == ["prefix 128"], "half of it lies no further"
    told = Story(512)
    events = []
    for first in range(1, 513, 64):
        events.append(told.score(range(first, first + 64)))
        told.learn(range(first, first + 64))
    told.report(events)
    long = told.end()
    assert [v.name for v in Prefix().variations(long)] == ["prefix 256", "prefix 128"]
    other, same = Story(256), Story(128)
    other.report([other.score(range(1, 257))], off=0.3)
    wrong = Story(256)
    event = wrong.score(range(1, 257))
    scored = wrong.scored(event)
    wrong.told[scored.n] = replace(scored, losses=[x + 0.1 for x in scored.losses])
    wrong.report([event])
    same.report([same.score(range(1, 65)), same.score(range(65, 129))])
    assert [o.word for o in prefix_of(long, wrong.end(), same.end())] == [Word.VOID, Word.CLEAN]


def by_documents(batches: Sequence[Sequence[range]], loss: Callable[[int], float]) -> RunResult:
    """Batches of documents in two chunks each: one chunk of every document is scored and learned from, and
    then the other."""
    told, events = Story(max(document.stop for batch in batches for document in batch) - 1), []
    for batch in batches:
        halves = [(d[: len(d) // 2], d[len(d) // 2 :]) for d in batch]
        for chunk in zip(*halves, strict=True):
            positions = [p for part in chunk for p in part]
            events.append(told.score(positions))
            scored = told.scored(events[-1])
            told.told[scored.n] = replace(scored, losses=[loss(p) for p in positions])
            told.learn(positions)
    told.report(events)
    return told.end()


def test_documents_that_a_script_takes_first_are_tried_alone() -> None:
    """Sorted by length and in batches: half of the stream makes other batches, the first documents do not.

    The last target of a document is the next one's BOS; alone, the fourth document follows the second."""
    starts = (0, 64, 100, 192, 228)
    one, two, three, four, five = (range(a + 1, b + 1) for a, b in pairwise((*starts, 256)))
    run = by_documents([[two, four], [five, one], [three]], Story(256).loss)
    run = replace(run, counted=tuple(0 if p in starts else 3 for p in range(257)))
    half, documents = Prefix().variations(run)
    assert (half.name, documents.name) == ("prefix 128", "prefix documents")
    assert documents.perturbation is not None
    assert documents.perturbation.spans == ((0, 64), (100, 192), (228, 257)), "the second and the fourth stay"

    def alone(off: float) -> list[Word]:
        back = [*range(64, 101), *range(193, 228)]  # where each position is in the long stream
        short = by_documents([[range(1, 37), range(37, 72)]], lambda p: Story(256).loss(back[p]) + off)
        other = by_documents([[range(1, 65), range(65, 129)]], lambda p: Story(256).loss(p) + 0.1)
        return [outcome.word for outcome in prefix_of(run, other, short)]

    assert alone(0.0) == [Word.VOID, Word.CLEAN]
    assert alone(1e-3) == [Word.VOID, Word.VOID]


BORDERS = (0, 100, 300, 420, 512)
"""Four documents; the second and third are scored together, then the first, then the last."""


def document(n: int) -> range:
    """The targets of a document, the next one's BOS among them."""
    return range(BORDERS[n] + 1, min(BORDERS[n + 1], 511) + 1)


def queued(off: float = 0.0, wrong: Collection[int] = ()) -> tuple[RunResult, RunResult]:
    """Documents scored in another order than the stream's; and those that come first, alone.

    `off`: what their printed number differs by; `wrong`: whose loss is another without the rest."""
    told, alone = Story(511), Story(256)
    told.report([told.score([*document(1), *document(2)]), *(told.score(document(n)) for n in (0, 3))])
    kept = [*range(100, 237), *range(300, 420)]
    events = [alone.score(range(first, first + 64)) for first in range(1, 257, 64)]
    for scored in map(alone.scored, events):
        losses = [told.loss(kept[p - 1] + 1) + 0.1 * (p in wrong) for p in expand(scored.positions)]
        alone.told[scored.n] = replace(scored, losses=losses)
    alone.report(events, off=off)
    tokens = [1 if p in BORDERS else 7 for p in range(512)]
    short = [9 if p == 236 else tokens[p] for p in kept]  # where a document is cut, its last token is another
    counted = [0 if t == 1 else 3 for t in tokens]
    return replace(told.end(), tokens=tokens, counted=counted), replace(alone.end(), tokens=short)


def test_documents_that_are_scored_first_fill_whole_sequences() -> None:
    """golf_ref drops what fills no sequence: that would be another document each time."""
    run, alone = queued()
    half, first = Prefix().variations(run)
    assert half.perturbation is not None and half.perturbation.spans == ((256, 512),)
    assert first.perturbation is not None, "256 targets are two sequences"
    assert first.perturbation.spans == ((0, 100), (237, 300), (420, 512))
    failed = replace(alone, ending=Ending.FAILED)
    assert prefix_of(run, failed, alone)[1].word is Word.CLEAN
    assert prefix_of(run, failed, queued(wrong=[136, 137])[1])[1].word is Word.CLEAN, "other tokens"
    assert prefix_of(run, failed, queued(wrong=[40])[1])[1].word is Word.VOID
    assert not prefix_of(run, failed, queued(off=0.01)[1])[1:], "its number is not even attested"
    together = Story(511)
    together.report([together.score([p for n in (1, 2, 0, 3) for p in document(n)])])
    one = replace(together.end(), tokens=run.tokens, counted=run.counted)
    assert len(Prefix().variations(one)) == 1, "no document comes first"


def test_documents_are_cut_to_whole_sequences_and_keep_their_order_by_length() -> None:
    for documents in ([(0, 200), (200, 390), (500, 700)], [(0, 82), (82, 164), (300, 489), (489, 700)]):
        kept = whole_sequences(documents, 1025)
        assert (len(kept) - 1) % 128 == 0 and len(kept) > 129
        starts = [start for start, _ in documents]
        found = [sum(start <= p < end for p in kept) for start, end in documents]
        found[-1] -= 1  # the last token is a target alone
        by_length = sorted(documents, key=lambda d: (d[1] - d[0], d[0]))
        assert sorted(starts, key=lambda s: (found[starts.index(s)], s)) == [start for start, _ in by_length]
    assert whole_sequences([(0, 40), (40, 60)], 1025) == [*range(60)], "less than a sequence stays whole"


LOCAL = Network(what=f"socket.connect {HERE}", site=("train_gpt.py", 8))
ABROAD = Network(what="socket.getaddrinfo example.invalid:443", site=("train_gpt.py", 9))


def asking(message: Message, when: str) -> Outcome:
    """What the probe says of a run that sends this message at a moment."""
    told = Story(64)
    for moment in ("before", "training", "evaluating", "after"):
        if moment == "training":
            told.train()
        if moment == when:
            told.add(message)
        if moment == "training":
            told.train()
            told.add(Read(path="model.ptz", stream="artifact", site=("train_gpt.py", 50)))
        if moment == "evaluating":
            told.report([told.score(range(1, 65))])
    return only(Reach().compare(told.end(), []))


@pytest.mark.parametrize(
    ("when", "word", "training"),
    [
        ("before", Word.NOTE, 0),
        ("training", Word.NOTE, 1),
        ("evaluating", Word.VIOLATION, 0),
        ("after", Word.NOTE, 0),
    ],
)
def test_the_network_is_asked_for(when: str, word: Word, training: int) -> None:
    outcome = asking(ABROAD, when)
    assert outcome.word is word and "example.invalid" in outcome.says
    assert dict(outcome.figures)[WHILE_TRAINING] == training
    assert outcome.places == ("train_gpt.py:9",)


@pytest.mark.parametrize(
    "message",
    [
        LOCAL,
        replace(ABROAD, site=("", 0)),  # a library that calls home by itself
        *(
            Subprocess(argv=tuple(text.split()), site=("train_gpt.py", 9))
            for text in ("nvidia-smi", "pip install brotli", "git rev-parse HEAD", "lrzip -d curl.lrz")
        ),
    ],
)
def test_what_stays_on_the_machine_is_no_network(message: Message) -> None:
    """An installer runs where the miniature lacks what the real machine has."""
    assert asking(message, "evaluating").word is Word.CLEAN


@pytest.mark.parametrize(
    "argv",
    [
        ("wget", "-q", "https://example.invalid/prior.pt"),
        ("sh", "-c", "cd x && curl -L https://example.invalid/prior.pt"),
        ("git", "-C", "x", "clone", "https://example.invalid/prior"),
        ("huggingface-cli", "download", "someone/prior"),
    ],
)
def test_a_program_that_fetches_asks_the_network(argv: tuple[str, ...]) -> None:
    message = Subprocess(argv=argv, site=("train_gpt.py", 9))
    assert asking(message, "evaluating").word is Word.VIOLATION


def test_every_probe_asks_for_runs_under_a_name_of_its_own_and_says_what_it_cannot_show() -> None:
    names = [v.name for probe in FULL for v in probe.variations(IN_ORDER)]
    assert len(set(names)) == len(names)
    assert sum(len(probe.variations(IN_ORDER)) for probe in QUICK) == 2
    assert all(probe.shows and probe.cannot for probe in FULL)
    assert MappingProxyType({p.name: p for p in FULL}).keys() == {p.name for p in FULL}


def test_a_loss_and_a_bpb_may_be_printed_to_different_digits() -> None:
    """#796 prints its loss with four digits and its bpb with eight: the half stream agreed, and was void."""
    story = Story(64)
    event = story.score(list(range(1, 65)))
    losses = story.scored(event).losses
    story.add(Sink(value=1.0, rows=((event, 0, 64, 1),), site=("train_gpt.py", 38)))
    story.say(f"final val_loss:{sum(losses) / 64:.4f} val_bpb:1.1000 exact:1.10001234")
    line = lines(story.end())[-1]
    assert (line.half, line.half_of_bpb) == (pytest.approx(5e-5), pytest.approx(5e-9))
