"""Faults planted in an honest submission, run in miniature: each is seen, and the honest one is clean."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytest.importorskip("torch")

from golf_audit.dynamic.contract import Probe
from golf_audit.dynamic.miniature import Shape, prepare
from golf_audit.dynamic.probes import FULL, QUICK
from golf_audit.dynamic.probes.artifact import Artifact
from golf_audit.dynamic.probes.candidates import Candidates
from golf_audit.dynamic.probes.control import Controlled
from golf_audit.dynamic.probes.defaults import Defaults
from golf_audit.dynamic.probes.order import Order
from golf_audit.dynamic.probes.ranks import Ranks
from golf_audit.dynamic.probes.training import TrainingData
from golf_audit.dynamic.run import Way
from golf_audit.dynamic.trace import Plan, trace
from golf_audit.load import load_folder
from golf_audit.observation import Observation, Result, to_json
from tests.dynamic.planted import (
    COUNTS_TRAINING,
    EXACT,
    FAULTS,
    HASHED,
    OVERLAPPING,
    SAVED,
    STRIDED,
    mixing,
    script,
    shared,
)

pytestmark = pytest.mark.slow

QUIET_LEAKS = [
    "attention sees later tokens",
    "one token ahead",
    "folds token counts of validation into a bias",
]
SMALL = Shape(targets=1536, documents=8, train_tokens=8_000)


@cache
def observed(
    fault: str = "",
    *,
    full: bool = False,
    text: str = "",
    probes: tuple[Probe, ...] = (),
    readme: str = "",
    beside: tuple[tuple[str, str], ...] = (),
) -> Observation:
    with TemporaryDirectory() as name:
        folder = Path(name) / "2026-04-20_Planted"
        folder.mkdir()
        (folder / "train_gpt.py").write_text(text or script(fault))
        (folder / "submission.json").write_text(json.dumps({"val_bpb": 1.1}))
        for name, content in (("README.md", readme), *beside):
            (folder / name).write_text(content)
        plan = Plan(
            partial(prepare, shape=SMALL),
            probes or (FULL if full else QUICK),
            "full" if full else "quick",
            way=Way(sandbox=False),
        )
        return trace(load_folder(folder), plan)


def words(observation: Observation) -> dict[str, set[str]]:
    """The words of each probe."""
    found: dict[str, set[str]] = {}
    for outcome in observation.outcomes:
        found.setdefault(outcome.probe, set()).add(outcome.word.name)
    return found


def last(observation: Observation) -> Result:
    assert observation.ending == "ok", observation.errors
    return observation.results[-1]


def test_the_honest_submission_is_clean_in_every_probe() -> None:
    seen = observed(full=True)
    result = last(seen)
    assert result.attested
    assert (result.rows, result.missing, result.repeated, result.late) == (1536, (), (), ())
    assert words(seen) == {
        "control": {"CLEAN"},
        "order": {"CLEAN"},
        "stream": {"CLEAN"},
        "swap": {"CLEAN"},
        "documents": {"NOTE"},
        "artifact": {"CLEAN"},
        "training data": {"CLEAN"},
        "normalisation": {"CLEAN"},
        "bytes": {"VIOLATION"},
        "network": {"CLEAN"},
        "forwards": {"VOID"},
        "prefix": {"CLEAN"},
        "defaults": {"CLEAN"},
    }


def test_the_full_set_twice_gives_the_same_bytes() -> None:
    """Every probe, forked candidates and two ranks too: nothing of a clock, a process or a folder is told."""
    text = mixing(EXACT).replace("def main():\n", 'def main():\n    os.environ.get("RANK")\n')
    one, other = (
        observed(text=text, probes=(*FULL[1:], Controlled((Order(), Candidates(seconds=600)))), full=full)
        for full in (True, False)  # two traces, not one that is remembered
    )
    assert {"candidates", "two ranks", "prefix", "bytes"} <= words(one).keys()
    assert replace(other, probes="full") == one
    assert to_json(replace(other, probes="full")) == to_json(one)


@pytest.mark.parametrize("fault", ["trains before it scores", "writes a gradient step by hand"])
def test_learning_on_targets_before_their_score_is_late(fault: str) -> None:
    assert last(observed(fault)).late


@pytest.mark.parametrize(
    "fault",
    ["trains before it scores", *QUIET_LEAKS],
)
def test_influence_of_later_tokens_is_a_violation(fault: str) -> None:
    assert "VIOLATION" in words(observed(fault))["order"]


@pytest.mark.parametrize(
    "fault",
    ["attention sees later tokens", "one token ahead", "folds token counts of validation into a bias"],
)
def test_a_leak_without_a_gradient_is_not_late(fault: str) -> None:
    """The ledger of gradients is blind to these: only the perturbation shows them."""
    assert not last(observed(fault)).late


def test_one_token_ahead_changes_the_row_of_the_first_changed_token_alone() -> None:
    (order,) = [o for o in observed("one token ahead").outcomes if o.probe == "order"]
    assert dict(order.figures)["rows changed"] == 1


def test_a_number_that_is_not_the_mean_of_its_losses_is_not_attested() -> None:
    assert not last(observed("prints less than it measured")).attested


def test_dropped_targets_are_missing() -> None:
    result = last(observed("drops hard tokens"))
    assert result.attested
    assert sum(end - first for first, end in result.missing) > 700


@pytest.mark.parametrize(("cache", "word"), [(HASHED, "VIOLATION"), (EXACT, "CLEAN")])
def test_candidates_of_a_mixture_are_scored_again(cache: str, word: str) -> None:
    """All 1,024 tokens at one target: exact counts sum to one; of colliding ones a few exceed it."""
    seen = observed(text=mixing(cache), probes=(Candidates(seconds=600),))
    assert last(seen).attested
    (outcome,) = seen.outcomes
    assert outcome.word.name == word, outcome.says
    figures = dict(outcome.figures)
    if word == "VIOLATION":
        assert figures["candidates"] < 512 and figures["sum"] > 1.01, "the others can only add to it"
    else:
        assert figures["candidates"] == 1024 and abs(figures["sum"] - 1) < 1e-4


@pytest.mark.parametrize(("chunks", "word"), [(STRIDED, "CLEAN"), (OVERLAPPING, "VIOLATION")])
def test_two_ranks_count_each_target_once_together(chunks: str, word: str) -> None:
    """One rank alone counts every target once either way: only the run with two tells them apart."""
    seen = observed(text=shared(chunks), probes=(Ranks(),))
    result = last(seen)
    assert result.attested and (result.missing, result.repeated) == ((), ())
    (outcome,) = seen.outcomes
    assert outcome.word.name == word, outcome.says
    figures = dict(outcome.figures)
    assert (figures["rows of rank 0"], figures["rows of rank 1"]) == (
        (768, 768) if word == "CLEAN" else (1536, 1280)
    )
    assert "1,280 targets are counted more than once" in outcome.says or word == "CLEAN"


def test_training_data_read_after_the_artifact_decides_the_number() -> None:
    honest = script().replace(*SAVED)
    (outcome,) = observed(text=honest, probes=(TrainingData(),)).outcomes
    assert outcome.word.name == "CLEAN" and "after the artifact was read back" in outcome.says
    (outcome,) = observed(text=honest.replace(*COUNTS_TRAINING), probes=(TrainingData(),)).outcomes
    assert outcome.word.name == "VIOLATION", outcome.says


def test_an_artifact_out_of_validation_tokens() -> None:
    """Counts of validation tokens are folded into the weights before they are written."""
    old, new = FAULTS["folds token counts of validation into a bias"]
    early = new.removeprefix(old.strip()).strip()
    cheat = script().replace(SAVED[0], f"    {early}\n{SAVED[1]}")
    (outcome,) = observed(text=cheat, probes=(Artifact(),)).outcomes
    assert outcome.word.name == "VIOLATION" and "model.pt" in outcome.says
    (outcome,) = observed(text=script().replace(*SAVED), probes=(Artifact(),)).outcomes
    assert outcome.word.name == "CLEAN", outcome.says


def test_a_switch_that_was_declared_off_is_run_as_the_script_has_it_too() -> None:
    """The README turns the leak off: the claimed run is clean, and the defaults are told beside it."""
    leak = "nll_of(model, x, y).mean().backward(); sgd.step(); sgd.zero_grad()"
    switched = f"        if int(os.environ.get('POLISH', '1')):\n            {leak}"
    text = script().replace("        # FIRST", switched)
    readme = "```bash\nPOLISH=0 python train_gpt.py\n```\n"
    seen = observed(text=text, readme=readme, probes=(Defaults(run=True),))
    assert last(seen).attested and not last(seen).late
    (outcome,) = seen.outcomes
    assert (outcome.word.name, outcome.rules) == ("NOTE", ("T01",))
    assert "POLISH=0 (by default 1)" in outcome.says
    assert "1,529 of 1,536 targets scored after a gradient" in outcome.says, "all but BOS"


def test_every_fault_has_a_test() -> None:
    assert len(FAULTS) == 7
