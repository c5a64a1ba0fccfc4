"""Logs of both dialects and their relatives: what must be read, and above all what must not."""

from __future__ import annotations

import time

import pytest

from golf_audit.filetree import File, Sort
from golf_audit.trainlog import Log, Run, read_log, seed_from_name, source_digest
from golf_audit.trainlog.read import is_log

CLASSIC = """\
logs/abc.txt
val_bpb:enabled tokenizer_kind=sentencepiece tokenizer_path=./data/tokenizers/fineweb_1024_bpe.model
train_loader:dataset:fineweb10B_sp1024 train_shards:80
val_loader:shards pattern=./data/fineweb_val_*.bin tokens:62021632
model_params:26829913
world_size:8 grad_accum_steps:1
tie_embeddings:True embed_lr:0.035 matrix_lr:0.025
train_batch_tokens:786432 train_seq_len:2048 iterations:9000 max_wallclock_seconds:600.000
seed:1337
warmup_step:20/20
step:0/9000 val_loss:6.9311 val_bpb:4.1050 train_time:0ms step_avg:0.02ms
step:200/9000 train_loss:2.6610 train_time:16190ms step_avg:80.95ms
step:7412/9000 val_loss:1.9303 val_bpb:1.1432 train_time:600001ms step_avg:80.95ms
stopping_early: wallclock_cap train_time:600001ms step:7412/9000
DIAGNOSTIC post_ema val_loss:1.9301 val_bpb:1.1431 eval_time:2000ms
Serialized model: 105783807 bytes
Code size: 64415 bytes
Total submission size: 105848222 bytes
Serialized model int6+zstd: 15624965 bytes
Total submission size int6+zstd: 15689380 bytes
final_int6_roundtrip val_loss:1.9490 val_bpb:1.1543 eval_time:5932ms
final_int6_roundtrip_exact val_loss:1.94903166 val_bpb:1.15432633
final_int6_sliding_window val_loss:1.9110 val_bpb:1.1318 stride:64 eval_time:68889ms
final_int6_sliding_window_exact val_loss:1.91095901 val_bpb:1.13178056
final_int8_zlib_roundtrip_exact val_loss:1.91095901 val_bpb:1.13178056
"""

CLARK = """\
W0430 06:31:01.197000 1039730 torch/distributed/run.py:803] ****
Hyperparameters:
  compressor: brotli
  datasets_dir: ./data/datasets/fineweb10B_sp8192
  max_wallclock_seconds: 600.0
  seed: 42
  tokenizer_path: ./data/tokenizers/fineweb_8192_bpe.model
  train_files: ./data/datasets/fineweb10B_sp8192/fineweb_train_*.bin
  ttt_enabled: True
  val_files: ./data/datasets/fineweb10B_sp8192/fineweb_val_*.bin
  world_size: 8
train_shards: 80
val_tokens: 40540160
model_params:35945673
gptq:reserving 12s, effective=588000ms
1/20000 train_loss: 9.0105 train_time: 0.0m tok/s: 17751024
4895/20000 train_loss: 2.3754 train_time: 9.8m tok/s: 6566811
4895/20000 val_loss: 2.3530 val_bpb: 1.0753
stopping_early: wallclock_cap train_time: 588061ms step: 4895/20000
diagnostic pre-quantization post-ema val_loss:2.33485027 val_bpb:1.06686742 eval_time:7879ms
prequant_ttt:start epochs=21 lr=0.0005
prequant_ttt:epoch 1/21 time=25.0s lr=0.000497
prequant_ttt:done total_time=523.6s
Serialized model: 135418111 bytes
Code size (uncompressed): 131887 bytes
Code size (compressed): 28025 bytes
GPTQ:collecting Hessians from calibration data...
GPTQ:collected 67 Hessians in 12.8s
Serialize: per-group compression done in 102.1s
Serialized model quantized+brotli: 15931373 bytes
Total submission size quantized+brotli: 15959398 bytes
Deserialize: decompression done in 18.6s
diagnostic quantized val_loss:2.35208733 val_bpb:1.07474358 eval_time:11043ms
ttt_lora:compile warmup done (93.5s)
ttp: b107/782 bl:2.4395 bb:1.0683 rl:2.3249 rb:1.0587 dl:205-206 gd:1
quantized_ttt_phased val_loss:2.31717973 val_bpb:1.05886205 eval_time:395504ms
total_eval_time:395.5s
"""


