"""The files of one submission as they lie in a folder or a git tree: names, sizes, bytes within limits.

Links, devices and oversized files are listed and never opened or followed; each leaves a Fault. A file over
the limit is not read in part either: half a log would give positions and sums that nobody can check.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Protocol

from golf_audit.errors import NoSuchSubmission
from golf_audit.model import Fault, Where
from golf_audit.text import Text, decode

FILE_CAP = 20 * 2**20
"""Bytes of one file that are read; above it only the size is known. The largest real log is 2.2 MB."""
TREE_CAP = 96 * 2**20
"""Bytes read over all files of a folder, text first."""
COUNT_CAP = 5_000
"""Files listed in one folder; the largest real one has a few hundred."""
DEPTH_CAP = 40
"""Folders inside folders that are entered."""

_TEXT_FIRST = (".py", ".json", ".md", ".sh", ".log", ".txt", ".out", ".stdout", ".toml", ".yml", ".yaml")


OUTSIDE = "(repository root)/"
"""Stands before the path of a file that belongs to a submission and lies outside its folder."""


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
                body = f"{file.sort.value} {file.size} {file.oid}"
            digest.update(f"{path}\0{body}\0".encode("utf-8", errors="surrogatepass"))
        return digest.hexdigest()


@dataclass(frozen=True)
class GitEntry:
    """One line of `git ls-tree`: path, mode ("100644") and object id."""

    path: str
    mode: str
    oid: str


class BlobSource(Protocol):
    """Where the bytes of a git tree come from; gitclone.Clone is one."""

    def size(self, oid: str) -> int | None:
        """Bytes of a blob, None when it is absent."""

    def read(self, oid: str) -> bytes | None:
        """The bytes of a blob, None when it is absent."""


_FAULTS = {
    Sort.LINK: "a symbolic link, not followed",
    Sort.SPECIAL: "not a regular file, not opened",
    Sort.SUBMODULE: "a git submodule, not followed",
}
_GIT_SORTS = {
    "100644": Sort.FILE,
    "100755": Sort.FILE,
    "100664": Sort.FILE,
    "120000": Sort.LINK,
    "160000": Sort.SUBMODULE,
}


def fault(path: str, what: str) -> Fault:
    """A Fault about a whole file."""
    return Fault(what, Where(path))


def reading_order(paths: Iterable[str]) -> list[str]:
    """Sources, claims and logs before weights, so that a cap never hides what rules read."""

    def key(path: str) -> tuple[int, int, str]:
        suffix = os.path.splitext(path)[1].lower()
        rank = _TEXT_FIRST.index(suffix) if suffix in _TEXT_FIRST else len(_TEXT_FIRST)
        return (rank, path.count("/"), path)

    return sorted(paths, key=key)


class _Reading:
    """Files read so far, within the limits of one folder."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.faults: list[Fault] = []
        self._budget = TREE_CAP

    def add(
        self, path: str, sort: Sort, size: int | None, read: Callable[[], bytes | None], oid: str = ""
    ) -> None:
        """List one entry, and read it when it is a regular file within the limits."""
        data = None
        if sort is not Sort.FILE:
            self._fault(path, _FAULTS[sort])
        elif size is None:
            self._fault(path, "blob absent from this clone")
        elif size > FILE_CAP:
            self._fault(path, f"{size:,} bytes, over the limit of {FILE_CAP:,} for one file; not read")
        elif size > self._budget:
            self._fault(path, f"{size:,} bytes, over what is left of {TREE_CAP:,} for the folder; not read")
        else:
            data = read()
        self._budget -= len(data) if data is not None else 0
        self.files[path] = File(path, size, data, sort, oid)

    def unreadable(self, path: str, error: OSError) -> None:
        """List a file that the system would not give."""
        self._fault(path, f"not readable: {error.strerror or type(error).__name__}")
        self.files[path] = File(path, None, None)

    def _fault(self, path: str, what: str) -> None:
        self.faults.append(fault(path, what))

    def tree(self) -> FileTree:
        return FileTree({path: self.files[path] for path in sorted(self.files)}, tuple(self.faults))


