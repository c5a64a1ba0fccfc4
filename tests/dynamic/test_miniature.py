"""The miniature: every validation position is known by its neighbours, settings follow the declaration."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from golf_audit.dynamic.contract import Places, Variation
from golf_audit.dynamic.job import LEAVE_OUT, Perturbation
from golf_audit.dynamic.miniature import Shape, prepare
from golf_audit.dynamic.miniature import tokens as streams
from golf_audit.dynamic.miniature.data import OTHER
from golf_audit.dynamic.miniature.defaults import differing
from golf_audit.dynamic.miniature.sizes import small
from golf_audit.dynamic.miniature.tokenizer import BOS, train
from golf_audit.load import load_folder

PLACES = Places("/run/submission", "/run/data", "/run/work")

SCRIPT = """
import os
class Hyperparameters:
    data_path = os.environ.get("DATA_PATH", "./data/datasets/fineweb10B_sp1024")
    tokenizer_path = os.environ.get("TOKENIZER_PATH", "./data/tokenizers/fineweb_1024_bpe.model")
    vocab_size = int(os.environ.get("VOCAB_SIZE", 1024))
    iterations = int(os.environ.get("ITERATIONS", 20000))
    ttt_enabled = bool(int(os.environ.get("TTT_ENABLED", "0")))
    ttt_epochs = int(os.environ.get("TTT_EPOCHS", 10))
    ttt_lr = float(os.environ.get("TTT_LR", 0.1))
    mlp_hidden = int(os.environ.get("MLP_HIDDEN", 0))
    model_dim = 512
    other = "data/datasets/fineweb10B_sp10240_casefold", "fineweb_10240_casefold_bpe.model"
