"""rerun and trace as an ordinary user: without root the sandbox is built from user namespaces alone."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from golf_audit.ledger import read_ledger
from tests.rerun import ordinary
from tests.rerun.small import data, folder

EXAMPLE = ordinary.ROOT / "examples" / "track_10min_16mb" / "2026-04-21_PolishBeforeQuantising"


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that its user can enter; pytest's own are root's alone."""
    if os.geteuid() != 0:
        pytest.skip("this user is an ordinary one: tests/rerun/test_local.py is this test")
    top = Path(tempfile.mkdtemp(prefix="ordinary-"))
    top.chmod(0o755)
    made = top / "home"
    made.mkdir()
    try:
        if ordinary.run(made, "bwrap", "--unshare-user", "--ro-bind", "/", "/", "true").returncode != 0:
            pytest.skip("user namespaces are root's alone on this machine")
        yield made
    finally:
        shutil.rmtree(top)


def test_an_ordinary_user_reruns(home: Path) -> None:
    submission, shards = folder(home), data(home)
    where = ("--data", str(shards), "--ledger", str(home / "runs.jsonl"), "--seeds", "42", "--yes")
    done = ordinary.run(home, sys.executable, "-m", "golf_audit", "rerun", str(submission), *where)
    assert "Traceback" not in done.stderr, done.stderr
    book = read_ledger(home / "runs.jsonl")
    assert [end.body["ending"] for end in book.of("end")] == ["finished"], done.stdout + done.stderr
    assert done.returncode == 3 and f"ledger head {book.head}" in done.stdout
    assert (home / "runs.jsonl").stat().st_uid == ordinary.UID


@pytest.mark.slow
def test_an_ordinary_user_traces(home: Path) -> None:
    shutil.copytree(EXAMPLE, home / EXAMPLE.name)
    output = home / "trace.json"
    command = ("-m", "golf_audit", "trace", str(home / EXAMPLE.name), "--output", str(output))
    done = ordinary.run(home, sys.executable, *command)
    assert done.returncode == 0 and "attested" in done.stdout, done.stdout + done.stderr
    assert output.stat().st_uid == ordinary.UID
