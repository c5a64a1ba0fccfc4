"""A trace file is read as strangers' input: what is wrong with it is said in one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from golf_audit import observation
from golf_audit.dynamic.observed import Truth, observe
from golf_audit.observation import BadTrace, Observation, Outcome, Tried, Word
from golf_audit.timeline import Adapt, Score
from tests.dynamic.fake import Story


def told() -> Observation:
    story = Story()
    story.train()
    story.learn(range(1, 65))
    story.report([story.score(range(1, 65))])
    timeline, results = observe(story.end(), Truth(frozenset()), "train_gpt.py")
    return Observation(
        "a" * 64,
        "records/x",
        "quick",
        "cpu",
        True,
        "ok",
        "the script came to its end",
        timeline,
        results,
        claimed=0,
        tried=(Tried("perturb", "a", "b"),),
        outcomes=(Outcome("perturb", Word.CLEAN, "nothing", ("M01",), 0, (), (("rows", 3.0),)),),
        settings=("A=1 (declared)",),
    )


def test_what_is_written_is_read_again() -> None:
    text = observation.to_json(told())
    again = observation.from_json(text)
    assert observation.to_json(again) == text
    assert again.result is not None and again.result.late == ((1, 65),)
    assert again.timeline.reported is not None and again.timeline.reported.claimed
    score = next(e for e in again.timeline.events if isinstance(e, Score))
    assert score.state == {e.id for e in again.timeline.events if isinstance(e, Adapt)}
    assert again.about("M01") == again.outcomes


def altered(change: Any) -> str:
    raw = json.loads(observation.to_json(told()))
    change(raw)
    return json.dumps(raw)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "the document"),
        ('{"schema": "golf-audit/report/1"}', "golf-audit/report/1 file"),
        (altered(lambda r: r.pop("events")), "events"),
        (altered(lambda r: r.update(extra=1)), "extra"),
        (altered(lambda r: r["events"][0].update(kind="verdict")), "events"),
        (altered(lambda r: r["events"].reverse()), "not numbered in order"),
        (altered(lambda r: r["results"][0].update(event=0)), "no report"),
        (altered(lambda r: r["results"][0].update(late=[[5, 5]])), "not a list of spans"),
        (altered(lambda r: r["results"][0].update(late=[[5]])), "late"),
        (altered(lambda r: r.update(claimed=7)), "IndexError"),
        (altered(lambda r: r["submission"].update(fingerprint="zz")), "fingerprint"),
        (altered(lambda r: r["outcomes"][0].update(word="innocent")), "innocent"),
        (altered(lambda r: r["run"].update(reason="x" * 5000)), "reason"),
    ],
)
def test_anything_else_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadTrace, match=says):
        observation.from_json(text)


def test_numbers_that_json_does_not_know_are_left_out() -> None:
    from dataclasses import replace

    seen = replace(told(), outcomes=(Outcome("p", Word.NOTE, "x", (), None, (), (("far", float("inf")),)),))
    assert observation.from_json(observation.to_json(seen)).outcomes[0].figures == ()
