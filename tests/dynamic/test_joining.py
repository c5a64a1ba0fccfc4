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
from golf_audit.joining.settle import behind_number
from golf_audit.model import Example, Ruling, Verdict
from golf_audit.observation import Observation, Outcome, Word
from golf_audit.static.example import LAST_OF_THREE, POLISH, SLOT, files
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
        case, registry.pick(["T01", "T02", "P01", "P03", "Q01", "Q02", "Q03", "V05", "M01", "M03"])
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


def test_late_scores_alone_touch_and_need_a_ruling_as_warm_up() -> None:
    honest = submission(HONEST)
    ruled = verdicts(honest, observation(honest, learned_first(), CLEAN_ORDER, PREFIX))
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
    quick = verdicts(honest, observation(honest, scored_once(), CLEAN_ORDER))("M01")
    assert quick.verdict is Verdict.UNDETERMINED and "--probes full" in quick.reason
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
    clean = verdicts(honest, observation(honest, two_passes(), CLEAN_ORDER, PREFIX))
    assert clean("P01").verdict is Verdict.PASS, "the same evaluation once more is nobody's harm"


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