def log(text: str, path: str = "train.log") -> Log:
    data = text.encode()
    return read_log(File(path, len(data), data))


def only(text: str, path: str = "train.log") -> Run:
    runs = log(text, path).runs
    assert len(runs) == 1
    return runs[0]


def test_a_classic_log_is_read_whole() -> None:
    run = only(CLASSIC)
    assert run.seed is not None and (run.seed.value, run.seed.line) == (1337, 9)
    assert run.world_size is not None and run.world_size.value == 8
    assert run.params is not None and run.params.value == 26829913
    assert run.val_tokens is not None and run.val_tokens.value == 62021632
    assert run.train_shards is not None and run.train_shards.value == 80
    assert run.wallclock_cap_s is not None and run.wallclock_cap_s.value == 600.0
    assert run.tokenizer is not None and run.tokenizer.value.endswith("fineweb_1024_bpe.model")
    assert run.val_files is not None and run.val_files.value == "./data/fineweb_val_*.bin"
    assert run.train_seconds is not None and run.train_seconds.value == 600.001
    assert run.stop is not None and (run.stop.reason, run.stop.step) == ("wallclock_cap", 7412)
    assert run.hyperparameters["matrix_lr"].value == "0.025" and run.hyperparameters["matrix_lr"].line == 7
    assert run.trained and run.measured


def test_a_clark_log_is_read_whole() -> None:
    run = only(CLARK)
    assert run.seed is not None and run.seed.value == 42
    assert run.hyperparameters["ttt_enabled"].value == "True"
    assert run.world_size is not None and run.world_size.value == 8
    assert run.gptq_reserve_s is not None and run.gptq_reserve_s.value == 12.0
    assert run.train_seconds is not None and run.train_seconds.value == 588.061
    assert run.steps is not None and (run.steps.step, run.steps.precision) == (4895, 6.0)
    assert run.total_eval is not None and run.total_eval.seconds == 395.5
    assert run.train_files is not None and run.train_files.value.startswith(
        "./data/datasets/fineweb10B_sp8192/"
    )
    told = {(phase.kind, phase.seconds) for phase in run.phases}
    assert told == {
        ("adapt", 523.6),
        ("calibrate", 12.8),
        ("compress", 102.1),
        ("decompress", 18.6),
        ("warmup", 93.5),
    }


def test_minutes_milliseconds_and_seconds_are_one_unit() -> None:
    """Clark logs print tenths of a minute, classic ones milliseconds, GDN ones seconds."""
    minutes = only("5/10 train_loss: 2.0 train_time: 9.8m tok/s: 1\n")
    bars = only("step   2300/7000 | loss 3.2062 | lr_mul 1.0 | 4.00 steps/s | 576s\n")
    assert minutes.train_seconds is not None and minutes.train_seconds.value == pytest.approx(588.0)
    assert bars.train_seconds is not None and bars.train_seconds.value == 576.0


