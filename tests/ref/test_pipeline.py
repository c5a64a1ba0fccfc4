"""The whole chain on the tiny preset, as a user runs it: in one go, command by command, as one file."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from click.testing import CliRunner

from golf_ref import pipeline
from golf_ref.__main__ import main
from golf_ref.artifact import pack_artifact
from golf_ref.bundle import claimed_tag, write_script
from golf_ref.config import PRESETS, Cfg, preset
from golf_ref.data import Data, load_data
from golf_ref.data_prepare import prepare
from golf_ref.distributed import ALONE
from golf_ref.log import RunLog
from golf_ref.model import GPT, rebank
from golf_ref.pipeline import ARTIFACT, Stage, adapt_artifact, codec_and_layout, load_artifact, run_record
from golf_ref.quantize import dequantize_state


class Finished(NamedTuple):
    cfg: Cfg
    data: Data
    out: Path
    lines: list[str]
    stages: list[Stage]
    tensors: dict[str, torch.Tensor]
    meta: dict[str, str]


CPU = torch.device("cpu")
# A few steps and little text: what is tested is the chain, not the loss.
SHORT = (
    "iterations=6",
    "val_docs=12",
    "max_docs=300",
    "doc_chars=250",
    "eval_stride=64",
    "shard_tokens=40000",
    "train_log_every=3",
)
TAGS = [
    "diagnostic pre-quantization post-ema",
    "quantized",
    "quantized_sliding_window",
    "quantized_ttt",
    "quantized_ttt_lora",
    "quantized_ttt_phased",
]


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    prepare(preset("tiny", SHORT), folder)
    return folder


@pytest.fixture(scope="module")
def finished(shards, tmp_path_factory):
    """One finished run: configuration, data, folder, log lines, stages, and the tensors that were packed."""
    cfg = preset("tiny", (*SHORT, f"data_path={shards}"))
    out, data, log = tmp_path_factory.mktemp("run"), load_data(cfg), RunLog(echo=False)
    packed = []

    def keeping_pack(tensors, meta, codec, layout):
        packed.append((tensors, meta))
        return pack_artifact(tensors, meta, codec, layout)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "pack_artifact", keeping_pack)
        stages = run_record(cfg, data, out, "print(1)", ("sgd", "lora", "phased"), ALONE, CPU, log)
    return Finished(cfg, data, out, log.lines, stages, *packed[0])


def test_each_stage_scores_the_whole_validation_stream(finished):
    data, stages = finished.data, finished.stages
    assert [stage.tag for stage in stages] == TAGS
    expected = (len(data.val_ids) - 1, int(data.val_bytes[1:].sum()))
    assert {(stage.score.tokens, stage.score.bytes) for stage in stages} == {expected}
    assert all(1 < stage.score.val_bpb < 9 for stage in stages)


def test_the_log_speaks_the_dialect(finished):
    data, out, lines, stages = finished.data, finished.out, finished.lines, finished.stages
    text = "\n".join(lines)
    for pattern in (
        r"^  seed: 42$",
        r"^  world_size: 1$",
        r"^Hyperparameters:$",
        r"^  num_layers: 4$",
        r"^train_shards: \d+$",
        rf"^val_tokens: {len(data.val_ids) - 1}$",
        r"^Code size \(uncompressed\): 8 bytes$",
        rf"^Serialized model quantized\+brotli: {(out / ARTIFACT).stat().st_size} bytes$",
        r"^total_eval_time:[\d.]+s$",
    ):
        assert len(re.findall(pattern, text, re.MULTILINE)) == 1, pattern
    sizes = {
        key: int(re.search(rf"^{key}: (\d+) bytes$", text, re.MULTILINE)[1])
        for key in (r"Serialized model quantized\+brotli", r"Code size \(compressed\)")
    }
    assert f"Total submission size quantized+brotli: {sum(sizes.values())} bytes" in lines
    for stage in stages:
        printed = (
            f"{stage.tag} val_loss:{stage.score.val_loss:.8f} val_bpb:{stage.score.val_bpb:.8f} eval_time:"
        )
        assert sum(line.startswith(printed) for line in lines) == 1


def test_nothing_reads_training_shards_once_the_artifact_is_written(finished, tmp_path):
    cfg, data, out, stages = finished.cfg, finished.data, finished.out, finished.stages
    blind = type(data)((tmp_path / "gone.bin",), data.val_ids, data.val_bytes)
    again = adapt_artifact(cfg, blind, out / ARTIFACT, "phased", ALONE, CPU, RunLog(echo=False))
    assert again.score == stages[-1].score, "and a second run gives the same bits"


def test_the_reloaded_model_equals_the_quantised_one_in_memory(finished):
    model = GPT(finished.cfg.model)
    rebank(model, dequantize_state(finished.tensors, finished.meta))
    reloaded = load_artifact(finished.cfg, finished.out / ARTIFACT, CPU)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), reloaded.parameters(), strict=True))
    assert reloaded.looping


def test_the_report_holds_the_curves_and_the_stages(finished):
    stages = finished.stages
    report = json.loads((finished.out / "report.json").read_text())
    assert len(report["losses"]) == len(report["lr_mults"]) == report["steps"] == 6
    assert [stage["tag"] for stage in report["stages"]] == TAGS
    assert report["stages"][1]["score"]["val_bpb"] == stages[1].score.val_bpb


def test_unknown_kinds_of_adaptation_are_refused(finished):
    cfg, data, out = finished.cfg, finished.data, finished.out
    with pytest.raises(ValueError, match="unknown ttt_kind 'slot'"):
        adapt_artifact(cfg, data, out / ARTIFACT, "slot", ALONE, CPU, RunLog(echo=False))


def test_pergroup_means_lrzip_streams():
    assert codec_and_layout("pergroup") == ("lrzip", "pergroup")
    assert codec_and_layout("lzma") == ("lzma", "flat")


SMALL = (  # any preset on the tiny preset's text, with a model of a few thousand weights
    *("vocab_size=264", "model_dim=32", "num_heads=2", "num_kv_heads=1", "tokenizer=byte264", "text=stdlib"),
    *("rope_dims=0", "compute_dtype=float32", "compile=0", "warmup_steps=0", "max_wallclock_seconds=0"),
    *("train_batch_tokens=1024", "train_seq_len=128", "micro_batches=1", "val_loss_every=0", "ema_decay=0.5"),
    *(
        "gptq_calibration_batches=1",
        "gptq_calibration_tokens=1024",
        "passthrough_numel=600",
        "compressor=lzma",
    ),
    *("eval_seq_len=128", "val_batch_tokens=1024", "ttt_chunk_tokens=1024", "ttt_eval_seq_len=128"),
    *("ttt_batch_size=4", "ttt_lora_rank=4", "phased_ttt_prefix_docs=8", "global_ttt_chunk_tokens=512"),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PRESETS if name != "tiny"])
def test_the_chain_of_every_preset_runs_in_the_small(name, tmp_path):
    cfg = preset(name, (*SMALL, *SHORT, f"data_path={tmp_path}"))
    prepare(cfg, tmp_path)
    data, log = load_data(cfg), RunLog(echo=False)
    kinds = (cfg.ttt.ttt_kind,) if cfg.ttt.ttt_enabled else ()
    stages = run_record(cfg, data, tmp_path, "", kinds, ALONE, CPU, log)
    assert stages[-1].tag == claimed_tag(cfg)
    assert {stage.score.tokens for stage in stages} == {len(data.val_ids) - 1}
    assert abs(stages[1].score.val_bpb - stages[0].score.val_bpb) < 0.2, "quantisation keeps the score"
    scheme = {"naive": "int8_quantile", "pr2143": "gptq (int5)+hadamard"}.get(name, "gptq (int6)")
    assert any(line.startswith(f"  {scheme}") for line in log.lines)


@pytest.mark.slow
def test_the_commands_one_by_one_give_the_scores_of_the_pipeline(finished, shards, tmp_path):
    stages = finished.stages
    common = ["--preset", "tiny", "--out", str(tmp_path), *SHORT, f"data_path={shards}"]
    printed = ""
    for command in (["train"], ["quantize"], ["evaluate"], ["ttt", "--kind", "lora"]):
        result = CliRunner().invoke(main, [*command, *common])
        assert result.exit_code == 0, result.output
        printed += result.output
    for stage in (stages[1], stages[2], stages[4]):
        assert f"{stage.tag} val_loss:{stage.score.val_loss:.8f} val_bpb:{stage.score.val_bpb:.8f}" in printed


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True], ids=["readable", "packed"])
def test_the_one_file_script_gives_the_scores_of_the_modules(packed, finished, shards, tmp_path):
    """Alone in a folder, on settings from the environment only."""
    stages = finished.stages
    write_script(preset("tiny"), tmp_path, packed)
    settings = dict(pair.upper().split("=") for pair in SHORT)
    environ = {**os.environ, **settings, "DATA_PATH": str(shards), "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "train_gpt.py"], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for stage in (stages[1], stages[2], stages[5]):
        assert (
            f"{stage.tag} val_loss:{stage.score.val_loss:.8f} val_bpb:{stage.score.val_bpb:.8f}"
            in done.stdout
        )
    assert "quantized_ttt_lora" not in done.stdout, "the script runs the configured evaluation only"
    assert (tmp_path / "train_seed42.log").read_text() == done.stdout


@pytest.mark.slow
def test_plot_and_bundle_from_the_command_line(shards, tmp_path):
    common = ["--preset", "tiny", "--out", str(tmp_path), *SHORT, f"data_path={shards}"]
    folder = tmp_path / "record"
    person = ["--author", "A. Person", "--github-id", "aperson"]
    result = CliRunner().invoke(
        main, ["bundle", "--folder", str(folder), "--seeds", "42,7", *person, *common]
    )
    assert result.exit_code == 0, result.output
    names = {
        "train_gpt.py",
        "README.md",
        "submission.json",
        "requirements.txt",
        "train_seed42.log",
        "train_seed7.log",
    }
    assert {p.name for p in folder.iterdir()} == names
    assert str(shards) not in "".join(p.read_text() for p in folder.iterdir()), "no path of this machine"
    assert json.loads((folder / "submission.json").read_text())["seeds"] == [7, 42]
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    result = CliRunner().invoke(main, ["plot", *common])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")


REPORT = {
    "preset": "tiny",
    "losses": [3.0, 2.0],
    "lr_mults": [1.0, 0.1],
    "stages": [
        {"tag": "quantized", "score": {"val_bpb": 1.5}},
        {"tag": "quantized_ttt", "score": {"val_bpb": 1.4}},
    ],
}


def test_a_wrong_setting_is_a_usage_error():
    result = CliRunner().invoke(main, ["data", "--preset", "tiny", "num_layer=3"])
    assert result.exit_code == 2 and "num_layer" in result.output
