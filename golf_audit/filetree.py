"""The files of one submission as they lie in a folder or a git tree: names, sizes, bytes within limits.

Links, devices and oversized files are listed and never opened or followed; each leaves a Fault.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path

from golf_audit.errors import NoSuchSubmission
from golf_audit.model import Fault, Where
from golf_audit.text import Text, decode

FILE_CAP = 20 * 2**20
"""Bytes of one file that are read; above it only the size is known. The largest real log is 2.2 MB."""
TREE_CAP = 96 * 2**20
"""Bytes read over all files of a folder, text first."""
COUNT_CAP = 5_000
"""Files listed in one folder; the largest real one has a few hundred."""

_TEXT_FIRST = (".py", ".json", ".md", ".sh", ".log", ".txt", ".out", ".stdout", ".toml", ".yml", ".yaml")


class Sort(Enum):
    """What a directory entry is."""

    FILE = "file"
    LINK = "symbolic link"
    SPECIAL = "special file"
    SUBMODULE = "git submodule"


@dataclass(frozen=True)
class File:
    """One entry. `data` is None when it was not read: absent from a partial clone, too large, a link."""

    path: str  # POSIX, relative to the submission folder
    size: int | None  # bytes; None when unknown (absent blob)
    data: bytes | None
    sort: Sort = Sort.FILE
    oid: str = ""  # git blob id, when it came from a clone

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def suffix(self) -> str:
        """Lower-case suffix with the dot, "" without one."""
        return os.path.splitext(self.name)[1].lower()

    @cached_property
    def text(self) -> Text | None:
        """The decoded text, None when the bytes were not read."""
        return None if self.data is None else decode(self.data)


@dataclass(frozen=True)
class FileTree:
    """All files of a folder by path, and what could not be read."""

    files: dict[str, File]
    faults: tuple[Fault, ...] = ()

    def get(self, path: str) -> File | None:
        return self.files.get(path)

    def matching(self, *suffixes: str) -> list[File]:
        """Regular files with one of these lower-case suffixes, by path."""
        return [f for f in self.files.values() if f.sort is Sort.FILE and f.suffix in suffixes]

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over sorted paths, kinds and contents: two folders with equal bytes share it."""
        digest = hashlib.sha256()
        for path in sorted(self.files):
            file = self.files[path]
            if file.data is not None:
                body = hashlib.sha256(file.data).hexdigest()
            else:
                body = f"{file.sort.value} {file.size}"
            digest.update(f"{path}\0{body}\0".encode("utf-8", errors="surrogateescape"))
        return digest.hexdigest()


def fault(path: str, what: str) -> Fault:
    """A Fault about a whole file."""
    return Fault(what, Where(path))


def reading_order(paths: Iterable[str]) -> list[str]:
    """Sources, claims and logs before weights, so that a cap never hides what rules read."""

    def key(path: str) -> tuple[int, str]:
        suffix = os.path.splitext(path)[1].lower()
        return (_TEXT_FIRST.index(suffix) if suffix in _TEXT_FIRST else len(_TEXT_FIRST), path)

    return sorted(paths, key=key)


def read_folder(folder: Path) -> FileTree:
    """Read a folder from disk. Raises NoSuchSubmission when it is missing or not a directory."""
    if not folder.exists():
        raise NoSuchSubmission(f"{folder}: no such folder")
    if not folder.is_dir():
        raise NoSuchSubmission(f"{folder}: a file, not a folder; name the folder that holds train_gpt.py")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise NoSuchSubmission(f"{folder}: not readable by this user")
    faults: list[Fault] = []
    paths = reading_order(_walk(folder, faults))
    files: dict[str, File] = {}
    budget = TREE_CAP
    for path in paths:
        file = _read_entry(folder, path, budget, faults)
        budget -= len(file.data) if file.data is not None else 0
        files[path] = file
    return FileTree({p: files[p] for p in sorted(files)}, tuple(faults))


_SKIPPED_FOLDERS = frozenset({".git", "__pycache__", ".venv", "node_modules", ".mypy_cache", ".pytest_cache"})


def _walk(folder: Path, faults: list[Fault]) -> list[str]:
    found: list[str] = []

    def unreadable(error: OSError) -> None:
        name = os.path.relpath(error.filename, folder).replace(os.sep, "/") if error.filename else "."
        faults.append(fault(name, f"not readable: {error.strerror}"))

    for base, folders, names in os.walk(folder, onerror=unreadable, followlinks=False):
        linked = [d for d in folders if os.path.islink(os.path.join(base, d))]
        folders[:] = sorted(d for d in folders if d not in _SKIPPED_FOLDERS and d not in linked)
        for name in sorted(names + linked):
            if len(found) >= COUNT_CAP:
                faults.append(fault(".", f"more than {COUNT_CAP} files; the rest were not read"))
                return found
            found.append(os.path.relpath(os.path.join(base, name), folder).replace(os.sep, "/"))
    return found


def _read_entry(folder: Path, path: str, budget: int, faults: list[Fault]) -> File:
    full = folder / path
    try:
        info = full.lstat()
        if stat.S_ISLNK(info.st_mode):
            faults.append(fault(path, "a symbolic link, not followed"))
            return File(path, info.st_size, None, Sort.LINK)
        if not stat.S_ISREG(info.st_mode):
            faults.append(fault(path, "not a regular file, not opened"))
            return File(path, 0, None, Sort.SPECIAL)
        if info.st_size > min(FILE_CAP, budget):
            faults.append(fault(path, f"{info.st_size:,} bytes, over the reading limit; not read"))
            return File(path, info.st_size, None)
        return File(path, info.st_size, _read_regular(full, info))
    except OSError as error:
        faults.append(fault(path, f"not readable: {error.strerror}"))
        return File(path, None, None)


def _read_regular(full: Path, seen: os.stat_result) -> bytes:
    """Open without following links or blocking on a FIFO, and make sure it is still the file we looked at."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(full, flags)
    with os.fdopen(handle, "rb") as stream:
        now = os.fstat(stream.fileno())
        if not stat.S_ISREG(now.st_mode) or now.st_size > FILE_CAP:
            raise OSError(0, f"changed while it was read (was {seen.st_size} bytes)")
        return stream.read(FILE_CAP)
