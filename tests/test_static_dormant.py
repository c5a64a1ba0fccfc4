"""Switches that are off in the run: what they would break is a note, and never more than that."""

from __future__ import annotations

import pytest

from golf_audit.model import Example, Verdict
from golf_audit.static import example as programs
from golf_audit.static import example_caches as caches
from golf_audit.timeline import Dormant
from rules import q01_normalised_distribution as q01
from rules import t01_scored_before_adapted as t01
from tests.rule_harness import judge, submission_of

_CALL = "    polish(model, tokens)\n"
_DEF = "def polish(model, tokens):\n"
_BODY = """    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for start in range(0, len(tokens) - 1, 1024):
        step(model, optimizer, *piece(tokens, start))
"""


def told(before: str = "", functions: str = "", evaluation: str = programs.SCORE) -> list[Dormant]:
    """What the switches of a program keep from happening."""
    main = {"def main():": f"{functions}\n\ndef main():"} if functions else {}
    files = programs.files(evaluation, before, **main)
    return list(submission_of(Example("a switch", files, Verdict.PASS)).timeline.dormant)


def test_the_note_names_the_switch_its_value_where_it_was_set_and_the_lines() -> None:
    files = programs.files(before=programs.SWITCHED_POLISH)
    verdict, _, assessment = judge(t01.RULE, Example("off", files, Verdict.PASS))
    (note,) = assessment.notes
    script = files["train_gpt.py"].splitlines()
    step = script.index("    optimizer.step()") + 1
    assert verdict is Verdict.PASS
    assert note.says.startswith("EXTRA_ENABLED=0 in this run: turned on, GPT learns from validation tokens")
    assert f"(line {step}) before they are scored" in note.says
    assert note.where is not None
    assert note.where.line is not None
    assert "EXTRA_ENABLED" in script[note.where.line - 1]


def test_a_switch_that_the_readme_turns_on_is_a_finding_and_no_note() -> None:
    files = programs.files(before=programs.SWITCHED_POLISH, readme=programs.SWITCH_ON)
    verdict, _, assessment = judge(t01.RULE, Example("on", files, Verdict.FAIL))
    assert verdict is Verdict.FAIL
    assert not assessment.notes


SAID = {
    "the switch and another test that holds": "    if EXTRA and len(TRAIN_FILES) > 3:\n    " + _CALL,
    "the other side of its negation": "    if not EXTRA:\n        pass\n    else:\n    " + _CALL,
    "the variable itself in the test": '    if os.environ.get("EXTRA_ENABLED", "0") == "1":\n    ' + _CALL,
}


@pytest.mark.parametrize("before", SAID.values(), ids=SAID)
def test_each_spelling_of_a_switch_is_told_once(before: str) -> None:
    (found,) = told(before, _DEF + _BODY)
    assert (found.rule, found.switch, found.change) == ("T01", "EXTRA_ENABLED", "turned on")


def test_a_return_keeps_the_rest_of_a_function_from_running() -> None:
    (found,) = told(_CALL, _DEF + "    if not EXTRA:\n        return\n" + _BODY)
    assert (found.rule, found.change) == ("T01", "turned on")


def test_a_number_that_only_the_switch_prints_is_looked_at_too() -> None:
    """#1458: the claimed number is printed first, and an n-gram cache would print another."""
    mixed = "def mixed(model, tokens):\n    total, count = 0.0, 0\n" + "".join(
        f"    {line}\n" for line in caches.HASHED.strip().splitlines()
    )
    after = "    print(f'ngram val_bpb:{mixed(model, tokens) / 2.58:.8f}')\n"
    end = '\n\nif __name__ == "__main__":'
    switched = {
        "def main():": f"{mixed}    return total / count\n\n\ndef main():",
        end: f"\n    if EXTRA >= 2:\n    {after}{end}",
    }
    files = programs.files(**switched)
    verdict, _, assessment = judge(q01.RULE, Example("off", files, Verdict.PASS))
    assert verdict is Verdict.PASS
    assert [n.says[:48] for n in assessment.notes] == ["EXTRA_ENABLED=0 in this run: where EXTRA >= 2, t"]


SILENT = {
    "a step on training tokens": programs.BENIGN_SWITCH,
    "a run that would end in an exception": "    if EXTRA:\n    " + _CALL + "        raise SystemExit\n",
    "a test that no setting decides": "    extra = False\n    if extra:\n    " + _CALL,
    "a step that another unknown test still guards": (
        "    if EXTRA:\n        if time.time() > 1e9:\n            polish(model, tokens)\n"
    ),
}


@pytest.mark.parametrize("before", SILENT.values(), ids=SILENT)
def test_what_the_forced_run_does_not_show_is_not_told(before: str) -> None:
    assert told(before, _DEF + _BODY) == []


def test_score_first_training_behind_a_switch_is_not_told() -> None:
    legal = programs.SCORED_THEN_TRAINED.replace(
        "    for _ in range(3):\n        step(model, optimizer, x, y)\n",
        "    if EXTRA:\n        step(model, optimizer, x, y)\n",
    )
    assert "if EXTRA" in legal
    assert told(evaluation=legal) == []


def test_at_most_three_switches_are_tried() -> None:
    names = "".join(f'EXTRA_{n} = int(os.environ.get("EXTRA_{n}", "0"))\n' for n in range(5))
    before = "".join(f"    if EXTRA_{n}:\n        polish(model, tokens)\n" for n in range(5))
    found = told(before, names + "\n\n" + _DEF + _BODY)
    assert [d.switch for d in found] == ["EXTRA_0", "EXTRA_1", "EXTRA_2"]
