"""load: a folder, a pull request or a ref becomes Submissions with the right name, track and date."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from golf_audit.errors import AuditError, CloneError, NoSuchSubmission
from golf_audit.filetree import OUTSIDE
from golf_audit.gitclone import Clone
from golf_audit.load import UNDATED, load_folder, load_pull_request, load_ref
from golf_audit.model import Track
from golf_audit.submission import Change
from tests.gitrepo import Repo, submission

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

RECORD = "records/track_10min_16mb"
NEW = f"{RECORD}/2026-04-20_New"


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


# --- a folder ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "name", "track"),
    [
        (NEW, NEW, Track.RECORD),
        ("records/track_non_record_16mb/X", "records/track_non_record_16mb/X", Track.NON_RECORD),
        ("track_10min_16mb/X", "X", Track.RECORD),
        ("anywhere/X", "X", Track.UNKNOWN),
        (f"records/old/{NEW}", NEW, Track.RECORD),
    ],
)
def test_name_and_track_of_a_folder_come_from_its_place(
    tmp_path: Path, place: str, name: str, track: Track
) -> None:
    write(tmp_path, submission(place))
    found = load_folder(tmp_path / place)
    assert (found.head.folder, found.track) == (name, track)
    assert (found.head.commit, found.head.pr, found.diff) == ("", None, None)


def test_a_folder_named_from_within_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, submission(NEW))
    monkeypatch.chdir(tmp_path / NEW)
    assert load_folder(".").head == load_folder(tmp_path / NEW).head == load_folder(f"../../../{NEW}/").head


def test_no_absolute_path_reaches_a_report(tmp_path: Path) -> None:
    write(tmp_path, submission("X"))
    assert load_folder(tmp_path / "X").head.folder == "X"


DATES = {
    "the name's": ("2026-04-20_Run", None, dt.date(2026, 4, 20)),
    "the name's with underscores": ("2026_04_09_poscond", None, dt.date(2026, 4, 9)),
    "the name's before the claim's": ("2026-04-20_Run", "2026-04-25", dt.date(2026, 4, 20)),
    "the claim's where the name has none": ("run", "2026-04-25T10:00:00Z", dt.date(2026, 4, 25)),
    "none: all the law there is": ("run", None, UNDATED),
    "no date of the calendar": ("2026-02-31_Run", None, UNDATED),
    "before the challenge began, which is a slip or a trick": ("2020-04-29_Run", "2019-01-01", UNDATED),
    "a number that only looks like one": ("2026-04-201", None, UNDATED),
    "a claim that is no date": ("run", "yesterday", UNDATED),
}


@pytest.mark.parametrize(("name", "claimed", "date"), DATES.values(), ids=DATES.keys())
def test_the_date_of_a_folder(tmp_path: Path, name: str, claimed: str | None, date: dt.date) -> None:
    files = submission(name)
    if claimed is not None:
        files[f"{name}/submission.json"] = f'{{"val_bpb": 1.2, "date": "{claimed}"}}'
    write(tmp_path, files)
    assert load_folder(tmp_path / name).date == date


SHELVES = {
    "records": "records",
    "a track": RECORD,
    "the repository": ".",
    "a folder of runs": "records/track_10min_16mb/alice",
}


@pytest.mark.parametrize("place", SHELVES.values(), ids=SHELVES.keys())
def test_a_folder_of_submissions_is_one_clear_line_that_names_one(tmp_path: Path, place: str) -> None:
    write(tmp_path, {"README.md": "# challenge\n", "train_gpt.py": "baseline\n"})
    for name in ("A", "B"):
        write(tmp_path, submission(f"{RECORD}/alice/{name}"))
    with pytest.raises(NoSuchSubmission, match=r"a folder of 2 submissions, such as .*A; name") as caught:
        load_folder(tmp_path / place)
    assert len(str(caught.value).splitlines()) == 1


def test_an_empty_track_is_one_clear_line(tmp_path: Path) -> None:
    write(tmp_path, {f"{RECORD}/notes.txt": "x"})
    with pytest.raises(NoSuchSubmission, match="no submission in it"):
        load_folder(tmp_path / RECORD)


WHOLE = {
    "runs in sub-folders": {"X/README.md": "a", "X/a/train_gpt.py": "a", "X/b/train_gpt.py": "b"},
    "claims in sub-folders": {"X/README.md": "a", "X/a/submission.json": "{}", "X/b/submission.json": "{}"},
    "no claim and no script": {"X/notes.txt": "a"},
    "a claim beside a folder called records": {"X/submission.json": "{}", "X/records/a/train_gpt.py": "a"},
}


@pytest.mark.parametrize("files", WHOLE.values(), ids=WHOLE.keys())
def test_a_folder_with_files_of_its_own_is_audited_as_it_is(tmp_path: Path, files: dict[str, str]) -> None:
    """What is missing in it is for the rules to say."""
    write(tmp_path, files)
    assert len(load_folder(tmp_path / "X").tree.files) == len(files)


def test_what_is_no_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "nested" / "empty").mkdir(parents=True)
    (tmp_path / "file.py").write_text("x")
    for name, says in {
        "nowhere": "no such folder",
        "file.py": "a file, not a folder",
        "empty": "an empty folder",
        "nested": "an empty folder",
    }.items():
        with pytest.raises(NoSuchSubmission, match=says) as caught:
            load_folder(tmp_path / name)
        assert len(str(caught.value).splitlines()) == 1


# --- a clone ----------------------------------------------------------------------------------------------


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo.create(tmp_path / "clone")
    made.commit({"train_gpt.py": "baseline\n"}, day="2026-03-18")
    made.branch("pr")
    made.commit({**submission(NEW), "train_gpt.py": "tuned\n"}, day="2026-04-21")
    made.pull_request(5)
    made.git("checkout", "-q", "main")
    return made


@needs_git
def test_a_pull_request_gives_its_submission(repo: Repo) -> None:
    head = repo.git("rev-parse", "pr")
    (found,) = load_pull_request(repo.path, 5)
    assert (found.head.folder, found.head.commit, found.head.pr) == (NEW, head, 5)
    assert (found.track, found.date) == (Track.RECORD, dt.date(2026, 4, 21))
    assert list(found.tree.files) == ["README.md", "submission.json", "train_gpt.py", "train_seed42.log"]
    assert found.diff is not None
    assert found.diff.base == repo.head
    assert found.diff.folders == (NEW,)
    assert Change("M", "train_gpt.py") in found.diff.changes


@needs_git
def test_a_pull_request_has_the_fingerprint_of_its_folder(repo: Repo) -> None:
    (found,) = load_pull_request(repo.path, 5)
    repo.git("checkout", "-q", "pr")
    assert load_folder(repo.path / NEW).head.fingerprint == found.head.fingerprint


@needs_git
def test_one_clone_serves_many_questions(repo: Repo) -> None:
    with Clone(repo.path) as clone:
        by_number, by_ref = load_pull_request(clone, 5), load_ref(clone, "pr")
        assert clone.pull_requests == (5,)
    assert by_ref[0].head.pr is None
    assert by_ref[0].tree == by_number[0].tree


@needs_git
def test_several_folders_are_several_submissions(repo: Repo) -> None:
    repo.git("checkout", "-q", "pr")
    repo.commit({**submission("FINAL"), **submission("records/track_non_record_16mb/X")})
    found = load_ref(repo.path, "pr")
    assert [(s.head.folder, s.track) for s in found] == [
        ("FINAL", Track.UNKNOWN),
        (NEW, Track.RECORD),
        ("records/track_non_record_16mb/X", Track.NON_RECORD),
    ]
    assert {s.diff.folders for s in found if s.diff} == {tuple(s.head.folder for s in found)}


@needs_git
def test_a_pull_request_without_a_submission_is_empty(repo: Repo) -> None:
    repo.branch("typo")
    repo.commit({"train_gpt.py": "better baseline\n"})
    assert load_ref(repo.path, "typo") == ()


@needs_git
def test_a_committer_cannot_go_back_behind_the_law(repo: Repo) -> None:
    """The committer date is the participant's to choose; that of the commit on main below it is not."""
    repo.branch("early")
    repo.commit(submission(NEW), day="2019-01-01")
    assert load_ref(repo.path, "early")[0].date == dt.date(2026, 3, 18)