# line -> (normalised tag, bpb, stage)
FINALS = {
    "int8 roundtrip": (
        "final_int8_zlib_roundtrip_exact val_loss:2.1164 val_bpb:1.24998665",
        ("final_int8_zlib_roundtrip", 1.24998665, "post"),
    ),
    "a stride before the loss": (
        "final_sliding_window_eval stride:64 val_loss:1.9582 val_bpb:1.1598 eval_time:74131ms",
        ("final_sliding_window_eval", 1.1598, "post"),
    ),
    "done with equals signs": (
        "ttt_sliding:done val_loss=1.891102 val_bpb=1.120020 elapsed=407.5s",
        ("ttt_sliding", 1.12002, "post"),
    ),
    "a value given exactly at the end": (
        "final_int6_roundtrip val_loss:1.9926 val_bpb:1.1801 exact:1.18012750 eval_time:7214ms",
        ("final_int6_roundtrip", 1.1801275, "post"),
    ),
    "short names": ("q_sw_x vl:1.92261754 bpb:1.13868542", ("q_sw", 1.13868542, "post")),
    "a GDN result block": ("  Quantized BPB:      1.007057", ("quantized", 1.007057, "post")),
    "a PPM mixture": (
        "ppm_mix bytes=27048621 mix_bpb=0.901916 ppm_only=2.076814 nn_only=0.972941",
        ("ppm_mix_mix_bpb", 0.901916, "post"),
    ),
    "a bare key": ("ppm_mix_bpb:0.829467", ("ppm_mix_bpb", 0.829467, "post")),
    "a JSON line": ('{"val_loss": 2.27, "val_bpb": 1.3447236}', ("val_bpb", 1.3447236, "post")),
    "a parenthesis after the name": ("SLOT-0 BPB (full val set): 1.1854", ("slot_0", 1.1854, "post")),
    "bold Markdown": ("**val_bpb: 1.1659**", ("val_bpb", 1.1659, "post")),
    "diagnostic of the quantised model": (
        "diagnostic quantized val_loss:2.35 val_bpb:1.07474358 eval_time:11043ms",
        ("diagnostic_quantized", 1.07474358, "post"),
    ),
    "an average before quantisation": (
        "DIAGNOSTIC post_ema val_loss:1.9222 val_bpb:1.1385 eval_time:1960ms",
        ("diagnostic_post_ema", 1.1385, "pre"),
    ),
    "adaptation before quantisation": (
        "post-prequant-ttt val_loss:2.82 val_bpb:1.02930952 eval_time:8850ms",
        ("post_prequant_ttt", 1.02930952, "pre"),
    ),
    "pre-quantization post-ema": (
        "pre-quantization post-ema val_loss:2.80 val_bpb:1.08775313",
        ("pre_quantization_post_ema", 1.08775313, "pre"),
    ),
}


@pytest.mark.parametrize(("line", "expected"), FINALS.values(), ids=FINALS)
def test_a_result_line_gives_tag_value_and_stage(line: str, expected: tuple[str, float, str]) -> None:
    run = only("world_size:8\n" + line + "\n")
    assert [(final.name, final.bpb, final.stage) for final in run.finals] == [expected]


NOT_FINAL = {
    "a classic step": "step:1000/2200 val_loss:2.3569 val_bpb:1.3959 train_time:619884ms step_avg:619.88ms",
    "a clark step": "4000/20000 val_loss: 3.0122 val_bpb: 1.0977",
    "a step in words": "step 0800 | val_loss 3.9193 | val_bpb 1.7146",
    "a chunk": "  ttt_chunk [691/1238] bpb=1.012010 time=154.2s",
    "a chunk with a bar": "  ttt [##] 47.7% chunk 451/947 bpb=1.116577 ETA=1188s",
    "a percentage": "  ngram_eval [ 10.6%] bpb=1.114368 t=27s",
    "a running mean": "  sliding_eval [  0.0%] 32/121136 windows running_bpb=1.217812",
    "a progress line": "ppm_mix_progress seq:7500/60568 tokens:7687024 bytes:18359660 mix_bpb:0.828923",
    "an epoch": "prequant_ttt:epoch 1/21 val_bpb=1.084913 lr=0.000500 time=60.3s",
    "a temperature search": "temp_search: temp=0.85 val_bpb=1.8360",
    "a difference": "roundtrip_delta val_loss:+0.00836388 val_bpb:+0.00495356",
    "a gain": "delta_bpb=-0.00165387",
    "a standard deviation": "std_val_bpb: 0.00079",
    "an f-string of the script": 'log0(f"final_int8_zlib_roundtrip val_loss:{loss:.4f} val_bpb:{bpb:.4f}")',
    "not a number": "final_quant_roundtrip val_loss:nan val_bpb:nan eval_time:3746ms",
    "a phased progress line": "ttp: b107/782 bl:2.4395 bb:1.0683 rl:2.3249 rb:1.0587 dl:205-206 gd:1",
    "a training score": "best_ckpt:save step:6552 train_loss:2.1322 train_bpb:1.2614 pool:1/10",
    "enabled": "val_bpb:enabled tokenizer_kind=sentencepiece",
    "zero": "final_int8_zlib_roundtrip val_loss:0.0 val_bpb:0.0",
}


