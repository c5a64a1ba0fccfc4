"""The commands as a user types them: what they print, where, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from golf_audit.cli import cli

EXAMPLES = Path(__file__).parents[1] / "examples" / "track_10min_16mb"
LEGAL = str(EXAMPLES / "2026-04-20_ScoreFirstTTT")
OVER = str(EXAMPLES / "2026-04-22_OverTheLimits")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


EXIT_CODES = [
    ("a failing folder", ["check", OVER], 1),
    ("a rule that holds", ["check", LEGAL, "--rule", "A01"], 0),
    ("a rule that fails", ["check", OVER, "--rule", "A01"], 1),
    ("the worst of two folders", ["check", LEGAL, OVER, "--rule", "A01"], 1),
    ("a failing folder when only reporting", ["check", OVER, "--exit-zero"], 0),
    ("a rule that only a run decides", ["check", LEGAL, "--rule", "M03"], 0),
    ("the same when runs are required", ["check", LEGAL, "--rule", "S03", "--require-run"], 3),
    ("the same, strictly", ["check", LEGAL, "--rule", "S03", "--require-run", "--strict"], 1),
    ("no folder", ["check"], 2),
    ("an unknown format", ["check", LEGAL, "--format", "xml"], 2),
]


@pytest.mark.parametrize(("arguments", "code"), [pytest.param(a, c, id=i) for i, a, c in EXIT_CODES])
def test_exit_code(arguments: list[str], code: int) -> None:
    assert run(*arguments).exit_code == code


def test_output_goes_to_the_file_and_stdout_stays_empty(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    done = run("check", LEGAL, "--format", "json", "--output", str(target))
    assert done.output == ""
    assert json.loads(target.read_text(encoding="utf-8"))["schema"] == "golf-audit/report/1"


def test_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    done = run("check", LEGAL, "--output", str(tmp_path / "no" / "folder.txt"))
    assert done.exit_code == 2
    assert "cannot write" in done.output


def test_several_folders_make_one_document() -> None:
    reports = json.loads(run("check", LEGAL, OVER, "--format", "json").output)
    assert reports["schema"] == "golf-audit/reports/1"
    assert len(reports["reports"]) == 2


def test_a_narrowed_audit_says_so() -> None:
    assert "asked only: A01" in run("check", LEGAL, "--rule", "a01").output


def test_the_law_of_another_day(tmp_path: Path) -> None:
    done = run("check", LEGAL, "--rule", "S02", "--as-of", "2026-05-01", "--format", "json")
    report = json.loads(done.output)
    assert report["as_of"] == "2026-05-01"
    assert report["rulings"][0]["verdict"] != "not-applicable", "the practice dates from 2026-04-28"


def test_explain_prints_one_ruling_in_full() -> None:
    page = run("explain", OVER, "A01").output
    assert "16,000,000" in page
    assert "Law" in page


def test_unpack_says_what_it_wrote(tmp_path: Path) -> None:
    assert run("unpack", LEGAL, "--to", str(tmp_path / "layers")).exit_code == 0


def test_rules_lists_all_and_explains_one() -> None:
    assert run("rules").output.count("\n") >= 38
    page = run("rules", "A01").output
    assert "How it is looked for" in page
    assert "What that cannot see" in page


@pytest.mark.parametrize("name", ["report", "submission"])
def test_schema_prints_json(name: str) -> None:
    assert name in run("schema").output.split()
    assert json.loads(run("schema", name).output)["$schema"].endswith("2020-12/schema")


def test_help_names_every_command() -> None:
    text = run("--help").output
    for command in ("check", "explain", "unpack", "rules", "schema", "sweep"):
        assert command in text
