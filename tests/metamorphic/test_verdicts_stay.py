"""What a program does decides, not how it is written: rewritten programs keep their verdicts.

Protects against pattern matching: every earlier checker could be defeated, or set off, by a rename.
"""

from __future__ import annotations

import pytest

from golf_audit import specimen
from golf_audit.model import Example, Verdict
from golf_audit.registry import rules
from golf_audit.static import example as programs
from tests.metamorphic.transforms import ALL, Transform
from tests.rule_harness import judge

RULES = {rule.id: rule for rule in rules()}
PROGRAMS = {
    "a fixed model": (programs.program(), {"T01": "pass", "Q01": "pass"}),
    "score first": (programs.program(programs.SCORED_THEN_TRAINED), {"T01": "pass", "T02": "pass"}),
    "step before the addition": (programs.program(programs.STEP_BEFORE_SUM), {"T01": "pass"}),
    "train first": (programs.program(programs.TRAIN_FIRST), {"T01": "fail"}),
    "adaptation before saving": (programs.program(before=programs.POLISH), {"T01": "fail"}),
    "last of three epochs": (programs.program(programs.LAST_OF_THREE), {"T02": "fail", "T01": "pass"}),
    "two passes": (programs.program(programs.TWO_PASSES), {"P01": "fail"}),
    "hashed cache": (programs.program(programs.HASHED), {"Q01": "fail", "P01": "pass"}),
    "scratch tensors": (programs.program(programs.SLOT), {"Q03": "needs-ruling", "T01": "pass"}),
}


@pytest.mark.parametrize("transform", ALL, ids=lambda t: t.__name__)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_rewritten_program_keeps_its_verdicts(name: str, transform: Transform) -> None:
    text, expected = PROGRAMS[name]
    rewritten = transform(text)
    if rewritten["train_gpt.py"] == text:
        pytest.skip("this rewriting finds nothing in this program")
    files = specimen.folder(specimen.log(), files=dict(rewritten))
    example = Example(name, files, Verdict.PASS)
    found = {rule: judge(RULES[rule], example) for rule in expected}
    assert {rule: verdict.value for rule, (verdict, _, _) in found.items()} == expected, [
        reason for _, reason, _ in found.values()
    ]
