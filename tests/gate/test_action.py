"""action.yml, its own steps run in bash as a runner would: what a pull request gets, and what it cannot."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import LEGAL, OVER, TRACK, Challenge, folder
from .runner import ACTION, Done

Commands = Callable[[str], list[str]]
WAIVERS = ".github/golf-audit-waivers.toml"


def errors(done: Done, commands: Commands) -> list[str]:
    return [line for line in commands(done.stdout) if line.startswith("::error ")]


def verdicts(done: Done) -> dict[str, str]:
    """folder name -> verdict, from the uploaded report."""
    told = json.loads((done.report / "report.json").read_bytes())
    reports = told.get("reports", [told])
    return {r["submission"]["folder"].rsplit("/", 1)[-1]: r["verdict"] for r in reports}


def waivers_for(done: Done) -> str:
    """A waiver file for every finding of a report."""
    told = json.loads((done.report / "report.json").read_bytes())
    place = told["submission"]["folder"]
    entry = '[[waiver]]\nrule = "{}"\nfingerprint = "{}"\nfolder = "{}"\n'
    entry += 'reason = "r"\nwho = "w"\nexpires = 9999-01-01\n'
    return "".join(
        entry.format(ruling["rule"], finding["fingerprint"], place)
        for ruling in told["rulings"]
        for finding in ruling["findings"]
        if ruling["verdict"] == "fail"
    )


def test_a_failing_folder_is_an_annotation_on_the_line_and_exit_1(
    challenge: Challenge, commands: Commands
) -> None:
    challenge.pull_request(7, folder(OVER))
    done = challenge.runner(7).run()
    assert done.exit_code == 1, done.stderr
    (first, *_) = errors(done, commands)
    assert first.startswith(f"::error file={TRACK}/{OVER}/train_seed42.log,line=30,title=A01 fail")
    assert (done.outputs["verdict"], done.outputs["exit-code"], done.outputs["submissions"]) == (
        "fail",
        "1",
        "1",
    )
    assert "golf-audit: FAIL" in done.summary and "A01" in done.summary
    sarif = json.loads((done.report / "report.sarif").read_bytes())["runs"][0]["results"]
    place = sarif[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == f"{TRACK}/{OVER}/train_seed42.log"
    assert place["region"]["startLine"] == 30
    assert [used for used, _ in done.used if "upload-artifact" in used]  # after a fail too


def test_a_legal_folder_has_no_error_and_fails_only_when_strict(
    challenge: Challenge, commands: Commands
) -> None:
    challenge.pull_request(7, folder(LEGAL))
    done = challenge.runner(7).run()
    assert (done.exit_code, done.outputs["verdict"]) == (0, "open"), done.stdout
    assert errors(done, commands) == []
    assert "exit 0\n" in done.stdout and "exit 3" not in done.stdout + done.summary
    strict = challenge.runner(7).run(strict="true")
    assert strict.exit_code == 1 and "exit 1 (--strict)\n" in strict.stdout


def test_a_pull_request_without_a_folder_says_so(challenge: Challenge, commands: Commands) -> None:
    challenge.pull_request(7, {"README.md": "# Better words\n"})
    done = challenge.runner(7).run()
    assert (done.exit_code, done.outputs["submissions"]) == (0, "0")
    assert "no submission in this pull request" in done.stdout and "No submission" in done.summary
    assert errors(done, commands) == []


def test_two_folders_are_both_audited(challenge: Challenge) -> None:
    challenge.pull_request(7, folder(OVER) | folder(LEGAL))
    done = challenge.runner(7).run()
    assert done.exit_code == 1
    assert verdicts(done) == {OVER: "fail", LEGAL: "open"}


def test_a_folder_of_main_is_not_judged_again_and_a_change_to_it_is_told(challenge: Challenge) -> None:
    challenge.main(folder(OVER))
    challenge.pull_request(7, {f"{TRACK}/{OVER}/README.md": "# Other words\n", **folder(LEGAL)})
    done = challenge.runner(7).run()
    assert verdicts(done) == {LEGAL: "open"}
    assert "changes or removes 1 files of submissions that the base branch has already" in done.stdout


# --- what a pull request cannot do ----------------------------------------------------------------------

MARK = "import pathlib; pathlib.Path({place!r}).touch()\n"


def test_what_a_pull_request_brings_along_gains_it_nothing(
    challenge: Challenge, commands: Commands, tmp_path: Path
) -> None:
    """Its action, waivers, modules, rules, attributes and hooks count for nothing, and none of it runs."""
    challenge.pull_request(1, folder(OVER))
    honest = challenge.runner(1).run()
    mark = tmp_path / "it-ran"
    code = MARK.format(place=str(mark))
    names = (
        "click.py",
        "sitecustomize.py",
        "usercustomize.py",
        "golf_audit/__init__.py",
        "rules/a01_artifact_size.py",
    )
    names += ("cli.py", "libcst.py", "json.py", "conftest.py", f"{TRACK}/{OVER}/click.py")
    tricks = {
        **dict.fromkeys(names, code),
        "action.yml": "runs:\n  using: composite\n  steps: []\n",
        ".github/workflows/golf-audit.yml": "on: push\n",
        WAIVERS: waivers_for(honest),
        ".gitattributes": "* filter=evil diff=evil merge=evil\n",
        ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% it-ran\n',
        "pyproject.toml": '[tool.golf-audit]\nignore = ["A01"]\n',
        "setup.cfg": "[golf-audit]\nignore = A01\n",
    }
    challenge.pull_request(2, {**folder(OVER), **tricks}, branch="evil")
    # A workflow that checks the head out before it calls the action does what one must not. Nothing runs.
    for name in names:
        path = challenge.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    runner = challenge.runner(2)
    runner.environment |= {
        "PYTHONPATH": str(challenge.workspace),
        "PYTHONSTARTUP": str(challenge.workspace / "cli.py"),
    }
    done = runner.run()
    assert not mark.exists()
    assert done.exit_code == 1
    assert {line.split("::")[1] for line in errors(done, commands)} >= {
        line.split("::")[1] for line in errors(honest, commands)
    }
    assert "waived" not in done.stdout
    assert "changes files of the gate" in done.stdout and "changes files of the gate" in done.summary


HOSTILE = (
    "a\n::error file=x::forged",
    "\x1b]0;title\x07::warning::b",
    "$(touch pwned)`touch pwned`;&|",
    "-rf",
    "name,line=1,title=x::y",
    "<img src=x onerror=alert(1)> @someone #1",
    "%0A::error::c",
)


def test_hostile_names_stay_text(challenge: Challenge, commands: Commands) -> None:
    """Of folders, files and branches, in the log, the annotations, the summary and the outputs."""
    files: dict[str, str | bytes] = {}
    for name in HOSTILE:
        place = f"{TRACK}/{name}"
        files |= {f"{place}/{name}.log": "step 1\n", **folder(OVER, place)}
    challenge.pull_request(7, files)
    runner = challenge.runner(7, action="synchronize", sender={"login": HOSTILE[0]})
    path = Path(runner.github["EVENT_PATH"])
    event = json.loads(path.read_bytes())
    event["pull_request"] |= {"title": HOSTILE[0], "body": HOSTILE[1]}
    event["pull_request"]["head"] |= {"ref": HOSTILE[2], "label": HOSTILE[3]}
    path.write_text(json.dumps(event), encoding="utf-8")
    done = runner.run()
    assert done.exit_code == 1, done.stderr
    assert done.outputs["submissions"] == str(len(HOSTILE))
    ours = re.compile(r"::(?:error|warning|notice) (?:file=[^,\n]*|title=)|::(?:group|endgroup)::")
    assert [line for line in commands(done.stdout) if not ours.match(line)] == []
    assert all(line.startswith(f"::error file={TRACK}/") for line in errors(done, commands)[:9])
    assert not any(c in done.stdout + done.summary for c in "\x1b\x07")
    assert "<img" not in re.sub(r"`[^`\n]*`|```.*?```", "", done.summary, flags=re.DOTALL)
    assert not list(challenge.temp.rglob("pwned")) and not list(challenge.workspace.iterdir())
    assert set(done.outputs) == set(ACTION["outputs"])


# --- waivers --------------------------------------------------------------------------------------------


def test_a_waiver_of_the_base_branch_counts_and_stays_visible(
    challenge: Challenge, commands: Commands
) -> None:
    challenge.pull_request(7, folder(OVER))
    before = challenge.runner(7).run()
    challenge.main({WAIVERS: waivers_for(before)})
    done = challenge.runner(7).run()  # the same event again: what main holds now counts
    assert done.exit_code == 0, done.stdout
    assert errors(done, commands) == []
    assert "2 waived" in done.stdout and "by w until 9999-01-01" in done.summary


def test_a_broken_waiver_file_stops_the_gate_and_names_each_fault(
    challenge: Challenge, commands: Commands
) -> None:
    challenge.main({WAIVERS: '[[waiver]]\nrule = "A01"\n'})
    challenge.pull_request(7, folder(LEGAL))
    done = challenge.runner(7).run()
    assert done.exit_code == 2 and done.outputs["exit-code"] == "2"
    assert "no waiver of it is honoured" in errors(done, commands)[0]
    assert "waiver 1 (A01): 'who' is a required property" in done.summary.replace("`", "")


# --- events ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pull_request_target", "push", "issue_comment"])
def test_other_events_are_refused_before_anything_is_fetched(
    challenge: Challenge, commands: Commands, name: str
) -> None:
    challenge.pull_request(7, folder(LEGAL))
    done = challenge.runner(7, name).run()
    assert done.exit_code == 2 and done.ran == ["key", "install", "fetch"]
    assert len(errors(done, commands)) == 1
    assert not (challenge.temp / "golf-audit" / "pull").exists()


def test_the_run_of_a_fork_is_audited_again_commented_and_given_a_status(challenge: Challenge) -> None:
    head = challenge.pull_request(7, folder(OVER))
    done = challenge.runner(7, "workflow_run").run(comment="true", status="golf-audit", artifact="")
    assert done.exit_code == 1, done.stderr
    (comment,) = challenge.github.comments
    assert comment["body"].startswith("<!-- golf-audit/report -->") and "A01" in comment["body"]
    ((commit, status),) = challenge.github.statuses
    assert (commit, status["state"], status["context"]) == (head, "failure", "golf-audit")
    assert status["description"].startswith("FAIL: 2 failed")
    assert status["target_url"].endswith("/openai/parameter-golf/actions/runs/77")
    assert challenge.github.tokens == {"Bearer a-token"}
    assert not [used for used, _ in done.used if "upload-artifact" in used]


def test_a_run_of_an_older_head_does_nothing(challenge: Challenge) -> None:
    challenge.pull_request(7, folder(OVER))
    runner = challenge.runner(7, "workflow_run")
    challenge.github.pulls[0]["head"]["sha"] = "f" * 40
    done = runner.run(comment="true", status="golf-audit")
    assert (done.exit_code, done.outputs["verdict"]) == (0, "")
    assert "nothing to audit" in done.stdout and done.ran == ["key", "install", "fetch"]
    assert challenge.github.comments == [] and challenge.github.statuses == []


def test_strangers_code_is_not_run_where_secrets_are(challenge: Challenge, commands: Commands) -> None:
    challenge.pull_request(7, folder(OVER))
    runner = challenge.runner(7, "workflow_run")
    runner.given = {"sandbox": {}}  # which a test does not install
    done = runner.run(trace="true")
    assert done.exit_code == 2
    assert "runs strangers' code: on pull_request only" in errors(done, commands)[0]


def test_a_token_that_may_not_write_fails_nothing(challenge: Challenge, commands: Commands) -> None:
    """Pull requests from forks: the summary suffices."""
    challenge.pull_request(7, folder(LEGAL))
    challenge.github.may_write = False
    done = challenge.runner(7).run(comment="true", status="golf-audit")
    assert done.exit_code == 0, done.stderr
    assert len([line for line in commands(done.stdout) if "the token may not" in line]) == 2
    assert done.summary


# --- what takes longer ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_tool_is_installed_from_the_action_itself_once(challenge: Challenge) -> None:
    """Needs a package index. What is installed is this checkout, in an environment of its own."""
    challenge.pull_request(7, folder(LEGAL))
    home = challenge.temp / "golf-audit" / "env"
    home.unlink()
    runner = challenge.runner(7)
    runner.environment = {"PYTHONPATH": str(challenge.workspace)}
    done = runner.run(python=sys.executable)
    assert (done.exit_code, done.outputs["verdict"]) == (0, "open"), done.stderr
    (package,) = home.glob("lib/python*/site-packages/golf_audit/cli.py")
    written = (home / "complete").stat().st_mtime_ns
    assert runner.run(python=sys.executable).exit_code == 0
    assert (home / "complete").stat().st_mtime_ns == written and package.is_file()


# --- the file itself ------------------------------------------------------------------------------------


def test_no_expression_reaches_a_shell_and_every_action_is_pinned() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), step
        assert re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+@[0-9a-f]{40}", step.get("uses", "a/b@" + "0" * 40))


def test_the_token_is_in_no_step_that_reads_a_submission() -> None:
    holders = {step["id"] for step in ACTION["runs"]["steps"] if "inputs.token" in str(step.get("env"))}
    assert holders == {"fetch", "comment"}


def test_the_python_of_every_step_is_isolated() -> None:
    for step in ACTION["runs"]["steps"]:
        calls = re.findall(r'(?:bin/python|\$PYTHON)" (\S+)', step.get("run", ""))
        assert set(calls) <= {"-I"}, step


def test_the_cache_key_changes_with_the_tool_and_what_is_installed(challenge: Challenge) -> None:
    challenge.pull_request(7, {"README.md": "x\n"})
    kept, runner = challenge.runner(7).run(), challenge.runner(7)
    runner.given = {"sandbox": {}}
    other = runner.run(cache="false", trace="true")
    (cache,) = (told for used, told in kept.used if "actions/cache" in used)
    assert cache["key"].endswith(kept.outputs["cache-key"])
    assert re.fullmatch(r"[0-9a-f]{32}", kept.outputs["cache-key"])
    assert other.outputs["cache-key"] not in ("", kept.outputs["cache-key"])  # torch is in that one
    assert not [used for used, _ in other.used if "actions/cache" in used]
