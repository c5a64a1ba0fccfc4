"""What the tool asks of a clone: refs and pull requests, commits, differences, trees and blobs.

Every answer is a value; commits and blobs go by their object id. Refs are looked up in the clone's own list
and never handed to git as text, so no ref can be taken for an option. One Clone serves one process.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from golf_audit.errors import CloneError
from golf_audit.filetree import GitEntry
from golf_audit.gitprocess import TIMEOUT, GitProcess

# Where the head of pull request N lies, best place first: a mirror, what was fetched by hand, a local branch,
# and the merge commit that CI checks out.
_PULL_REQUEST_PLACES = tuple(
    re.compile(pattern)
    for pattern in (
        r"refs/pull/([1-9][0-9]{0,8})/head",
        r"refs/remotes/[^/]+/(?:pr|pull)/([1-9][0-9]{0,8})(?:/head)?",
        r"refs/heads/(?:pr|pull)/([1-9][0-9]{0,8})",
        r"refs/(?:remotes/)?pull/([1-9][0-9]{0,8})/merge",
    )
)
_MERGE = len(_PULL_REQUEST_PLACES) - 1
_REF = re.compile(r"(?P<name>[^\x00-\x20\x7f~^:?*\[\\]{1,500})(?P<steps>(?:[~^][0-9]{0,6}){0,20})")
_OID = re.compile(r"[0-9a-f]{4,64}")
_FULL_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TREES_KEPT = 16


@dataclass(frozen=True)
class Commit:
    """One commit. `date` is the committer's, in UTC; at the border of a shallow clone `parents` is empty."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    date: dt.datetime


@dataclass(frozen=True)
class DiffEntry:
    """One path that differs between two trees: A added, M modified, D deleted, T changed its type."""

    status: str
    path: str  # from the root of the repository; undecodable bytes as surrogates
    old: str  # blob id; zeros where there is none
    new: str


