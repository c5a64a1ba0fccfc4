"""Which submission folders does a head add? What main, as it stood, did not have.

A head is compared with main of the day it was committed: against main's tip a merged head differs in nothing,
and a fork that later main contains in part differs in too little. A folder that main already had is carried
over by a stale fork, or modified; neither is an addition (research/census.md, formats.md a7).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from golf_audit.filetree import FILE_CAP
from golf_audit.gitclone import Clone, Commit, DiffEntry
from golf_audit.model import Track

HOME = "records"
"""The folder of the challenge's repository that submissions are handed in to."""
CLAIM = "submission.json"

_SCRIPT = re.compile(r"train_gpt.*\.py")
_ANY_SCRIPT = re.compile(r".*train.*\.py", re.IGNORECASE)
_LOG = re.compile(r".*\.(?:log|out|stdout)|.*(?:log|train|seed).*\.txt", re.IGNORECASE)


@dataclass(frozen=True)
class Additions:
    """What a head changes against the commit `base`, and the submission folders that it adds."""

    head: Commit
    base: str
    changes: tuple[DiffEntry, ...]
    folders: tuple[str, ...]  # from the root of the repository, sorted


def additions(clone: Clone, oid: str) -> Additions:
    """Compare a head with main as it stood. A head without a submission has no folders."""
    head = clone.commit(oid)
    base, before = _base(clone, head)
    changes = clone.diff(base, head.oid)
    added = {change.path: change.new for change in changes if change.status == "A"}
    carried = _Carried(clone, before, added)
    folders = [folder for folder in submission_folders(added) if not carried.has(folder)]
    return Additions(head, base, changes, tuple(folders))


def track_of(folder: str) -> Track:
    """The track that a folder lies in, by the innermost `track_*` part above it."""
    for part in reversed(folder.split("/")[:-1]):
        if part.startswith("track_non_record"):
            return Track.NON_RECORD
        if part.startswith("track_10min"):
            return Track.RECORD
    return Track.UNKNOWN


# -- main as it stood


def _base(clone: Clone, head: Commit) -> tuple[str, str]:
    """The commit to compare a head with, and the state of main whose folders are not new."""
    line = clone.main_line
    now = next((i for i, commit in enumerate(line) if commit.date <= head.date), len(line) - 1)
    newest = clone.merge_base(line[0].oid, head.oid)
    known = next((i for i, commit in enumerate(line) if commit.oid == newest), now)
    now = min(now, known)  # a head built on a later main than its own clock says
    fork = clone.merge_base(line[now].oid, head.oid)
    if fork == head.oid:
        now = _first_with(clone, head.oid)
        if line[now].oid == head.oid or now + 1 == len(line):
            return head.oid, head.oid  # the head is a state of main: it adds nothing to it
        now += 1  # main before the merge that brought the head in
        fork = clone.merge_base(line[now].oid, head.oid)
    before = line[now].oid
    return fork or before, before  # unrelated histories (#1547): all that main did not have is new


def _first_with(clone: Clone, oid: str) -> int:
    """Index in main's line, newest first, of the oldest state whose history holds this commit."""
    low, high = 0, len(clone.main_line) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if clone.merge_base(clone.main_line[middle].oid, oid) == oid:
            low = middle
        else:
            high = middle - 1
    return low


# -- folders


def submission_folders(added: Iterable[str]) -> list[str]:
    """The folders among added files that are handed in as a submission, sorted.

    Below records/ that is a folder with a claim, a train_gpt script, or a README beside a log or a training
    script; sub-folders belong to the folder that holds them. Elsewhere it takes a claim and a script near
    the root (deeper down lie notes on others' work); failing all that, the only folder with a script and a
    README, log or claim. The root of the repository is never one."""
    contents: dict[str, set[str]] = defaultdict(set)
    for path in added:
        folder, _, name = path.rpartition("/")
        contents[folder].add(name)
    found = {
        _record_folder(folder, contents) for folder, names in contents.items() if _at_home(folder, names)
    }
    scripts = {f: n for f, n in contents.items() if f and not _below(f, HOME) and _any(_SCRIPT, n)}
    found |= {folder for folder, names in scripts.items() if CLAIM in names and folder.count("/") < 2}
    found.discard("")
    if not found:
        found = {f for f, names in scripts.items() if CLAIM in names or _readme(names) or _any(_LOG, names)}
        found = found if len(found) == 1 else set()
    return sorted(folder for folder in found if not any(_below(folder, other) for other in found - {folder}))


def _at_home(folder: str, names: set[str]) -> bool:
    if not _below(folder, HOME):
        return False
    if CLAIM in names or _any(_SCRIPT, names):
        return True
    return _readme(names) and (_any(_LOG, names) or _any(_ANY_SCRIPT, names))


def _record_folder(folder: str, contents: dict[str, set[str]]) -> str:
    """The topmost folder with files of its own on the way from the track to `folder`; "" for the track."""
    parts = folder.split("/")
    start = 1
    for i in range(1, len(parts)):
        if parts[i - 1] == HOME and parts[i].startswith("track_"):
            start = i + 1
    ways = ("/".join(parts[: end + 1]) for end in range(start, len(parts)))
    return next((way for way in ways if way in contents), "")


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _any(pattern: re.Pattern[str], names: set[str]) -> bool:
    return any(pattern.fullmatch(name) for name in names)


def _readme(names: set[str]) -> bool:
    return any(name.lower().startswith("readme") for name in names)


class _Carried:
    """Tells a folder that main already had from a new one."""

    def __init__(self, clone: Clone, before: str, added: dict[str, str]) -> None:
        self._clone = clone
        self._added = added
        self._main = {entry.path: entry.oid for entry in clone.tree(before)}
        self._homes: dict[str, list[str]] = defaultdict(list)  # name of a record folder -> its paths
        for folder in {path.rpartition("/")[0] for path in self._main if path.startswith(f"{HOME}/")}:
            self._homes[folder.rpartition("/")[2]].append(folder)

    def has(self, folder: str) -> bool:
        """True when main holds this folder, or elsewhere one of its name with the same claim and scripts."""
        if any(path.startswith(f"{folder}/") for path in self._main):
            return True
        return any(self._same(folder, twin) for twin in self._homes[folder.rpartition("/")[2]])

    def _same(self, folder: str, twin: str) -> bool:
        names = [path.removeprefix(f"{folder}/") for path in self._added if path.startswith(f"{folder}/")]
        decisive = [name for name in names if name == CLAIM or _SCRIPT.fullmatch(name)]
        pairs = [(self._added[f"{folder}/{n}"], self._main.get(f"{twin}/{n}")) for n in decisive]
        return bool(pairs) and all(new == old or self._text(new) == self._text(old) for new, old in pairs)

    def _text(self, oid: str | None) -> bytes | None:
        """Content without carriage returns: forks re-carry folders with the line endings of their system."""
        size = self._clone.size(oid) if oid is not None else None
        if oid is None or size is None or size > FILE_CAP:
            return None
        data = self._clone.read(oid)
        return None if data is None else data.replace(b"\r\n", b"\n")
