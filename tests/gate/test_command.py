"""`gate audit` by hand, what stops it, and the pre-commit hook."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from golf_audit.cli import cli

from golf_audit import observation
from golf_audit.gate import audit as gate_audit
from golf_audit.gate.precommit import folders_of
from golf_audit.observation import Observation
from golf_audit.submission import Submission
from golf_audit.timeline import Origin, Timeline

from .conftest import EXAMPLES, LEGAL, OVER, TRACK, Challenge, folder
from .runner import ROOT


def audited(challenge: Challenge, *arguments: str) -> Result:
    given = ["gate", "audit", "--repo", str(challenge.work.path), "--output", str(challenge.temp / "out")]
    return CliRunner().invoke(cli, [*given, *arguments])


def result(challenge: Challenge) -> dict[str, object]:
    told: dict[str, object] = json.loads((challenge.temp / "out" / "result.json").read_bytes())
    return told


def test_a_maintainer_can_run_it_on_any_two_commits(challenge: Challenge) -> None:
    head = challenge.pull_request(7, folder(OVER))
    done = audited(challenge, "--head", head, "--base", "main", "--rule", "A01")
    assert done.exit_code == 1 and "::error file=" in done.output
    assert result(challenge) == {"exit_code": 1, "says": "FAIL: 1 failed, 0 open", "submissions": 1}


def test_the_base_decides_what_is_new(challenge: Challenge) -> None:
    before = challenge.work.head
    challenge.main(folder(LEGAL))
    head = challenge.pull_request(7, folder(OVER))
    audited(challenge, "--head", head, "--base", "main", "--rule", "A01")
    assert result(challenge)["submissions"] == 1
    audited(challenge, "--head", head, "--base", before, "--rule", "A01")
    assert result(challenge)["submissions"] == 2


def test_a_baseline_leaves_only_what_is_new(challenge: Challenge, tmp_path: Path) -> None:
    head = challenge.pull_request(7, folder(OVER))
    audited(challenge, "--head", head, "--rule", "A01")
    base = tmp_path / "base.json"
    shutil.copy(challenge.temp / "out" / "report.json", base)
    done = audited(challenge, "--head", head, "--rule", "A01", "--baseline", str(base))
    assert done.exit_code == 1 and "::error" not in done.output
    page = (challenge.temp / "out" / "comment.md").read_text(encoding="utf-8")
    assert "Since the baseline" in page and "Nothing changed since the baseline." in page


def test_a_fault_of_the_tool_is_exit_4_and_never_looks_like_a_failed_submission(
    challenge: Challenge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(task: object) -> None:
        raise ValueError("\x1b[31m::error::x")

    monkeypatch.setattr(gate_audit, "judge", broken)
    done = audited(challenge, "--head", "main")
    assert done.exit_code == 4
    assert result(challenge)["exit_code"] == 4 and "\x1b" not in done.output
    assert not [line for line in done.output.splitlines() if line.startswith("::error::x")]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no alarms, and runs no composite steps in bash")
def test_time_is_limited_also_against_rules_that_catch_everything(
    challenge: Challenge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(task: object) -> None:
        while True:
            try:
                time.sleep(5)
            except Exception:  # noqa: BLE001 - as the audit does around each rule
                continue

    monkeypatch.setattr(gate_audit, "judge", slow)
    started = time.monotonic()
    done = audited(challenge, "--head", "main", "--timeout", "1")
    assert done.exit_code == 4 and "no verdict after 1 s" in done.output
    assert time.monotonic() - started < 4


def test_a_figure_that_cannot_be_drawn_costs_the_page_and_no_verdict(
    challenge: Challenge, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = challenge.pull_request(7, folder(LEGAL))
    audited(challenge, "--head", head, "--rule", "A01")
    page = challenge.temp / "out" / "report.html"
    assert "<html" in page.read_text(encoding="utf-8")

    def broken(case: object, report: object) -> None:
        raise IndexError("no such moment")

    monkeypatch.setattr(gate_audit, "drawn", broken)
    done = audited(challenge, "--head", head, "--rule", "A01")
    assert done.exit_code == 0 and "a figure could not be drawn (IndexError: no such moment)" in done.output
    assert not page.exists()


def test_what_a_run_showed_stands_in_the_report_and_beside_it(
    challenge: Challenge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run itself, and its sandbox, are tested with `trace`."""
    head = challenge.pull_request(7, folder(LEGAL))
    asked = []

    def plan(*how: object) -> object:
        asked.append(how)
        return how

    def observe(of: Submission, how: object) -> Observation:
        ended = ("full", "cpu", True, "failed", "the run ended at once")
        return Observation(of.head.fingerprint, of.head.folder, *ended, Timeline(Origin.OBSERVED, ()))

    monkeypatch.setattr("golf_audit.dynamic.command.plan", plan)
    monkeypatch.setattr("golf_audit.dynamic.command.observe", observe)
    done = audited(challenge, "--head", head, "--rule", "M01", "--dynamic")
    assert done.exit_code == 0, done.output
    assert asked == [("full", "cpu", False)]  # in the sandbox
    assert "did not run in miniature to its end" in done.output, "a run that is missing is told"
    report = json.loads((challenge.temp / "out" / "report.json").read_bytes())
    assert "the run ended at once" in report["rulings"][0]["reason"]
    seen = observation.read(challenge.temp / "out" / "trace-1.json")
    assert seen.fingerprint == report["submission"]["fingerprint"]
    audited(challenge, "--head", head, "--rule", "M01")
    assert not (challenge.temp / "out" / "trace-1.json").exists()  # of an earlier run


