"""`check --parent` on a clone: who the parent is, what is inherited, and what a README cannot do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from golf_audit.cli import cli
from jsonschema import Draft202012Validator

from golf_audit import registry, schema
from golf_audit.audit import audit
from golf_audit.gitclone import Clone
from golf_audit.lineage import Lineage, State, with_lineage
from golf_audit.lineage.command import ancestors
from golf_audit.load import load_folder, load_pull_request
from golf_audit.model import Report
from golf_audit.submission import Case
from tests.gitrepo import Repo

EXAMPLES = Path(__file__).parents[2] / "examples" / "track_10min_16mb"
ILLEGAL = EXAMPLES / "2026-04-21_PolishBeforeQuantising"
LEGAL = EXAMPLES / "2026-04-20_ScoreFirstTTT"
HOME = "records/track_10min_16mb"


def files_of(folder: Path, name: str, **changed: str) -> dict[str, str]:
    """A bundled example under another name, with some of its files written anew."""
    told = {p.name: p.read_text(encoding="utf-8") for p in folder.iterdir()}
    told |= {
        {"readme": "README.md", "claim": "submission.json", "script": "train_gpt.py"}[k]: v
        for k, v in changed.items()
    }
    return {f"{HOME}/{name}/{file}": text for file, text in told.items()}


def switched_off(folder: Path, name: str) -> dict[str, str]:
    """The illegal example as it would be with its switch off: command, log and all."""
    files = files_of(folder, name)
    return {
        path: text.replace("POLISH_ENABLED=1", "POLISH_ENABLED=0").replace(
            "polish_enabled:True", "polish_enabled:False"
        )
        for path, text in files.items()
    }


README = (ILLEGAL / "README.md").read_text(encoding="utf-8")
SCRIPT = (ILLEGAL / "train_gpt.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """#10 polishes illegally; #11 is built on it, #12 on #11; #13 has the switch off, #14 has it on;
    #150 names one that is not there; #16 names a folder of main; #20 has two folders, #21 is built on it; #22
    names #16 and #11 in one breath; #23 tries other things than names."""
    repo = Repo.create(tmp_path_factory.mktemp("lineage") / "clone")
    repo.commit({"README.md": "# challenge\n"}, day="2026-03-18")
    repo.commit(files_of(LEGAL, "2026-04-01_OnMain"), day="2026-04-02")

    def pull_request(number: int, *files: dict[str, str]) -> None:
        repo.branch(f"b{number}")
        repo.commit({path: text for told in files for path, text in told.items()}, day="2026-04-22")
        repo.pull_request(number)

    pull_request(10, files_of(ILLEGAL, "2026-04-21_First"))
    pull_request(
        11,
        files_of(
            ILLEGAL,
            "2026-04-21_Second",
            readme=README + "\nBuilt on PR #10.\n",
            script=SCRIPT.replace("0.0005", "0.0006"),
        ),
    )
    pull_request(12, files_of(ILLEGAL, "2026-04-21_Third", readme=README + "\nForked from PR #11.\n"))
    pull_request(13, switched_off(ILLEGAL, "2026-04-21_Off"))
    pull_request(14, files_of(ILLEGAL, "2026-04-21_OnAgain", readme=README + "\nBase: PR #13\n"))
    pull_request(150, files_of(ILLEGAL, "2026-04-21_Lost", readme=README + "\nBuilt on PR #99.\n"))
    pull_request(16, files_of(LEGAL, "2026-04-20_OfMain", readme="Fork of `2026-04-01_OnMain`.\n"))
    pull_request(20, files_of(LEGAL, "2026-04-20_A"), files_of(ILLEGAL, "2026-04-21_B"))
    pull_request(21, files_of(ILLEGAL, "2026-04-21_OfTwo", readme=README + "\nBuilt on PR #20.\n"))
    pull_request(22, files_of(ILLEGAL, "2026-04-21_Both", readme=README + "\nBuilt on PR #16 and PR #11.\n"))
    pull_request(
        23,
        files_of(
            LEGAL,
            "2026-04-20_Hostile",
            readme="Built on PR #--upload-pack=x, `2026-04-01_$(touch pwned)`, pull/../../etc, "
            "2026-01-01_..-..-etc\nFork of 2026-04-01_OnMain..main\n",
            claim='{"val_bpb": 1.2, "base_pr": "--help", "parent": "refs/heads/main"}',
        ),
    )
    repo.git("checkout", "-q", "main")
    return repo


