"""What was read and what was run become one word: each test protects a sentence of DESIGN section 2."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from golf_audit import registry
from golf_audit.audit import audit
from golf_audit.dynamic.messages import Step
from golf_audit.dynamic.observed import Truth, observe
from golf_audit.dynamic.trace import claimed_result
from golf_audit.joining import joined
from golf_audit.joining.owner import _chosen
from golf_audit.joining.settle import behind_number
from golf_audit.law import SCORE_FIRST
from golf_audit.model import Assessment, Certainty, Evidence, Example, Finding, Kind, Ruling, Verdict
from golf_audit.observation import WHILE_TRAINING, Observation, Outcome, Word
from golf_audit.static.example import (
    BETTER_OF_TWO,
    CALIBRATE,
    LAST_OF_THREE,
    POLISH,
    PREFILLED,
    SCORED_THEN_TRAINED,
    SLOT,
    files,
)
from golf_audit.static.example_caches import DICTIONARY, HASHED, TWO_PASSES
from golf_audit.submission import Case, Submission
from golf_audit.timeline import Adapt
from tests.dynamic.fake import Story
from tests.rule_harness import submission_of

ALL = range(1, 65)
TAG = "quantized_sliding_window"
CLEAN_ORDER = Outcome("order", Word.CLEAN, "none of 48 scores changed", ("T01", "M01"))
MOVED = Outcome(
    "order", Word.VIOLATION, "48 of 48 scores changed", ("T01", "M01"), None, ("train_gpt.py:20",)
)
PREFIX = Outcome("prefix", Word.CLEAN, "the first half alone is printed as recorded", ("T01", "M01", "P03"))


def submission(made: dict[str, str]) -> Submission:
    return submission_of(Example("x", made, Verdict.PASS))


def observation(of: Submission, story: Story, *outcomes: Outcome, **changed: object) -> Observation:
    run = story.end()
    timeline, results = observe(run, Truth(frozenset()), "train_gpt.py")
    claimed = claimed_result(of, results)
    events = tuple(
        replace(e, claimed=True) if claimed is not None and e.id == results[claimed].event else e  # type: ignore[call-arg]
        for e in timeline.events
    )
    seen = Observation(
        of.head.fingerprint,
        of.head.folder,
        "full",
        "cpu",
        True,
        "ok",
        "the script came to its end",
        replace(timeline, events=events),
        results,
        claimed,
        outcomes=outcomes,
    )
    return replace(seen, **changed)  # type: ignore[arg-type]


def verdicts(of: Submission, seen: Observation | None) -> Callable[[str], Ruling]:
    case = Case(of, dt.date(2026, 5, 1), observation=seen)
    report = audit(
        case,
        registry.pick(
            [
                *("T01", "T02", "P01", "P03", "Q01", "Q02", "Q03"),
                *("V01", "V02", "V03", "V05", "V06", "M01", "M02", "M03", "B01", "B02", "N01"),
            ]
        ),
    )
    assert not report.crashes
    return {r.rule.id: r for r in report.rulings}.__getitem__


def scored_once(line: int = 20) -> Story:
    story = Story()
    story.train()
    story.report([story.score(range(a, a + 16), line) for a in range(1, 65, 16)], tag=TAG)
    return story


def learned_first(into: str = "parameters") -> Story:
    story = Story()
    story.train()
    story.learn(ALL, into=into)
    story.report([story.score(ALL)], tag=TAG)
    return story


HONEST = files()


def test_an_observed_violation_stands_whatever_was_read() -> None:
    honest = submission(HONEST)
    assert verdicts(honest, None)("T01").verdict is Verdict.PASS
    ruled = verdicts(honest, observation(honest, learned_first(), MOVED))
    assert ruled("T01").verdict is Verdict.FAIL and "64 of 64 targets" in ruled("T01").reason
    assert "see T01" in ruled("M01").reason, "one violation is one rule's"
    evidence = ruled("T01").assessment.findings[0].evidence
    quotes = [e.where.quote for e in evidence if e.where is not None]
    assert any(quotes), "the lines are quoted from the submission, not from the trace"


def test_a_trace_that_was_made_is_not_asked_for_again() -> None:
    """What a violation or a failed run left open another trace leaves open too; nothing is told twice."""
    honest = submission(HONEST)
    moved = verdicts(honest, observation(honest, learned_first(), MOVED, probes="quick"))("M01")
    failed = verdicts(honest, observation(honest, scored_once(), ending="failed", probes="quick"))("M01")
    for judged in (moved, failed):
        assert judged.verdict is Verdict.UNDETERMINED
        assert [u.supply for u in judged.assessment.unmet] == [""]
        assert judged.reason not in [note.says for note in judged.assessment.notes]
    asked = verdicts(honest, observation(honest, scored_once(), probes="quick"))("M01")
    assert [u.supply for u in asked.assessment.unmet] == ["golf-audit trace FOLDER --probes full"]


def test_what_the_script_s_own_defaults_show_is_a_note_on_t01() -> None:
    honest = submission(HONEST)
    says = "with its own defaults the script prints final (64 of 64 targets scored after a gradient on them)"
    beside = Outcome("defaults", Word.NOTE, says, ("T01",))
    judged = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, PREFIX, beside))("T01")
    assert judged.verdict is Verdict.PASS
    assert any(says in note.says for note in judged.assessment.notes)


def test_what_the_run_was_not_is_told_and_decides_nothing() -> None:
    """Lines of the log that never came, and a run without a sandbox: once, as notes."""
    honest = submission(HONEST)
    seen = observation(honest, scored_once(), CLEAN_ORDER, PREFIX, not_produced=("a", "b"), sandboxed=False)
    judged = verdicts(honest, seen)
    notes = [note.says for note in judged("T01").assessment.notes]
    assert judged("T01").verdict is Verdict.PASS
    assert "of the log's results the run in miniature never printed a, b" in notes
    assert any("without a sandbox" in says for says in notes)
    assert not any("never printed" in note.says for note in judged("M01").assessment.notes)


def test_late_scores_alone_touch_and_need_a_ruling_as_warm_up() -> None:
    honest = submission(HONEST)
    half = replace(PREFIX, word=Word.VOID, says="a schedule may depend on the length of validation")
    for outcomes in ((PREFIX,), (half, PREFIX)):
        ruled = verdicts(honest, observation(honest, learned_first(), CLEAN_ORDER, *outcomes))
        assert ruled("T01").verdict is Verdict.PASS
        assert ruled("V05").verdict is Verdict.NEEDS_RULING


def test_late_scores_without_an_answer_about_influence_are_no_fail() -> None:
    honest = submission(HONEST)
    void = replace(MOVED, word=Word.VOID, says="the run does not repeat")
    for outcomes in ((), (void,)):
        ruled = verdicts(honest, observation(honest, learned_first(), *outcomes))
        assert ruled("T01").verdict is Verdict.UNDETERMINED


def test_a_predicted_violation_that_the_run_does_not_show_is_undetermined() -> None:
    guilty = submission(files(before=POLISH))
    assert verdicts(guilty, None)("T01").verdict is Verdict.FAIL
    ruling = verdicts(guilty, observation(guilty, scored_once(), CLEAN_ORDER, PREFIX))("T01")
    assert ruling.verdict is Verdict.UNDETERMINED and "does not show it" in ruling.reason


@pytest.mark.parametrize("changed", [{"ending": "failed", "reason": "ValueError"}, {"claimed": None}])
def test_a_run_that_says_nothing_of_the_number_takes_nothing_back(changed: dict[str, object]) -> None:
    guilty = submission(files(before=POLISH))
    ruled = verdicts(guilty, observation(guilty, scored_once(), CLEAN_ORDER, PREFIX, **changed))
    assert ruled("T01").verdict is Verdict.FAIL
    assert ruled("M01").verdict is Verdict.UNDETERMINED


def test_a_number_that_is_not_attested_takes_nothing_back() -> None:
    guilty = submission(files(before=POLISH))
    story = Story()
    story.report([story.score(ALL)], tag=TAG, off=-0.2)
    ruled = verdicts(guilty, observation(guilty, story, CLEAN_ORDER, PREFIX))
    assert ruled("T01").verdict is Verdict.FAIL
    assert "not attested" in ruled("M01").reason


def test_influence_without_a_gradient_belongs_to_the_violation_that_was_read() -> None:
    """The recorder may miss a way of learning; the perturbation does not."""
    guilty = submission(files(before=POLISH))
    ruled = verdicts(guilty, observation(guilty, scored_once(), MOVED))
    assert ruled("T01").verdict is Verdict.FAIL and "see T01" in ruled("M01").reason
    honest = submission(HONEST)
    ruled = verdicts(honest, observation(honest, scored_once(), MOVED))
    assert ruled("M01").verdict is Verdict.FAIL
    assert ruled("T01").verdict is Verdict.PASS and "M01" in str(ruled("T01").assessment.notes)


def test_m01_passes_only_with_a_check_without_hooks() -> None:
    honest = submission(HONEST)
    assert verdicts(honest, None)("M01").verdict is Verdict.UNDETERMINED
    quick = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, probes="quick"))("M01")
    assert quick.verdict is Verdict.UNDETERMINED and "without hooks" in quick.reason
    assert [u.supply for u in quick.assessment.unmet] == ["golf-audit trace FOLDER --probes full"]
    full = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER))("M01")
    assert full.verdict is Verdict.UNDETERMINED
    assert [u.supply for u in full.assessment.unmet] == [""], "the full set was asked already"
    full = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, PREFIX))("M01")
    assert full.verdict is Verdict.PASS and "none of 48" in full.reason


def test_a_part_that_could_not_be_checked_without_hooks_is_no_doubt_where_another_could() -> None:
    """A schedule that depends on the length of validation voids the half, not the part before it."""
    honest = submission(HONEST)
    half = replace(PREFIX, word=Word.VOID, says="the first half: a schedule may depend on the length")
    both = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, half, PREFIX))("M01")
    assert both.verdict is Verdict.PASS
    alone = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, half))("M01")
    assert alone.verdict is Verdict.UNDETERMINED and "a schedule may depend" in alone.reason


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"problems": ("SEED is set by a command to a value that it does not tell",)},
            "not the declared run",
        ),
    ],
)
def test_what_the_miniature_is_not_it_does_not_settle(changed: dict[str, object], says: str) -> None:
    honest = submission(HONEST)
    ruling = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, PREFIX, **changed))("M01")
    assert ruling.verdict is Verdict.UNDETERMINED and says in ruling.reason


GUARDED = "    if os.path.exists('/tmp/marker'):\n" + textwrap.indent(POLISH.strip("\n"), "    ") + "\n"


def test_a_branch_that_was_not_taken_keeps_it_open() -> None:
    """Adaptation behind a test on something that no configuration says: the miniature did not enter it."""
    made = submission(files(before=GUARDED))
    read = verdicts(made, None)("T01")
    assert read.verdict is Verdict.UNDETERMINED and "learns from" in read.reason
    ruled = verdicts(made, observation(made, scored_once(), CLEAN_ORDER, PREFIX))
    assert ruled("T01").verdict is Verdict.UNDETERMINED
    assert ruled("M01").verdict is Verdict.UNDETERMINED
    assert "`os.path.exists('/tmp/marker')`" in ruled("M01").reason


def test_a_branch_that_was_taken_is_covered_by_the_run() -> None:
    """The same submission where the miniature entered the branch and nothing leaked: settled."""
    made = submission(files(before=GUARDED))
    adapt = next(e for e in behind_number(made.timeline) if isinstance(e, Adapt))
    ruled = verdicts(made, observation(made, learned_after(adapt.where.line or 0), CLEAN_ORDER, PREFIX))
    assert ruled("M01").verdict is Verdict.PASS and ruled("T01").verdict is Verdict.PASS
    assert "not seen in the run" in str(ruled("T01").assessment.notes)


def test_a_step_of_training_at_the_same_line_does_not_stand_for_the_branch() -> None:
    made = submission(files(before=GUARDED))
    adapt = next(e for e in behind_number(made.timeline) if isinstance(e, Adapt))
    story = scored_once()
    story.told.insert(2, Step(optimizer="AdamW", site=("train_gpt.py", adapt.where.line or 0), names=("w",)))
    story.told = [replace(m, n=n) for n, m in enumerate(story.told)]
    ruled = verdicts(made, observation(made, story, CLEAN_ORDER, PREFIX))
    assert ruled("M01").verdict is Verdict.UNDETERMINED and ruled("T01").verdict is Verdict.UNDETERMINED


def learned_after(line: int) -> Story:
    """Scores, and then a step on the same targets at that line."""
    story = Story()
    story.train()
    event = story.score(ALL)
    story.learn(ALL, line=line - 2)
    story.report([event], tag=TAG)
    return story


def test_without_a_log_a_clean_run_settles_nothing() -> None:
    made = {k: v for k, v in HONEST.items() if not k.startswith("train_log")}
    honest = submission(made)
    ruled = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, PREFIX))
    assert ruled("T01").verdict is Verdict.UNDETERMINED
    assert "no log line" in ruled("M01").reason


def test_without_a_log_the_result_is_a_guess_and_takes_nothing_back() -> None:
    """#893 prints its mixture in other runs; #1240 prints several results, and claims one of them."""
    honest = submission({k: v for k, v in HONEST.items() if not k.startswith("train_log")})
    late = verdicts(honest, observation(honest, learned_first(), MOVED))("T01")
    assert late.verdict is Verdict.UNDETERMINED and "which result is claimed" in late.reason
    read = Assessment((Finding("read", Certainty.SHOWN, SCORE_FIRST, (Evidence(Kind.SOURCE, "here"),)),))
    for of, stays in ((honest, True), (submission(HONEST), False)):
        seen = observation(of, scored_once(), CLEAN_ORDER, PREFIX)
        (finding,) = joined(
            Case(of, dt.date(2026, 5, 1), observation=seen), "T01", read, SCORE_FIRST
        ).findings
        assert (finding.certainty is Certainty.SHOWN) is stays


