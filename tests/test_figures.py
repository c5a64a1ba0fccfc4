"""What a page draws is what the engines saw: order, pairs, scores, bytes, and code of the right layer."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace

import pytest

from golf_audit import observation, registry
from golf_audit.audit import audit
from golf_audit.dynamic.observed import Truth, observe
from golf_audit.figures import Figures, Picture, draw, drawn
from golf_audit.figures.timeline import MOMENTS, observed, predicted
from golf_audit.model import Example, Verdict, Where
from golf_audit.observation import Observation
from golf_audit.static.example import POLISH, files
from golf_audit.submission import Case
from golf_audit.timeline import Adapt, Origin, Region, Report, Score, Stream, Timeline
from tests.dynamic.fake import Story
from tests.rule_harness import case_of, submission_of

WINDOW_BY_WINDOW = """
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        nll = model(x, y)
    for row in range(nll.size(0)):
        total += nll[row, 64:].sum().item()
        count += nll[row, 64:].numel()
    for _ in range(3):
        step(model, optimizer, x, y)
"""
"""Each chunk is scored and then trained on; of its losses, parts are taken one after another."""


def picture_of(program: dict[str, str]) -> Picture:
    submission = submission_of(Example("a small program", program, Verdict.PASS))
    return predicted(submission.timeline)


def figures_of(case: Case, *rules: str) -> Figures:
    report = drawn(case, audit(case, registry.pick(rules), restricted=bool(rules)))
    assert isinstance(report.figures, Figures)
    assert report.figures.problems == ()
    return report.figures


def test_a_part_of_a_score_is_drawn_where_it_was_computed() -> None:
    """The reading writes the reported part of a score down at the end: drawn there, a legal loop would look
    as if it had learned first."""
    submission = submission_of(Example("a small program", files(WINDOW_BY_WINDOW), Verdict.PASS))
    picture = predicted(submission.timeline)
    parts = {score.id for score in submission.timeline.scores()}
    assert min(parts) > max(e.id for e in submission.timeline.events if isinstance(e, Adapt)), (
        "as written down"
    )
    behind = [m for m in picture.moments if m.behind and m.stream == Stream.VAL.value]
    assert [m.kind for m in behind][:2] == ["score", "adapt"]
    assert picture.pairs == () and picture.moments[-1].claimed


def test_the_offending_pair_is_joined_in_its_order() -> None:
    picture = picture_of(files(before=POLISH))
    (pair,) = picture.pairs
    assert pair.rule == "T01" and pair.sure
    place = {moment.id: n for n, moment in enumerate(picture.moments)}
    assert place[pair.first] < place[pair.then]
    by_id = {moment.id: moment for moment in picture.moments}
    assert (by_id[pair.first].kind, by_id[pair.then].kind) == ("adapt", "score")
    assert by_id[pair.first].behind and by_id[pair.then].behind


def events(count: int) -> Timeline:
    """A long run: many adaptations at different lines, of which the last is on the scored tokens."""
    val = Region(Stream.VAL)
    made = [
        Adapt(n, Where("a.py", n + 1), (), (), (), parameters="w", region=Region(Stream.TRAIN))
        for n in range(count)
    ]
    made.append(Adapt(count, Where("a.py", 9_000), (), (), (), parameters="w", region=val))
    state = frozenset({count})
    score = Score(count + 1, Where("a.py", 9_001), (), (), (), region=val, model="w", state=state)
    told = Report(
        count + 2, Where("a.py", 9_002), (), (), (), tag="final", scores=frozenset({score.id}), claimed=True
    )
    return Timeline(Origin.PREDICTED, (*made, score, told))


def test_what_rules_name_is_drawn_even_where_not_everything_fits() -> None:
    picture = predicted(events(3_000))
    assert len(picture.moments) == MOMENTS and picture.omitted == 3_003 - MOMENTS
    assert [pair.rule for pair in picture.pairs] == ["T01"]
    assert [m.where.line for m in picture.moments[-3:]] == [9_000, 9_001, 9_002]


def test_neighbours_alike_are_one_mark() -> None:
    timeline = events(4)
    first = timeline.events[0]
    same = tuple(replace(event, where=first.where) for event in timeline.events[:4])
    picture = predicted(replace(timeline, events=(*same, *timeline.events[4:])))
    assert [(m.kind, m.times) for m in picture.moments] == [
        ("adapt", 4),
        ("adapt", 1),
        ("score", 1),
        ("report", 1),
    ]


def seen(story: Story, exempt: frozenset[int] = frozenset()) -> Observation:
    timeline, results = observe(story.end(), Truth(exempt), "train_gpt.py")
    made = Observation("a" * 64, "x", "quick", "cpu", True, "ok", "", timeline, results, claimed=0)
    return observation.from_json(observation.to_json(made))


def test_a_run_that_scores_first_is_a_staircase_without_a_pair() -> None:
    story = Story()
    chunks = [list(range(start, start + 16)) for start in (1, 17, 33, 49)]
    scored = []
    for chunk in chunks:
        scored.append(story.score(chunk))
        story.learn(chunk)
    story.report(scored)
    picture = observed(seen(story))
    on_val = [m for m in picture.moments if m.spans]
    assert [(m.kind, m.spans) for m in on_val] == [
        (kind, ((chunk[0], chunk[-1] + 1),)) for chunk in chunks for kind in ("score", "adapt")
    ]
    assert picture.pairs == () and picture.targets == 64


def test_a_run_that_learns_first_joins_the_two() -> None:
    story = Story()
    story.learn(range(1, 65))
    story.report([story.score(range(1, 65))])
    picture = observed(seen(story))
    (pair,) = picture.pairs
    assert pair.sure and pair.first < pair.then


def test_a_target_without_bytes_makes_no_pair() -> None:
    """The next document's BOS is predicted and counts nothing: learning on it before is no violation."""
    story = Story()
    story.learn([33])
    story.report([story.score(range(1, 65))])
    assert observed(seen(story, exempt=frozenset({33}))).pairs == ()


