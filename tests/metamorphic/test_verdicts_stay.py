"""What a program does decides, not how it is written: rewritten programs keep their verdicts.

Protects against pattern matching: every earlier checker could be defeated, or set off, by a rename. Every
example of the rules that follow the order of events is rewritten in every way.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from golf_audit.model import Example, Rule
from golf_audit.registry import rules
from tests.metamorphic.transforms import ALL, Transform
from tests.rule_harness import judge

SCRIPT = "train_gpt.py"
CASES = [
    pytest.param(rule, example, id=f"{rule.id} {example.title}")
    for rule in rules()
    for example in rule.examples
    if "def evaluate(" in example.files.get(SCRIPT, "")
]


def rewritten(example: Example, transform: Transform) -> Example:
    """The example with its script rewritten; its other files stay what they are."""
    files = {**example.files, **transform(example.files[SCRIPT])}
    return replace(example, files=files)


def test_there_is_something_to_rewrite() -> None:
    assert {rule.id for rule, _ in (case.values for case in CASES)} >= {
        *("T01", "T02", "P01", "P02", "P03", "Q01", "Q02", "Q03", "V01", "V02", "V03", "V05", "V06", "M02"),
    }


@pytest.mark.parametrize("transform", ALL, ids=lambda t: t.__name__)
def test_each_rewriting_finds_something(transform: Transform) -> None:
    changed = [c for c in CASES if transform(c.values[1].files[SCRIPT])[SCRIPT] != c.values[1].files[SCRIPT]]
    assert len(changed) > len(CASES) // 4


@pytest.mark.parametrize("transform", ALL, ids=lambda t: t.__name__)
@pytest.mark.parametrize(("rule", "example"), CASES)
def test_a_rewritten_program_keeps_its_verdict(rule: Rule, example: Example, transform: Transform) -> None:
    verdict, reason, _ = judge(rule, rewritten(example, transform))
    assert verdict is example.verdict, reason
