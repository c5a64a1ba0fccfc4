"""From a bundle of golf_ref to the words on its claim, with real training on the CPU (shortened).

On one machine the same program with the same seed gives the same digits, so that the claim is reproduced;
the machine is not the rule's, so that it stays a note.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from golf_audit.ledger import read_ledger

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SHORT = ("iterations=12", "eval_stride=64", "global_ttt_epochs=0", "gptq_calibration_batches=1")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if k != "CI"}
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=1_500, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def claim(submission: Path, shifts: dict[str, float]) -> None:
    """submission.json with each seed's score shifted, and their mean."""
    path = submission / "submission.json"
    stated = json.loads(path.read_text())
    for seed, shift in shifts.items():
        stated["seed_results"][seed]["val_bpb"] = round(stated["seed_results"][seed]["val_bpb"] + shift, 8)
    values = [result["val_bpb"] for result in stated["seed_results"].values()]
    path.write_text(json.dumps({**stated, "val_bpb": round(sum(values) / len(values), 8)}, indent=2))


def test_bundle_check_rerun_and_three_claims(tmp_path: Path) -> None:
    submission = tmp_path / "records" / "track_non_record_16mb" / "2026-11-28_Tiny"
    who = ("--author", "A. Participant", "--github-id", "participant", "--out", tmp_path / "tiny")
    bundled = run("golf_ref", "bundle", "--folder", submission, "--seeds", "42,314,999", *who, *SHORT)
    assert bundled.returncode == 0, bundled.stderr
    checked = run("golf_audit", "check", submission)
    assert checked.returncode in (0, 3), checked.stdout

    options = ("--ledger", tmp_path / "runs.jsonl", "--data", tmp_path / "tiny" / "data", "--yes")
    first = run("golf_audit", "rerun", submission, *options)
    assert "UNDETERMINED: reproduced on" in first.stdout, first.stdout + first.stderr
    assert "a note, never a confirmation" in first.stdout and first.returncode == 3
    scores = [end.body["score"]["bpb"] for end in read_ledger(tmp_path / "runs.jsonl").of("end")]
    assert len(scores) == 3

    claim(submission, dict.fromkeys(("42", "314", "999"), -0.02))
    better = run("golf_audit", "rerun", submission, *options)
    assert "not reproduced: worse than claimed on" in better.stdout and "kept from" in better.stderr

    claim(submission, {"42": 0.035, "314": 0.005, "999": 0.025})
    noisy = run("golf_audit", "rerun", submission, *options)
    assert "UNDETERMINED: undetermined on" in noisy.stdout, noisy.stdout
    assert "seeds would decide at this spread" in noisy.stdout
    assert len(read_ledger(tmp_path / "runs.jsonl").of("end")) == 3, "the same runs speak to every claim"
