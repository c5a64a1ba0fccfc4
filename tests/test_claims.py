"""submission.json: the layouts of per-seed results, the names in use, and what is no claim at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from golf_audit import schema
from golf_audit.claims import Claims, read_claims
from golf_audit.errors import AuditError
from golf_audit.filetree import File, FileTree

BASELINE = {
    "author": "A Person",
    "github_id": "a-person",
    "name": "Naive baseline",
    "blurb": "nine layers",
    "date": "2026-03-17T00:00:00Z",
    "val_loss": 2.07,
    "val_bpb": 1.22436570,
    "bytes_total": 15863489,
    "bytes_code": 47642,
}


def claims(stated: Any, path: str = "submission.json") -> Claims:
    text = stated if isinstance(stated, str) else json.dumps(stated, indent=2)
    return read_claims(tree({path: text}))


def tree(files: dict[str, str]) -> FileTree:
    return FileTree({path: File(path, len(text.encode()), text.encode()) for path, text in files.items()})


def test_the_baseline_is_read_without_a_remark() -> None:
    found = claims(BASELINE)
    assert found.problems == () and found.faults == ()
    assert found.bpb is not None and (found.bpb.value, found.bpb.pointer) == (1.2243657, "/val_bpb")
    assert found.bytes_total is not None and found.bytes_total.value == 15863489
    assert found.bytes_code is not None and found.bytes_code.value == 47642
    assert found.github_id is not None and found.github_id.value == "a-person"
    assert found.loss is not None and found.loss.value == 2.07


def test_a_claim_knows_its_line_its_column_and_its_decimals() -> None:
    found = claims('{\n  "name": "x",\n  "val_bpb": 1.0610\n}').bpb
    assert found is not None
    assert (found.line, found.column, found.text, found.decimals) == (3, 14, "1.0610", 4)
    where = found.where("submission.json")
    assert (where.pointer, where.quote) == ("/val_bpb", "1.0610")


# layout -> {seed: bpb}; None: listed without a value
LAYOUTS: dict[str, tuple[dict[str, Any], dict[int | None, float | None]]] = {
    "records by seed": ({"seed_results": {"42": {"val_bpb": 1.1}, "7": {"val_bpb": 1.2}}}, {42: 1.1, 7: 1.2}),
    "records under seeds": ({"seeds": {"1337": {"val_bpb": 1.1}}}, {1337: 1.1}),
    "figures by seed": ({"seed_results": {"42": 1.1, "seed_7": 1.2}}, {42: 1.1, 7: 1.2}),
    "seeds at the top": ({"seed_42": {"val_bpb": 1.1}, "seed_7": {"val_bpb": 1.2}}, {42: 1.1, 7: 1.2}),
    "parallel lists": ({"seeds": [42, 7], "val_bpb_seeds": [1.1, 1.2]}, {42: 1.1, 7: 1.2}),
    "a list of records": ({"seed_results": [{"seed": 42, "val_bpb": 1.1}]}, {42: 1.1}),
    "records in results": ({"results": {"seed_42": {"val_bpb": 1.1}}}, {42: 1.1}),
    "a figure per seed": ({"val_bpb_per_seed": {"42": 1.1}}, {42: 1.1}),
    "the seed in the name": ({"val_bpb_seed42": 1.1, "val_bpb_seed7": 1.2}, {42: 1.1, 7: 1.2}),
    "a room within a room": ({"validation": {"seed_results": {"42": {"val_bpb": 1.1}}}}, {42: 1.1}),
    "only listed": ({"seeds": [42, 7]}, {42: None, 7: None}),
    "the score itself by seed": ({"val_bpb": {"seed_42": 1.1, "seed_7": 1.3}}, {42: 1.1, 7: 1.3}),
    "numbers as text": ({"seed_results": {"42": {"val_bpb": "1.1"}}}, {42: 1.1}),
    "the latest of several scores": (
        {"per_seed": {"42": {"quantized_bpb": 1.3, "sliding_bpb": 1.2, "post_ttt_bpb": 1.1}}},
        {42: 1.1},
    ),
    "scores without seeds": ({"seed_bpbs": [1.1, 1.2]}, {None: 1.2}),
}


@pytest.mark.parametrize(("stated", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_per_seed_layouts_are_read(stated: dict[str, Any], expected: dict[int | None, float | None]) -> None:
    found = claims({"val_bpb": 1.15, **stated})
    assert {seed.seed: seed.bpb.value if seed.bpb else None for seed in found.seeds} == expected


def test_figures_of_one_seed_are_joined_from_records_and_columns() -> None:
    stated = {
        "seed_results": {
            "42": {"val_bpb": 1.1, "val_loss": 2.8, "artifact_bytes": 15_900_000, "steps": 4900}
        },
        "eval_time_seconds": {"42": 515.2},
        "train_time_ms_by_seed": {"42": 599_900},
    }
    (seed,) = claims(stated).seeds
    assert seed.bytes_total is not None and seed.bytes_total.value == 15_900_000
    assert seed.steps is not None and seed.steps.value == 4900
    assert seed.train_s is not None and seed.train_s.value == pytest.approx(599.9)
    assert seed.pointer == "/seed_results/42"


DECOYS: dict[str, dict[str, Any]] = {
    "retracted results": {"original_seed_results_retracted": {"1337": {"val_bpb": 1.0}}},
    "superseded results": {"superseded_seeds_v1_0": {"1337": {"val_bpb": 1.0}}},
    "results before a fix": {"seed_results_pre_fix": {"1337": {"val_bpb": 1.0}}},
    "errata": {"errata": {"seed_results": {"1337": {"val_bpb": 1.0}}}},
    "additional results": {"additional_seed_results": {"1337": {"val_bpb": 1.0}}},
    "results of a baseline": {"baseline_seed_results": {"1337": {"val_bpb": 1.0}}},
    "results by rank, not by seed": {"results": {"48": {"val_bpb": 1.0}, "64": {"val_bpb": 1.0}}},
    "losses by step": {"validation": {"1000": 1.4, "2000": 1.3}},
    "a variant in the key": {"seeds": {"1337_aggressive": {"val_bpb": 1.0}}},
    "seeds still to come": {"seeds_pending": {"1337": 1.0}},
    "a zero that stands for nothing": {"seed_results": {"1337": 0.0}},
}


@pytest.mark.parametrize("stated", DECOYS.values(), ids=DECOYS)
def test_decoys_are_no_results(stated: dict[str, Any]) -> None:
    """A retracted value read as a result would contradict the log of an honest author."""
    assert claims({"val_bpb": 1.15, **stated}).scored_seeds == ()


SYNONYMS = {
    "mean_val_bpb": ({"mean_val_bpb": 1.1}, 1.1),
    "val_bpb_mean": ({"val_bpb_mean": 1.1}, 1.1),
    "bpb": ({"bpb": 1.1}, 1.1),
    "in a room": ({"results": {"mean_val_bpb": 1.1}}, 1.1),
    "as text": ({"val_bpb": "1.1"}, 1.1),
    "a table with its own mean": ({"val_bpb": {"mean": 1.1, "seed_42": 1.2}}, 1.1),
    "a table of seeds": ({"val_bpb": {"42": 1.0, "7": 1.2}}, 1.1),
    "the bpb stated as loss": ({"val_loss": 1.14276}, 1.14276),
    "val_bpb before its synonyms": ({"mean_val_bpb": 1.3, "val_bpb": 1.1}, 1.1),
    "null, but a mean beside it": ({"val_bpb": None, "mean_val_bpb": 1.1}, 1.1),
}


@pytest.mark.parametrize(("stated", "expected"), SYNONYMS.values(), ids=SYNONYMS)
def test_the_score_is_found_under_the_names_in_use(stated: dict[str, Any], expected: float) -> None:
    found = claims(stated)
    assert found.bpb is not None and found.bpb.value == pytest.approx(expected)
    assert not [problem for problem in found.problems if problem.required]


NO_SCORE = {
    "nothing": ({"name": "x"}, "no score"),
    "null": ({"val_bpb": None}, "val_bpb is null"),
    "zero": ({"val_bpb": 0.0}, "a placeholder"),
    "minus one": ({"val_bpb": -1}, "a placeholder"),
    "a word": ({"val_bpb": "pending"}, "'pending': not a number"),
    "a template": ({"val_bpb": "<fill after runs>"}, "not a number"),
    "true": ({"val_bpb": True}, "not a number"),
    "a loss that cannot be a bpb": ({"val_loss": 2.07}, "no score"),
    "only a score before quantisation": ({"pre_quant_val_bpb": 1.1}, "no score"),
    "only a standard deviation": ({"val_bpb_std": 0.001}, "no score"),
    "only what a baseline reached": ({"baseline_bpb": 1.2}, "no score"),
    "only a projection": ({"projected_post_quant_bpb": 1.2}, "no score"),
}


@pytest.mark.parametrize(("stated", "says"), NO_SCORE.values(), ids=NO_SCORE)
def test_a_missing_score_is_one_required_problem(stated: dict[str, Any], says: str) -> None:
    found = claims(stated)
    assert found.bpb is None
    assert [says in problem.message for problem in found.problems if problem.required] == [True]


NOTES = {
    "an empty login": ({"github_id": ""}, "/github_id", "a GitHub login"),
    "a login that is none": ({"github_id": "dd_dent"}, "/github_id", "a GitHub login"),
    "a placeholder login": ({"github_id": "YOUR_GITHUB_ID"}, "/github_id", "a GitHub login"),
    "a date in words": ({"date": "FILL_AFTER_RUN"}, "/date", "a date like"),
    "bytes as a word": ({"bytes_total": "TBD"}, "/bytes_total", "a number"),
    "zero bytes": ({"bytes_total": 0}, "/bytes_total", "a placeholder"),
    "an author as an object": ({"author": {"name": "x"}}, "/author", "text is expected"),
    "a score above three": ({"val_bpb": 3.19}, "/val_bpb", "unusual"),
}


@pytest.mark.parametrize(("stated", "pointer", "says"), NOTES.values(), ids=NOTES)
def test_everything_else_is_a_note_with_its_position(stated: dict[str, Any], pointer: str, says: str) -> None:
    """Accepted records leave out almost every field: only the score may be demanded."""
    problems = claims({**BASELINE, **stated}).problems
    assert [(p.pointer, says in p.message, p.required) for p in problems] == [(pointer, True, False)]
    assert problems[0].line > 1


def test_accepted_layouts_carry_no_required_problem() -> None:
    for stated in ({"val_loss": 1.14276, "name": "10L"}, {"mean_val_bpb": 1.1574, "run_name": "x"}, BASELINE):
        assert not [problem for problem in claims(stated).problems if problem.required]


def test_broken_json_is_a_fault_with_its_position() -> None:
    found = claims('{"val_bpb": 1.1,\n "name": "x')
    assert found.raw is None and found.bpb is None
    assert [(fault.where.line, fault.where.column) for fault in found.faults] == [(2, 10)]
    assert "never closed" in found.faults[0].what


def test_a_trailing_comma_is_a_required_problem_and_the_claims_are_read_all_the_same() -> None:
    found = claims('{"val_bpb": 1.1,\n}')
    assert found.bpb is not None and found.raw is not None and found.faults == ()
    assert [problem.line for problem in found.problems if problem.required] == [1]


@pytest.mark.parametrize("text", ["[1, 2]", '"text"', "3"])
def test_json_that_is_no_object_is_a_fault(text: str) -> None:
    found = claims(text)
    assert found.raw is None and "not a JSON object" in found.faults[0].what


def test_no_file_is_no_claim() -> None:
    assert read_claims(tree({"README.md": "x"})) == Claims()


def test_the_file_at_the_top_wins_and_the_others_are_listed() -> None:
    found = read_claims(
        tree(
            {
                "a/submission.json": '{"val_bpb": 1.3}',
                "submission.json": '{"val_bpb": 1.1}',
                "submission_b.json": "{}",
            }
        )
    )
    assert found.file == "submission.json" and found.others == ("submission_b.json", "a/submission.json")


def test_a_blob_that_is_absent_is_a_fault() -> None:
    found = read_claims(FileTree({"submission.json": File("submission.json", None, None)}))
    assert found.file == "submission.json" and found.raw is None and len(found.faults) == 1


def test_settings_are_read_from_blocks_and_commands() -> None:
    found = claims(
        {
            "val_bpb": 1.1,
            "env_overrides": {"TTT_ENABLED": "1", "ttt": {"TTT_LR": 0.0001}},
            "run_command": "SEED=42 MIN_LR=0.1 torchrun --nproc_per_node=8 train_gpt.py",
            "baseline_config": {"TTT_ENABLED": "0"},
        }
    )
    assert {name: claim.value for name, claim in found.env.items()} == {
        "TTT_ENABLED": "1",
        "TTT_LR": "0.0001",
        "SEED": "42",
        "MIN_LR": "0.1",
    }
    assert found.env["TTT_LR"].pointer == "/env_overrides/ttt/TTT_LR"


HOSTILE = {
    "a number beyond every float": '{"val_bpb": 1e999}',
    "an integer of 400 digits": '{"val_bpb": 1.1, "bytes_total": ' + "9" * 400 + "}",
    "an integer no float can hold": '{"val_bpb": ' + "9" * 350 + "}",
    "a seed list of objects": '{"val_bpb": 1.1, "seeds": [{"seed": {}}, {"seed": null}, 3, null]}',
    "an empty key": '{"": 1, "val_bpb": 1.1, "seed_results": {"": {"": 1}}}',
    "a key of a hundred thousand letters": '{"val_bpb": 1.1, "' + "seed_" * 20_000 + '": {"42": 1}}',
    "deep rooms": '{"results": ' * 90 + "1" + "}" * 90,
    "lists in lists": '{"seeds": [[[[1]]]], "seed_results": [[], {}]}',
    "a seed of infinite size": '{"val_bpb": 1.1, "seeds": [1e308, 1e999, -5]}',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_never_raise(text: str) -> None:
    assert claims(text).file == "submission.json"


def test_schemas_are_found_by_name() -> None:
    assert "submission" in schema.names()
    assert json.loads(schema.schema_text("submission"))["type"] == "object"
    with pytest.raises(AuditError, match="no schema nothing"):
        schema.schema_text("nothing")