def read_tree(entries: Iterable[GitEntry], source: BlobSource) -> FileTree:
    """Read a git tree; paths are relative to the submission folder. A blob that is absent leaves a Fault."""
    reading = _Reading()
    by_path: dict[str, GitEntry] = {}
    for entry in entries:
        if {"", ".", ".."} & set(entry.path.split("/")):  # git writes none; a forged tree object can
            reading.faults.append(fault(entry.path, "an impossible path, not read"))
        else:
            by_path[entry.path] = entry
    paths = reading_order(by_path)
    if len(paths) > COUNT_CAP:
        reading.faults.append(_too_many())
    for path in paths[:COUNT_CAP]:
        entry = by_path[path]
        sort = _GIT_SORTS.get(entry.mode, Sort.SPECIAL)
        size = None if sort is Sort.SUBMODULE else source.size(entry.oid)
        reading.add(path, sort, size, partial(source.read, entry.oid), entry.oid)
    return reading.tree()


def read_folder(folder: Path) -> FileTree:
    """Read a folder from disk. Raises NoSuchSubmission when it is missing, not a folder, or not readable."""
    try:
        is_folder = stat.S_ISDIR(folder.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise NoSuchSubmission(f"{folder}: no such folder") from None
    except (OSError, ValueError) as error:
        raise NoSuchSubmission(
            f"{folder}: not readable: {getattr(error, 'strerror', None) or error}"
        ) from None
    if not is_folder:
        raise NoSuchSubmission(f"{folder}: a file, not a folder; name the folder that holds train_gpt.py")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise NoSuchSubmission(f"{folder}: not readable by this user")
    reading = _Reading()
    for path in reading_order(_walk(folder, reading.faults)):
        _read_entry(folder, path, reading)
    return reading.tree()


_SKIPPED_FOLDERS = frozenset({".git", "__pycache__", ".venv", "node_modules", ".mypy_cache", ".pytest_cache"})


def _walk(folder: Path, faults: list[Fault]) -> list[str]:
    """Paths of all entries that are not folders, upper levels first, without recursion."""
    found: list[str] = []
    waiting = deque([""])
    while waiting:
        inside = waiting.popleft()
        folders, others = _list(folder, inside, faults)
        if len(found) + len(others) > COUNT_CAP:
            faults.append(_too_many())
            return found + others[: COUNT_CAP - len(found)]
        found += others
        if folders and inside.count("/") >= DEPTH_CAP:
            faults.append(fault(inside, f"more than {DEPTH_CAP} folders deep; what lies below was not read"))
        else:
            waiting.extend(folders)
    return found


def _list(folder: Path, inside: str, faults: list[Fault]) -> tuple[list[str], list[str]]:
    """Sub-folders and other entries of one folder, each sorted; links to folders are other entries."""
    folders: list[str] = []
    others: list[str] = []
    try:
        with os.scandir(folder / inside) as entries:
            for entry in islice(entries, 10 * COUNT_CAP):
                path = f"{inside}/{entry.name}" if inside else entry.name
                if not entry.is_dir(follow_symlinks=False):
                    others.append(path)
                elif entry.name not in _SKIPPED_FOLDERS:
                    folders.append(path)
    except OSError as error:
        faults.append(fault(inside or ".", f"not readable: {error.strerror}"))
    return sorted(folders), sorted(others)


def _too_many() -> Fault:
    return fault(".", f"more than {COUNT_CAP:,} files; the rest were not read")


def _read_entry(folder: Path, path: str, reading: _Reading) -> None:
    full = folder / path
    try:
        info = full.lstat()
        if stat.S_ISREG(info.st_mode):
            reading.add(path, Sort.FILE, info.st_size, partial(_read_regular, full))
        else:
            sort = Sort.LINK if stat.S_ISLNK(info.st_mode) else Sort.SPECIAL
            reading.add(path, sort, info.st_size, lambda: None)
    except OSError as error:
        reading.unreadable(path, error)


def _read_regular(full: Path) -> bytes:
    """Open without following links or blocking on a FIFO, and make sure it is still what we looked at."""
    flags = os.O_RDONLY
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"):  # each where the system has it
        flags |= getattr(os, name, 0)
    with os.fdopen(os.open(full, flags), "rb") as stream:
        data = stream.read(FILE_CAP + 1) if stat.S_ISREG(os.fstat(stream.fileno()).st_mode) else None
    if data is None or len(data) > FILE_CAP:
        raise OSError(0, "it changed while it was read")
    return data