def counted(parts: Sequence[range]) -> Story:
    story = Story()
    story.report([story.score(part) for part in parts], tag=TAG)
    return story


def test_targets_are_counted_once() -> None:
    honest = submission(HONEST)

    def ruling(*parts: range) -> Ruling:
        return verdicts(honest, observation(honest, counted(parts), CLEAN_ORDER, PREFIX))("P01")

    assert ruling(range(1, 33), range(33, 65)).verdict is Verdict.PASS
    last = ruling(range(1, 33), range(33, 65), range(49, 65))
    assert last.verdict is Verdict.PASS and "within the last 32" in str(last.assessment.notes)
    twice = ruling(range(1, 33), range(1, 33), range(33, 65))
    assert twice.verdict is Verdict.FAIL and "32 of 64 targets more than once" in twice.reason
    some = ruling(range(1, 17), range(9, 17), range(17, 49), range(49, 65))
    assert some.verdict is Verdict.UNDETERMINED, (
        "the ends of documents may be counted twice; two passes are more"
    )
    part = ruling(range(17, 65))
    assert part.verdict is Verdict.UNDETERMINED and "leaves 16 of 64 targets out" in part.reason
    tail = ruling(range(1, 33), range(33, 60))
    assert tail.verdict is Verdict.PASS and "not counted" in str(tail.assessment.notes)