@pytest.mark.parametrize("line", NOT_FINAL.values(), ids=NOT_FINAL)
def test_what_is_not_a_result_gives_none(line: str) -> None:
    """A step or a search trial taken for a result would support claims that no evaluation gave."""
    assert [final.text for run in log(line + "\n").runs for final in run.finals] == []


DUMP = '''\
"""Train a model. Earlier: final_int8_zlib_roundtrip val_loss:1.0 val_bpb:0.5"""
import os
seed = 7
class Hyperparameters:
    max_wallclock_seconds = float(os.environ.get("MAX_WALLCLOCK_SECONDS", 600.0))
    world_size = 4
# final_int6_roundtrip val_loss:1.0 val_bpb:0.4 eval_time:9999ms
def main():
    # Total submission size int8+zlib: 1234567 bytes
    log0(f"seed:{args.seed}")
if __name__ == "__main__":
    main()
'''


def test_source_code_in_a_log_gives_no_readings() -> None:
    """960 real logs print their script; `seed = 7` in it is not the seed of the run."""
    run = only(DUMP + "=" * 100 + "\n" + CLASSIC)
    assert run.seed is not None and run.seed.value == 1337
    assert run.world_size is not None and run.world_size.value == 8
    assert min(final.bpb for final in run.finals) > 1.0
    assert run.total_bytes == 15689380
    assert run.dump is not None and (run.dump.first_line, run.dump.last_line) == (1, 12)
    assert run.dump.digest == source_digest(DUMP.replace("\n", "\r\n"))


def test_a_dump_without_a_closing_line_ends_where_the_run_speaks() -> None:
    run = only(DUMP + CLARK)
    assert run.seed is not None and run.seed.value == 42
    assert len(run.finals) == 3


def test_concatenated_runs_are_told_apart() -> None:
    second = CLASSIC.replace("seed:1337", "seed:42").replace("val_bpb:1.13178056", "val_bpb:1.14")
    runs = log(CLASSIC + second).runs
    assert [run.any_seed for run in runs] == [1337, 42]
    assert runs[1].first_line == 26  # its header belongs to it, not to the first run
    assert runs[1].train_shards is not None and runs[1].train_shards.line == 28


def test_two_hyperparameter_blocks_are_two_runs() -> None:
    evaluation = "Hyperparameters:\n  seed: 42\n  world_size: 8\nquantized_ttt val_loss:2.3 val_bpb:1.06\n"
    training, evaluated = log(CLARK + evaluation).runs
    assert training.trained and not evaluated.trained
    assert evaluated.any_seed == 42


LATER = "final_slot val_loss:1.8 val_bpb:1.09\n"
ONE_RUN = {
    "an evaluation that prints its model again": CLASSIC + "model_params:26829913\n" + LATER,
    "a summary that repeats the seed": CLASSIC + "seed:1337\n" + LATER,
    "every line printed twice": "".join(line + line for line in CLASSIC.splitlines(keepends=True)),
    "console output and log file joined": CLASSIC + CLASSIC,
    "the seed printed by each rank": CLASSIC.replace("seed:1337\n", "seed:1337\n" * 8),
}


@pytest.mark.parametrize("text", ONE_RUN.values(), ids=ONE_RUN)
def test_one_run_is_not_split(text: str) -> None:
    """A split run would lose its training time to one half and its result to the other."""
    run = only(text)
    assert run.any_seed == 1337 and run.trained and run.total_bytes == 15689380


