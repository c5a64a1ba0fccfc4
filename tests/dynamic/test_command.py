"""The commands around a trace: what they refuse, what they print, and one bundled example from end to end."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from golf_audit.cli import cli

from golf_audit import observation
from golf_audit.commands.options import Source
from golf_audit.dynamic import command as commands
from golf_audit.dynamic import sandbox
from golf_audit.dynamic.contract import Ending, RunResult, Usage
from golf_audit.dynamic.messages import Phase, Print
from golf_audit.observation import Outcome, Word
from golf_audit.report import traced
from tests.dynamic.fake import JOB
from tests.dynamic.test_document import told

EXAMPLES = Path(__file__).parents[2] / "examples" / "track_10min_16mb"
SCORE_FIRST, POLISH = EXAMPLES / "2026-04-20_ScoreFirstTTT", EXAMPLES / "2026-04-21_PolishBeforeQuantising"
linux = pytest.mark.skipif(sys.platform != "linux", reason="trace is for Linux")


def invoke(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(cli, [str(word) for word in words])
    return done.exit_code, done.output


def test_no_sandbox_is_refused_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    code, said = invoke("trace", SCORE_FIRST, "--unsafe-no-sandbox")
    assert code == 2 and "refused where CI=true" in said


@linux
@pytest.mark.parametrize(
    ("missing", "fix"), [("bwrap", "apt-get install bubblewrap"), ("prlimit", "apt-get install util-linux")]
)
def test_without_its_tools_trace_says_what_to_install(
    missing: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None if name == missing else f"/usr/bin/{name}")
    sandbox._problem.cache_clear()
    try:
        code, said = invoke("trace", SCORE_FIRST)
    finally:
        sandbox._problem.cache_clear()
    assert code == 4 and fix in said and "--unsafe-no-sandbox" in said


@linux
def test_where_namespaces_are_denied_trace_says_how_to_allow_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sandbox, "_bubblewrap", lambda *args: ["sh", "-c", "echo bwrap: no uid map >&2; exit 1"]
    )
    sandbox._problem.cache_clear()
    try:
        code, said = invoke("trace", SCORE_FIRST)
    finally:
        sandbox._problem.cache_clear()
    assert code == 4 and "no uid map" in said and ("seccomp=unconfined" in said or "AppArmor" in said)


NO_SCRIPT = {"README.md": "# A claim", "submission.json": '{"val_bpb": 1.1}'}


def no_script(tmp_path: Path) -> Path:
    folder = tmp_path / "track_10min_16mb" / "2026-04-20_NoScript"
    folder.mkdir(parents=True)
    for name, text in NO_SCRIPT.items():
        (folder / name).write_text(text)
    return folder


@linux
def test_a_folder_without_a_script_has_a_trace_that_says_so(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    code, said = invoke("trace", no_script(tmp_path), "--output", file)
    assert code == 4 and "did not run to its end: no train_gpt.py" in said
    assert observation.read(file).ending == "never_started"


@linux
def test_a_check_whose_run_is_missing_prints_its_report_and_exits_4(tmp_path: Path) -> None:
    """One folder that cannot run takes nothing from the report on the others, and is no clean bill."""
    folder = no_script(tmp_path)
    code, said = invoke("check", folder, "--dynamic", "--rule", "M01")
    assert code == 4
    assert "did not run in miniature to its end: 2026-04-20_NoScript: no train_gpt.py" in said
    assert "UNDETERMINED  M01  the run in miniature did not come to its end" in " ".join(said.split("\n"))
    code, _ = invoke("check", folder, "--dynamic", "--rule", "M01", "--exit-zero")
    assert code == 4, "--exit-zero reports, and says when the tool could not"


def test_progress_tells_the_run_its_phase_and_its_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal one line that is rewritten, elsewhere a line for each run; both escaped."""
    console = commands.Console("x")
    end = RunResult(JOB, Ending.FAILED, "ValueError: \x1b[2J", usage=Usage(seconds=12.5, peak_bytes=1 << 29))
    for live in (True, False):
        console._live, console._shown = live, 0.0
        console.begins("two ranks", 11, 12)
        console.hears("two ranks", Phase(name="evaluate"), 3.25)
        console.begins("prefix", 12, 12)
        console._shown = 0.0
        console.hears("prefix", Print(text="val_bpb:1.2", site=("a", 1)), 1.0)
        console.ends("two ranks", end)
        console.ends("prefix", end)
        said = capsys.readouterr().err
        assert ("11/12 two ranks    3.2 s  evaluate" in said) is live
        assert ("11/12 two ranks    3.2 s  evaluate   12/12 prefix    1.0 s  val_bpb:1.2" in said) is live
        assert "11/12 two ranks   12.5 s  0.5 GB  ValueError" in said and "\x1b" not in said


