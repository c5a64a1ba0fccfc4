"""Folders for temporary files that go away even after a process was killed.

Each is locked by the process that made it. The kernel lets go of the lock when that process ends in whatever
way, so the next process that wants such a folder removes those whose lock is free. Where files cannot be
locked (Windows) nothing is removed.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PREFIX = "golf-audit-tmp-"
_FRESH = 60.0
"""Seconds in which a folder may still be on its way to being locked."""


@contextmanager
def scratch(name: str, parent: str | None = None) -> Iterator[Path]:
    """An empty folder of ours below `parent` (None: the usual place), gone afterwards."""
    folder, lock = make(name, parent)
    try:
        yield folder
    finally:
        remove(folder, lock)


def make(name: str, parent: str | None = None) -> tuple[Path, int]:
    """Such a folder and the descriptor that holds its lock, for who gives it to `remove` himself."""
    _remove_left(Path(parent or tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{name}-", dir=parent))
    return folder, _locked(folder)


def remove(folder: Path, lock: int) -> None:
    """The folder first, so that nobody takes it for a dead process's."""
    shutil.rmtree(folder, ignore_errors=True)
    if lock >= 0:
        os.close(lock)


def _locked(folder: Path) -> int:
    """A descriptor with the lock of a folder; -1 where there are no locks or another process has it."""
    if fcntl is None:
        return -1
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return -1
    return lock


def _remove_left(parent: Path) -> None:
    """Remove what processes of this user left behind below `parent`."""
    if fcntl is None:
        return
    for folder in parent.glob(f"{PREFIX}*"):
        try:
            found = folder.lstat()
            ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
            if not ours or time.time() - found.st_mtime < _FRESH:
                continue
            lock = _locked(folder)
        except OSError:
            continue  # another process was quicker
        if lock >= 0:
            remove(folder, lock)


__all__ = ["make", "remove", "scratch"]