UNUSABLE = {
    "a head that is not there": ["--head", "nowhere"],
    "an option for a head": ["--head", "--upload-pack=x"],
    "neither event nor head": [],
    "a day that is none": ["--head", "main", "--as-of", "soon"],
    "a baseline that is none": ["--head", "main", "--baseline", "/dev/null"],
}


@pytest.mark.parametrize("arguments", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_what_cannot_be_used_is_exit_2(challenge: Challenge, arguments: list[str]) -> None:
    assert audited(challenge, *arguments).exit_code == 2


def test_a_repository_that_is_none_is_exit_2_with_an_annotation(tmp_path: Path) -> None:
    given = ["gate", "audit", "--repo", str(tmp_path), "--head", "main", "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(cli, given)
    assert done.exit_code == 2 and done.output.startswith("::error title=golf-audit%3A not audited::")


def test_a_waiver_file_that_is_a_link_or_a_folder_is_not_read(challenge: Challenge, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.toml").write_text("", encoding="utf-8")
    (challenge.work.path / "waivers.toml").symlink_to(tmp_path / "elsewhere.toml")
    challenge.main({})
    done = audited(challenge, "--head", "main", "--waivers", "waivers.toml")
    assert done.exit_code == 2 and "no file that can be read" in done.output


# --- pre-commit -----------------------------------------------------------------------------------------


def copied(root: Path, *names: str) -> None:
    for name in names:
        shutil.copytree(EXAMPLES / name, root / TRACK / name)


def test_changed_files_lead_to_their_folders(tmp_path: Path) -> None:
    copied(tmp_path, OVER, LEGAL)
    (tmp_path / TRACK / OVER / "src" / "deep").mkdir(parents=True)
    (tmp_path / TRACK / OVER / "src" / "deep" / "x.py").touch()
    (tmp_path / "records" / "README.md").touch()
    changed = [f"{TRACK}/{OVER}/src/deep/x.py", f"{TRACK}/{OVER}/README.md", "records/README.md", "README.md"]
    changed += ["../records/track_x/y/train_gpt.py", f"{TRACK}/gone/train_gpt.py"]
    assert folders_of(map(Path, changed), tmp_path) == [tmp_path / TRACK / OVER]
    assert folders_of([Path(f"{TRACK}/{n}/train_gpt.py") for n in (OVER, LEGAL)], tmp_path) == [
        tmp_path / TRACK / LEGAL,
        tmp_path / TRACK / OVER,
    ]


def test_the_hook_fails_on_a_failing_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied(tmp_path, OVER, LEGAL)
    monkeypatch.chdir(tmp_path)

    def hook(*files: str) -> Result:
        return CliRunner().invoke(cli, ["pre-commit", *files])

    assert hook(f"{TRACK}/{OVER}/README.md").exit_code == 1
    assert hook(f"{TRACK}/{LEGAL}/README.md").exit_code == 0
    assert hook("--strict", f"{TRACK}/{LEGAL}/README.md").exit_code == 1
    assert (hook("README.md").exit_code, hook("README.md").output) == (0, "")


def test_the_hook_that_pre_commit_reads_names_this_command() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"].split()[0] == "golf-audit" and hook["language"] == "python"
    assert cli.commands[hook["entry"].split()[1]]
