"""filetree: a hostile folder is listed, read within limits and never followed out of."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from golf_audit import filetree
from golf_audit.errors import NoSuchSubmission
from golf_audit.filetree import COUNT_CAP, FILE_CAP, File, FileTree, GitEntry, Sort, read_folder, read_tree

posix_only = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no FIFO and other rules for names"
)


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def what(tree: FileTree) -> dict[str, str]:
    return {fault.where.file: fault.what for fault in tree.faults}


class Blobs:
    """A BlobSource of chosen contents; None is an absent blob. Counts what was asked for."""

    def __init__(self, **contents: bytes | None) -> None:
        self.contents = contents
        self.asked: list[str] = []

    def size(self, oid: str) -> int | None:
        data = self.contents[oid]
        return None if data is None else len(data)

    def read(self, oid: str) -> bytes | None:
        self.asked.append(oid)
        return self.contents[oid]


# --- a folder on disk -------------------------------------------------------------------------------------


def test_files_are_read_in_the_same_order_whatever_the_system_says(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("b.py", "a.py", "logs/z.log", "README.md"):
        (tmp_path / name).write_text(name)
    tree = read_folder(tmp_path)
    assert list(tree.files) == ["README.md", "a.py", "b.py", "logs/z.log"]
    assert tree.files["logs/z.log"].data == b"logs/z.log"
    assert not tree.faults


def test_caches_and_git_folders_are_no_part_of_a_submission(tmp_path: Path) -> None:
    for name in (".git", "__pycache__", ".venv"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.py").write_text("x")
    write(tmp_path, a__py="a")
    assert list(read_folder(tmp_path).files) == ["a.py"]


@posix_only
def test_links_are_listed_and_never_followed(tmp_path: Path) -> None:
    """A link to ~/.ssh/id_rsa must not end up quoted in a report."""
    outside = tmp_path / "outside"
    outside.mkdir()
    write(outside, secret__py="secret")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "file.py").symlink_to(outside / "secret.py")
    (inside / "folder").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    (inside / "broken").symlink_to("nowhere")
    tree = read_folder(inside)
    assert {f.path: (f.sort, f.data) for f in tree.files.values()} == dict.fromkeys(
        ("broken", "file.py", "folder", "loop"), (Sort.LINK, None)
    )
    assert set(what(tree).values()) == {"a symbolic link, not followed"}


@posix_only
def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train.log")
    tree = read_folder(tmp_path)
    assert tree.files["train.log"].sort is Sort.SPECIAL
    assert what(tree) == {"train.log": "not a regular file, not opened"}


@posix_only
def test_a_file_that_becomes_a_fifo_while_it_is_read_does_not_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, a__py="a")
    real = filetree._read_regular

    def swapped(full: Path) -> bytes:
        full.unlink()
        os.mkfifo(full)
        return real(full)

    monkeypatch.setattr(filetree, "_read_regular", swapped)
    tree = read_folder(tmp_path)
    assert tree.files["a.py"].data is None
    assert "changed while it was read" in what(tree)["a.py"]


def test_a_giant_log_is_listed_with_its_size_and_not_read(tmp_path: Path) -> None:
    with (tmp_path / "train.log").open("wb") as stream:
        stream.truncate(50 * 2**20)
    write(tmp_path, train_gpt__py="pass")
    tree = read_folder(tmp_path)
    assert (tree.files["train.log"].size, tree.files["train.log"].data) == (50 * 2**20, None)
    assert "over the limit" in what(tree)["train.log"]
    assert tree.files["train_gpt.py"].data == b"pass"


def test_a_file_of_exactly_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filetree, "FILE_CAP", 10)
    write(tmp_path, a__py="0123456789", b__py="0123456789X")
    tree = read_folder(tmp_path)
    assert tree.files["a.py"].data == b"0123456789"
    assert tree.files["b.py"].data is None


def test_text_is_read_before_weights_when_there_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filetree, "TREE_CAP", 100)
    write(tmp_path, a__bin="x" * 90, train__log="y" * 60, train_gpt__py="z" * 30)
    tree = read_folder(tmp_path)
    assert {path: file.data is not None for path, file in tree.files.items()} == {
        "a.bin": False,
        "train.log": True,
        "train_gpt.py": True,
    }
    assert "what is left" in what(tree)["a.bin"]


def test_files_beyond_the_limit_are_left_out_and_the_upper_ones_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filetree, "COUNT_CAP", 50)
    (tmp_path / "seeds").mkdir()
    for i in range(70):
        (tmp_path / "seeds" / f"{i:05}").touch()
    write(tmp_path, train_gpt__py="pass")
    tree = read_folder(tmp_path)
    assert len(tree.files) == 50
    assert tree.files["train_gpt.py"].data == b"pass"
    assert what(tree) == {".": "more than 50 files; the rest were not read"}


def test_folders_nested_without_end_are_not_entered_for_ever(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"d" * (filetree.DEPTH_CAP + 20))
    deep.mkdir(parents=True)
    write(deep, hidden__py="x")
    write(tmp_path, train_gpt__py="pass")
    tree = read_folder(tmp_path)
    assert list(tree.files) == ["train_gpt.py"]
    assert "folders deep" in tree.faults[0].what


@posix_only
@pytest.mark.parametrize(
    "name", [b"a\nb.py", b"\x1b[2J.py", b"\xff\xfe.py", b"..py", b"-rf.py", b"\xe2\x80\xae.py"]
)
def test_hostile_names_come_through_as_they_are(tmp_path: Path, name: bytes) -> None:
    (tmp_path / os.fsdecode(name)).write_text("x")
    tree = read_folder(tmp_path)
    assert [os.fsencode(path) for path in tree.files] == [name]
    assert len(tree.fingerprint) == 64


def test_a_file_that_the_system_refuses_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, a__py="a", b__py="b")
    real = os.open

    def refusing(path: Path, flags: int) -> int:
        if Path(path).name == "a.py":
            raise PermissionError(13, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr(os, "open", refusing)
    tree = read_folder(tmp_path)
    assert what(tree) == {"a.py": "not readable: Permission denied"}
    assert tree.files["b.py"].data == b"b"


def test_a_sub_folder_that_the_system_refuses_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logs").mkdir()
    write(tmp_path, a__py="a")
    real = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "logs":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    tree = read_folder(tmp_path)
    assert what(tree) == {"logs": "not readable: Permission denied"}
    assert list(tree.files) == ["a.py"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere", "no such folder"),
        ("a.py", "a file, not a folder"),
        ("a.py/b", "no such folder"),
        ("\0", "not readable"),
    ],
)
def test_what_is_no_folder_is_one_clear_line(tmp_path: Path, name: str, says: str) -> None:
    write(tmp_path, a__py="a")
    with pytest.raises(NoSuchSubmission, match=says) as caught:
        read_folder(tmp_path / name)
    assert len(str(caught.value).splitlines()) == 1


def test_a_folder_that_this_user_may_not_read_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(NoSuchSubmission, match="not readable by this user"):
        read_folder(tmp_path)


# --- a git tree -------------------------------------------------------------------------------------------


def test_a_git_tree_gives_the_fingerprint_of_the_same_folder(tmp_path: Path) -> None:
    write(tmp_path, a__py="a", b__log="b")
    entries = [GitEntry("b.log", "100644", "2"), GitEntry("a.py", "100755", "1")]
    tree = read_tree(entries, Blobs(**{"1": b"a", "2": b"b"}))
    assert tree.fingerprint == read_folder(tmp_path).fingerprint
    assert list(tree.files) == ["a.py", "b.log"]


@pytest.mark.parametrize(
    ("mode", "sort"),
    [("120000", Sort.LINK), ("160000", Sort.SUBMODULE), ("777777", Sort.SPECIAL)],
    ids=["a link", "a submodule", "a mode that git does not know"],
)
def test_what_is_no_file_in_a_git_tree_is_listed_and_not_read(mode: str, sort: Sort) -> None:
    blobs = Blobs(x=b"/etc/passwd")
    tree = read_tree([GitEntry("train.log", mode, "x")], blobs)
    assert tree.files["train.log"].sort is sort
    assert tree.files["train.log"].data is None
    assert tree.faults and not blobs.asked


def test_an_absent_blob_is_listed_with_a_fault(tmp_path: Path) -> None:
    tree = read_tree([GitEntry("final.ptz", "100644", "x")], Blobs(x=None))
    assert tree.files["final.ptz"] == File("final.ptz", None, None, Sort.FILE, "x")
    assert what(tree) == {"final.ptz": "blob absent from this clone"}


def test_two_absent_blobs_give_two_fingerprints() -> None:
    one, other = (read_tree([GitEntry("a", "100644", oid)], Blobs(**{oid: None})) for oid in ("1", "2"))
    assert one.fingerprint != other.fingerprint


def test_a_giant_blob_is_never_asked_for() -> None:
    blobs = Blobs(x=b"\0" * (FILE_CAP + 1))
    tree = read_tree([GitEntry("train.log", "100644", "x")], blobs)
    assert tree.files["train.log"].size == FILE_CAP + 1
    assert not blobs.asked


@pytest.mark.parametrize("path", ["../../etc/passwd", "a/../b", "./a", "a//b", "/etc/passwd", ""])
def test_a_path_that_git_never_writes_is_dropped_with_a_fault(path: str) -> None:
    """A forged tree object can hold `..`; `unpack` writes files by these names."""
    tree = read_tree([GitEntry(path, "100644", "x")], Blobs(x=b"x"))
    assert not tree.files
    assert what(tree) == {path: "an impossible path, not read"}


def test_a_git_tree_of_many_files_stops_at_the_limit_with_sources_read() -> None:
    entries = [GitEntry(f"seeds/{i:05}.bin", "100644", "x") for i in range(COUNT_CAP + 5)]
    tree = read_tree([*entries, GitEntry("train_gpt.py", "100644", "x")], Blobs(x=b"x"))
    assert len(tree.files) == COUNT_CAP
    assert "train_gpt.py" in tree.files
    assert [fault.where.file for fault in tree.faults] == ["."]
