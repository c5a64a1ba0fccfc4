"""CONTRIBUTING shows a whole rule to start from: it is one, and its examples hold."""

from __future__ import annotations

import re
from pathlib import Path

from golf_audit.model import Rule
from tests.rule_harness import judge

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_rule_to_start_from_is_a_rule() -> None:
    block = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert block is not None
    module: dict[str, object] = {"__name__": "r99_start"}
    exec(compile(block[1], "CONTRIBUTING.md", "exec"), module)
    rule = module["RULE"]
    assert isinstance(rule, Rule)
    assert rule.title == "The README shows the command of the run"
    for example in rule.examples:
        verdict, reason, _ = judge(rule, example)
        assert verdict is example.verdict
        assert example.expects in reason