def test_the_size_that_counts_is_the_compressed_one() -> None:
    """The unlabelled total of a classic log is the raw state plus code: 105 MB of an honest submission."""
    run = only(CLASSIC)
    assert run.total_bytes == 15689380
    assert run.model_size is not None and run.model_size.bytes == 15624965
    assert run.code_size is not None and run.code_size.bytes == 64415


def test_a_log_that_dies_before_quantisation_has_no_artifact_size() -> None:
    run = only(CLASSIC.split("Serialized model int6")[0])
    assert run.total_bytes is None


def test_of_two_code_sizes_the_compressed_one_is_counted() -> None:
    run = only(CLARK)
    assert run.code_size is not None and run.code_size.bytes == 28025
    assert run.model_size is not None and run.total_bytes == run.model_size.bytes + 28025


SIZES = {
    "a label with a codec": (
        "Total submission size int8+zlib: 15,811,202 bytes",
        ("total", "int8+zlib", 15811202),
    ),
    "code packed by lzma": (
        "Code size: 16740 bytes (lzma compressed; raw 72788 bytes)",
        ("code", "compressed", 16740),
    ),
    "an artifact in words": ("Artifact: 15,143,381 bytes (14.44 MB)", ("total", "", 15143381)),
}


@pytest.mark.parametrize(("line", "expected"), SIZES.values(), ids=SIZES)
def test_sizes_are_read(line: str, expected: tuple[str, str, int]) -> None:
    run = only("world_size:8\n" + line + "\n")
    assert [(size.what, size.label, size.bytes) for size in run.sizes] == [expected]


def test_model_code_and_total_on_one_line_are_told_apart() -> None:
    run = only("world_size:8\nmodel_size int8+zlib:15650103 bytes  code:156032 bytes  total:15806135 bytes\n")
    assert {(size.what, size.bytes) for size in run.sizes} == {
        ("model", 15650103),
        ("code", 156032),
        ("total", 15806135),
    }


def test_a_figure_to_which_a_total_adds_the_code_is_the_model() -> None:
    """Taken for the artifact it would leave the code out, and let an artifact over the cap pass."""
    run = only(
        "world_size:8\nCode size: 63242 bytes\nTernary artifact: 15819032 bytes (lzma) = 15.82MB\n"
        "Total submission size: 15882274 bytes = 15.88MB\n"
    )
    assert run.total_bytes == 15882274


TOTALS = {
    "an estimate beside the artifact": (
        "artifact_budget:state:within-budget total_bytes:13442586 limit_bytes:16000000",
        15077948,
    ),
    "an attempt beside the artifact": (
        "gptq:attempt 2 artifact=15035272 bytes (limit=15900000)",
        15077948,
    ),
    "parameters of a ternary model": ("ternary_distribution: total:7,483,392 -1:33.4% 0:33.1%", 15077948),
    "tokens of a batch": ("mixed_seq_len: GPU0=2048x36=73728tok total=552960tok", 15077948),
    "a smaller model with its own code and total": (
        "gptq_int6_brotli: 14,000,000 bytes | code: 102,473 | total: 14,102,473",
        14102473,
    ),
}


@pytest.mark.parametrize(("line", "total"), TOTALS.values(), ids=TOTALS)
def test_the_total_that_counts_is_a_model_plus_code(line: str, total: int) -> None:
    """27 logs of the corpus print a smaller number beside it; taken for the artifact it hides its size."""
    run = only(
        f"world_size:8\n{line}\nCode size: 102473 bytes\nSerialized model int8+zlib: 14975475 bytes\n"
        "Total submission size int8+zlib: 15077948 bytes\n"
    )
    assert run.total_bytes == total


