"""A sweep over a clone: every head gets a row, a bad one costs nothing but itself, a killed sweep resumes."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from golf_audit.sweep import Target, sweep
from golf_audit.sweep.row import SCHEMA, read_lines, to_line
from golf_audit.sweep.summary import copied_bytes, copied_logs, summary
from golf_audit.sweep.table import to_csv, to_html

EXAMPLES = Path(__file__).parents[1] / "examples" / "track_10min_16mb"


def git(clone: Path, *arguments: str) -> None:
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    dates = {"GIT_AUTHOR_DATE": "2026-04-20T12:00:00Z", "GIT_COMMITTER_DATE": "2026-04-20T12:00:00Z"}
    command = ["git", "-C", str(clone), *arguments]
    done = subprocess.run(
        command, env=os.environ | identity | dates, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """#1 and #2 add an example each, #3 changes the root README, #4 adds #1's files elsewhere."""
    path = tmp_path_factory.mktemp("clone")
    git(path, "init", "-q", "-b", "main")
    (path / "README.md").write_text("the challenge\n")
    git(path, "add", ".")
    git(path, "commit", "-qm", "start")
    added = {
        1: "2026-04-20_ScoreFirstTTT",
        2: "2026-04-22_OverTheLimits",
        3: "",
        4: "2026-04-20_ScoreFirstTTT",
    }
    for number, name in added.items():
        git(path, "checkout", "-q", "-b", f"pr{number}", "main")
        if name:
            target = path / "records" / "track_10min_16mb" / f"{name}_{number}"
            shutil.copytree(EXAMPLES / name, target)
            (target / "notes.md").write_text(f"pull request {number}\n")
        (path / "README.md").write_text(f"the challenge, {number}\n")
        git(path, "add", ".")
        git(path, "commit", "-qm", f"number {number}")
        git(path, "update-ref", f"refs/pull/{number}/head", "HEAD")
    git(path, "checkout", "-q", "main")
    return path


@pytest.fixture(scope="module")
def rows(clone: Path) -> dict[int, dict[str, Any]]:
    targets = [Target(n) for n in (1, 2, 3, 4, 99)]
    return {row["pr"]: row for row in sweep(clone, targets, 1)}


def test_every_head_gets_its_row(rows: dict[int, dict[str, Any]]) -> None:
    assert sorted(rows) == [1, 2, 3, 4, 99]
    assert [len(rows[n]["submissions"]) for n in (1, 2, 3, 4)] == [1, 1, 0, 1]
    assert not any(row["crash"] for row in rows.values())


def test_a_head_that_is_not_there_is_an_error_and_not_a_crash(rows: dict[int, dict[str, Any]]) -> None:
    assert "99" in rows[99]["error"]
    assert rows[99]["submissions"] == []


def test_a_row_names_verdicts_and_reasons(rows: dict[int, dict[str, Any]]) -> None:
    (entry,) = rows[2]["submissions"]
    assert entry["verdict"] == "fail"
    assert {r for r, v in entry["rulings"].items() if v == "fail"} >= {"A01", "A04"}
    assert "16,0" in entry["reasons"]["A01"]


def test_logs_held_by_two_pull_requests_are_named(rows: dict[int, dict[str, Any]]) -> None:
    copied = copied_logs(list(rows.values()))
    assert sorted(set(map(tuple, copied.values()))) == [(1, 4)]
    assert "#1 #4" in summary(list(rows.values()), ["A01"])


def test_byte_totals_count_as_copied_only_with_another_script() -> None:
    def row(pr: int, script: str, total: object) -> dict[str, Any]:
        return {"pr": pr, "submissions": [{"bytes_total": total, "entry_oid": script}]}

    rows = [
        row(1, "a", 15_995_959),
        row(2, "b", 15_995_959),
        row(3, "c", 16_000_000),
        row(4, "d", 16_000_000),
    ]
    assert copied_bytes(rows) == {"15,995,959 bytes": [1, 2]}
    assert copied_bytes([row(1, "a", 15_995_959), row(2, "a", 15_995_959), row(3, "b", "15 MB")]) == {}


def test_a_torn_last_line_is_dropped(rows: dict[int, dict[str, Any]]) -> None:
    text = to_line(rows[1]) + to_line(rows[2])
    assert [row["pr"] for row in read_lines(text[:-40])] == [1]
    assert read_lines('{"schema": "something else"}\n[]\n7\n') == []


def test_two_processes_find_what_one_finds(clone: Path, rows: dict[int, dict[str, Any]]) -> None:
    two = {row["pr"]: row for row in sweep(clone, [Target(n) for n in (1, 2, 3)], 2)}
    assert {n: two[n]["submissions"] for n in two} == {n: rows[n]["submissions"] for n in (1, 2, 3)}