def two_passes() -> Story:
    """Numbers of the first pass are left out for those of the second, with the same parameters."""
    story = Story()
    story.train()
    chunks = [range(a, a + 16) for a in range(1, 65, 16)]
    story.report_in_parts([story.score(chunk) for chunk in chunks], tag="first")
    again = [story.score(chunk) for chunk in chunks]
    for event in again:
        scored = story.scored(event)
        story.told[scored.n] = replace(scored, losses=[x / 2 for x in scored.losses])
    story.report_in_parts(again, tag=TAG)
    return story


def test_a_second_pass_that_depends_on_the_first_is_p01() -> None:
    """The recorder sees no gradient and each target is counted once: the perturbation tells."""
    honest = submission(HONEST)
    ruled = verdicts(honest, observation(honest, two_passes(), MOVED, PREFIX))
    assert ruled("P01").verdict is Verdict.FAIL and "second score of 64 of 64" in ruled("P01").reason
    assert ruled("M01").verdict is not Verdict.FAIL and "see P01" in ruled("M01").reason
    assert ruled("T01").verdict is Verdict.PASS
    first = replace(MOVED, line=0)
    ahead = verdicts(honest, observation(honest, two_passes(), replace(MOVED, line=1), first, PREFIX))
    assert ahead("M01").verdict is Verdict.FAIL and ahead("P01").verdict is not Verdict.FAIL, (
        "where the first pass looks ahead as well, the second is not the reason"
    )
    clean = verdicts(honest, observation(honest, two_passes(), CLEAN_ORDER, PREFIX))
    assert clean("P01").verdict is Verdict.PASS, "the same evaluation once more is nobody's harm"