NO_SIZE = {
    "a count of parameters": "[combiner] params: alpha=1, M=262144, beta=512, total=262657",
    "megabytes": "artifact:15.92MB ternary:64880640",
    "a trial": "quant_try int6 zstd-16: 15928401 bytes (limit 15911099)",
    "a parameter": "    total_bytes = 0.0",
    "hints": "ngram_tilt:hints total=47851520 gated=13023303 token_gate=628130",
    "a step": "step:0/50000 val_loss:6.9304 artifact_bytes:4577902 train_time:0ms",
    "a limit": "submission_budget raw_total:65594948 budget:16000000 over_bytes:49594948",
}


@pytest.mark.parametrize("line", NO_SIZE.values(), ids=NO_SIZE)
def test_what_is_not_a_size_gives_none(line: str) -> None:
    assert [size.text for run in log("world_size:8\n" + line + "\n").runs for size in run.sizes] == []


def test_the_time_of_a_result_is_found_through_its_twins() -> None:
    """Exact lines and aliases carry no time; the alias `final_int8_zlib_roundtrip` repeats a score."""
    run = only(CLASSIC)
    alias = run.finals[-1]
    found = run.seconds_of(alias)
    assert found is not None and found.seconds == 68.889
    roundtrip = run.seconds_of(next(f for f in run.finals if f.name == "final_int6_roundtrip"))
    assert roundtrip is not None and roundtrip.seconds == 5.932


def test_a_ppm_evaluation_has_its_time_and_the_bytes_behind_it() -> None:
    run = only(
        "world_size:8\nppm_mix_time:47.1s subset=3000000 tokens\n"
        "ppm_mix bytes=11165213 mix_bpb=0.901916 ppm_only=2.07 nn_only=0.97\n"
    )
    assert run.byte_count is not None and run.byte_count.value == 11165213
    assert [(s.what, s.count) for s in run.scored] == [("subset", 3000000), ("bytes", 11165213)]
    found = run.seconds_of(run.finals[-1])
    assert found is not None and found.seconds == 47.1


def test_whole_seconds_of_a_step_give_way_to_the_time_that_training_took() -> None:
    """GDN logs print a step every 50 or so: the last one lies well before the end."""
    run = only(
        "World size: 8\nstep  1600/7000 | loss 3.2463 | lr_mul 1.0000 | 2.73 steps/s | 586s\n"
        "Stopping early at step 1652 (wallclock limit)\nTraining complete in 612s\n"
    )
    assert run.train_seconds is not None and run.train_seconds.value == 612.0


DATA = {
    "validation tokens without a pattern": ("val_loader:tokens:62021632", "val_tokens", 62021632),
    "validation tokens in words": ("Validation tokens: 40,540,160", "val_tokens", 40540160),
    "shards beside their dataset": ("train:fineweb10B_sp1024 shards:80", "train_shards", 80),
    "shards put in order": ("shard_order:ranked 80 shards by perplexity", "train_shards", 80),
    "shards with a stride": (
        "Generated coprime shard order: stride across 128 shards",
        "train_shards",
        128,
    ),
}


@pytest.mark.parametrize(("line", "name", "value"), DATA.values(), ids=DATA)
def test_what_the_data_loaders_print_is_read(line: str, name: str, value: int) -> None:
    reading = getattr(only("world_size:8\n" + line + "\n"), name)
    assert reading is not None and (reading.value, reading.line) == (value, 2)


# line -> (kind, seconds, data)
PHASES = {
    "Hessians": ("GPTQ:collected 67 Hessians in 12.7s", ("calibrate", 12.7, "unknown")),
    "training data": ("gptq:calibrated 68 layers on training data in 2.1s", ("calibrate", 2.1, "train")),
    "generated sequences": ("gptq:generated 64 sequences in 196.7s", ("calibrate", 196.7, "self-generated")),
    "validation data": ("calibration on val data done in 3.0s", ("calibrate", 3.0, "validation")),
    "quantising": ("GPTQ:quantized in 10.2s", ("quantize", 10.2, "unknown")),
    "compressing": ("serialize_wallclock: 81.816s", ("compress", 81.816, "unknown")),
    "hints outside the timer": (
        "ngram_tilt:precompute_outside_timer_done elapsed=164.53s total_targets=47851520",
        ("precompute", 164.53, "unknown"),
    ),
    "adaptation in milliseconds": ("ttt: completed in 106657ms", ("adapt", 106.657, "unknown")),
}


