"""`trace --prs`: a file for each submission, a line for each head; started again, what is missing is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from golf_audit.cli import cli

from golf_audit.observation import Observation
from golf_audit.submission import Submission
from golf_audit.sweep import traces
from golf_audit.timeline import Origin, Timeline
from tests.test_sweep import clone  # noqa: F401 - a fixture


class Bench:
    """The command with a stand-in for the runs themselves, which tests/dynamic tests."""

    def __init__(self, repo: Path, folder: Path) -> None:
        self.clone, self.folder = repo, folder
        self.traced: list[str] = []

    def trace(self, submission: Submission, *_: Any) -> Observation:
        self.traced.append(submission.name)
        if "OverTheLimits" in submission.name:
            raise RuntimeError("a probe is wrong")
        head, nothing = submission.head, Timeline(Origin.OBSERVED, ())
        return Observation(head.fingerprint, head.folder, "quick", "cpu", True, "failed", "no torch", nothing)

    def __call__(self, *options: str) -> Result:
        self.traced.clear()
        where = ("--repo", str(self.clone), "--output", str(self.folder), "--jobs", "1")
        return CliRunner().invoke(cli, ["trace", *where, *options])

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / traces.LINES).read_text().splitlines()]


@pytest.fixture
def bench(clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:  # noqa: F811
    made = Bench(clone, tmp_path / "traces")
    monkeypatch.setattr(traces, "trace", made.trace)
    return made


def test_every_head_gets_a_line_and_every_submission_a_file(bench: Bench) -> None:
    done = bench("--prs", "1-4")
    lines = {line["pr"]: line for line in bench.lines()}
    assert sorted(lines) == [1, 2, 3, 4]
    (first,) = lines[1]["submissions"]
    assert (first["ending"], first["attested"]) == ("failed", False)
    assert first["fingerprint"] in (bench.folder / first["file"]).read_text()
    assert "RuntimeError: a probe is wrong" in lines[2]["crash"] and not lines[3]["submissions"]
    assert "did not run: no torch" in done.output and "#2: no trace: RuntimeError" in done.output
    assert done.exit_code == 4


def test_started_again_it_runs_what_is_missing_alone(bench: Bench) -> None:
    bench("--prs", "1,2")
    assert len(bench.traced) == 2
    bench("--prs", "1,2,4")
    assert sorted(name[-1] for name in bench.traced) == ["2", "4"], "a crash is tried again"
    (bench.folder / bench.lines()[0]["submissions"][0]["file"]).unlink()
    bench("--prs", "1,4")
    assert len(bench.traced) == 1


def test_a_dry_run_names_what_is_left_and_runs_nothing(bench: Bench) -> None:
    bench("--prs", "1")
    done = bench("--prs", "1-3", "--dry-run")
    assert done.exit_code == 0 and not bench.traced
    assert "3 heads, 1 of them in traces.jsonl already" in done.output
    assert "to be traced: 2: #2, #3" in done.output
    slurm = bench("--prs", "1-3", "--dry-run", "--launcher", "slurm")
    assert "by Slurm, in 1 jobs" in slurm.output and "#SBATCH --cpus-per-task=8" in slurm.output


@pytest.mark.parametrize("options", [("--prs", "1", "--pr", "1"), ("--dry-run",), ("--launcher", "slurm")])
def test_options_that_do_not_go_together(bench: Bench, options: tuple[str, ...]) -> None:
    assert bench(*options).exit_code == 2 and not bench.traced
