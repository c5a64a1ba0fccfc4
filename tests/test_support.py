"""Which log stands behind the claim: seed before value, value before mean, and never a chance fit."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from golf_audit.claims import read_claims
from golf_audit.filetree import File, FileTree
from golf_audit.gitclone import Clone
from golf_audit.load import load_pull_request
from golf_audit.support import Support, find_support
from golf_audit.trainlog import read_logs


def run(
    seed: int | None,
    bpb: float,
    *,
    sliding: float | None = None,
    pre: float | None = None,
    world: int = 8,
    trained: bool = True,
) -> str:
    """A short log whose last result is `bpb`."""
    lines = [f"world_size:{world}"] + ([f"seed:{seed}"] if seed is not None else [])
    if trained:
        lines += ["step:100/9000 train_loss:2.0 train_time:600001ms"]
    if pre is not None:
        lines.append(f"pre-quantization post-ema val_loss:2.0 val_bpb:{pre:.8f} eval_time:9000ms")
    if sliding is not None:
        lines.append(f"quantized_sliding_window val_loss:2.0 val_bpb:{sliding:.8f} eval_time:90000ms")
    lines.append(f"quantized_ttt val_loss:2.0 val_bpb:{bpb:.8f} eval_time:400000ms")
    return "\n".join(lines) + "\n"


def support(stated: dict[str, Any], logs: dict[str, str]) -> Support:
    files = {"submission.json": json.dumps(stated), **logs}
    tree = FileTree({path: File(path, len(text.encode()), text.encode()) for path, text in files.items()})
    return find_support(read_claims(tree), read_logs(tree))


THREE = {
    "train_seed42.log": run(42, 1.0612),
    "train_seed314.log": run(314, 1.0723),
    "train_seed999.log": run(999, 1.0801),
}
SEEDS = {"42": {"val_bpb": 1.0612}, "314": {"val_bpb": 1.0723}, "999": {"val_bpb": 1.0801}}
MEAN = 1.0712


def test_the_mean_of_claimed_seeds_is_supported_seed_by_seed() -> None:
    found = support({"val_bpb": MEAN, "seed_results": SEEDS}, THREE)
    assert [(line.seed, line.how, line.run.file) for line in found.lines] == [
        (42, "seed+value", "train_seed42.log"),
        (314, "seed+value", "train_seed314.log"),
        (999, "seed+value", "train_seed999.log"),
    ]
    assert (found.verdict, found.mean, found.unmatched, found.others) == ("exact", True, (), ())
    assert found.value == pytest.approx(MEAN)
    assert found.claim_in_words == "claims 1.0712 (3 seeds)"


def test_the_best_seed_as_headline_is_no_mean() -> None:
    found = support({"val_bpb": 1.0612, "seed_results": SEEDS}, THREE)
    assert (found.verdict, found.mean, found.value) == ("exact", False, 1.0612)


def test_listed_seeds_without_values_are_found_through_their_mean() -> None:
    found = support({"val_bpb": MEAN, "seeds": [42, 999, 314]}, {**THREE, "notes.log": run(7, 2.0)})
    assert [(line.seed, line.how) for line in found.lines] == [(42, "mean"), (999, "mean"), (314, "mean")]
    assert found.mean and found.verdict == "exact"
    assert [other.why for other in found.others] == ["seed 7 is not claimed"]


def test_a_single_log_is_preferred_to_a_mean() -> None:
    """With few decimals a mean may fit by chance; one log that fits is enough."""
    logs = {"a.log": run(1, 1.0701), "b.log": run(2, 1.0602), "c.log": run(3, 1.0800)}
    found = support({"val_bpb": 1.0701}, logs)
    assert [line.how for line in found.lines] == ["value"] and not found.mean
    assert found.runs[0].file == "a.log"


def test_subsets_are_not_tried() -> None:
    """Seeds 1 and 2 would give the claim, but nobody said that only they count."""
    logs = {"a.log": run(1, 1.0503), "b.log": run(2, 1.0903), "c.log": run(3, 1.2000)}
    found = support({"val_bpb": 1.0703}, logs)
    assert found.verdict not in ("exact", "near") and found.lines == ()


def test_four_logs_of_one_seed_the_one_with_the_value_counts() -> None:
    """#77 ships four logs of one seed, one of them of 2,400 s on two GPUs: it must not be judged."""
    logs = {
        "v0.log": run(1337, 1.1950),
        "v1.log": run(1337, 1.1940),
        "v2.log": run(1337, 1.1901, world=2),
        "v3.log": run(1337, 1.1929),
    }
    found = support({"val_bpb": 1.1929, "seeds": [1337]}, logs)
    assert [line.run.file for line in found.lines] == ["v3.log"]
    assert {other.file: other.why for other in found.others} == {
        "v0.log": "another run of seed 1337, whose result is not the claimed one",
        "v1.log": "another run of seed 1337, whose result is not the claimed one",
        "v2.log": "on 2 GPUs, and no result equals a claimed score",
    }