"""
README = "```bash\nTTT_ENABLED=1 TTT_LR=0.002 torchrun --nproc_per_node=8 train_gpt.py\n```\n"


def shard(path: Path) -> list[int]:
    data = path.read_bytes()
    magic, version, count = struct.unpack_from("<3i", data)
    assert (magic, version) == (20240520, 1)
    assert len(data) == 1024 + 2 * count
    return list(struct.unpack_from(f"<{count}H", data, 1024))


@pytest.mark.parametrize("vocab", [260, 1024, 8192])
def test_every_pair_of_neighbours_occurs_once_and_never_in_training(vocab: int) -> None:
    shape = Shape(vocab=vocab)
    stream = streams.validation(shape)
    streams.check(stream, [streams.training(shape, 0)])
    assert len(stream) == shape.targets + 1
    assert stream.count(BOS) == shape.documents
    assert max(stream) < vocab


def test_a_repeated_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="occurs twice"):
        streams.check([5, 6, 7, 5, 6], [])


def test_a_pair_that_training_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="training shard"):
        streams.check([5, 6, 7], [[9, 6, 7]])


def test_a_perturbation_changes_its_positions_and_no_document_border() -> None:
    shape = Shape()
    stream = streams.validation(shape)
    new = streams.changed(stream, Perturbation("late", ((3000, 6145),)), shape.vocab)
    assert new[:3000] == stream[:3000]
    moved = [p for p in range(3000, 6145) if new[p] != stream[p]]
    assert [p for p in range(3000, 6145) if stream[p] != BOS] == moved
    assert [p for p, t in enumerate(new) if t == BOS] == [p for p, t in enumerate(stream) if t == BOS]
    streams.check(new, [streams.training(shape, n) for n in range(shape.shards)])


def test_the_tokenizer_has_the_vocabulary_and_the_same_bytes_each_time() -> None:
    import sentencepiece

    model = train(1024)
    assert model == train(1024)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert processor.vocab_size() == 1024
    assert (processor.bos_id(), processor.unk_id()) == (BOS, 3)
    assert processor.is_byte(processor.piece_to_id("<0x41>"))


def submission(folder: Path, script: str = SCRIPT) -> Path:
    folder.mkdir()
    (folder / "train_gpt.py").write_text(script)
    (folder / "README.md").write_text(README)
    (folder / "submission.json").write_text("{}")
    return folder


def test_declared_switches_stay_and_sizes_shrink(tmp_path: Path) -> None:
    made = prepare(load_folder(submission(tmp_path / "2026-04-01_X")), tmp_path / "mini", PLACES)
    environ = made.job.environ
    assert environ["TTT_ENABLED"] == "1"  # the README's, not the code's default
    assert environ["TTT_LR"] == "0.002"
    assert (environ["ITERATIONS"], environ["TTT_EPOCHS"]) == ("4", "2")
    assert made.job.overrides["Hyperparameters.model_dim"] == 64  # read from no variable
    assert environ["DATA_PATH"].startswith("/run/data/")


def test_a_script_that_skips_evaluation_in_short_runs_gets_a_longer_one(tmp_path: Path) -> None:
    folder = submission(tmp_path / "2026-04-01_X")
    (folder / "train_gpt.py").write_text(SCRIPT + "if args.iterations <= 50:\n    quick_probe = True\n")
    assert prepare(load_folder(folder), tmp_path / "mini", PLACES).job.environ["ITERATIONS"] == "51"


def test_the_folder_holds_shards_under_the_usual_names(tmp_path: Path) -> None:
    made = prepare(load_folder(submission(tmp_path / "2026-04-01_X")), tmp_path / "mini", PLACES)
    plain = made.data / "datasets/fineweb10B_sp1024"
    assert len(list(plain.glob("fineweb_train_*.bin"))) == 2
    assert [p.name for p in plain.glob("fineweb_val_*.bin")] == ["fineweb_val_000000.bin"]
    assert (made.data / "datasets/fineweb10B_sp10240_casefold/fineweb_val_000000.bin").exists()
    assert (made.data / "tokenizers/fineweb_10240_casefold_bpe.model").exists()  # both named in the script
    caseops = made.data / "datasets/caseops"
    tokens, counts = (shard(caseops / f"fineweb_val_{n}000000.bin") for n in ("", "bytes_"))
    assert len(tokens) == len(counts)
    assert all((count == 0) == (token == BOS) for token, count in zip(tokens, counts, strict=True))


def test_a_variation_keeps_every_path_and_changes_only_its_data(tmp_path: Path) -> None:
    made = prepare(load_folder(submission(tmp_path / "2026-04-01_X")), tmp_path / "mini", PLACES)
    change = Variation("late", perturbation=Perturbation("late", ((4000, 6145),)))
    job, data = made.vary(change, tmp_path / "late")
    assert (job.environ, job.data, job.val_tokens) == (made.job.environ, made.job.data, made.job.val_tokens)
    name = "datasets/plain/fineweb_val_000000.bin"
    assert shard(data / name)[:4000] == shard(made.data / name)[:4000]
    assert shard(data / name) != shard(made.data / name)
    other, data = made.vary(Variation("other", exchanged=("train",)), tmp_path / "other")
    assert other.perturbation is None
    ours, theirs = (data / place / "fineweb_train_000000.bin" for place in ("datasets/plain", OTHER))
    assert shard(ours) == shard(made.data / "datasets/plain/fineweb_train_000000.bin")
    assert len(shard(theirs)) == len(shard(ours)) and shard(theirs) != shard(ours)
    control, data = made.vary(Variation("control"), tmp_path / "control")
    assert (control, data) == (made.job, made.data)


def test_a_switch_that_no_command_tells_is_a_problem_and_a_size_is_none(tmp_path: Path) -> None:
    folder = submission(tmp_path / "2026-04-01_X")
    command = "RUN_ID=$1 TTT_ENABLED=$2 TTT_LR=$3 TTT_EPOCHS=$4 MLP_HIDDEN=$5 torchrun train_gpt.py"
    (folder / "README.md").write_text(f"```bash\n{command}\n```\n")
    made = prepare(load_folder(folder), tmp_path / "mini", PLACES)
    assert [problem.split()[0] for problem in made.problems] == ["TTT_ENABLED"]
    assert "TTT_LR=0.1 (default; the command does not tell it)" in made.settings


def test_the_script_s_own_defaults_in_the_same_small_world(tmp_path: Path) -> None:
    """What is declared is gone; sizes, places and data stay, and a rate is no switch that would tell."""
    made = prepare(load_folder(submission(tmp_path / "2026-04-01_X")), tmp_path / "mini", PLACES)
    assert made.differing == ("TTT_ENABLED=1 (by default 0)",)
    job, data = made.vary(Variation("defaults", defaults=True), tmp_path / "defaults")
    assert not {"TTT_ENABLED", "TTT_LR"} & set(job.environ)
    given = {name: value for name, value in made.job.environ.items() if not name.startswith("TTT_")}
    assert given.items() <= job.environ.items() and job.environ["TTT_EPOCHS"] == "2"
    assert (data, job.overrides, job.argv) == (made.data, made.job.overrides, made.job.argv)


def test_a_schedule_of_lengths_is_small_at_every_step() -> None:
    """#2140 wants its longest length to be the sequence length."""
    assert small("TRAIN_SEQ_SCHEDULE", "1024@0.100,2048@0.700,3072@1.000") == "128@0.100,128@0.700,128@1.000"
    assert small("TRAIN_SEQ_SCHEDULE", "") is None and small("LR_SCHEDULE", "1024@0.1") is None


@pytest.mark.parametrize(
    ("declared", "default", "switched"),
    [
        ("1", "0", True),
        ("True", "1", False),
        ("adamw", "sgd", True),
        ("", "0", False),
        ("off", "0", False),
        ("3", "0", True),  # epochs: none by default
        ("5", "3", False),
        ("0.1", "0.0", False),
        (None, "0", False),
        ("1", None, False),  # computed by the code
    ],
)
def test_what_counts_as_another_switch(declared: str | None, default: str | None, switched: bool) -> None:
    assert bool(differing({"TTT": declared}, {"TTT": default})) is switched
    assert not differing({"SEED": declared}, {"SEED": default})


