"""pullrequest: exactly the folders that a head adds, none that it carries over or modifies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from golf_audit.gitclone import Clone
from golf_audit.model import Track
from golf_audit.pullrequest import additions, submission_folders, track_of
from tests.gitrepo import Files, Repo, submission

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

RECORD = "records/track_10min_16mb"
OLD = f"{RECORD}/2026-03-19_Old"
NEW = f"{RECORD}/2026-04-01_New"


# --- which folders are handed in --------------------------------------------------------------------------

FOUND = {
    "the usual folder": ([f"{NEW}/train_gpt.py", f"{NEW}/submission.json"], [NEW]),
    "a script alone": ([f"{NEW}/train_gpt.py"], [NEW]),
    "a script by a longer name": ([f"{NEW}/train_gpt_mlx.py"], [NEW]),
    "a claim alone": ([f"{NEW}/submission.json"], [NEW]),
    "README and log": ([f"{NEW}/README.md", f"{NEW}/train.log"], [NEW]),
    "readme and training script by another name": ([f"{NEW}/readme.md", f"{NEW}/train.py"], [NEW]),
    "sub-folders belong to it": ([f"{NEW}/README.md", f"{NEW}/seeds/42/train_gpt.py"], [NEW]),
    "two folders": ([f"{OLD}/train_gpt.py", f"{NEW}/train_gpt.py"], [OLD, NEW]),
    "a folder of folders without files of its own": (
        [f"{RECORD}/alice/A/train_gpt.py", f"{RECORD}/alice/B/submission.json"],
        [f"{RECORD}/alice/A", f"{RECORD}/alice/B"],
    ),
    "records inside records": (
        ["records/records/track_10min_16mb/X/train_gpt.py"],
        ["records/records/track_10min_16mb/X"],
    ),
    "a track inside a track": (
        [f"{RECORD}/{RECORD}/X/train_gpt.py"],
        [f"{RECORD}/{RECORD}/X"],
    ),
    "a folder called like a track": ([f"{RECORD}/track_a/train_gpt.py"], [f"{RECORD}/track_a"]),
    "no track": (["records/universal_gpt/train_gpt.py"], ["records/universal_gpt"]),
    "a stray claim in records beside it": (
        ["records/submission.json", "records/sam/train_gpt_mlx.py"],
        ["records/sam"],
    ),
    "claim and script near the root, beside a record": (
        ["FINAL/submission.json", "FINAL/train_gpt.py", f"{NEW}/train_gpt.py"],
        ["FINAL", NEW],
    ),
    "elsewhere, and nothing else": (
        ["submissions/bob/train_gpt.py", "submissions/bob/README.md"],
        ["submissions/bob"],
    ),
    "a whole checkout inside the repository": (
        [f"parameter-golf/{NEW}/{name}" for name in ("train_gpt.py", "submission.json")],
        [f"parameter-golf/{NEW}"],
    ),
}


@pytest.mark.parametrize(("added", "folders"), FOUND.values(), ids=FOUND.keys())
def test_a_submission_is_found(added: list[str], folders: list[str]) -> None:
    assert submission_folders(added) == folders


NOT_FOUND = {
    "nothing": [],
    "the root script": ["train_gpt.py"],
    "a claim and a script in the root": ["submission.json", "train_gpt.py", "README.md", "train.log"],
    "a script in records itself": ["records/train_gpt.py"],
    "a script in the track itself": [f"{RECORD}/train_gpt.py"],
    "a README alone": [f"{NEW}/README.md"],
    "a log alone": [f"{NEW}/train.log"],
    "README and requirements": [f"{NEW}/README.md", f"{NEW}/requirements.txt"],
    "README and figures": [f"{NEW}/README.md", f"{NEW}/figure.py", f"{NEW}/curve.png"],
    "a note in records": ["records/notes.md"],
    "a data script": ["data/download.py", "data/README.md"],
    "an experiment without README or claim": ["experiments/a/train_gpt.py"],
    "many experiments": [f"experiments/{x}/{n}" for x in "ab" for n in ("train_gpt.py", "README.md")],
    "a claim without a script elsewhere": ["attempts/_template/submission.json"],
    "a script whose name only ends like one": ["lab/my_train_gpt.py", "lab/README.md"],
    "a script whose name only begins like one": ["lab/train_gpt.pyc", "lab/README.md"],
}


@pytest.mark.parametrize("added", NOT_FOUND.values(), ids=NOT_FOUND.keys())
def test_what_is_no_submission_is_not_found(added: list[str]) -> None:
    assert submission_folders(added) == []


COPIES = {
    "copies of others' work for study": "analysis/pr875/files/" + NEW,
    "archived runs": "autoresearch/runs/003/final",
    "an experiment with a log": "experiments/a",
}


@pytest.mark.parametrize("place", COPIES.values(), ids=COPIES.keys())
def test_work_files_beside_a_record_are_no_second_submission(place: str) -> None:
    added = [f"{NEW}/train_gpt.py", f"{place}/train_gpt.py", f"{place}/train.log"]
    if place.count("/") >= 2:
        added.append(f"{place}/submission.json")
    assert submission_folders(added) == [NEW]


@pytest.mark.parametrize(
    ("folder", "track"),
    [
        (NEW, Track.RECORD),
        ("records/track_non_record_16mb/X", Track.NON_RECORD),
        ("records/records/track_10min_16mb/X", Track.RECORD),
        ("/home/me/golf/records/track_non_record_16mb/X", Track.NON_RECORD),
        ("records/track_10min_16mb/track_non_record_x", Track.RECORD),
        ("records/track_1_short/X", Track.UNKNOWN),
        ("records/X", Track.UNKNOWN),
        ("SUBMISSION_FINAL", Track.UNKNOWN),
    ],
)
def test_the_track_is_told_by_the_place(folder: str, track: Track) -> None:
    assert track_of(folder) is track


# --- what a head adds to main as it stood -----------------------------------------------------------------


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Main with one record."""
    made = Repo.create(tmp_path_factory.mktemp("template") / "clone")
    made.commit({"train_gpt.py": "baseline\n", "README.md": "# challenge\n"}, day="2026-03-18")
    made.commit(submission(OLD), day="2026-03-20")
    return made


