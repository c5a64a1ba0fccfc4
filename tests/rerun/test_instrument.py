"""`rerun --instrument`: every position that is behind the claimed number, at the sizes of the run itself.

Protects that an honest run is shown to be honest over several ranks, that what breaks the order or the count
is seen where it happens, and that an instrumented run never stands in for a timed one.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from golf_audit.audit import audit
from golf_audit.ledger import read_ledger
from golf_audit.load import load_folder
from golf_audit.model import Kind, Ruling
from golf_audit.registry import pick
from golf_audit.submission import Case
from tests.mutants.base import Patch
from tests.mutants.engine import adapt_before_score
from tests.rerun.small import claim
from tests.rerun.test_local import ROOT, golf_audit
from tests.rerun.whole import TOKENS, data, folder

pytestmark = pytest.mark.slow


class Bench:
    """A submission, its data, and what `rerun --instrument` makes of it."""

    def __init__(self, at: Path) -> None:
        self.ledger, self.data = at / "runs.jsonl", data(at)

    def rerun(self, submission: Path, *options: str) -> subprocess.CompletedProcess[str]:
        where = ("--ledger", self.ledger, "--data", self.data, "--yes", "--seeds", "42")
        done = golf_audit("rerun", submission, *where, *options, OMP_NUM_THREADS="1")
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def positions(self) -> dict[str, Any]:
        book = read_ledger(self.ledger)
        assert not book.problems
        return dict(book.of("positions")[-1].body)

    def log(self) -> str:
        end = read_ledger(self.ledger).of("end")[-1].body
        return (self.ledger.parent / end["log"]["file"]).read_text() + end["reason"]

    def ruling(self, submission: Path, rule: str) -> Ruling:
        found = load_folder(submission)
        return audit(Case(found, found.date, read_ledger(self.ledger)), pick([rule])).rulings[0]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def counts(positions: dict[str, Any]) -> dict[str, int]:
    return {kind: positions[kind]["count"] for kind in ("missing", "repeated", "late")}


def test_two_ranks_score_each_target_once_before_they_learn_from_it(bench: Bench) -> None:
    submission = folder(bench.ledger.parent, ranks=2)
    timed = bench.rerun(submission)
    score = read_ledger(bench.ledger).of("end")[0].body["score"]
    assert score is not None, bench.log()
    done = bench.rerun(submission, "--instrument")
    seen = bench.positions()
    assert seen["attested"], (seen, bench.log())
    assert seen["ranks"] == 2 and seen["rows"] == seen["targets"] == TOKENS - 1
    assert counts(seen) == {"missing": 0, "repeated": 0, "late": 0}
    assert "never the timed" not in timed.stdout and "no timed seed" in done.stdout
    assert f"of {TOKENS - 1:,} targets 0 missing, 0 repeated, 0 late" in done.stderr
    plans = read_ledger(bench.ledger).of("plan")
    assert [plan.body["instrument"] for plan in plans] == [False, True]
    assert read_ledger(bench.ledger).of("end")[1].body["score"]["bpb"] == pytest.approx(
        score["bpb"], abs=1e-6
    )
    kept = bench.rerun(submission, "--instrument")
    assert "kept from ledger entry" in kept.stderr
    found = bench.ruling(submission, "T01").assessment
    said = "\n".join(evidence.says for evidence in (*found.basis, *found.notes))
    assert f"each of {TOKENS - 1:,} targets was scored before a gradient on it" in said
    assert "(2 ranks, ledger entry" in said
    assert "over 1 seed" in bench.ruling(submission, "S03").reason, "the timed run alone is compared"


def test_another_ranks_gradients_are_seen_through_what_ranks_exchange(bench: Bench) -> None:
    """Each rank learns from its own rows, and through the sum of gradients from all."""
    submission = folder(bench.ledger.parent, "before", ranks=2)
    done = bench.rerun(submission, "--instrument")
    assert counts(bench.positions()) == {"missing": 0, "repeated": 0, "late": TOKENS - 1}, bench.log()
    ruling = bench.ruling(submission, "T01")
    run = [e for f in ruling.assessment.findings for e in f.evidence if e.kind is Kind.RUN]
    assert ruling.verdict.value == "fail" and "scored after a gradient on them" in run[0].says
    assert done.returncode == 1 and "T01 FAIL" in done.stdout


@pytest.mark.parametrize(
    ("mode", "expected", "verdict"),
    [
        ("twice", {"missing": 0, "repeated": 512, "late": 512}, "fail"),
        ("part", {"missing": 2048, "repeated": 0, "late": 0}, "undetermined"),
    ],
)
def test_what_is_counted_twice_or_left_out(
    bench: Bench, mode: str, expected: dict[str, int], verdict: str
) -> None:
    submission = folder(bench.ledger.parent, mode)
    bench.rerun(submission, "--instrument")
    assert counts(bench.positions()) == expected, bench.log()
    ruling = bench.ruling(submission, "P01")
    assert ruling.verdict.value == verdict
    assert "at full size the claimed number" in ruling.assessment.findings[0].message


def test_a_number_whose_positions_are_not_known_says_nothing(bench: Bench) -> None:
    submission = folder(bench.ledger.parent, "numpy")
    bench.rerun(submission, "--instrument")
    found = bench.positions()
    assert not found["attested"] and "no set of scores that was seen gives" in found["why"]
    assert not bench.ruling(submission, "T01").assessment.findings


TINY = Path(__file__).parents[2] / "examples" / "track_non_record_16mb" / "2026-11-21_GolfRefTiny"
SHORT = (
    "ITERATIONS=2 EVAL_STRIDE=128 GLOBAL_TTT_EPOCHS=1 GPTQ_CALIBRATION_BATCHES=1 VAL_DOCS=5 TTT_BATCH_SIZE=2 "
    "PHASED_TTT_PREFIX_DOCS=3 MICRO_BATCHES=2 SEED=42 DATA_PATH=./data"
)
VAL = 3_073


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """golf_ref's tiny data, cut to five documents of validation."""
    at = tmp_path_factory.mktemp("tiny")
    make = [sys.executable, "-m", "golf_ref", "data", "--preset", "tiny", "--out", str(at)]
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
    for path in (at / "data").glob("*.bin"):
        data = bytearray(path.read_bytes())
        tokens = VAL if "_val_" in path.name else 60_000
        struct.pack_into("<i", data, 8, tokens)
        path.write_bytes(data[: 1024 + 2 * tokens])
    return at / "data"