def test_late_scores_of_a_number_that_keeps_the_better_of_two_are_p02s() -> None:
    """#573: the passes that are chosen from adapt, so the second is late; the choice is the violation."""
    chosen = submission(files(BETTER_OF_TWO))
    assert _chosen(Case(chosen, dt.date(2026, 5, 1)))
    ruled = verdicts(chosen, observation(chosen, learned_first(), MOVED))
    assert ruled("T01").verdict is not Verdict.FAIL and "see P02" in str(ruled("T01").assessment.notes)
    assert not _chosen(Case(submission(HONEST), dt.date(2026, 5, 1)))


def test_a_table_that_an_earlier_pass_filled_is_p01s_way() -> None:
    """#870 keeps the first pass's probabilities and mixes once, at the end: nothing is counted twice."""
    guilty = submission(files(TWO_PASSES))
    assert verdicts(guilty, None)("P01").verdict is Verdict.FAIL
    ruled = verdicts(guilty, observation(guilty, scored_once(), MOVED, PREFIX))
    assert ruled("P01").verdict is Verdict.FAIL and ruled("M01").verdict is not Verdict.FAIL
    adapted = verdicts(guilty, observation(guilty, learned_first(), MOVED, PREFIX))
    assert adapted("P01").verdict is Verdict.FAIL, "that each target counts once takes nothing back"