@pytest.fixture
def repo(template: Repo, tmp_path: Path) -> Repo:
    return template.copy(tmp_path / "clone")


def added(repo: Repo, ref: str) -> list[str]:
    with Clone(repo.path) as clone:
        return list(additions(clone, clone.resolve(ref)).folders)


def on_branch(
    repo: Repo, files: Files, *, at: str = "main", day: str = "2026-04-01", name: str = "pr"
) -> str:
    repo.branch(name, at)
    head = repo.commit(files, day=day)
    repo.git("checkout", "-q", "main")
    return head


@needs_git
def test_an_open_pull_request_adds_its_folder(repo: Repo) -> None:
    head = on_branch(repo, submission(NEW))
    with Clone(repo.path) as clone:
        found = additions(clone, head)
    assert found.folders == (NEW,)
    assert found.base == repo.head
    assert {change.status for change in found.changes} == {"A"}


@needs_git
@pytest.mark.parametrize("options", [("--no-ff",), ("--squash",)], ids=["merge commit", "squash"])
def test_a_merged_pull_request_still_adds_its_folder(repo: Repo, options: tuple[str, ...]) -> None:
    """A diff against main's tip is empty for 40 real merged submissions (census.md)."""
    head = on_branch(repo, submission(NEW))
    repo.git("merge", "-q", *options, "-m", "merge", "pr", day="2026-04-09")
    repo.commit({"README.md": "# leaderboard\n"}, day="2026-04-10")
    assert added(repo, head) == [NEW]


@needs_git
def test_a_merged_head_whose_clock_ran_fast_still_adds_its_folder(repo: Repo) -> None:
    head = on_branch(repo, submission(NEW), day="2027-01-01")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "pr", day="2026-04-09")
    assert added(repo, head) == [NEW]


@needs_git
def test_a_head_that_took_main_in_adds_only_its_own(repo: Repo) -> None:
    on_branch(repo, submission(NEW), day="2026-03-21")
    other = f"{RECORD}/2026-03-22_Other"
    repo.commit(submission(other), day="2026-03-25")
    repo.git("checkout", "-q", "pr")
    repo.git("merge", "-q", "--no-ff", "-m", "merge main", "main", day="2026-04-01")
    assert added(repo, "pr") == [NEW]


@needs_git
def test_a_head_built_on_a_later_main_than_its_clock_says_adds_only_its_own(repo: Repo) -> None:
    repo.commit(submission(f"{RECORD}/2026-04-05_Other"), day="2026-04-05")
    assert added(repo, on_branch(repo, submission(NEW), day="2026-03-01")) == [NEW]


@needs_git
def test_a_head_whose_first_commits_reached_main_by_another_way_adds_its_folder(repo: Repo) -> None:
    """#1884 builds on #1868's branch: main, merging that branch later, holds half of what it adds."""
    on_branch(repo, submission(NEW, "first\n"), name="first", day="2026-04-01")
    head = on_branch(repo, {f"{NEW}/train_gpt.py": "second\n"}, at="first", day="2026-04-02")
    repo.git("merge", "-q", "--no-ff", "-m", "merge", "first", day="2026-04-09")
    assert added(repo, head) == [NEW]