def audited(clone: Repo, pr: int, argument: str = "auto", *rules: str) -> tuple[Report, Lineage]:
    chosen = registry.pick(list(rules) or ["T01"])
    cases = [Case(s, s.date) for s in load_pull_request(clone.path, pr)]
    reports = [audit(case, chosen, restricted=True) for case in cases]
    report = with_lineage(cases, reports, chosen, argument, clone.path)[0]
    assert isinstance(report.lineage, Lineage)
    return report, report.lineage


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def test_an_inherited_violation_names_the_parent_and_where_it_begins(clone: Repo) -> None:
    _, lineage = audited(clone, 12)
    assert lineage.comparison is not None
    (kin,) = lineage.comparison.findings
    assert (kin.rule, kin.state) == ("T01", State.INHERITED)
    assert lineage.comparison.parent.head.pr == 11
    assert kin.where is not None and kin.where.quote == "optimizer.step()"
    (origin,) = lineage.origins
    assert (origin.eldest.pr, [h.pr for h in origin.through]) == (10, [11])
    assert [name.pr for name in lineage.line] == [10]


def test_the_same_code_with_its_switch_turned_is_new_and_names_the_switch(clone: Repo) -> None:
    _, lineage = audited(clone, 14)
    assert lineage.comparison is not None
    (kin,) = lineage.comparison.findings
    assert kin.state is State.NEW
    assert "POLISH_ENABLED 0 there, 1 here" in kin.says
    assert [(d.name, d.theirs, d.ours) for d in lineage.comparison.settings] == [("POLISH_ENABLED", "0", "1")]


def test_a_violation_by_a_function_that_the_parent_lacks_is_new(clone: Repo) -> None:
    _, lineage = audited(clone, 14, "16")
    assert lineage.comparison is not None
    assert [k.state for k in lineage.comparison.findings] == [State.NEW]
    assert "polish is not in it" in lineage.comparison.findings[0].says


def test_what_the_child_mended_is_gone(clone: Repo) -> None:
    _, lineage = audited(clone, 13, "10")
    assert lineage.comparison is not None
    assert [g.rule for g in lineage.comparison.gone] == ["T01"]


def test_a_measurement_is_never_inherited(clone: Repo) -> None:
    """Both train for more than 600 s, each in runs of its own."""
    _, lineage = audited(clone, 11, "10", "A03", "A01", "R03")
    assert lineage.comparison is not None
    assert all(k.state is not State.INHERITED for k in lineage.comparison.findings)


def test_a_parent_that_is_named_and_not_there_is_told_in_the_report(clone: Repo) -> None:
    _, lineage = audited(clone, 150)
    assert lineage.comparison is None
    assert "#99 is named (README.md:" in lineage.why
    assert "git fetch origin refs/pull/99/head" in lineage.why


def test_a_parent_that_is_asked_for_and_not_there_is_wrong_usage(clone: Repo) -> None:
    done = run("check", "--repo", clone.path, "--pr", 10, "--rule", "A01", "--parent", "9")
    assert done.exit_code == 2
    assert "pull request 9 is not in this clone" in done.output


def test_a_folder_of_main_may_be_the_parent(clone: Repo) -> None:
    _, lineage = audited(clone, 16)
    assert lineage.comparison is not None
    assert lineage.comparison.parent.head.folder == f"{HOME}/2026-04-01_OnMain"
    assert lineage.comparison.code.sameness.name == "BYTES"


def test_of_two_folders_the_nearest_by_code_is_taken_and_said(clone: Repo) -> None:
    _, lineage = audited(clone, 21)
    assert lineage.comparison is not None
    assert lineage.comparison.parent.head.folder.endswith("2026-04-21_B")
    assert "#20 has 2 folders; 2026-04-21_B is nearest by its code" in lineage.notes[0]


def test_of_several_names_the_nearest_by_code_is_taken_and_said(clone: Repo) -> None:
    _, lineage = audited(clone, 22)
    assert lineage.comparison is not None
    assert lineage.comparison.parent.head.pr == 11
    assert (
        "#16 (README.md:" in lineage.notes[0]
        and "are named alike; the code is nearest to #11" in lineage.notes[0]
    )


def test_one_whose_code_this_is_takes_the_place_of_one_that_is_called_the_base(clone: Repo) -> None:
    """The shape of #1423: "takes #1394 and #1364" above a script that is #1416's."""
    clone.branch("b25")
    told = README + "\nTakes PR #16.\n\nCredits: PR #10, PR #20.\n"
    clone.commit(files_of(ILLEGAL, "2026-04-21_Borrowed", readme=told), day="2026-04-22")
    clone.pull_request(25)
    clone.git("checkout", "-q", "main")
    _, lineage = audited(clone, 25)
    assert lineage.comparison is not None
    assert lineage.comparison.parent.head.pr == 10
    assert lineage.comparison.parent.how == "named here, and 100% of the code is the same"
    assert '"takes" speaks of #16, whose code is further away' in lineage.notes[0]