def test_a_run_that_cannot_tell_takes_no_second_pass_back() -> None:
    """#959: the order probe compared nothing, and counting each target once is no answer."""
    guilty = submission(files(TWO_PASSES))
    void = replace(MOVED, word=Word.VOID, says="score 376 was another one in the extra run", places=())
    for outcomes in ((void, PREFIX), ()):
        ruled = verdicts(guilty, observation(guilty, scored_once(), *outcomes))
        assert ruled("P01").verdict is Verdict.FAIL
        assert "could not tell" in str(ruled("P01").assessment.notes)


def put_back() -> Story:
    """A step on all targets between two evaluations with the same weights."""
    story = Story()
    story.report([story.score(ALL, model="a")], tag="diagnostic")
    story.learn(ALL)
    story.report([story.score(ALL, line=25, model="a")], tag=TAG)
    return story


def test_weights_that_were_put_back_taught_nothing_and_are_told_as_warm_up() -> None:
    honest = submission(HONEST)
    ruled = verdicts(honest, observation(honest, put_back(), CLEAN_ORDER, PREFIX))
    assert ruled("T01").verdict is Verdict.PASS
    assert "put back in between" in str(ruled("T01").assessment.notes)
    assert ruled("V05").verdict is Verdict.NEEDS_RULING
    moved = verdicts(honest, observation(honest, put_back(), MOVED))
    assert moved("T01").verdict is Verdict.PASS and moved("M01").verdict is Verdict.FAIL, (
        "the gradient that was undone is not what moved the scores"
    )


def test_the_last_epoch_is_t02_and_scratch_is_q03() -> None:
    last = submission(files(LAST_OF_THREE))
    story = Story()
    for _ in range(2):
        story.learn(ALL)
    story.report([story._events - 1], tag=TAG)
    ruled = verdicts(last, observation(last, story, MOVED))
    assert ruled("T02").verdict is Verdict.FAIL and ruled("T01").verdict is not Verdict.FAIL
    slot = submission(files(SLOT))
    ruled = verdicts(slot, observation(slot, learned_first("scratch"), MOVED))
    assert ruled("Q03").verdict is Verdict.NEEDS_RULING and ruled("T01").verdict is not Verdict.FAIL


def test_scratch_in_a_submission_without_a_reading_is_q03() -> None:
    honest = submission(HONEST)
    ruled = verdicts(honest, observation(honest, learned_first("scratch"), MOVED))
    assert ruled("Q03").verdict is Verdict.NEEDS_RULING and ruled("T01").verdict is Verdict.PASS


