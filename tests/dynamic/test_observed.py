"""From the messages of a run to what stands behind each printed number."""

from __future__ import annotations

from dataclasses import replace

from golf_audit.dynamic.messages import Gradient, Sink, Step
from golf_audit.dynamic.observed import Truth, observe
from golf_audit.observation import Result
from golf_audit.timeline import Adapt, Report, Score, Stream, Timeline
from tests.dynamic.fake import Story

ALL_TARGETS = range(1, 65)
TRUTH = Truth(exempt=frozenset({33}))


def seen(story: Story) -> tuple[Timeline, tuple[Result, ...]]:
    return observe(story.end(), TRUTH, "train_gpt.py")


def chunks(size: int = 16, targets: int = 64) -> list[list[int]]:
    return [list(range(start, start + size)) for start in range(1, targets + 1, size)]


def test_score_first_is_clean() -> None:
    story = Story()
    story.train()
    events = []
    for chunk in chunks():
        events.append(story.score(chunk))
        for _ in range(3):
            story.learn(chunk)
    story.report(events)
    timeline, (result,) = seen(story)
    assert result.attested and result.rows == 64 and result.window == 16
    assert (result.late, result.missing, result.repeated, result.exempt) == ((), (), (), 0)
    kinds = [type(e).__name__ for e in timeline.events]
    assert kinds == ["Read", "Adapt", *["Score", "Adapt"] * 4, "Report"]
    trained, learned = timeline.events[1], timeline.events[3]
    assert isinstance(trained, Adapt) and trained.region.stream is Stream.TRAIN
    assert isinstance(learned, Adapt) and learned.region.spans == ((1, 17),) and learned.parameters == "w, b"
    assert learned.where.line == 30, "the place where the loss is computed, not that of the step"
    report = timeline.events[-1]
    assert isinstance(report, Report) and len(report.scores) == 4


def test_learning_first_is_late() -> None:
    story = Story()
    story.learn(range(1, 65))
    event = story.score(range(1, 65))
    story.report([event])
    timeline, (result,) = seen(story)
    assert result.attested and result.late == ((1, 33), (34, 65))
    assert result.exempt == 1, "position 33 counts no bytes"
    score = next(e for e in timeline.events if isinstance(e, Score))
    adapt = next(e for e in timeline.events if isinstance(e, Adapt))
    assert adapt.id in score.state


def test_a_diagnostic_before_the_reported_number_is_its_own_result() -> None:
    story = Story()
    first = story.score(range(1, 65))
    story.report([first], tag="before")
    story.learn(range(1, 65))
    second = story.score(range(1, 65), line=21)
    story.report([second], tag="after")
    _, (before, after) = seen(story)
    assert (before.name, before.late) == ("before", ())
    assert (after.name, after.late) == ("after", ((1, 33), (34, 65)))


def test_a_gradient_after_the_score_of_the_same_pass_is_in_time() -> None:
    """Scripts that train on the very forward pass that they count: the loss was there before the step."""
    story = Story()
    events = []
    for chunk in chunks():
        story.learn(chunk)
        events.append(story._events - 1)
    story.report(events)
    _, (result,) = seen(story)
    assert result.attested and result.late == ()


def test_the_last_of_several_epochs_is_late() -> None:
    story = Story()
    for _ in range(2):
        events = []
        for chunk in chunks():
            story.learn(chunk)
            events.append(story._events - 1)
    story.report(events)
    _, (result,) = seen(story)
    assert result.late == ((1, 33), (34, 65))


def test_coverage_is_counted_by_position() -> None:
    story = Story()
    events = [story.score(range(1, 50)), story.score(range(40, 61))]
    story.report(events)
    _, (result,) = seen(story)
    assert result.attested and result.rows == 70
    assert result.repeated == ((40, 50),) and result.missing == ((61, 65),)


def test_rows_beyond_the_validation_targets_do_not_count_as_positions() -> None:
    story = Story()
    event = story.score([-1, -1, *range(1, 65)])
    story.report([event])
    _, (result,) = seen(story)
    assert result.attested and result.rows == 66 and result.missing == ()


def test_numbers_that_python_adds_up_are_attested_together() -> None:
    story = Story()
    events = [story.score(chunk) for chunk in chunks()]
    story.report_in_parts(events)
    _, (result,) = seen(story)
    assert result.attested and result.rows == 64