def golf_ref(at: Path, start: str, patch: Patch | None = None) -> Path:
    """The bundled example, shortened by its README's command; perhaps with a mutation."""
    files = {path.name: path.read_text() for path in TINY.iterdir() if path.suffix != ".log"}
    if patch is not None:
        patch(files)
    files["README.md"] = f"# tiny\n\n    {SHORT} {start} train_gpt.py\n"
    files["submission.json"] = claim({42: 4.0})
    folder = at / "records" / "track_non_record_16mb" / TINY.name
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_golf_ref_over_two_ranks_with_and_without_the_instrument(bench: Bench, shards: Path) -> None:
    submission = golf_ref(bench.ledger.parent, "torchrun --standalone --nproc_per_node=2")
    bench.data = shards
    bench.rerun(submission)
    done = bench.rerun(submission, "--instrument")
    scores = [end.body["score"]["bpb"] for end in read_ledger(bench.ledger).of("end")]
    assert len(set(scores)) == 1, "the recorder changes no digit"
    found = bench.positions()
    assert found["attested"] and found["ranks"] == 2 and found["rows"] == found["targets"] == VAL - 1
    assert counts(found) == {"missing": 0, "repeated": 0, "late": 0}
    assert "T01 FAIL" not in done.stdout and "scored before a gradient on it" in done.stdout


def test_golf_ref_that_learns_before_it_scores_fails(bench: Bench, shards: Path) -> None:
    submission = golf_ref(bench.ledger.parent, "python", adapt_before_score)
    bench.data = shards
    done = bench.rerun(submission, "--instrument")
    found = bench.positions()
    assert found["attested"] and found["late"] == {"count": 1024 - found["exempt"], "spans": ANY}, bench.log()
    assert done.returncode == 1 and "T01 FAIL: at full size 1,0" in done.stdout
