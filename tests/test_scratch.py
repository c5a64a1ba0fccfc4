"""Temporary folders: none outlives its process for longer than until the next one starts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from golf_audit import scratch

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files are not locked on Windows")
HOLD = (
    "import sys, time; from golf_audit import scratch; folder, _ = scratch.make('x', sys.argv[1]); "
    "(folder / 'deep').mkdir(); (folder / 'deep' / 'file').touch(); print(folder, flush=True); time.sleep(60)"
)


def holder(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that holds a folder, and the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(parent)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def old(folder: Path) -> None:
    os.utime(folder, (time.time() - 3600, time.time() - 3600))


def test_what_a_killed_process_left_goes_and_what_a_living_one_holds_stays(tmp_path: Path) -> None:
    dead, left = holder(tmp_path)
    living, held = holder(tmp_path)
    try:
        dead.kill()
        dead.wait()
        for folder in (left, held):
            assert (folder / "deep" / "file").exists()
            old(folder)
        with scratch.scratch("y", str(tmp_path)) as mine:
            assert not left.exists() and held.exists() and mine.exists()
        assert not mine.exists()
    finally:
        living.kill()
        for process in (dead, living):
            process.communicate()


def test_a_folder_that_was_just_made_stays(tmp_path: Path) -> None:
    """Its process may not have locked it yet."""
    (tmp_path / f"{scratch.PREFIX}new").mkdir()
    with scratch.scratch("y", str(tmp_path)):
        assert (tmp_path / f"{scratch.PREFIX}new").exists()


def test_links_and_files_of_that_name_are_not_followed_and_not_removed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "file").touch()
    (tmp_path / f"{scratch.PREFIX}link").symlink_to(target)
    (tmp_path / f"{scratch.PREFIX}file").touch()
    old(target)
    os.utime(tmp_path / f"{scratch.PREFIX}file", (0, 0))
    with scratch.scratch("y", str(tmp_path)):
        pass
    assert (target / "file").exists() and (tmp_path / f"{scratch.PREFIX}file").exists()


def test_another_users_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / f"{scratch.PREFIX}left"
    left.mkdir()
    old(left)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with scratch.scratch("y", str(tmp_path)):
        assert left.exists()