def test_after_the_first_run_progress_tells_how_much_is_to_come(capsys: pytest.CaptureFixture[str]) -> None:
    console = commands.Console("x")
    end = RunResult(JOB, Ending.OK, "", usage=Usage(seconds=12.5))
    console.begins("baseline", 1, 1)
    console.ends("baseline", end)
    console.begins("control", 2, 12)
    console.begins("order", 3, 12)
    assert capsys.readouterr().err.splitlines() == [
        "baseline   12.5 s  0.0 GB",
        "11 more runs, about 12 s each",
    ]


def test_a_trace_of_another_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    file.write_text(observation.to_json(told()))
    code, said = invoke("check", SCORE_FIRST, "--trace", file)
    assert code == 2 and "another state of it" in said
    code, said = invoke("check", SCORE_FIRST, "--trace", file, "--dynamic")
    assert code == 2 and "not both" in said


def test_the_summary_says_what_was_seen_and_escapes_it() -> None:
    seen = told()
    named = replace(seen.results[0], name="\x1b]0;owned\x07", exempt=3, inversions=2)
    moved = Outcome("order", Word.VIOLATION, "x \x1b[2J y", ("T01",), named.index, (), (("rows", 4.0),))
    seen = replace(seen, results=(named,), outcomes=(moved,), sandboxed=False, not_produced=("a::error b",))
    text = " ".join(traced.summary(seen, "t.json").split())
    assert "\x1b" not in text and "WITHOUT A SANDBOX" in text
    assert "64 targets SCORED AFTER A GRADIENT ON THEM" in text
    assert "3 targets without bytes" in text and "2 steps back" in text
    assert "VIOLATION order (T01)" in text and "(rows 4)" in text
    assert "never printed here" in text and "check FOLDER --trace t.json" in text
    failed = traced.summary(replace(seen, ending="failed", reason="ValueError: no", errors=("line 1",)))
    assert "did not run to its end: ValueError: no" in failed and "    line 1" in failed
    assert "what helps" not in failed
    lacking = "ModuleNotFoundError: No module named 'fla.layers'; 'fla' is not a package"
    lacks = traced.summary(replace(seen, ending="failed", reason=lacking))
    assert "this environment's packages; fla is neither" in " ".join(lacks.split())


def test_the_summary_names_the_next_command_as_it_can_be_typed() -> None:
    seen = replace(told(), probes="quick")
    of = "--repo CLONE --pr 7"
    text = traced.summary(seen, "t.json", of)
    assert f"golf-audit check {of} --trace t.json" in text
    assert f"golf-audit trace {of} --probes full" in text
    assert "--probes full" not in traced.summary(replace(seen, probes="full"), "t.json", of)
    assert "--probes full" not in traced.summary(replace(seen, ending="failed"), "t.json", of)
    assert Source(Path("a b"), 7, None).named(None) == "--repo 'a b' --pr 7"
    assert Source(Path("a"), None, "main").named(None) == "--repo a --ref main"
    assert Source(None, None, None).named(Path("a b")) == "'a b'"


@linux
@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "late", "t01", "exit_code"), [(SCORE_FIRST, False, "pass", 0), (POLISH, True, "fail", 1)]
)
def test_a_bundled_example_from_end_to_end(
    folder: Path, late: bool, t01: str, exit_code: int, tmp_path: Path
) -> None:
    """The unmodified script in the sandbox; `check` judges what was seen."""
    file = tmp_path / "trace.json"
    code, said = invoke("trace", folder, "--output", file)
    assert code == 0, said
    result = json.loads(file.read_text())["results"][-1]
    assert result["attested"] and bool(result["late"]) is late
    code, text = invoke("check", folder, "--trace", file, "--rule", "T01", "--format", "json")
    (ruling,) = json.loads(text)["rulings"]
    assert (ruling["verdict"], code) == (t01, exit_code)
    assert "trace" in {e["kind"] for f in ruling["findings"] for e in f["evidence"]} | {
        e["kind"] for e in ruling["basis"]
    }