@pytest.mark.parametrize(("line", "expected"), PHASES.values(), ids=PHASES)
def test_a_phase_has_its_kind_and_its_seconds(line: str, expected: tuple[str, float, str]) -> None:
    run = only("world_size:8\n" + line + "\n")
    assert [(phase.kind, phase.seconds, phase.data) for phase in run.phases] == [expected]


NO_PHASE = {
    "a reserve": "gptq:reserving 12s, effective=588000ms",
    "an epoch": "prequant_ttt:epoch 1/21 time=25.0s lr=0.000497",
    "a chunk": "tttg: c1/111 lr:0.001000 t:0.3s",
    "a title": "=== FULL RUN: vocab=4096 eval_seq=1024 8xH100 10min ===",
    "a name of a run": "JUNKYARD RAT RASCAL II - No GPTQ, Full 600s",
    "a breakdown that points elsewhere": "phase_breakdown: train:600073ms serialize:see_above eval:see_above",
    "a budget": "gptq:budget_check train:586128ms + gptq:9786ms = 595915ms (budget:600000ms)",
    "a rank's share": "[rank 0] local_ttt_done docs:6464 rank:0 elapsed:393.3s",
}


@pytest.mark.parametrize("line", NO_PHASE.values(), ids=NO_PHASE)
def test_what_is_not_a_finished_phase_gives_none(line: str) -> None:
    """A title with `600s` in it must not become an evaluation over the limit."""
    runs = log("world_size:8\n" + line + "\n").runs
    assert [phase.text for run in runs for phase in (*run.phases, *run.evals)] == []


def test_calibration_data_named_on_an_earlier_line_is_remembered() -> None:
    run = only("world_size:8\ngptq:calibrating with (training data)...\ngptq:calibrated 68 layers in 2.1s\n")
    assert [phase.data for phase in run.calibration] == ["train"]


def test_adaptation_told_twice_counts_once() -> None:
    run = only(
        "world_size:8\nttt_phase1:elapsed=200.0s\nttt_phase2:elapsed=91.5s\nttt_total:elapsed=291.5s\n"
    )
    assert sum(phase.seconds for phase in run.adaptation) == pytest.approx(291.5)


GPUS = "\n".join(
    f"|   {i}  NVIDIA H100 80GB HBM3          On  |   00000000:{i}8:00.0 Off |                    0 |"
    for i in range(8)
)


def test_rows_of_nvidia_smi_give_model_and_count() -> None:
    run = only(f"world_size:8\n{GPUS}\n{GPUS}\n")
    assert run.gpu is not None and run.gpu.value == "NVIDIA H100 80GB HBM3"
    assert run.gpu_count == 8  # dumped twice, counted once


SEEDS = {
    "seed in the name": ("train_seed42.log", 42),
    "underscore": ("logs/seed_1337.txt", 1337),
    "short form": ("run_s314.log", 314),
    "only a number": ("train_314.log", 314),
    "in the folder": ("runs/seed_1338/stdout.log", 1338),
    "no seed": ("train.log", None),
    "a stride": ("final_s64.log", None),
    "several seeds": ("eval_seeds42_314.log", None),
    "a run index": ("run_001.log", None),
    "a version": ("train_v3.txt", None),
}


@pytest.mark.parametrize(("path", "seed"), SEEDS.values(), ids=SEEDS)
def test_the_seed_in_a_file_name(path: str, seed: int | None) -> None:
    assert seed_from_name(path) == seed