def test_the_same_value_in_an_ablation_of_another_seed_does_not_take_the_seeds_place() -> None:
    logs = {"ablation_seed7.log": run(7, 1.06), "train_seed42.log": run(42, 1.06)}
    found = support({"val_bpb": 1.06, "seed_results": {"42": {"val_bpb": 1.06}}}, logs)
    assert [line.run.file for line in found.lines] == ["train_seed42.log"]


def test_a_mislabelled_seed_is_supported_and_says_so() -> None:
    """#1729: the file and the claim say 0, the run printed 1337; the values agree."""
    found = support(
        {"val_bpb": 1.06, "seed_results": {"0": {"val_bpb": 1.06}}}, {"train_seed0.log": run(1337, 1.06)}
    )
    (line,) = found.lines
    assert (line.seed, line.how, line.mislabelled) == (0, "name+value", True)
    assert not support({"val_bpb": MEAN, "seed_results": SEEDS}, THREE).lines[0].mislabelled


def test_a_score_before_quantisation_does_not_support_a_claim() -> None:
    found = support({"val_bpb": 1.05}, {"train.log": run(42, 1.09, pre=1.05)})
    assert found.verdict == "pre-quantisation" and found.lines == ()
    (missed,) = found.unmatched
    assert missed.nearest is not None and missed.nearest[1].stage == "pre"


def test_the_last_score_inside_the_training_loop_is_one_before_quantisation() -> None:
    """Claimed by mistake, it must be called what it is, and not a run that nobody can find."""
    log = "world_size:8\nstep:9/9 val_loss:2.3771 val_bpb:1.4078 train_time:600485ms\n" + run(42, 1.5252)
    found = support({"val_bpb": 1.4078}, {"train.log": log})
    (missed,) = found.unmatched
    assert (found.verdict, found.lines) == ("pre-quantisation", ())
    assert missed.nearest is not None and missed.nearest[1].line == 2


def test_a_seed_named_without_a_score_counts_by_its_only_log() -> None:
    """Limits hold for every claimed seed; a seed whose log is there must not be called missing."""
    stated = {"val_bpb": 1.0612, "seeds": [42, 314], "seed_results": {"42": {"val_bpb": 1.0612}}}
    found = support(stated, THREE)
    assert [(line.seed, line.how, line.run.file) for line in found.lines] == [
        (42, "seed+value", "train_seed42.log"),
        (314, "seed", "train_seed314.log"),
    ]
    assert (found.verdict, found.mean, found.value) == ("exact", False, 1.0612)


def test_of_several_logs_of_a_seed_without_a_score_none_is_chosen() -> None:
    """One of them may be an ablation that breaks a limit: nobody said that it counts."""
    logs = {**THREE, "ablation_seed314.log": run(314, 1.0702)}
    found = support({"val_bpb": 1.0612, "seeds": [42, 314]}, logs)
    assert [line.run.file for line in found.lines] == ["train_seed42.log"]


