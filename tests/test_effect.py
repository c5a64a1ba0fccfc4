"""What an edit does to a corpus: two sweeps held together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from golf_audit.cli import cli

from golf_audit.errors import AuditError
from golf_audit.sweep.effect import effect, page, read_sweep
from golf_audit.sweep.row import SCHEMA, to_line


def row(pr: int, verdict: str = "pass", state: str = "s", reason: str = "", **rulings: str) -> dict[str, Any]:
    entry = {
        "folder": f"records/x/{pr}",
        "fingerprint": state,
        "verdict": verdict,
        "rulings": {rule: word for rule, word in rulings.items() if word != "crashed"},
        "reasons": {"T01": reason} if reason else {},
        "crashes": {rule: "ValueError" for rule, word in rulings.items() if word == "crashed"},
    }
    return {"schema": SCHEMA, "pr": pr, "submissions": [entry]}


def test_moves_are_counted_by_folder_and_listed_by_rule() -> None:
    before = [
        row(1, T01="pass", A01="pass"),
        row(2, T01="pass"),
        row(3, "fail", T01="fail"),
        row(4, T01="pass"),
    ]
    after = [
        row(1, "fail", T01="fail", A01="needs-ruling"),
        row(2, "fail", T01="fail"),
        row(3, "pass", T01="pass"),
        row(4, T01="pass"),
    ]
    found = effect(before, after)
    assert found.moved == {(1, "records/x/1"), (2, "records/x/2"), (3, "records/x/3")}
    lines = [" ".join(line.split()) for line in page(found).splitlines()]
    assert lines == [
        "this edit moves 3 of 4 folders (4 pull requests)",
        "verdict pass -> fail 2 #1 #2",
        "verdict fail -> pass 1 #3",
        "A01 pass -> needs-ruling 1 #1",
        "T01 pass -> fail 2 #1 #2",
        "T01 fail -> pass 1 #3",
    ]


def test_a_rule_that_crashes_or_is_new_is_a_move() -> None:
    found = effect([row(1, T01="pass")], [row(1, T01="crashed", T02="pass")])
    assert set(found.steps) == {("T01", "pass", "crashed"), ("T02", "not asked", "pass")}


def test_another_reason_is_told_apart_from_another_verdict() -> None:
    found = effect([row(1, reason="a", T01="fail")], [row(1, reason="b", T01="fail")])
    assert not found.moved and "1 more keep their verdicts" in page(found)


def test_other_states_and_missing_heads_are_not_compared() -> None:
    before = [row(1, T01="pass"), row(2, T01="pass"), row(3, T01="pass")]
    after = [row(1, T01="pass"), row(2, state="other", T01="fail"), row(4, T01="pass")]
    found = effect(before, after)
    assert (found.compared, found.moved) == (1, set())
    assert (found.before_only, found.after_only) == ([2, 3], [2, 4])
    assert "not compared, in the first sweep alone or in another state: #2 #3" in page(found)


def test_long_lists_are_cut() -> None:
    before = [row(n, T01="pass") for n in range(1, 60)]
    after = [row(n, T01="fail") for n in range(1, 60)]
    assert "#20 and 39 more" in page(effect(before, after))


def test_the_command(tmp_path: Path) -> None:
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_text(to_line(row(1, T01="pass")) + '{"torn', encoding="utf-8")
    new.write_text(to_line(row(1, "fail", T01="fail")), encoding="utf-8")
    done = CliRunner().invoke(cli, ["effect", str(old), str(new)])
    assert done.exit_code == 0 and "moves 1 of 1 folders" in done.output


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"schema": "golf-audit/report/1"})])
def test_what_is_no_sweep_is_one_clear_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(AuditError, match="holds no row"):
        read_sweep(path)
    with pytest.raises(AuditError, match="cannot read"):
        read_sweep(tmp_path / "none.jsonl")