def test_an_attested_number_is_computed_from_scores() -> None:
    honest = submission(HONEST)
    ruling = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, PREFIX))("P03")
    assert ruling.verdict is Verdict.PASS
    assert any("the mean of 64 losses" in e.says for e in ruling.assessment.basis)


def test_a_distribution_that_knows_its_target_is_q02_and_one_that_knows_the_next_is_m01() -> None:
    honest = submission(HONEST)
    swapped = Outcome("swap", Word.VIOLATION, "the distribution at position 40 changed", ("Q02", "M01"))
    ruled = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, swapped, PREFIX))
    assert ruled("Q02").verdict is Verdict.FAIL and "see Q02" in ruled("M01").reason
    ruled = verdicts(honest, observation(honest, scored_once(), MOVED, swapped, PREFIX))
    assert ruled("M01").verdict is Verdict.FAIL
    assert ruled("Q02").verdict is Verdict.NOT_APPLICABLE and "see M01" in str(ruled("Q02").assessment.notes)
    ruled = verdicts(honest, observation(honest, learned_first(), MOVED, swapped))
    assert ruled("T01").verdict is Verdict.FAIL and ruled("Q02").verdict is Verdict.NOT_APPLICABLE


ARTIFACT = Outcome("artifact", Word.VIOLATION, "model.pt changed when the validation tokens did", ("V02",))
SAME_ARTIFACT = Outcome("artifact", Word.CLEAN, "model.pt: the same bytes", ("V02",))


def test_an_artifact_out_of_statistics_is_v02_and_one_out_of_gradients_is_not() -> None:
    honest = submission(HONEST)
    ruled = verdicts(honest, observation(honest, scored_once(), MOVED, ARTIFACT))
    assert ruled("V02").verdict is Verdict.FAIL and "without any gradient" in ruled("V02").reason
    assert "see V02" in ruled("M01").reason and ruled("T01").verdict is not Verdict.FAIL
    ruled = verdicts(honest, observation(honest, learned_first(), MOVED, ARTIFACT))
    assert ruled("T01").verdict is Verdict.FAIL and ruled("V02").verdict is not Verdict.FAIL


def test_a_figure_beside_the_weights_is_no_calibration() -> None:
    """A validation loss that is stored with the weights: what is written changes, no score does."""
    honest = submission(HONEST)
    ruled = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, ARTIFACT, PREFIX))
    assert ruled("V02").verdict is not Verdict.FAIL
    assert "no score was seen to depend" in str(ruled("V02").assessment.notes)


def test_a_predicted_calibration_that_the_run_does_not_show_is_undetermined() -> None:
    guilty = submission(files(before=CALIBRATE.format(files='"data/fineweb_val_*.bin"')))
    assert verdicts(guilty, None)("V02").verdict is Verdict.FAIL
    seen = observation(guilty, scored_once(), CLEAN_ORDER, SAME_ARTIFACT, PREFIX)
    assert verdicts(guilty, seen)("V02").verdict is Verdict.UNDETERMINED


def test_the_training_step_on_validation_tokens_is_v01() -> None:
    """The same line of code steps on training and on validation tokens: the loader holds both."""
    honest = submission(HONEST)
    story = Story()
    story.train(line=32)
    story.learn(ALL, line=30)  # which steps at line 32 as well
    story.report([story.score(ALL)], tag=TAG)
    ruled = verdicts(honest, observation(honest, story, MOVED))
    assert ruled("V01").verdict is Verdict.FAIL and ruled("T01").verdict is not Verdict.FAIL
    ruled = verdicts(honest, observation(honest, learned_first(), MOVED))
    assert ruled("T01").verdict is Verdict.FAIL and ruled("V01").verdict is Verdict.PASS


