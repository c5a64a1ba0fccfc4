"""Mutants of the bundled example: each changes exactly the rulings that it declares, to what it declares.

Protects both sides of every border at once: a rule that misses its mutant, and one that fires on another's.
"""

from __future__ import annotations

import ast

import pytest

from golf_audit.model import Ruling, Verdict
from golf_audit.registry import rules
from tests.mutants.base import SCRIPT, Mutant, base, base_rulings, rulings
from tests.mutants.engine import ENGINE, PENDING
from tests.mutants.reading import ORDER, READING

IDS = {"ids": lambda mutant: mutant.name.replace("_", " ")}


def told(ruling: Ruling) -> list[str]:
    """What a ruling notes beside its verdict."""
    return sorted(note.says for note in ruling.assessment.notes)


def changed(mutant: Mutant) -> tuple[dict[str, Verdict], set[str]]:
    """Rulings that the mutant changes, and rules of which only the notes change."""
    before, after = base_rulings(mutant.base), rulings(base(mutant.base), mutant.files(), mutant.stray)
    verdicts = {i: r.verdict for i, r in after.items() if r.verdict is not before[i].verdict}
    return verdicts, {i for i, r in after.items() if told(r) != told(before[i])} - verdicts.keys()


READ = [pytest.param(mutant, id=mutant.name.replace("_", " ")) for mutant in READING]


@pytest.mark.parametrize(
    "name",
    ["tiny", "record", "pull request", "plain"],
)
def test_what_mutants_start_from_breaks_no_rule(name: str) -> None:
    found = {
        i: r.reason
        for i, r in base_rulings(name).items()
        if r.verdict in (Verdict.FAIL, Verdict.NEEDS_RULING)
    }
    assert found == {}


@pytest.mark.slow  # one to three seconds each: every rule is asked of a script of 146 kB
@pytest.mark.parametrize("mutant", READ)
def test_a_mutant_changes_exactly_the_rulings_it_declares(mutant: Mutant) -> None:
    assert changed(mutant) == (expected(mutant), set(mutant.notes)), mutant.says


def expected(mutant: Mutant) -> dict[str, Verdict]:
    """The declared changes; an order rule that is open on the base cannot be opened."""
    before = base_rulings(mutant.base)
    return {i: v for i, v in mutant.changes.items() if i not in ORDER or before[i].verdict is not v}


def decided(mutant: Mutant) -> bool:
    """True when every rule that the mutant breaks holds on its base: only then can it show anything."""
    before = base_rulings(mutant.base)
    broken = (i for i, verdict in mutant.changes.items() if verdict is not Verdict.UNDETERMINED)
    return all(before[i].verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE) for i in broken)


def test_a_mutant_whose_rules_are_open_on_its_base_is_pending() -> None:
    assert {mutant.name for mutant in ENGINE if not decided(mutant)} <= PENDING


@pytest.mark.slow
@pytest.mark.parametrize("mutant", ENGINE, **IDS)
def test_a_mutant_of_the_code_changes_nothing_else(mutant: Mutant) -> None:
    """Fails for a pending mutant as soon as an engine sees what it does: its name then leaves PENDING."""
    wanted = ({}, set()) if mutant.name in PENDING else (expected(mutant), set(mutant.notes))
    assert changed(mutant) == wanted, mutant.says


@pytest.mark.parametrize("mutant", ENGINE, **IDS)
def test_a_mutant_of_the_code_is_still_a_program(mutant: Mutant) -> None:
    before, after = base(mutant.base).files, mutant.files()
    assert ast.dump(ast.parse(after[SCRIPT])) != ast.dump(ast.parse(before[SCRIPT]))


def test_every_rule_has_a_mutant() -> None:
    """M03 and S03 are decided by a run alone."""
    covered = {i for mutant in (*READING, *ENGINE) for i in (*mutant.changes, *mutant.notes)}
    assert covered == {rule.id for rule in rules()} - {"M03", "S03"}