def test_the_second_of_two_such_sums_takes_only_its_own_parts() -> None:
    story = Story()
    story.report_in_parts([story.score(chunk) for chunk in chunks()], tag="one")
    story.learn(range(1, 65))
    story.report_in_parts([story.score(chunk, line=25) for chunk in chunks()], tag="two")
    _, (one, two) = seen(story)
    assert one.attested and one.late == () and one.rows == 64
    assert two.attested and two.rows == 64 and two.late


def test_a_second_pass_may_take_the_place_of_the_first_in_part() -> None:
    """Sums of one line add up to two passes: of each chunk the last counts, and what it replaced is told."""
    story = Story()
    events = [story.score(chunk) for chunk in chunks()]
    again = [story.score(chunk) for chunk in chunks()[:2]]
    for event in again:
        scored = story.scored(event)
        story.told[scored.n] = replace(scored, losses=[x / 2 for x in scored.losses])
    for event in (*events, *again):
        losses = story.scored(event).losses
        story.add(Sink(value=sum(losses), rows=((event, 0, len(losses), 1),), site=("train_gpt.py", 38)))
    kept = [x for e in (*events[2:], *again) for x in story.scored(e).losses]
    story.say(f"final val_loss:{sum(kept) / len(kept):.8f} val_bpb:1.00000000")
    _, (result,) = seen(story)
    assert result.attested and (result.rows, result.missing, result.repeated) == (64, (), ())
    assert result.rescored == ((1, 33),)


def test_the_same_line_with_other_parameters_is_no_second_score() -> None:
    story = Story()
    story.report([story.score(range(1, 65))], tag="one")
    story.report([story.score(range(1, 65), model="n")], tag="two")
    _, (one, two) = seen(story)
    assert one.attested and two.attested and (one.rescored, two.rescored) == ((), ())


def test_a_number_that_the_losses_do_not_give_is_not_attested() -> None:
    story = Story()
    event = story.score(range(1, 65))
    story.report([event], off=-0.1)
    timeline, (result,) = seen(story)
    assert not result.attested and "gives" in result.why
    assert (
        "the last that scores went into: train_gpt.py, line 39; it is printed at train_gpt.py, line 40"
        in result.why
    )
    assert timeline.gaps and timeline.gaps[0].where is not None and timeline.gaps[0].where.line == 40


def test_a_number_without_scores_is_not_attested() -> None:
    story = Story()
    story.say("final val_loss:2.79000000 val_bpb:1.08010000")
    _, (result,) = seen(story)
    assert not result.attested and "no number that a score went into" in result.why
    assert "it is printed at train_gpt.py, line 40" in result.why


def test_rounding_of_a_float32_sum_is_attested_and_a_scaled_loss_is_not() -> None:
    for off, attested in ((3e-6, True), (1e-3, False)):
        story = Story()
        event = story.score(range(1, 65))
        story.report([event], off=off)
        _, (result,) = seen(story)
        assert result.attested is attested


def test_a_line_without_a_loss_is_attested_by_the_bytes() -> None:
    story = Story()
    event = story.score(range(1, 65))
    story.report([event], tag="x")
    story.told.pop()
    counted = [0, *([3] * 64)]
    nats = sum(story.loss(p) for p in range(1, 65))
    story.say(f"final val_bpb:{nats / 0.6931471805599453 / 192:.8f}")
    _, (result,) = observe(story.end(), Truth(frozenset(), counted), "train_gpt.py")
    assert result.attested
    _, (result,) = observe(story.end(), Truth(frozenset()), "train_gpt.py")
    assert not result.attested and "bytes" in result.why


def test_a_line_that_is_written_twice_is_one_result() -> None:
    story = Story()
    event = story.score(range(1, 65))
    story.report([event])
    text = story.told[-1]
    story.say(getattr(text, "text"))  # noqa: B009 - a Message by type
    assert len(seen(story)[1]) == 1


def test_unpacked_text_belongs_to_the_script() -> None:
    story = Story()
    event = story.score(range(1, 65))
    story.told[-1] = replace(story.scored(event), site=("<layer 1>", 77))
    story.report([event])
    timeline, _ = seen(story)
    score = next(e for e in timeline.events if isinstance(e, Score))
    assert (score.where.file, score.where.layer, score.where.line) == ("train_gpt.py", 1, 77)