def test_a_mean_that_rounds_to_the_claim_outranks_a_log_that_must_be_cut() -> None:
    """Three seeds behind a mean must all be judged, not the one whose digits happen to begin alike."""
    logs = {"a.log": run(1, 1.22529), "b.log": run(2, 1.22488), "c.log": run(3, 1.22543)}
    found = support({"val_bpb": 1.2252}, logs)
    assert found.mean and [line.how for line in found.lines] == ["mean"] * 3


MISSES = {
    "better than every log": (1.0503, "better"),
    "worse than the log": (1.1503, "worse"),
    "within a few ten-thousandths": (1.0907, "near"),
    "the same": (1.0903, "exact"),
}


@pytest.mark.parametrize(("claimed", "verdict"), MISSES.values(), ids=MISSES)
def test_the_direction_of_a_difference_is_told(claimed: float, verdict: str) -> None:
    """An honest author who corrected a score upwards must not be taken for one who claims too much."""
    found = support({"val_bpb": claimed}, {"train.log": run(42, 1.0903)})
    assert found.verdict == verdict


EQUAL = {
    "rounded to four decimals": ('{"val_bpb": 1.0592}', 1.05916, True),
    "cut to four decimals": ('{"val_bpb": 1.0591}', 1.05916, True),
    "written with eight decimals and another value": ('{"val_bpb": 1.05920000}', 1.05916, False),
    "one step from a value of four decimals": ('{"val_bpb": 1.2252}', 1.2253, False),
    "the next step at four decimals": ('{"val_bpb": 1.0593}', 1.05916, False),
    "rounded the wrong way at three decimals": ('{"val_bpb": 1.060}', 1.05916, False),
    "a mean of rounded values, one off in the last digit": ('{"val_bpb": 1.05917}', 1.05916, True),
}


@pytest.mark.parametrize(("text", "logged", "equal"), EQUAL.values(), ids=EQUAL)
def test_a_claim_is_compared_at_its_own_precision(text: str, logged: float, equal: bool) -> None:
    log = run(42, logged)
    tree = FileTree(
        {p: File(p, len(t), t.encode()) for p, t in {"submission.json": text, "train.log": log}.items()}
    )
    found = find_support(read_claims(tree), read_logs(tree))
    assert (found.verdict == "exact") is equal


def test_the_exact_line_is_preferred_to_its_rounded_twin() -> None:
    log = (
        "world_size:8\nfinal_sw val_loss:1.9 val_bpb:1.1318 eval_time:68889ms\n"
        "final_sw_exact val_loss:1.9 val_bpb:1.13178056\n"
    )
    (line,) = support({"val_bpb": 1.1318}, {"train.log": log}).lines
    assert line.final.bpb == 1.13178056
    time = line.run.seconds_of(line.final)
    assert time is not None and time.seconds == 68.889


def test_notes_do_not_outrank_the_output_of_a_run() -> None:
    notes = "Result of seed 42\nval_bpb: 1.0600\n"
    found = support({"val_bpb": 1.06}, {"a_notes.txt": notes, "train.log": run(42, 1.06)})
    assert [line.run.file for line in found.lines] == ["train.log"]
    assert [other.why for other in found.others] == ["notes, not the output of a run"]


def test_a_training_log_beside_its_evaluation_is_named_as_such() -> None:
    logs = {"train_seed42.log": run(42, 1.09), "eval_seed42.log": run(42, 1.06, trained=False)}
    found = support({"val_bpb": 1.06, "seed_results": {"42": {"val_bpb": 1.06}}}, logs)
    assert [line.run.file for line in found.lines] == ["eval_seed42.log"]
    assert [other.why for other in found.others] == ["the training of seed 42, evaluated in eval_seed42.log"]


