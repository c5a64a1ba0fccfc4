"""Faults planted in golf_ref's bundled folder, run in miniature: `check --dynamic` catches each, and golf_ref
itself is clean, attested and the same to the last bit when it is run again.

Half a minute to a minute each; benchmarks/traced_mutants.py prints the table."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from golf_audit import registry
from golf_audit.audit import audit
from golf_audit.model import Verdict
from golf_audit.observation import Word
from golf_audit.submission import Case
from tests.mutants.base import DATE, Mutant, base
from tests.mutants.engine import ENGINE
from tests.mutants.traced import broken, folder, run_alone, shape_of, watched

pytestmark = pytest.mark.slow


def test_golf_ref_itself_is_clean_and_repeats() -> None:
    one = folder("tiny", dict(base("tiny").files))
    seen = watched(one, None, sandbox=False)
    assert seen.ending == "ok", seen.errors
    assert all(result.attested for result in seen.results) and len(seen.results) == 4
    assert seen.result is not None and seen.result.name == "quantized_ttt_phased"
    assert (seen.result.late, seen.result.missing, seen.result.repeated) == ((), (), ())
    assert {o.word for o in seen.outcomes if o.probe == "control"} == {Word.CLEAN}
    for rule in ("T01", "T02", "P01", "P03", "Q01", "M01", "V05"):
        assert run_alone(one, seen, rule) == "clean", rule
    report = audit(Case(one, DATE, None, seen), registry.pick(()))
    found = {r.rule.id: r for r in report.rulings}
    assert found["M01"].verdict is Verdict.PASS, found["M01"].reason
    assert not [r for r in found if found[r].verdict in (Verdict.FAIL, Verdict.NEEDS_RULING)]


@pytest.mark.parametrize("mutant", ENGINE, ids=lambda mutant: mutant.name.replace("_", " "))
def test_a_fault_planted_in_golf_ref_is_caught(mutant: Mutant) -> None:
    one = folder(mutant.base, mutant.files())
    rules = broken(mutant)
    seen = watched(one, rules, sandbox=False, shape=shape_of(mutant.name))
    assert seen.ending == "ok", seen.errors
    found = {r.rule.id: r for r in audit(Case(one, DATE, None, seen), registry.pick(())).rulings}
    for rule in rules:
        assert found[rule].verdict is mutant.changes[rule], found[rule].reason