class Clone:
    """A git clone, bare or with a work tree. What git cannot answer raises CloneError with one clear line.

    `base`, a commit id, stands in for the tip of the main branch."""

    def __init__(self, path: str | Path, timeout: float = TIMEOUT, base: str | None = None) -> None:
        self.path = Path(path)
        self._given_main = base
        self._git = GitProcess(self.path, timeout)
        self._trees: dict[str, tuple[GitEntry, ...]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the git processes behind this clone."""
        self._git.close()

    # -- refs

    @cached_property
    def refs(self) -> dict[str, str]:
        """Full name of every ref -> object id (for an annotated tag, of what it tags)."""
        form = "--format=%(refname)%00%(objectname)%00%(*objectname)"
        lines = _text(self._git.in_clone("for-each-ref", form)).split("\n")
        fields = (line.split("\0") for line in lines if line)
        return {name: tagged or oid for name, oid, tagged in fields}

    @cached_property
    def _pull_requests(self) -> dict[int, tuple[int, str]]:
        """Number -> (index of the best place, object id)."""
        found: dict[int, tuple[int, str]] = {}
        for name, oid in self.refs.items():
            for place, pattern in enumerate(_PULL_REQUEST_PLACES):
                if match := pattern.fullmatch(name):
                    number = int(match[1])
                    found[number] = min(found.get(number, (place, oid)), (place, oid))
        return found

    @property
    def pull_requests(self) -> tuple[int, ...]:
        """The numbers of all pull requests in this clone, ascending."""
        return tuple(sorted(self._pull_requests))

    def resolve_pr(self, number: int) -> str:
        """The head commit of a pull request."""
        if number not in self._pull_requests:
            raise CloneError(
                f"pull request {number} is not in this clone; to fetch it: "
                f"git fetch origin refs/pull/{number}/head:refs/remotes/origin/pr/{number}"
            )
        place, oid = self._pull_requests[number]
        parents = self.commit(oid).parents
        return parents[1] if place == _MERGE and len(parents) == 2 else oid

    def resolve(self, ref: str) -> str:
        """The commit behind a branch, tag, full ref name, HEAD or (short) commit id; `~2^` may follow."""
        match = _REF.fullmatch(ref)
        shown = repr(ref[:100])
        if match is None or ref.startswith("-") or ".." in ref or "@{" in ref:
            raise CloneError(f"{shown}: not a ref that can be read; name a branch, a tag or a commit")
        oid = self._named(match["name"]) or match["name"]
        if _OID.fullmatch(oid) is None:
            raise CloneError(f"{shown}: no such branch, tag or commit in this clone")
        wanted = f"{oid}{match['steps']}^{{commit}}"
        try:
            answer = self._git.run("rev-parse", "--verify", "--end-of-options", wanted)
        except CloneError:
            raise CloneError(f"{shown}: no such commit in this clone{self._shallow}") from None
        return _text(answer).split()[-1]

    def _named(self, name: str) -> str | None:
        if name == "HEAD":
            return self._checked_out
        places = (name, f"refs/{name}", f"refs/tags/{name}", f"refs/heads/{name}", f"refs/remotes/{name}")
        return next((self.refs[place] for place in places if place in self.refs), None)

    @cached_property
    def _checked_out(self) -> str | None:
        """The commit of HEAD; None on a branch without commits."""
        try:
            return _text(self._git.in_clone("rev-parse", "--verify", "--quiet", "HEAD")).strip()
        except CloneError:
            return None

    @cached_property
    def main(self) -> str:
        """The tip of the main branch: the one given, upstream's, else origin's, else the clone's own."""
        if self._given_main is not None:
            return _full(self._given_main)
        names = [f"refs/remotes/{remote}/" for remote in ("upstream", "origin")] + ["refs/heads/"]
        places = [prefix + name for prefix in names for name in ("main", "master", "HEAD")]
        for place in places:
            if place in self.refs:
                return self.refs[place]
        raise CloneError(f"{self.path}: no branch main or master, here or of the remotes origin and upstream")

    # -- history

    def commit(self, oid: str) -> Commit:
        """Read one commit."""
        answer = self._git.reader("--batch").content(_full(oid))
        if answer is None or answer[0].kind != "commit":
            raise CloneError(f"commit {oid} is not in this clone{self._shallow}")
        header = answer[1].split(b"\n\n", 1)[0].decode("utf-8", errors="replace").split("\n")
        parents = () if oid in self._git.shallow_border else tuple(_values(header, "parent"))
        return Commit(oid, _values(header, "tree")[0], parents, _date(oid, _values(header, "committer")))

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor, None for unrelated histories. A shallow clone cannot tell: CloneError."""
        both = (_full(one), _full(other))
        answer = self._git.run("merge-base", "--end-of-options", *both, accept=(0, 1))  # 1: there is none
        if not answer and self._shallow:
            raise CloneError(f"{one[:12]} and {other[:12]} have no common history here{self._shallow}")
        return _text(answer).strip() or None

    @cached_property
    def main_line(self) -> tuple[Commit, ...]:
        """Main as it stood after each change: its commits along first parents, newest first."""
        output = self._git.run("rev-list", "--first-parent", "--end-of-options", _full(self.main))
        return tuple(self.commit(oid) for oid in _text(output).split())

    @property
    def _shallow(self) -> str:
        return "; the clone is shallow: git fetch --unshallow" if self._git.shallow_border else ""

    # -- content

    def diff(self, base: str, head: str) -> tuple[DiffEntry, ...]:
        """Every path that differs between two commits. A rename is a deletion and an addition."""
        options = ("-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv")
        output = self._git.run("diff-tree", *options, "--end-of-options", _full(base), _full(head))
        fields = _text(output).split("\0")
        entries = []
        for meta, path in zip(fields[:-1:2], fields[1::2], strict=True):
            _, _, old, new, status = meta.split(" ")
            entries.append(DiffEntry(status[:1], path, old, new))
        return tuple(entries)

    def tree(self, commit: str) -> tuple[GitEntry, ...]:
        """Every file of a commit, paths from the root of the repository."""
        if commit not in self._trees:
            output = self._git.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", _full(commit))
            while len(self._trees) >= _TREES_KEPT:
                del self._trees[next(iter(self._trees))]
            self._trees[commit] = tuple(_entry(line) for line in _text(output).split("\0")[:-1])
        return self._trees[commit]

    def size(self, oid: str) -> int | None:
        """Bytes of a blob, None when this clone lacks it."""
        info = self._git.reader("--batch-check").info(_full(oid))
        return None if info is None else info.size

    def read(self, oid: str) -> bytes | None:
        """The bytes of a blob, None when this clone lacks it. Ask for the size first."""
        answer = self._git.reader("--batch").content(_full(oid))
        return None if answer is None else answer[1]


def _text(output: bytes) -> str:
    return output.decode("utf-8", errors="surrogateescape")


def _full(oid: str) -> str:
    """An object id as git writes it; nothing else reaches a command line."""
    if _FULL_OID.fullmatch(oid) is None:
        raise CloneError(f"{oid!r}: not a full object id")
    return oid


def _entry(line: str) -> GitEntry:
    meta, path = line.split("\t", 1)
    mode, _, oid = meta.split(" ")
    return GitEntry(path, mode, oid)


def _values(header: Sequence[str], key: str) -> list[str]:
    return [line.removeprefix(f"{key} ") for line in header if line.startswith(f"{key} ")]


def _date(oid: str, committer: Sequence[str]) -> dt.datetime:
    """The moment after the last `>` of a committer line: seconds since 1970 and a time zone."""
    try:
        seconds = int(committer[0].rsplit(">", 1)[1].split()[0])
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    except (IndexError, ValueError, OverflowError):
        raise CloneError(f"commit {oid} has no readable committer date") from None
