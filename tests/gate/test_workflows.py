"""action.yml and the example workflows: linted by zizmor, and as README promises."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import yaml

from .runner import ACTION, ROOT

EXAMPLES = sorted((ROOT / "examples" / "workflows").glob("*.yml"))
FILES = [ROOT / "action.yml", *EXAMPLES]


def zizmor() -> str:
    """The program of the package in the extra `dev`; without it the test fails and says so."""
    files = distribution("zizmor").files or []
    (program,) = (str(file.locate()) for file in files if file.name in ("zizmor", "zizmor.exe"))
    return program


def test_zizmor_finds_nothing() -> None:
    command = [zizmor(), "--offline", "--no-progress", "--persona", "auditor", *map(str, FILES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def workflow(name: str) -> dict[Any, Any]:
    told: dict[Any, Any] = yaml.safe_load(
        (ROOT / "examples" / "workflows" / name).read_text(encoding="utf-8")
    )
    return told


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_ask_for_little_check_nothing_out_and_give_known_inputs(path: Path) -> None:
    told = workflow(path.name)
    assert told["permissions"] == {}
    for job in told["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert re.fullmatch(r"OWNER/golf-audit@[0-9a-f]{40}", step["uses"])
            assert set(step.get("with", {})) <= set(ACTION["inputs"])


def test_only_the_job_that_never_runs_a_stranger_s_code_may_write() -> None:
    gate, comment = workflow("gate.yml"), workflow("comment.yml")
    assert gate[True] == "pull_request"  # YAML reads `on` as true
    assert [job["permissions"] for job in gate["jobs"].values()] == [{"contents": "read"}] * 2
    (job,) = comment["jobs"].values()
    assert job["permissions"] == {"contents": "read", "pull-requests": "write", "statuses": "write"}
    assert "trace" not in job["steps"][0]["with"]
    assert comment[True]["workflow_run"]["workflows"] == [gate["name"]]
