"""Which submission a README or submission.json calls its base. The sentences have the shape of real ones."""

from __future__ import annotations

import json
import time

import pytest

from golf_audit.claims import read_claims
from golf_audit.lineage.choose import choose
from golf_audit.lineage.mentions import mentions
from golf_audit.lineage.model import Mention, Named, Word
from tests.rule_harness import tree_of

FOLDER = "records/track_10min_16mb/2026-04-20_Ours"


def read(readme: str = "", claim: object = None, folder: str = FOLDER) -> tuple[Mention, ...]:
    files = {"README.md": readme}
    if claim is not None:
        files["submission.json"] = json.dumps(claim)
    tree = tree_of(files)
    return mentions(tree, read_claims(tree), folder)


def named(readme: str = "", claim: object = None, pr: int | None = 1900, folder: str = FOLDER) -> Named:
    return choose(read(readme, claim, folder), pr, folder)


def names(found: Named) -> list[str]:
    return [str(m.name) for m in found.candidates]


SENTENCES = [
    (
        "Built on [PR #549](https://github.com/openai/parameter-golf/pull/549) stack, adding gates.",
        "#549",
        Word.BUILT,
    ),
    ("This submission **builds directly on PR #1873 (@someone)**.", "#1873", Word.BUILT),
    ("Based on the SOTA stack (PR #1493).", "#1493", Word.BUILT),
    ("combines three components on top of the PR #1787 upstream base:", "#1787", Word.BUILT),
    ("## What changed vs PR #1714", "#1714", Word.BUILT),
    ("Forked from PR **#1807** record `2026-04-30_LongCtx`", "#1807", Word.FORKED),
    ("- **Base model**: PR #414 by @someone", "#414", Word.FORKED),
    ("**Base:** PR [#1695](https://github.com/openai/parameter-golf/pull/1695)", "#1695", Word.FORKED),
    ("| Base | PR #1019 fork (Full Hessian GPTQ) |", "#1019", Word.FORKED),
    ("- Parent PR: openai/parameter-golf#1123", "#1123", Word.FORKED),
    ("It starts from\nthe accepted [#1855](https://github.com/x/y/pull/1855).", "#1855", Word.BUILT),
]


@pytest.mark.parametrize(("sentence", "name", "word"), SENTENCES)
def test_a_sentence_that_names_the_base(sentence: str, name: str, word: Word) -> None:
    found = named(sentence)
    assert names(found) == [name]
    assert found.candidates[0].word is word


@pytest.mark.parametrize(
    "sentence",
    [
        "Expected gain: ~0.008 BPB (based on PR #1487's ablation)",
        "~0.03 BPB improvement based on community results (PR #42, #60)",
        "TTT disabled based on findings from PR #303",
        "Merged SOTA (PR #1493): 1.0810 BPB. Delta: -0.0010 BPB.",
        "Improvement over the merged SOTA ([PR #549](https://x/pull/549))",
        "Depth recurrence (PR #1331), skip gates (PR #1412 @someone)",
        "We built it. PR #1493 is faster.",
        "based on 5 #1 submissions, 10#12, #1855%",
    ],
)
def test_a_sentence_that_names_no_base(sentence: str) -> None:
    assert not named(sentence).candidates


def test_a_list_names_several_and_what_is_taken_from_a_second_is_not_in_it() -> None:
    assert names(named("Built on top of PR #1394 (Kevin) and PR #1493 (bigbag).")) == ["#1394", "#1493"]
    assert names(named("Built on PR #374 with techniques from PR #400.")) == ["#374"]
    assert names(named("Builds on PR #1797 stack (PR #1787 base + SmearGate) but smaller")) == ["#1797"]


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ({"base_pr": 1394}, ["#1394"]),
        ({"base_pr": "#549"}, ["#549"]),
        ({"base_prs": [1394, 1364]}, ["#1394", "#1364"]),
        ({"based_on": "PR #1493 (@bigbag)"}, ["#1493"]),
        ({"base_submission": "2026-04-19_Something (PR #1736)"}, ["#1736"]),
        ({"forked_from": {"record": "2026-04-30_Other", "pr": "#1807"}}, ["#1807"]),
        ({"parent": "records/track_non_record_16mb/2026-03-28_anchor"}, ["2026-03-28_anchor"]),
        ({"rope_base": 500000, "base_val_bpb": 1.081, "bigram_base": "1024"}, []),
        ({"comparison_baseline_pr": 1019}, []),
    ],
)
def test_submission_json_declares_the_base(claim: dict[str, object], expected: list[str]) -> None:
    assert names(named(claim=claim)) == expected


def test_submission_json_comes_before_the_readme_and_the_rest_is_listed() -> None:
    found = named("Built on PR #1797.", {"base_pr": 1787})
    assert names(found) == ["#1787"]
    assert [str(m.name) for m in found.others] == ["#1797"]


def test_a_leaderboard_folder_gets_its_number() -> None:
    found = named("Fork of `2026-04-09_SP8192_3LayerRecur_ParResid_QK525_LegalTTT`, see PR #1493.")
    assert names(found) == ["#1493"]
    assert found.candidates[0].name.folder.endswith("LegalTTT")


def test_nobody_is_their_own_parent_and_a_later_pull_request_is_refused_with_its_reason() -> None:
    found = named("Built on PR #1900, `2026-04-20_Ours` and PR #1901.", pr=1900)
    assert not found.candidates
    assert [why for _, why in found.refused] == ["#1901 was opened later than this pull request, #1900"]


def test_a_number_in_the_folders_name_is_only_a_hint() -> None:
    found = named(folder="records/track_10min_16mb/2026-05-01_SP8192_PR1630Base_Calib32")
    assert not found.candidates
    assert [(str(m.name), m.word) for m in found.others] == [("#1630", Word.STACK)]


def test_a_mention_can_be_opened() -> None:
    found = read("# Title\n\nIntro.\n\nThis run\nis built on PR #1493.\n")[0]
    assert found.where.file == "README.md"
    assert found.where.line == 6
    assert "built on PR #1493" in found.where.quote


def test_a_long_hostile_readme_is_read_in_no_time() -> None:
    hostile = [
        "built on " * 20_000,
        "PR #1 (" * 20_000,
        "base: " + "PR #12, " * 20_000,
        "[" * 50_000 + "](",
        "built on (" + "a, " * 40_000 + "PR #77",
        "base_" * 30_000,
    ]
    start = time.perf_counter()
    for text in hostile:
        read(text, {text[:200_000]: text[:200_000], "base": text[:200_000]})
    assert time.perf_counter() - start < 10