def test_training_data_at_evaluation_is_v03() -> None:
    honest = submission(HONEST)
    cheat = Outcome("training data", Word.VIOLATION, "training shards decide the number", ("V03",))
    assert verdicts(honest, observation(honest, scored_once(), cheat))("V03").verdict is Verdict.FAIL
    none = Outcome("training data", Word.CLEAN, "no training shard is opened", ("V03",))
    assert verdicts(honest, observation(honest, scored_once(), none))("V03").verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("word", "training", "verdict"),
    [
        (Word.VIOLATION, 0, Verdict.FAIL),
        (Word.NOTE, 1, Verdict.UNDETERMINED),  # a download, or a message to a tracker
        (Word.NOTE, 0, Verdict.PASS),
        (Word.CLEAN, 0, Verdict.PASS),
    ],
)
def test_the_network_at_evaluation_is_n01(word: Word, training: int, verdict: Verdict) -> None:
    honest = submission(HONEST)
    assert verdicts(honest, None)("N01").verdict is Verdict.PASS
    figures = ((WHILE_TRAINING, float(training)),)
    asked = Outcome("network", word, "the network is asked", ("N01",), figures=figures)
    assert verdicts(honest, observation(honest, scored_once(), asked))("N01").verdict is verdict


def test_a_run_that_asks_nothing_takes_no_download_back() -> None:
    (rule,) = registry.pick(["N01"])
    guilty = submission_of(next(e for e in rule.examples if e.verdict is Verdict.FAIL))
    silent = Outcome("network", Word.CLEAN, "the run asks nothing of the network", ("N01",))
    assert verdicts(guilty, observation(guilty, scored_once(), silent))("N01").verdict is Verdict.FAIL


def test_training_tokens_in_memory_escape_the_probe() -> None:
    """It sees files being opened: what reading shows of a table in memory stands."""
    guilty = submission(files(PREFILLED))
    assert verdicts(guilty, None)("V03").verdict is Verdict.FAIL
    none = Outcome("training data", Word.CLEAN, "no training shard is opened", ("V03",))
    seen = observation(guilty, scored_once(), CLEAN_ORDER, none, PREFIX)
    assert verdicts(guilty, seen)("V03").verdict is Verdict.FAIL


def test_bytes_counted_again() -> None:
    """A mismatch is a doubt, as a constant of real text is no fault; a claim's logs are not judged by it."""
    examples = {e.verdict: e for e in registry.pick(["B01"])[0].examples}
    wrong = Outcome("bytes", Word.VIOLATION, "1.17 times the bytes are counted", ("B01", "B02"))
    right = replace(wrong, word=Word.CLEAN, says="counted by ourselves")
    good, unseen = (submission_of(examples[v]) for v in (Verdict.PASS, Verdict.UNDETERMINED))
    ruled = verdicts(good, observation(good, scored_once(), wrong))
    assert ruled("B01").verdict is Verdict.UNDETERMINED and "1.17 times" in ruled("B01").reason
    assert ruled("B02").verdict is verdicts(good, None)("B02").verdict
    bad = submission_of(examples[Verdict.FAIL])
    ruled = verdicts(bad, observation(bad, scored_once(), wrong))
    assert ruled("B01").verdict is Verdict.FAIL, "both engines see it"
    own = submission({**examples[Verdict.PASS].files, "tokenizer.model": "x"})
    ruled = verdicts(own, observation(own, scored_once(), wrong))
    assert (
        "does not use" not in ruled("B01").reason
        and ruled("B01").verdict is verdicts(own, None)("B01").verdict
    )
    assert verdicts(unseen, None)("B01").verdict is Verdict.UNDETERMINED
    ruled = verdicts(unseen, observation(unseen, scored_once(), right))
    assert ruled("B01").verdict is Verdict.UNDETERMINED, "without a check without hooks nothing is settled"


def turned(*outcomes: Outcome) -> Ruling:
    """The second half of the stream is scored first, and something is learned on the way."""
    honest = submission(files(SCORED_THEN_TRAINED))
    story = Story()
    story.train()
    late, early = story.score(range(33, 65)), story.score(range(1, 33))
    story.report([late, early], tag=TAG)
    return verdicts(honest, observation(honest, story, CLEAN_ORDER, PREFIX, *outcomes))("V06")


def test_another_order_matters_where_state_is_carried_along() -> None:
    carried = Outcome("documents", Word.NOTE, "9 scores changed: state is carried along", ("V06",))
    alone = replace(carried, word=Word.CLEAN, says="no score changed")
    assert turned(carried).verdict is Verdict.NEEDS_RULING
    ruling = turned(alone)
    assert ruling.verdict is Verdict.PASS and "no score depends on the order" in str(ruling.assessment.notes)