def test_a_spreadsheet_gets_no_formula() -> None:
    entry = {
        "folder": "=cmd|' /C calc'!A0",
        "track": "record",
        "as_of": "2026-04-20",
        "claim": "@SUM(1)\r\nx",
        "verdict": "open",
        "rulings": {"A01": "pass"},
        "reasons": {"T01": "-1+2"},
        "crashes": {},
    }
    hidden = {**entry, "folder": "\t=1+1", "claim": " @SUM(1)", "reasons": {"T01": "\uff1d1"}}
    row = {"pr": 1, "head": "0", "crash": "", "error": "", "submissions": [entry, hidden]}
    failed = {"pr": 2, "head": "0", "crash": "=1", "error": "", "submissions": []}
    _, *table = csv.reader(io.StringIO(to_csv([row, failed], ["A01"])))
    assert len(table) == 3
    for cell in (cell for line in table for cell in line):
        assert not cell.strip().startswith(("=", "+", "-", "@", "\uff1d"))
        assert cell.isprintable()


def test_the_table_names_what_decides_and_holds_every_pull_request(rows: dict[int, dict[str, Any]]) -> None:
    """#2 fails A01; an undetermined rule before it in the catalogue is not its reason."""
    read = csv.DictReader(io.StringIO(to_csv([rows[n] for n in sorted(rows)], ["A01"])))
    table = {int(line["pr"]): line for line in read}
    assert [table[n]["status"] for n in (1, 2, 3, 4, 99)] == [
        *("open", "fail", "no submission", "open", "not read")
    ]
    assert table[2]["rule"] == "A01" and "16,0" in table[2]["reason"] and table[2]["A01"] == "fail"
    assert table[1]["rule"] == "V03" and table[1]["reason"] == rows[1]["submissions"][0]["reasons"]["V03"]
    assert table[2]["link"] == "https://github.com/openai/parameter-golf/pull/2"
    shown = to_html([rows[n] for n in sorted(rows)])
    assert all(f'/pull/{n}"' in shown for n in (1, 2, 3, 4, 99))
    assert table[2]["reason"] in shown and "default-src 'none'" in shown


def test_a_hostile_table_stays_text() -> None:
    entry = {
        "folder": "records/<script>x</script>",
        "track": "record",
        "as_of": "2026-04-20",
        "claim": '"><img src=x onerror=y>',
        "verdict": "fail",
        "rulings": {"T01": "fail"},
        "reasons": {"T01": "</script><script>\u202e"},
        "crashes": {},
    }
    shown = to_html([{"pr": 1, "head": "0", "crash": "", "error": "", "submissions": [entry]}])
    assert shown.count("<script>") == 1 and "<img" not in shown and "\u202e" not in shown


def test_the_command_resumes_and_prints_a_summary(clone: Path, tmp_path: Path) -> None:
    output = tmp_path / "sweep.jsonl"
    command = [sys.executable, "-m", "golf_audit", "sweep", str(clone), "--jobs", "1", "-o", str(output)]
    first = subprocess.run([*command, "--prs", "1,3"], capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    before = output.read_text()
    assert [json.loads(line)["pr"] for line in before.splitlines()] == [1, 3]
    output.write_text(before + '{"schema": "golf-audit/sweep-row/1", "pr": 4, "he')  # killed while writing
    again = subprocess.run([*command, "--prs", "1-4"], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "# 4 heads, 3 submission folders" in again.stdout
    assert sorted(row["pr"] for row in read_lines(output.read_text())) == [1, 2, 3, 4]
    assert output.read_text().count('"pr": 1,') == 1, "#1 was not audited again"


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_sweep_leaves_no_worker(clone: Path, tmp_path: Path) -> None:
    output = tmp_path / "killed.jsonl"
    command = [sys.executable, "-m", "golf_audit", "sweep", str(clone), "--jobs", "2", "-o", str(output)]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    listing = ["ps", "-o", "pid=", "--ppid", str(started.pid)]
    children: list[str] = []
    for _ in range(200):
        children = subprocess.run(listing, capture_output=True, text=True, check=False).stdout.split()
        if len(children) >= 2:
            break
        time.sleep(0.05)
    started.kill()
    started.wait()
    alive = children
    for _ in range(200):
        alive = [pid for pid in children if _running(pid)]
        if not alive:
            break
        time.sleep(0.1)
    assert children
    assert not alive


def _running(pid: str) -> bool:
    shown = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True, check=False)
    return shown.stdout.strip()[:1] not in ("", "Z")


def test_schema_name_is_versioned() -> None:
    assert SCHEMA.endswith("/1")