def test_parameters_that_were_put_back_are_no_adaptation() -> None:
    """#846 adapts adapters that it throws away, and scores once more with the weights of before."""
    story = Story()
    story.report([story.score(range(1, 65), model="a")], tag="before")
    story.learn(range(1, 33))
    story.report([story.score(range(1, 65), line=25, model="a")], tag="after")
    timeline, (_, result) = seen(story)
    assert result.attested and (result.late, result.undone) == ((), ((1, 33),))
    score = [e for e in timeline.events if isinstance(e, Score)][-1]
    assert not score.state and not list(timeline.adapted_before_score())


def test_parameters_are_put_back_only_if_they_were_seen_before_the_gradient() -> None:
    story = Story()
    story.learn(range(1, 33))
    story.report([story.score(range(1, 65), model="new")], tag="one")
    story.learn(range(33, 65))
    story.report([story.score(range(1, 65), line=25, model="new")], tag="two")
    _, (one, two) = seen(story)
    assert one.late == ((1, 33),) and one.undone == ()
    assert two.late == ((1, 33),) and two.undone == ((34, 65),), "33 counts no bytes"


def test_a_scratch_tensor_is_never_put_back() -> None:
    """The parameters of the model are the same all the time; what SLOT optimises is none of them."""
    story = Story()
    story.report([story.score(range(1, 65), model="a")], tag="before")
    event = story.score(range(1, 65), 30, model="a")
    story.add(Gradient(event=event, rows=((0, 64),), into="parameters"))
    story.add(Step(optimizer="AdamW", site=("train_gpt.py", 32), names=("loose tensors [(1, 1, 64)]",)))
    story.report([story.score(range(1, 65), line=25, model="a")], tag="after")
    _, (_, result) = seen(story)
    assert result.late == ((1, 33), (34, 65)) and result.undone == (), "33 counts no bytes"


def test_a_step_that_changes_no_module_is_scratch_wherever_the_gradient_went() -> None:
    """#1240: the backward pass of its SLOT reaches the output head too, and only the offset is stepped."""
    story = Story()
    event = story.score(range(1, 65), 30)
    story.add(Gradient(event=event, rows=((0, 64),), into="parameters"))
    story.add(Step(optimizer="AdamW", site=("train_gpt.py", 32), names=("loose tensors [(1, 1, 64)]",)))
    story.report([story.score(range(1, 65))])
    timeline, _ = seen(story)
    assert next(e for e in timeline.events if isinstance(e, Adapt)).scratch


def test_scratch_is_told_from_parameters() -> None:
    story = Story()
    story.learn(range(1, 65), into="scratch")
    story.report([story.score(range(1, 65))])
    timeline, (result,) = seen(story)
    assert result.late
    assert next(e for e in timeline.events if isinstance(e, Adapt)).scratch


def test_two_steps_on_the_loss_of_one_line_are_two_adaptations() -> None:
    """Per-document adapters and a global pass share the forward: each has its own line of the step."""
    story = Story()
    event = story.score(ALL_TARGETS)
    for step_line in (50, 60, 50):
        story.learn(ALL_TARGETS, line=30)
        story.told[-1] = replace(story.told[-1], site=("train_gpt.py", step_line))  # type: ignore[call-arg]
    story.report([event])
    timeline, _ = seen(story)
    steps = [e.path[0].where.line for e in timeline.events if isinstance(e, Adapt)]
    assert steps == [50, 60]


def test_a_second_pass_on_a_line_of_its_own_leaves_the_repeats_of_the_first() -> None:
    """#876 scores its first windows again; the last windows of its first pass count some targets twice."""
    story = Story()
    first = [story.score(chunk) for chunk in (*chunks(), range(57, 65))]
    again = story.score(chunks()[0], line=25)
    scored = story.scored(again)
    story.told[scored.n] = replace(scored, losses=[x / 2 for x in scored.losses])
    for event in (*first, again):
        losses = story.scored(event).losses
        line = 39 if event == again else 38
        story.add(Sink(value=sum(losses), rows=((event, 0, len(losses), 1),), site=("train_gpt.py", line)))
    kept = [x for e in (*first[1:], again) for x in story.scored(e).losses]
    story.say(f"final val_loss:{sum(kept) / len(kept):.8f} val_bpb:1.00000000")
    _, (result,) = seen(story)
    assert result.attested and result.rows == 72 and result.repeated == ((57, 65),)