def test_candidates_speak_where_no_distribution_was_in_sight() -> None:
    honest = submission(HONEST)
    unseen = Outcome("normalisation", Word.VOID, "no whole distribution in sight", ("Q01",))
    many = Outcome("candidates", Word.VIOLATION, "the probabilities sum to 39.4", ("Q01",))
    one = replace(many, word=Word.CLEAN, says="the probabilities sum to 1.0000")
    ruling = verdicts(honest, observation(honest, scored_once(), unseen, many))("Q01")
    assert ruling.verdict is Verdict.NEEDS_RULING and "39.4" in ruling.reason
    ruling = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, unseen, one, PREFIX))("Q01")
    assert ruling.verdict is Verdict.PASS
    assert any("1.0000" in e.says for e in ruling.assessment.basis)


BESIDE_NATIVE = 'import ctypes\nlib = ctypes.CDLL("./mixer.so")\nlib.prepare(tokens.data_ptr())\n' + HASHED


@pytest.mark.parametrize(
    ("of", "outcomes", "verdict"),
    [
        (BESIDE_NATIVE, (), Verdict.FAIL),
        (BESIDE_NATIVE, (MOVED,), Verdict.UNDETERMINED),
        (DICTIONARY, (), Verdict.NEEDS_RULING),
    ],
)
def test_a_sum_above_one_fails_only_what_is_ruled_on(
    of: str, outcomes: tuple[Outcome, ...], verdict: Verdict
) -> None:
    """A hashed cache that reading is not sure of; the same where a leak explains the sum; exact contexts."""
    cached = submission(files(of))
    many = Outcome("candidates", Word.VIOLATION, "the probabilities sum to 39.4", ("Q01",))
    assert verdicts(cached, None)("Q01").verdict in (Verdict.UNDETERMINED, Verdict.NEEDS_RULING)
    ruling = verdicts(cached, observation(cached, scored_once(), many, *outcomes))("Q01")
    assert ruling.verdict is verdict and "39.4" in str(ruling.assessment.findings)


def test_a_mixture_that_sums_to_one_still_needs_its_ruling() -> None:
    cached = submission(files(DICTIONARY))
    read = verdicts(cached, None)("Q01").verdict
    assert read is Verdict.NEEDS_RULING
    one = Outcome("candidates", Word.CLEAN, "the probabilities sum to 1.0000", ("Q01",))
    seen = observation(cached, scored_once(), CLEAN_ORDER, one, PREFIX)
    assert verdicts(cached, seen)("Q01").verdict is read


def test_targets_counted_twice_over_two_ranks_are_a_doubt() -> None:
    honest = submission(HONEST)
    twice = Outcome("two ranks", Word.VIOLATION, "over both ranks 32 targets are counted twice", ("P01",))
    ruling = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, PREFIX, twice))("P01")
    assert ruling.verdict is Verdict.UNDETERMINED and "over both ranks" in ruling.reason


def test_forward_passes_are_compared_only_where_something_adapts() -> None:
    honest = submission(HONEST)
    ruling = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER, PREFIX))("M03")
    assert ruling.verdict is Verdict.NOT_APPLICABLE
    story = scored_once()
    story.learn(ALL)
    differ = Outcome("forwards", Word.VIOLATION, "the first document does not have the losses", ("M03",))
    ruling = verdicts(honest, observation(honest, story, CLEAN_ORDER, PREFIX, differ))("M03")
    assert ruling.verdict is Verdict.UNDETERMINED and "does not have" in ruling.reason
    agree = replace(differ, word=Word.CLEAN, says="the first document has the losses")
    ruling = verdicts(honest, observation(honest, story, CLEAN_ORDER, PREFIX, agree))("M03")
    assert ruling.verdict is Verdict.PASS


def test_the_check_without_hooks_has_to_concern_the_claimed_result() -> None:
    honest = submission(HONEST)
    story = scored_once()
    story.told.insert(1, replace(story.told[-1], text="plain val_loss:4.00000000 val_bpb:2.00000000"))
    story.told = [replace(m, n=n) for n, m in enumerate(story.told)]
    other = replace(PREFIX, line=0)
    ruling = verdicts(honest, observation(honest, story, CLEAN_ORDER, other))("M01")
    assert ruling.verdict is Verdict.UNDETERMINED and "without hooks" in ruling.reason