@needs_git
@pytest.mark.parametrize(
    "ask",
    [
        lambda path: load_pull_request(path, 99),
        lambda path: load_ref(path, "no-such-branch"),
        lambda path: load_ref(path, "--help"),
        lambda path: load_pull_request(path / "nowhere", 5),
        lambda path: load_pull_request(path / "train_gpt.py", 5),
    ],
    ids=["no such pull request", "no such ref", "an option", "no such clone", "a file"],
)
def test_what_a_clone_does_not_have_is_one_clear_line(repo: Repo, ask: object) -> None:
    assert callable(ask)
    with pytest.raises(CloneError) as caught:
        ask(repo.path)
    assert isinstance(caught.value, AuditError)
    assert len(str(caught.value).splitlines()) == 1


@needs_git
def test_a_script_left_at_the_root_is_read_and_named(repo: Repo) -> None:
    """Some pull requests change the root's train_gpt.py and hand in a folder without a script (#1416)."""
    folder = "records/track_10min_16mb/2026-04-20_Elsewhere"
    files = {f"{folder}/submission.json": '{"val_bpb": 1.1}', f"{folder}/README.md": "mine"}
    repo.branch("elsewhere")
    repo.commit({**files, "train_gpt.py": "print('mine')\n"})
    (found,) = load_ref(repo.path, "elsewhere")
    assert found.sources.entry == OUTSIDE + "train_gpt.py"
    repo.commit({f"{folder}/train_gpt.py": "print('inside')\n"})
    (found,) = load_ref(repo.path, "elsewhere")
    assert found.sources.entry == "train_gpt.py"
    repo.branch("untouched")
    repo.commit(files)
    (found,) = load_ref(repo.path, "untouched")
    assert found.sources.entry is None, "a root script that the pull request does not change is not its own"