@needs_git
def test_stacked_pull_requests_show_every_folder_that_main_lacks(repo: Repo) -> None:
    lower = f"{RECORD}/2026-03-30_Lower"
    on_branch(repo, submission(lower), name="lower")
    assert added(repo, on_branch(repo, submission(NEW), at="lower")) == [lower, NEW]


@needs_git
def test_a_history_of_its_own_adds_what_main_lacks(repo: Repo) -> None:
    repo.git("checkout", "-q", "--orphan", "island")
    head = repo.commit(submission(NEW), day="2026-04-01")
    assert added(repo, head) == [NEW]


@needs_git
def test_a_stale_fork_that_carries_records_of_main_adds_none_of_them(repo: Repo) -> None:
    """#768, #1086, #1297 and #1793 re-carry some twenty folders each, with other line endings."""
    crlf = {path: text.replace("\n", "\r\n") for path, text in submission(OLD).items()}
    head = on_branch(repo, {**crlf, **submission(NEW)}, at="main~1")
    assert added(repo, head) == [NEW]


@needs_git
def test_records_of_main_copied_to_another_place_are_not_added(repo: Repo) -> None:
    """#1677 holds all of main's records again under records/records, with other line endings."""
    copied = {f"records/{path}": text.replace("\n", "\r\n") for path, text in submission(OLD).items()}
    assert added(repo, on_branch(repo, {**copied, **submission(NEW)})) == [NEW]


@needs_git
def test_a_folder_of_an_old_name_with_another_script_is_new(repo: Repo) -> None:
    """Two people may call their runs the same; only an equal script and claim make a copy."""
    other = f"records/track_non_record_16mb/{OLD.rpartition('/')[2]}"
    assert added(repo, on_branch(repo, submission(other, "another script\n"))) == [other]


@needs_git
def test_a_copy_of_the_baseline_in_a_new_folder_is_new(repo: Repo) -> None:
    """40 pull requests hand in the root baseline unchanged."""
    assert added(repo, on_branch(repo, submission(NEW, "baseline\n"))) == [NEW]


@needs_git
@pytest.mark.parametrize(
    "files",
    [
        {f"{OLD}/train_gpt.py": "better\n"},
        {f"{OLD}/train_seed7.log": "a log\n", f"{OLD}/train_gpt_v2.py": "more\n"},
        {"train_gpt.py": "tuned baseline\n"},
        {"README.md": "# typo\n"},
        dict.fromkeys(submission(OLD)),
        {},
    ],
    ids=[
        "a record modified",
        "files added to a record",
        "the root script",
        "the README",
        "a record deleted",
        "nothing",
    ],
)
def test_a_head_without_a_new_folder_adds_none(repo: Repo, files: Files) -> None:
    assert added(repo, on_branch(repo, files)) == []


@needs_git
@pytest.mark.parametrize("ref", ["main", "main~1"])
def test_a_state_of_main_adds_nothing_to_it(repo: Repo, ref: str) -> None:
    assert added(repo, ref) == []


@needs_git
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_folder_of_line_breaks_and_escapes_is_found(repo: Repo) -> None:
    folder = f"{RECORD}/\x1b[31m a\nb"
    assert added(repo, on_branch(repo, submission(folder))) == [folder]


# --- the real clone ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Iterator[Clone]:
    path = os.environ.get("GOLF_AUDIT_CLONE")
    if not path:
        pytest.skip("GOLF_AUDIT_CLONE names no clone of the challenge")
    with Clone(path) as clone:
        yield clone


REAL = {
    "merged by a merge commit": (549, 1),
    "merged from a fork's main": (542, 1),
    "squash-merged": (640, 1),
    "squash-merged and reverted": (1184, 1),
    "modifies a record": (124, 0),
    "adds a script to a record": (121, 0),
    "a history of its own": (1547, 1),
    "a head on main": (279, 0),
    "built on a branch that main took in": (1884, 1),
    "carries 23 folders of a stale fork": (768, 1),
    "carries all records twice": (1677, 2),
    "nested tracks": (1873, 1),
    "changes the root script": (5, 0),
}


@pytest.mark.corpus
@pytest.mark.parametrize(("number", "count"), REAL.values(), ids=REAL.keys())
def test_a_real_pull_request_adds_so_many_folders(real: Clone, number: int, count: int) -> None:
    assert len(additions(real, real.resolve_pr(number)).folders) == count


@pytest.mark.corpus
@pytest.mark.slow
def test_every_real_head_is_compared_without_an_error(real: Clone) -> None:
    counts = [len(additions(real, real.resolve_pr(number)).folders) for number in real.pull_requests]
    assert len(counts) > 2_000
    assert sum(count > 0 for count in counts) > 0.85 * len(counts)