def test_metadata_of_a_tokenizer_is_no_tokenizer(tmp_path: Path) -> None:
    """#1240 looks for an .npz beside the model, and reads the .model where the setting names it."""
    text = (
        "import os\n"
        'a = os.environ.get("TOKENIZER_META_PATH", "")\n'
        'b = os.environ.get("TOKENIZER_PATH", "./x.model")\n'
    )
    made = prepare(load_folder(submission(tmp_path / "2026-04-01_X", text)), tmp_path / "mini", PLACES)
    assert made.job.environ.get("TOKENIZER_META_PATH", "") == ""
    assert made.job.environ["TOKENIZER_PATH"].endswith("miniature.model")


def test_a_tokenizer_told_by_its_kind_keeps_it(tmp_path: Path) -> None:
    """golf_ref's TOKENIZER says which class reads the file of TOKENIZER_MODEL."""
    text = (
        "import os\n"
        'a = os.environ.get("TOKENIZER", "sentencepiece")\n'
        'b = os.environ.get("TOKENIZER_MODEL", "")\n'
    )
    made = prepare(load_folder(submission(tmp_path / "2026-04-01_X", text)), tmp_path / "mini", PLACES)
    assert made.job.environ.get("TOKENIZER", "sentencepiece") == "sentencepiece"
    assert made.job.environ["TOKENIZER_MODEL"].endswith("miniature.model")
    named = text.replace('"sentencepiece"', '"data/x.model"')
    made = prepare(load_folder(submission(tmp_path / "2026-04-01_Y", named)), tmp_path / "other", PLACES)
    assert made.job.environ["TOKENIZER"].endswith("miniature.model")


def test_documents_are_taken_away_with_their_bytes(tmp_path: Path) -> None:
    made = prepare(load_folder(submission(tmp_path / "2026-04-01_X")), tmp_path / "mini", PLACES)
    places = [f"datasets/caseops/fineweb_val_{n}000000.bin" for n in ("", "bytes_")]
    tokens, counts = (shard(made.data / place) for place in places)
    borders = [*(p for p, token in enumerate(tokens) if token == BOS), len(tokens)]
    gone = ((borders[1], borders[3]), (borders[5], len(tokens)))
    _, data = made.vary(Variation("few", perturbation=Perturbation(LEAVE_OUT, gone)), tmp_path / "few")
    kept = [*range(borders[1]), *range(borders[3], borders[5])]
    assert [shard(data / place) for place in places] == [[x[p] for p in kept] for x in (tokens, counts)]
    cut = ((borders[1] - 20, borders[3]), *gone[1:])
    _, data = made.vary(Variation("cut", perturbation=Perturbation(LEAVE_OUT, cut)), tmp_path / "cut")
    kept = [*range(borders[1] - 20), *range(borders[3], borders[5])]
    short = shard(data / places[0])
    assert [i for i, p in enumerate(kept) if short[i] != tokens[p]] == [borders[1] - 21], "no pair is new"


def test_a_shortened_stream_tells_its_number_of_documents(tmp_path: Path) -> None:
    """golf_ref refuses a validation stream that holds another number of documents than VAL_DOCS."""
    folder = submission(tmp_path / "2026-04-01_X", 'import os\nn = int(os.environ.get("VAL_DOCS", "40"))\n')
    made = prepare(load_folder(folder), tmp_path / "mini", PLACES)
    assert made.job.environ["VAL_DOCS"] == "22"
    half = Variation("prefix", perturbation=Perturbation(LEAVE_OUT, ((3073, 6145),)))
    job, data = made.vary(half, tmp_path / "half")
    tokens = shard(data / "datasets/plain/fineweb_val_000000.bin")
    assert len(tokens) == 3073
    assert job.environ["VAL_DOCS"] == str(sum(t == BOS for t in tokens)) != "22"
    small = prepare(load_folder(folder), tmp_path / "small", PLACES, shape=Shape(targets=1536, documents=8))
    assert small.job.environ["VAL_DOCS"] == "8"


@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("ITERATIONS", "20000", "4"),
        ("EVAL_STRIDE", "64", "32"),
        ("EVAL_STRIDE", "16", None),  # smaller already
        ("SLOT_STEPS", "24", "3"),
        ("TTT_ENABLED", "1", None),  # a switch
        ("TTT_LR", "0.002", None),
        ("NUM_LAYERS", "11", None),  # scripts name layers by number
    ],
)
def test_only_sizes_are_made_small(name: str, declared: str, expected: str | None) -> None:
    assert small(name, declared) == expected
