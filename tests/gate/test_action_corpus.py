"""The action on real pull requests: GOLF_AUDIT_CLONE names a clone of the challenge with every head."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from golf_audit.gate.event import PullRequest
from golf_audit.gitclone import Clone

from .conftest import Challenge
from .runner import Done
from .server import REPOSITORY

pytestmark = pytest.mark.corpus


@pytest.fixture
def real(challenge: Challenge) -> Callable[[int], Done]:
    """Runs the action on a pull request of the real clone, as if it had been fetched.

    A clone may lack the largest blobs; git serves no fetch from such a one."""
    if "GOLF_AUDIT_CLONE" not in os.environ:
        pytest.skip("GOLF_AUDIT_CLONE names no clone of the challenge")
    clone = Path(os.environ["GOLF_AUDIT_CLONE"]).resolve()

    def run(number: int) -> Done:
        with Clone(clone) as git:
            told = PullRequest(number, REPOSITORY, "main", git.resolve_pr(number))
        challenge.github.pull(number, told.head)
        pull = challenge.temp / "golf-audit" / "pull"
        pull.mkdir()
        (pull / "repo.git").symlink_to(clone)
        (pull / "event.json").write_text(json.dumps(told.as_event()), encoding="utf-8")
        runner = challenge.runner(number)
        runner.given = {"fetch": {"number": str(number), "head": told.head}}
        return runner.run()

    return run


def annotated(done: Done) -> list[str]:
    return [line for line in done.stdout.splitlines() if line.startswith("::error ")]


def test_1958_fails_on_the_line_that_adapts(real: Callable[[int], Done]) -> None:
    done = real(1958)
    assert done.exit_code == 1, done.stderr
    order = [line for line in annotated(done) if "title=T01 fail" in line]
    report = json.loads((done.report / "report.json").read_bytes())
    (t01,) = (r for r in report["rulings"] if r["rule"] == "T01")
    shown = t01["findings"][0]["evidence"][0]
    place = f"{report['submission']['folder']}/{shown['file']}"
    assert order[0].startswith(f"::error file={place},line={shown['line']},")
    text = subprocess.run(
        ["git", "-C", os.environ["GOLF_AUDIT_CLONE"], "show", f"refs/pull/1958/head:{place}"],
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert text.splitlines()[shown["line"] - 1].strip() == "optimizer.step()"


def test_1493_has_no_fail(real: Callable[[int], Done]) -> None:
    done = real(1493)
    assert done.exit_code == 0, done.stderr
    assert annotated(done) == [] and done.outputs["submissions"] == "1"
    assert done.outputs["verdict"] in ("open", "pass")
