"""`rerun --instrument`: every position that is behind the claimed number, at the sizes of the run itself.

Protects that an honest run is shown to be honest over several ranks, that what breaks the order or the count
is seen where it happens, and that an instrumented run never stands in for a timed one.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from golf_audit.audit import audit
from golf_audit.ledger import read_ledger
from golf_audit.load import load_folder
from golf_audit.model import Kind, Ruling
from golf_audit.registry import pick
from golf_audit.submission import Case
from tests.rerun.test_local import golf_audit
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