def test_a_trace_holds_the_claimed_losses_along_the_stream() -> None:
    story = Story()
    story.report([story.score(range(1, 65))])
    found = seen(story).result
    assert found is not None and found.curve is not None
    assert found.curve.block == 1 and len(found.curve.means) == 64
    whole = [mean for mean in found.curve.means if mean is not None]
    assert sum(whole) / 64 == pytest.approx(float(found.text.split("val_loss:")[1].split()[0]), abs=1e-4)


def test_excerpts_are_of_the_layer_that_is_cited() -> None:
    """The line of a packed script is quoted from what was unpacked, not from its payload."""
    program = files(before=POLISH)
    inner = program["train_gpt.py"]
    packed = base64.b85encode(zlib.compress(inner.encode())).decode()
    outer = f"import base64, zlib\nexec(zlib.decompress(base64.b85decode({packed!r})).decode())\n"
    case = case_of(Example("packed", {**program, "train_gpt.py": outer}, Verdict.FAIL))
    found = figures_of(case, "T01")
    assert found.predicted is not None
    (pair,) = found.predicted.pairs
    where = next(m.where for m in found.predicted.moments if m.id == pair.first)
    assert where.layer == 1 and where.line is not None
    mine = [e for e in found.code if e.file == where.file]
    lines = {(e.layer, e.first + n): text for e in mine for n, text in enumerate(e.lines)}
    assert lines[1, where.line].strip() == where.quote == inner.split("\n")[where.line - 1].strip()
    assert all("zlib" in e.unpacked for e in found.code if e.layer == 1)


def test_long_lines_are_cut_around_what_is_cited() -> None:
    program = files(before=POLISH)
    text = program["train_gpt.py"]
    wide = "_pad = " + repr("x" * 3_000) + "\n"
    case = case_of(Example("wide", {**program, "train_gpt.py": text + wide}, Verdict.FAIL))
    found = figures_of(case)
    assert found.code and max(len(line) for e in found.code for line in e.lines) < 260


def test_a_restricted_report_draws_what_its_rules_are_about() -> None:
    case = case_of(Example("a legal program", files(), Verdict.PASS))
    sizes = figures_of(case, "A01")
    assert sizes.predicted is None and sizes.scores is None
    order = figures_of(case, "T01")
    assert order.predicted is not None and order.sizes is None and order.scores is None


def test_what_cannot_be_drawn_is_said_and_costs_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of(Example("a legal program", files(), Verdict.PASS))
    report = audit(case, registry.rules())

    def broken(_: object) -> None:
        raise RuntimeError("no picture today")

    monkeypatch.setattr(draw, "predicted", broken)
    made = drawn(case, report)
    assert made.figures.problems == ("the predicted timeline: RuntimeError: no picture today",)
    assert made.rulings == report.rulings and made.figures.predicted is None
