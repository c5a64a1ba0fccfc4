"""gitclone: answers about a clone, and nothing of the clone ever runs (DESIGN section 9)."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from golf_audit.errors import CloneError
from golf_audit.filetree import read_tree
from golf_audit.gitclone import Clone, DiffEntry
from tests.gitrepo import Repo

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script as a program")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    made = Repo.create(tmp_path_factory.mktemp("template") / "clone")
    made.commit({"README.md": "one\n"}, day="2026-03-18")
    made.commit({"README.md": "two\n", "records/a.txt": "a\n"}, day="2026-03-20")
    made.branch("feature")
    made.commit({"new.py": "x = 1\n", "records/a.txt": None}, day="2026-03-21")
    made.pull_request(7)
    made.git("checkout", "-q", "main")
    return made


@pytest.fixture
def repo(template: Repo, tmp_path: Path) -> Repo:
    return template.copy(tmp_path / "clone")


@pytest.fixture
def clone(repo: Repo) -> Iterator[Clone]:
    with Clone(repo.path) as opened:
        yield opened


# --- refs -------------------------------------------------------------------------------------------------

PULL_REQUEST_PLACES = {
    "a mirror": "refs/pull/9/head",
    "fetched as origin/pr/N": "refs/remotes/origin/pr/9",
    "fetched as upstream/pull/N": "refs/remotes/upstream/pull/9",
    "fetched as origin/pull/N/head": "refs/remotes/origin/pull/9/head",
    "a local branch pr/N": "refs/heads/pr/9",
}


@pytest.mark.parametrize("ref", PULL_REQUEST_PLACES.values(), ids=PULL_REQUEST_PLACES.keys())
def test_a_pull_request_is_found_where_people_fetch_it_to(repo: Repo, ref: str) -> None:
    repo.git("update-ref", ref, "feature")
    with Clone(repo.path) as clone:
        assert clone.resolve_pr(9) == repo.git("rev-parse", "feature")
        assert clone.pull_requests == (7, 9)


@pytest.mark.parametrize(
    "ref",
    [
        "refs/pull/09/head",
        "refs/pull/9/other",
        "refs/remotes/origin/pr/9/x",
        "refs/heads/apr/9",
        "refs/tags/pr/9",
        "refs/pull/9999999999/head",
    ],
)
def test_a_ref_of_another_shape_is_no_pull_request(repo: Repo, ref: str) -> None:
    repo.git("update-ref", ref, "feature")
    with Clone(repo.path) as clone:
        assert clone.pull_requests == (7,)


def test_the_head_wins_over_a_stale_branch_of_that_name(repo: Repo) -> None:
    repo.git("update-ref", "refs/heads/pr/7", "main")
    with Clone(repo.path) as clone:
        assert clone.resolve_pr(7) == repo.git("rev-parse", "feature")


def test_of_the_merge_commit_that_ci_checks_out_the_second_parent_is_the_head(repo: Repo) -> None:
    feature = repo.git("rev-parse", "feature")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "feature")
    repo.git("update-ref", "refs/remotes/pull/11/merge", "HEAD")
    with Clone(repo.path) as clone:
        assert clone.resolve_pr(11) == feature


@pytest.mark.parametrize("ref", ["main", "HEAD", "heads/main", "refs/heads/main", "feature~1", "feature^"])
def test_a_ref_resolves_as_git_does(repo: Repo, clone: Clone, ref: str) -> None:
    assert clone.resolve(ref) == repo.git("rev-parse", ref)


def test_a_commit_id_resolves_whole_and_short(repo: Repo, clone: Clone) -> None:
    assert clone.resolve(repo.head) == clone.resolve(repo.head[:9]) == repo.head


def test_an_annotated_tag_resolves_to_its_commit(repo: Repo) -> None:
    repo.git("tag", "-a", "v1", "-m", "one")
    with Clone(repo.path) as clone:
        assert clone.resolve("v1") == repo.head


UNREADABLE_REFS = {
    "unknown": "no-such-branch",
    "an option": "--upload-pack=touch marker",
    "a short option": "-h",
    "a range": "main..feature",
    "a file of a commit": "main:README.md",
    "a search": ":/change",
    "a reflog entry": "main@{1}",
    "a pattern": "ma*",
    "a line break": "main\nfeature",
    "a NUL": "main\0",
    "an escape sequence": "\x1b[31mmain",
    "empty": "",
    "an id of no object": "0123456789abcdef",
    "a parent that is not there": "main~50",
    "ten thousand characters": "m" * 10_000,
}


@pytest.mark.parametrize("ref", UNREADABLE_REFS.values(), ids=UNREADABLE_REFS.keys())
def test_a_ref_that_cannot_be_read_is_one_clear_line(clone: Clone, ref: str) -> None:
    with pytest.raises(CloneError) as caught:
        clone.resolve(ref)
    assert len(str(caught.value).splitlines()) == 1
    assert "\x1b" not in str(caught.value)


def test_a_pull_request_that_was_not_fetched_is_named_with_the_command(clone: Clone) -> None:
    with pytest.raises(CloneError, match="git fetch origin refs/pull/99/head"):
        clone.resolve_pr(99)


def test_main_of_upstream_goes_before_that_of_a_fork(repo: Repo) -> None:
    base = repo.git("rev-parse", "main~1")
    repo.git("update-ref", "refs/remotes/origin/main", "feature")
    repo.git("update-ref", "refs/remotes/upstream/main", base)
    with Clone(repo.path) as clone:
        assert clone.main == base


def test_a_clone_without_a_main_branch_says_so(tmp_path: Path) -> None:
    made = Repo.create(tmp_path / "clone")
    made.commit({"a": "a"})
    made.git("branch", "-m", "trunk")
    with Clone(made.path) as clone, pytest.raises(CloneError, match="no branch main or master"):
        _ = clone.main


# --- history and content ----------------------------------------------------------------------------------


def test_a_commit_has_its_committer_date_in_utc(repo: Repo, clone: Clone) -> None:
    commit = clone.commit(clone.resolve("feature"))
    assert commit.date == dt.datetime(2026, 3, 21, 12, tzinfo=dt.UTC)
    assert commit.parents == (repo.git("rev-parse", "main"),)


def test_the_date_follows_a_committer_name_that_looks_like_one(repo: Repo) -> None:
    raw = (
        f"tree {repo.git('rev-parse', 'main^{tree}')}\n"
        "author A <a@b> 1700000000 +0000\ncommitter X> 99999 <a@b> 1773835200 +0200\n\nnote\ncommitter no\n"
    )
    (repo.path / "raw").write_text(raw)
    oid = repo.git("hash-object", "-t", "commit", "-w", "--literally", "raw")
    with Clone(repo.path) as clone:
        assert clone.commit(oid).date == dt.datetime(2026, 3, 18, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize("stamp", ["", "soon +0000", "99999999999999999999 +0000"])
def test_a_commit_without_a_readable_date_is_one_clear_line(repo: Repo, stamp: str) -> None:
    tree = repo.git("rev-parse", "main^{tree}")
    (repo.path / "raw").write_text(f"tree {tree}\nauthor A <a@b> 1 +0\ncommitter A <a@b> {stamp}\n\nx\n")
    oid = repo.git("hash-object", "-t", "commit", "-w", "--literally", "raw")
    with Clone(repo.path) as clone, pytest.raises(CloneError, match="committer date"):
        clone.commit(oid)


def test_a_difference_lists_additions_deletions_and_blobs(repo: Repo, clone: Clone) -> None:
    zeros = "0" * 40
    blob = repo.git("rev-parse", "feature:new.py")
    gone = repo.git("rev-parse", "main:records/a.txt")
    assert clone.diff(clone.main, clone.resolve("feature")) == (
        DiffEntry("A", "new.py", zeros, blob),
        DiffEntry("D", "records/a.txt", gone, zeros),
    )


def test_a_moved_file_is_a_deletion_and_an_addition(repo: Repo) -> None:
    repo.git("config", "diff.renames", "copies")
    text = "a line of some length\n" * 50
    before = repo.commit({"old.py": text})
    after = repo.commit({"old.py": None, "new.py": text})
    with Clone(repo.path) as clone:
        assert [(c.status, c.path) for c in clone.diff(before, after)] == [("A", "new.py"), ("D", "old.py")]


def test_the_line_of_main_holds_its_own_commits_only(repo: Repo) -> None:
    own = [repo.git("rev-parse", "main"), repo.git("rev-parse", "main~1")]
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "feature")
    with Clone(repo.path) as clone:
        assert [commit.oid for commit in clone.main_line] == [repo.head, *own]


def test_unrelated_histories_have_no_merge_base(repo: Repo) -> None:
    repo.git("checkout", "-q", "--orphan", "island")
    island = repo.commit({"b": "b"})
    with Clone(repo.path) as clone:
        assert clone.merge_base(clone.main, island) is None


HOSTILE_NAMES = [
    b"line\nbreak.py",
    b"tab\there.py",
    b"\x1b[31mred.py",
    b"not-utf8-\xff.py",
    b'quote".py',
    b"::error::x.py",
    b" lead.py",
]


@posix_only
def test_names_come_through_as_they_are(repo: Repo) -> None:
    names = [os.fsdecode(name) for name in HOSTILE_NAMES]
    head = repo.commit(dict.fromkeys(names, "x\n"))
    with Clone(repo.path) as clone:
        assert set(names) <= {entry.path for entry in clone.tree(head)}
        assert {c.path for c in clone.diff(clone.resolve("main~1"), head)} == set(names)


def test_blobs_are_read_one_after_another_in_one_process(repo: Repo, clone: Clone) -> None:
    bodies = {f"f{i}": bytes([i]) * (i * 1000) for i in range(30)}
    head = repo.commit(bodies)
    entries = {entry.path: entry.oid for entry in clone.tree(head)}
    for name, body in bodies.items():
        assert clone.size(entries[name]) == len(body)
        assert clone.read(entries[name]) == body


def test_an_object_that_is_not_there_is_none_and_not_an_error(clone: Clone) -> None:
    assert clone.size("1" * 40) is None
    assert clone.read("1" * 40) is None
    with pytest.raises(CloneError, match="not in this clone"):
        clone.commit("1" * 40)


@pytest.mark.parametrize("oid", ["main", "--batch", "", "1" * 39, "1" * 40 + "\n" + "2" * 40])
def test_only_object_ids_reach_git(clone: Clone, oid: str) -> None:
    for ask in (clone.size, clone.read, clone.commit, clone.tree):
        with pytest.raises(CloneError, match="not a full object id"):
            ask(oid)


# --- kinds of clones --------------------------------------------------------------------------------------


def test_a_bare_clone_is_read_without_a_work_tree(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--mirror", repo.path, tmp_path / "bare")
    with Clone(tmp_path / "bare") as clone:
        assert clone.resolve_pr(7) == repo.git("rev-parse", "feature")
        assert {entry.path for entry in clone.tree(clone.main)} == {"README.md", "records/a.txt"}


def test_a_clone_that_borrows_objects_from_another_is_read(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--shared", repo.path, tmp_path / "shared")
    with Clone(tmp_path / "shared") as clone:
        assert clone.read(clone.tree(clone.main)[0].oid) == b"two\n"


def test_a_worktree_is_read_through_its_git_file(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", tmp_path / "tree", "feature")
    assert (tmp_path / "tree" / ".git").is_file()
    with Clone(tmp_path / "tree") as clone:
        assert clone.resolve("HEAD") == repo.git("rev-parse", "feature")
        assert clone.main == repo.git("rev-parse", "main")


def test_a_clone_with_sha256_ids_is_read(tmp_path: Path) -> None:
    made = Repo.create(tmp_path / "clone", "--object-format=sha256")
    head = made.commit({"a.py": "a = 1\n"})
    with Clone(made.path) as clone:
        assert len(head) == 64
        assert clone.read(clone.tree(clone.resolve("main"))[0].oid) == b"a = 1\n"


def test_a_shallow_clone_says_how_to_deepen_it(repo: Repo, tmp_path: Path) -> None:
    repo.git("clone", "-q", "--depth=1", "--no-single-branch", f"file://{repo.path}", tmp_path / "shallow")
    with Clone(tmp_path / "shallow") as clone:
        assert len(clone.main_line) == 1
        with pytest.raises(CloneError, match="git fetch --unshallow"):
            clone.merge_base(clone.main, clone.resolve("origin/feature"))


def test_a_partial_clone_shows_absent_blobs_and_fetches_none(repo: Repo, tmp_path: Path) -> None:
    """The real clone lacks 334 blobs; asking for one must not reach for the network."""
    repo.git("config", "uploadpack.allowFilter", "true")
    target = tmp_path / "partial"
    repo.git("clone", "-q", "--bare", "--filter=blob:none", f"file://{repo.path}", target)
    with Clone(target) as clone:
        tree = read_tree(clone.tree(clone.main), clone)
        assert [(f.path, f.size, f.data) for f in tree.files.values()] == [
            ("README.md", None, None),
            ("records/a.txt", None, None),
        ]
        assert {fault.what for fault in tree.faults} == {"blob absent from this clone"}
    missing = repo.git("-C", target, "rev-list", "--objects", "--missing=print", "main")
    assert missing.count("?") == 3, "no blob was fetched: README.md twice and records/a.txt"


# --- no clone ---------------------------------------------------------------------------------------------


def test_what_is_no_clone_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / ".git").write_text("gitdir: ../nowhere\n")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / ".git").write_bytes(b"\x00\xff" * 5000)
    for name, says in {
        "nowhere": "no such folder",
        "file": "a file, not a clone",
        ".": "not a git clone",
        "bad": "not a git clone",
        "odd": "names no git folder",
    }.items():
        with pytest.raises(CloneError, match=says) as caught:
            Clone(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1


def test_a_folder_that_only_looks_like_a_clone_is_one_clear_line(tmp_path: Path) -> None:
    for name in ("objects", "refs"):
        (tmp_path / name).mkdir()
    (tmp_path / "HEAD").write_text("nonsense\n")
    with pytest.raises(CloneError) as caught:
        Clone(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_an_empty_repository_has_no_main_and_no_pull_requests(tmp_path: Path) -> None:
    with Clone(Repo.create(tmp_path / "clone").path) as clone:
        assert clone.pull_requests == ()
        for ask in (lambda: clone.main, lambda: clone.resolve("HEAD"), lambda: clone.main_line):
            with pytest.raises(CloneError):
                ask()


def test_a_machine_without_git_is_told_so(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CloneError, match="git is not installed"):
        Clone(repo.path)


def test_a_program_called_git_in_the_current_folder_is_not_run(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reviewer may stand in a hostile folder; Windows looks there first."""
    marker = tmp_path / "marker"
    _program(tmp_path / "git", f"touch {marker}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.curdir, prepend=os.pathsep)
    with pytest.raises(CloneError, match="current folder"):
        Clone(repo.path)
    assert not marker.exists()


# --- nothing of the clone runs ----------------------------------------------------------------------------


def _program(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


HOSTILE_CONFIG = """
[core]
    fsmonitor = {evil}
    hooksPath = {hooks}
    pager = {evil}
    editor = {evil}
    sshCommand = {evil}
    gitProxy = {evil}
    askPass = {evil}
    attributesFile = {attributes}
    alternateRefsCommand = {evil}
[diff]
    external = {evil}
[diff "evil"]
    textconv = {evil}
    command = {evil}
[filter "evil"]
    clean = {evil}
    smudge = {evil}
    process = {evil}
    required = true
[alias]
    rev-list = !{evil}
    for-each-ref = !{evil}
[credential]
    helper = !{evil}
[uploadpack]
    packObjectsHook = {evil}
[protocol]
    allow = always
[protocol "ext"]
    allow = always
[remote "origin"]
    url = ext::{evil}
    promisor = true
    partialCloneFilter = blob:none
    uploadpack = {evil}
[extensions]
    partialClone = origin
"""


@pytest.fixture
def hostile(repo: Repo, tmp_path: Path) -> tuple[Repo, Path, str]:
    """A clone in which git would run `evil` at every turn; its marker; the id of a blob that is missing."""
    marker = tmp_path / "marker"
    evil = _program(tmp_path / "evil", f"echo ran >> {marker}")
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("post-checkout", "reference-transaction", "fsmonitor-watchman", "post-index-change"):
        _program(hooks / hook, f"echo hook >> {marker}")
        shutil.copy(hooks / hook, repo.path / ".git" / "hooks" / hook)
    repo.commit({".gitattributes": "* diff=evil filter=evil text\n", "weights.bin": "missing\n"})
    blob = repo.git("rev-parse", "HEAD:weights.bin")
    (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    attributes = repo.path / ".git" / "info" / "attributes"
    attributes.write_text("* diff=evil filter=evil\n")
    config = HOSTILE_CONFIG.format(evil=evil, hooks=hooks, attributes=attributes)
    with (repo.path / ".git" / "config").open("a") as stream:
        stream.write(config)
    marker.unlink(missing_ok=True)
    return repo, marker, blob


@posix_only
@pytest.mark.parametrize(
    "command",
    [("diff", "HEAD~1", "HEAD"), ("status",), ("cat-file", "-p", "{blob}")],
    ids=["textconv and external diff", "fsmonitor", "lazy fetch"],
)
def test_plain_git_would_run_it(hostile: tuple[Repo, Path, str], command: tuple[str, ...]) -> None:
    """The control: without it the next test could pass because the trap is broken."""
    repo, marker, blob = hostile
    repo.git(*(part.format(blob=blob) for part in command), check=False)
    assert marker.exists()


@posix_only
def test_no_config_hook_filter_or_attribute_of_the_clone_runs(
    hostile: tuple[Repo, Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, marker, blob = hostile
    evil = str(tmp_path / "evil")
    for name in ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_PROXY_COMMAND"):
        monkeypatch.setenv(name, evil)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.fsmonitor={evil}'")
    with Clone(repo.path) as clone:
        head = clone.resolve("HEAD")
        assert clone.pull_requests == (7,)
        assert clone.diff(clone.commit(head).parents[0], head)
        assert clone.merge_base(clone.main, clone.resolve_pr(7))
        assert clone.main_line
        tree = read_tree(clone.tree(head), clone)
        assert tree.files["weights.bin"].data is None
        assert tree.files["README.md"].data == b"two\n"
        assert clone.read(blob) is None
    assert not marker.exists()


@posix_only
def test_replace_refs_and_grafts_do_not_change_what_is_read(repo: Repo) -> None:
    """A replace ref would show a reviewer another file than GitHub shows."""
    honest = repo.git("rev-parse", "main:README.md")
    fake = repo.git("rev-parse", "main~1:README.md")
    main = repo.git("rev-parse", "main")
    repo.git("replace", honest, fake)
    (repo.path / ".git" / "info" / "grafts").write_text(f"{main}\n")
    assert repo.git("show", "main:README.md") == "one"
    with Clone(repo.path) as clone:
        assert clone.read(honest) == b"two\n"
        assert len(clone.main_line) == 2


@posix_only
@pytest.mark.parametrize("slow", ["rev-list", "cat-file"])
def test_a_git_that_hangs_is_ended(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    real = shutil.which("git")
    folder = tmp_path / "bin"
    folder.mkdir()
    _program(folder / "git", f'case "$*" in *{slow}*) exec sleep 60;; esac\nexec {real} "$@"')
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    started = time.monotonic()
    with Clone(repo.path, timeout=1) as clone, pytest.raises(CloneError):
        _ = clone.main_line  # rev-list names the commits, cat-file reads them
    assert time.monotonic() - started < 30


def test_nothing_is_left_behind(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with Clone(repo.path) as clone:
        clone.commit(clone.main)
        assert list(scratch.iterdir())
    assert not list(scratch.iterdir())
    with pytest.raises(CloneError):
        Clone(tmp_path / "bare")
    assert not list(scratch.iterdir())


def test_a_forgotten_clone_ends_its_git_with_the_program(repo: Repo, tmp_path: Path) -> None:
    script = f"from golf_audit.gitclone import Clone\nc = Clone({str(repo.path)!r})\nc.commit(c.main)\n"
    environment = os.environ | {"TMPDIR": str(tmp_path), "TEMP": str(tmp_path)}
    before = set(tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=environment,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert set(tmp_path.iterdir()) == before