PREFIXES = {
    "rank": "[rank0]: ",
    "launcher": "[default0]:",
    "clock": "[12:34:56] ",
    "date": "[2026-03-23 04:03:20] INFO: ",
    "comment": "# ",
    "ANSI colours": "\x1b[32m",
}


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_prefixes_do_not_hide_a_line(prefix: str) -> None:
    run = only("".join(prefix + line + "\n" for line in CLASSIC.splitlines()))
    assert run.any_seed == 1337 and len(run.finals) == 6 and run.total_bytes == 15689380


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_and_line_ends_do_not_matter(encoding: str, newline: str) -> None:
    data = CLARK.replace("\n", newline).encode(encoding)
    (run,) = read_log(File("train.log", len(data), data)).runs
    assert run.any_seed == 42 and run.total_bytes == 15959398 and run.finals[-1].line == 36


def test_a_progress_bar_keeps_the_line_number_an_editor_shows() -> None:
    run = only("a\r b 10%\r c 20%\nfinal val_loss:1.9 val_bpb:1.1\nworld_size:8\n")
    assert run.finals[0].line == 2


def test_a_crash_is_kept_with_its_line() -> None:
    run = only("world_size:8\nstep:1/9 train_loss:2.0 train_time:50ms\nTraceback (most recent call last):\n")
    assert run.crash is not None and run.crash.line == 3


def test_files_that_are_not_logs_are_left_out() -> None:
    named = ["train.log", "out.stdout", "notes.txt", "requirements.txt", "README.md", "train_gpt.py"]
    assert [name for name in named if is_log(File(name, 1, b"x"))] == ["train.log", "out.stdout", "notes.txt"]
    assert not is_log(File("train.log", 1, None, Sort.LINK))


def test_a_file_that_was_not_read_says_so() -> None:
    assert read_log(File("train.log", 10**9, None)).problems == ("not read",)
    assert log("").problems == ("empty",)


HOSTILE = (
    *(
        "a",
        "1",
        "_",
        " ",
        "=",
        ":",
        "-",
        "(",
        "1.",
        "1,",
        "\t",
        "|",
        "d1",
        "# ",
        "a=b ",
        "a_bpb_",
        "bpb=1",
        "[rank0]:",
    ),
    *(
        "bpb",
        "val_bpb:",
        "loss:",
        "step:1/2 ",
        "gptq ",
        "seed:",
        "total ",
        "code:",
        "gpu: ",
        "H100 gpu:",
        "pattern=",
    ),
    *("ttt eval_time:", "Total submission size ", "stopping_early: ", "val_loader:shards pattern="),
)
LEADS = (
    *("", "gptq hessian time ", "ttt eval ", "final_x val_loss:1.0 val_bpb:", "stopping_early: "),
    *("Total submission size ", "step:1/2 loss ", "Serialized model "),
)


@pytest.mark.parametrize("lead", LEADS)
def test_no_line_of_ten_thousand_characters_takes_long(lead: str) -> None:
    """Protects against patterns that backtrack: every line under 50 ms of processor time (best of three)."""
    for word in HOSTILE:
        line = (lead + word * 10_000)[:10_000] + "\x00\n"
        best = min(_seconds(line) for _ in range(3))
        assert best < 0.05, (lead, word, best)


def test_a_log_of_two_megabytes_takes_well_under_a_second() -> None:
    lines = "".join(
        f"ttp: b{i}/9999 bl:2.44 bb:1.07 rl:2.32 rb:1.06 dl:{i}-206 gd:1\n" for i in range(32_000)
    )
    text = CLARK + lines
    assert len(text) > 1_700_000
    assert min(_seconds(text) for _ in range(3)) < 1.0


def _seconds(text: str) -> float:
    data = text.encode()
    start = time.process_time()
    read_log(File("x.log", len(data), data))
    return time.process_time() - start


def test_a_phase_told_again_by_a_clock_that_runs_on_counts_once() -> None:
    run = only(
        "world_size:8\ngptq:generated 32 seqs in 199.1s\ngptq:collected hessians for 33 layers in 199.6s\n"
        "GPTQ:collected 67 Hessians in 12.7s\nGPTQ:collected 67 Hessians in 12.7s\n"
    )
    assert [phase.seconds for phase in run.calibration] == [199.1, 12.7, 12.7]