def test_several_names_that_the_code_does_not_tell_apart_are_listed(clone: Repo) -> None:
    repo = clone
    repo.branch("b24")
    repo.commit(
        files_of(LEGAL, "2026-04-20_Neither", readme="Built on PR #10 and PR #12.\n"), day="2026-04-22"
    )
    repo.pull_request(24)
    repo.git("checkout", "-q", "main")
    _, lineage = audited(repo, 24)
    assert lineage.comparison is None
    assert "#10 (README.md:1) and #12 (README.md:1) are named alike" in lineage.why
    assert "--parent" in lineage.why


def test_no_name_says_so_and_a_later_one_is_noted_when_asked_for(clone: Repo) -> None:
    _, none = audited(clone, 10)
    assert none.comparison is None and "calls a submission the base" in none.why
    _, later = audited(clone, 10, "11")
    assert later.comparison is not None
    assert "#11 was opened later than #10" in later.notes
    assert any("the names go in a circle: #11 names #10" in note for note in later.notes)


def test_a_readme_gives_git_nothing_to_run(clone: Repo) -> None:
    before = sorted(clone.path.rglob("pwned"))
    _, lineage = audited(clone, 23)
    assert sorted(clone.path.rglob("pwned")) == before == []
    assert lineage.comparison is None or lineage.comparison.parent.head.folder == f"{HOME}/2026-04-01_OnMain"


def test_the_line_stops_at_a_name_that_was_there_before(clone: Repo) -> None:
    with Clone(clone.path) as git:
        child = load_pull_request(git, 12)[0]
        line, notes = ancestors(child, git, {12, 10})
    assert [name.pr for name in line] == [11]
    assert notes == ("the names go in a circle: #11 names #10 as its base",)


def test_a_folder_and_its_parent_without_a_clone(tmp_path: Path) -> None:
    done = run("check", ILLEGAL, "--parent", ILLEGAL.parent / LEGAL.name, "--rule", "T01", "--exit-zero")
    assert "PARENT    2026-04-20_ScoreFirstTTT" in done.output
    assert "new        T01: the parent does not break it" in done.output
    assert "given with --parent" in done.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check", LEGAL, "--parent", "1493"], "it needs --repo CLONE"),
        (["check", LEGAL, "--parent", "auto"], "it needs --repo CLONE"),
        (["check", LEGAL, "--parent", "nowhere"], "nowhere"),
        (["check", LEGAL, "--parent", "auto", "--pr", "3", "--repo", "."], "stand in the place of folders"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[object], says: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert says in done.output
    assert len(done.output.strip().splitlines()) <= 4


def test_a_folder_is_compared_with_a_pull_request_of_a_clone(clone: Repo) -> None:
    done = run("check", ILLEGAL, "--repo", clone.path, "--parent", "10", "--rule", "T01", "--exit-zero")
    assert "is this very folder" in done.output or "inherited  T01" in done.output


def test_the_exit_code_does_not_ask_the_parent(clone: Repo) -> None:
    told = ["check", "--repo", clone.path, "--pr", 12, "--rule", "T01"]
    assert run(*told).exit_code == run(*told, "--parent", "auto").exit_code == 1


def test_every_format_says_what_is_inherited(clone: Repo) -> None:
    told = [
        "check",
        "--repo",
        clone.path,
        "--pr",
        12,
        "--rule",
        "T01",
        "--exit-zero",
        "--parent",
        "auto",
        "--format",
    ]
    text = run(*told, "text").output
    assert "inherited: #11 has the same code there, polish is unchanged" in " ".join(text.split())
    assert "it goes back at least to #10, through #11" in " ".join(text.split())
    assert "**Parent:**" in run(*told, "markdown").output
    report = json.loads(run(*told, "json").output)
    Draft202012Validator(schema.load("report")).validate(report)
    assert report["lineage"]["compared"]["findings"][0]["state"] == "inherited"
    sarif = json.loads(run(*told, "sarif").output)["runs"][0]["results"]
    assert [result["baselineState"] for result in sarif] == ["unchanged"]


def test_without_parent_nothing_of_it_is_printed() -> None:
    report = json.loads(run("check", ILLEGAL, "--rule", "T01", "--exit-zero", "--format", "json").output)
    assert "lineage" not in report


def test_a_folder_name_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    """The parent's folder and its claim are a stranger's text, like all others."""
    evil = tmp_path / "2026-04-20_\x1b[31mred"
    evil.mkdir()
    for file in LEGAL.iterdir():
        (evil / file.name).write_bytes(file.read_bytes())
    (evil / "README.md").write_text("changed\n")
    assert load_folder(evil).tree.files
    done = run("check", LEGAL, "--parent", evil, "--rule", "A01", "--exit-zero")
    assert "PARENT" in done.output and "\x1b" not in done.output
