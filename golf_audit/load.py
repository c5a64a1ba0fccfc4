"""The ways in: a folder on disk, a pull request of a clone, or any ref of it -> Submissions.

The date whose law applies by default is that of the head's committer, but never before the commit of main
it builds on: a committer may write any date. Without git it is the date in the folder's name, failing that
the one in submission.json; a folder without either is judged by all the law there is.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from golf_audit.claims import read_claims
from golf_audit.errors import NoSuchSubmission
from golf_audit.filetree import OUTSIDE, FileTree, GitEntry, read_folder, read_tree
from golf_audit.gitclone import Clone
from golf_audit.law import LAUNCH
from golf_audit.model import Head
from golf_audit.pullrequest import CLAIM, HOME, Additions, additions, submission_folders, track_of
from golf_audit.submission import Change, Diff, Submission

SCRIPT = "train_gpt.py"
UNDATED = dt.date(2026, 5, 2)
"""The date of a folder that names none: the last commit on main, with all rulings in force."""

_DATE = re.compile(r"(20[0-9]{2})[-_]([0-9]{1,2})[-_]([0-9]{1,2})(?![0-9])")


def load_folder(path: str | Path) -> Submission:
    """Read one folder from disk. Raises NoSuchSubmission with one clear line when there is none to read."""
    given = Path(path)
    tree = read_folder(given)
    if not tree.files:
        what = tree.faults[0].what if tree.faults else "an empty folder"
        raise NoSuchSubmission(f"{given}: {what}; name the folder that holds train_gpt.py")
    place = os.path.abspath(given).replace(os.sep, "/")
    _refuse_several(given, place, tree)
    folder = _below_records(place)
    head = Head(folder, tree.fingerprint)
    return Submission(head, track_of(place), _folder_date(folder, tree), tree)


def load_pull_request(clone: Clone | str | Path, pr: int) -> tuple[Submission, ...]:
    """The submissions that a pull request adds, by folder; empty when it adds none. Raises CloneError."""
    with _opened(clone) as git:
        return load_additions(git, additions(git, git.resolve_pr(pr)), pr)


def load_ref(clone: Clone | str | Path, ref: str) -> tuple[Submission, ...]:
    """The submissions that a branch or commit adds to main, by folder. Raises CloneError."""
    with _opened(clone) as git:
        return load_additions(git, additions(git, git.resolve(ref)), None)


def load_on_main(clone: Clone, folder: str) -> Submission:
    """A folder as the tip of main has it, by its path from the root. Raises CloneError."""
    tip = clone.commit(clone.main)
    tree = read_tree(_inside(clone.tree(tip.oid), folder), clone)
    if not tree.files:
        raise NoSuchSubmission(f"{folder[:200]!r}: no such folder on main")
    head = Head(folder, tree.fingerprint, tip.oid)
    return Submission(head, track_of(folder), _folder_date(folder, tree), tree)


def _opened(clone: Clone | str | Path) -> AbstractContextManager[Clone]:
    return nullcontext(clone) if isinstance(clone, Clone) else Clone(clone)


def load_additions(clone: Clone, found: Additions, pr: int | None) -> tuple[Submission, ...]:
    """The submissions of a head that was compared with main already."""
    changes = tuple(Change(change.status, change.path) for change in found.changes)
    diff = Diff(found.base, changes, found.folders)
    date = max(found.head.date, clone.commit(found.base).date).date()
    submissions = []
    for folder in found.folders:
        entries = clone.tree(found.head.oid)
        tree = read_tree(_inside(entries, folder) + _script_outside(entries, folder, found), clone)
        head = Head(folder, tree.fingerprint, found.head.oid, pr)
        submissions.append(Submission(head, track_of(folder), date, tree, diff))
    return tuple(submissions)


def _inside(entries: Iterable[GitEntry], folder: str) -> list[GitEntry]:
    """The entries below a folder, their paths relative to it."""
    prefix = f"{folder}/"
    return [
        GitEntry(entry.path.removeprefix(prefix), entry.mode, entry.oid)
        for entry in entries
        if entry.path.startswith(prefix)
    ]


def _script_outside(entries: Iterable[GitEntry], folder: str, found: Additions) -> list[GitEntry]:
    """The root's train_gpt.py, where a pull request changes that one and hands in a folder without a script.

    It is what was run; that it lies outside the folder is R01's finding."""
    inside = f"{folder}/"
    changed = any(change.path == SCRIPT and change.status in ("A", "M") for change in found.changes)
    scripts = (e.path for e in entries if e.path.startswith(inside) and e.path.endswith(".py"))
    if not changed or any(scripts):
        return []
    return [GitEntry(OUTSIDE + SCRIPT, e.mode, e.oid) for e in entries if e.path == SCRIPT]


def _refuse_several(given: Path, place: str, tree: FileTree) -> None:
    """A folder of folders is not a submission: a track, records/, the repository itself."""
    if CLAIM in tree.files:
        return
    parts = place.split("/")
    if parts[-1].startswith("track_") and parts[-2:-1] == [HOME]:
        prefix = f"{HOME}/{parts[-1]}/"
    elif any(path.startswith(f"{HOME}/") for path in tree.files):
        prefix = ""
    elif parts[-1] == HOME or not any("/" not in path for path in tree.files):
        prefix = f"{HOME}/"
    else:
        return
    names = [
        folder.removeprefix(prefix) for folder in submission_folders(prefix + path for path in tree.files)
    ]
    count = "one submission" if len(names) == 1 else f"{len(names)} submissions"
    what = f"a folder of {count}, such as {names[0]}" if names else "no submission in it"
    raise NoSuchSubmission(f"{given}: {what}; name the folder that holds train_gpt.py")


def _below_records(place: str) -> str:
    """A folder's name for reports, which hold no absolute path: from records/ on, else its own name."""
    parts = place.rstrip("/").split("/")
    start = max((i for i, part in enumerate(parts[:-1]) if part == HOME), default=len(parts) - 1)
    return "/".join(parts[start:])


def _folder_date(folder: str, tree: FileTree) -> dt.date:
    """The first date of the challenge that the folder's name or submission.json begins with."""
    claim = read_claims(tree).date
    texts = [folder.rpartition("/")[2], claim.value if claim is not None else ""]
    dates = (_date(text) for text in texts)
    return next((date for date in dates if date is not None and date >= LAUNCH), UNDATED)


def _date(text: str) -> dt.date | None:
    match = _DATE.match(text.strip())
    if match is None:
        return None
    try:
        return dt.date(*(int(part) for part in match.groups()))
    except ValueError:
        return None  # 2026-02-31: a name like any other