def test_a_headline_from_yet_another_run_adds_that_run() -> None:
    """Rules judge the runs behind the claim: the one that gives the headline must be among them."""
    found = support({"val_bpb": 1.0444, "seed_results": SEEDS}, {**THREE, "best.log": run(7, 1.0444)})
    assert [line.run.file for line in found.lines][-1] == "best.log" and len(found.lines) == 4
    assert (found.verdict, found.mean, found.value) == ("exact", False, 1.0444)


def test_a_claimed_seed_without_a_log_is_unmatched() -> None:
    logs = {path: text for path, text in THREE.items() if "999" not in path}
    found = support({"val_bpb": MEAN, "seed_results": SEEDS}, logs)
    assert [(missed.seed, missed.verdict) for missed in found.unmatched] == [(999, "none")]
    assert len(found.lines) == 2


def test_concatenated_runs_of_one_file_support_their_own_seeds() -> None:
    joined = "".join("Hyperparameters:\n  run: x\n" + text for text in THREE.values())
    found = support({"val_bpb": MEAN, "seed_results": SEEDS}, {"train.log": joined})
    assert [line.run.any_seed for line in found.lines] == [42, 314, 999]
    assert len({line.run.first_line for line in found.lines}) == 3


NOTHING: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "no log": ({"val_bpb": 1.06}, {}),
    "no claim": ({"name": "x"}, {"train.log": run(42, 1.06)}),
    "a log without a result": (
        {"val_bpb": 1.06},
        {"train.log": "world_size:8\nstep:1/9 train_loss:2 train_time:5ms\n"},
    ),
    "a placeholder": ({"val_bpb": 0.0}, {"train.log": run(42, 1.06)}),
}


@pytest.mark.parametrize(("stated", "logs"), NOTHING.values(), ids=NOTHING)
def test_without_claim_or_log_nothing_is_supported(stated: dict[str, Any], logs: dict[str, str]) -> None:
    found = support(stated, logs)
    assert (found.verdict, found.lines, found.value, found.difference) == ("none", (), None, None)


# --- the real clone ---------------------------------------------------------------------------------------

# pull request -> (verdict, the headline is a mean, how each line was found)
REAL = {
    "one of four logs of one seed": (77, ("exact", False, ["value"])),
    "the mean of three seeds": (1855, ("exact", True, ["seed+value"] * 3)),
    "a log of seed 1337 called seed 0": (1729, ("exact", True, ["name+value", "seed+value", "seed+value"])),
    "a mean that stands as val_loss": (180, ("exact", True, ["mean"] * 3)),
    "listed seeds, the mean to four decimals": (549, ("exact", True, ["mean"] * 3)),
    "five seeds": (1394, ("exact", True, ["seed+value"] * 5)),
    "a headline that lost a digit": (1037, ("better", True, ["seed+value"] * 3)),
    "logs of an older version": (2118, ("better", False, [])),
    "a score corrected upwards after review": (2138, ("worse", False, [])),
    "a claim below its only log": (48, ("better", False, [])),
}


@pytest.fixture(scope="module")
def clone() -> str:
    path = os.environ.get("GOLF_AUDIT_CLONE")
    if not path:
        pytest.skip("GOLF_AUDIT_CLONE names no clone of the challenge")
    return path


@pytest.mark.corpus
@pytest.mark.parametrize(("number", "expected"), REAL.values(), ids=REAL)
def test_real_claims_find_their_logs(clone: str, number: int, expected: tuple[str, bool, list[str]]) -> None:
    found = load_pull_request(clone, number)[0].support
    assert (found.verdict, found.mean, [line.how for line in found.lines]) == expected


@pytest.mark.corpus
@pytest.mark.slow
def test_every_tenth_real_head_is_read_without_an_error(clone: str) -> None:
    read = 0
    with Clone(clone) as git:
        for number in git.pull_requests[::10]:
            for one in load_pull_request(git, number):
                read += len(one.support.lines) + len(one.claims.problems) + len(one.logs)
    assert read > 300
