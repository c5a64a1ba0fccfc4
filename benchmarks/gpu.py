"""Tokens per second and MFU of golf_ref's pr1855 against the record's own train_gpt.py, on one CUDA GPU.

    python benchmarks/gpu.py --record PATH/train_gpt.py --tokenizer PATH/fineweb_8192_..._reserved.model

Both scripts run as a participant would run them, one after the other on the same GPU, with the same
settings, the same synthetic shards (random tokens, documents of log-normal lengths) and the same attention:
flash-attn 3 where it is installed, else torch's own kernels in its place on both sides. Every figure is
read from the logs.
#1855 evaluates no sliding windows, so that row stands alone, beside the whole windows that both evaluate.

MFU counts the matrix products that an execution needs (forward 2 FLOP per weight and token, causal attention,
backward twice the forward; backward once where weights are frozen) and leaves out padding, recomputation and
adapters, over the GPU's dense bfloat16 peak.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golf_ref.config import Cfg, hyperparameters, preset
from golf_ref.data import write_shard
from golf_ref.model import executed_layers
from golf_ref.onefile import make_script
from golf_ref.tokenizer import BOS_ID

PEAK_TFLOPS = {"H100 PCIe": 756, "H100": 989, "H200": 989, "A100": 312, "B200": 2250}
"""Dense bfloat16 per second, from NVIDIA's data sheets; the first name that the GPU's holds counts."""
SIDES = ("record", "golf_ref")
STAGES = {  # name: (record's log tag, golf_ref's log tag); None: not evaluated
    "whole windows": ("diagnostic quantized", "quantized"),
    "sliding windows": (None, "quantized_sliding_window"),
    "LoRA TTT, phased": ("quantized_ttt_phased", "quantized_ttt_phased"),
}


@dataclass(frozen=True)
class Row:
    """One stage of one side; tokens/s over scored (or trained) tokens, MFU as a share of the peak."""

    stage: str
    side: str
    tokens_per_second: float
    mfu: float


# --- synthetic shards ------------------------------------------------------------------------------------


def document_lengths(tokens: int, rng: np.random.Generator) -> list[int]:
    """Lengths, BOS included, that add up to `tokens`: median about 600 as in FineWeb, a long tail."""
    lengths: list[int] = []
    left = tokens
    while left > 0:
        lengths.append(min(left, max(2, int(rng.lognormal(6.4, 0.9)))))
        left -= lengths[-1]
    return lengths


def write_shards(folder: Path, train_tokens: int, val_tokens: int, vocab: int, seed: int = 0) -> list[int]:
    """A training shard, a validation shard and its byte sidecar; returns the validation lengths."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    lengths: list[int] = []
    for name, count in (("train", train_tokens), ("val", val_tokens)):
        lengths = document_lengths(count, rng)
        ids = rng.integers(8, vocab, count, dtype=np.uint16)
        ids[np.cumsum([0, *lengths[:-1]])] = BOS_ID
        write_shard(folder / f"fineweb_{name}_000000.bin", ids)
        if name == "val":
            write_shard(folder / f"fineweb_{name}_bytes_000000.bin", np.where(ids == BOS_ID, 0, 3))
    return lengths


# --- floating point operations ---------------------------------------------------------------------------


def forward_flops(cfg: Cfg, context: float) -> float:
    """Per token whose mean number of visible keys is `context`, with the layers looping as at the end."""
    m = cfg.model
    head = m.model_dim // m.num_heads
    hidden = int(m.mlp_mult * m.model_dim)
    weights = 2 * m.model_dim**2 + 2 * m.model_dim * m.num_kv_heads * head + 2 * m.model_dim * hidden
    encoder, decoder = executed_layers(m, looping=True)
    layers = len(encoder) + len(decoder)
    attention = 2 * 2 * m.num_heads * head * context  # q k^T and its product with v
    return layers * (2 * weights + attention) + 2 * m.model_dim * m.vocab_size


def mean_context(lengths: list[int], longest: int) -> float:
    """Mean number of keys that a token sees, itself included, in causal segments cut at `longest`."""
    pieces = [min(longest, n - start) for n in lengths for start in range(0, n, longest)]
    return sum(n * (n + 1) / 2 for n in pieces) / sum(pieces)


def stage_flops(cfg: Cfg, lengths: list[int]) -> dict[str, float]:
    """FLOP of each evaluation of these validation documents."""
    longest, tokens = cfg.eval.eval_seq_len, sum(lengths)
    context = mean_context(lengths, longest)
    windows = 1 + math.ceil(max(0, tokens - longest) / cfg.eval.eval_stride)
    return {
        "whole windows": tokens * forward_flops(cfg, context),
        "sliding windows": windows * longest * forward_flops(cfg, context),
        "LoRA TTT, phased": sum(document_flops(cfg, n) for n in lengths),
    }


def document_flops(cfg: Cfg, length: int) -> float:
    """A forward per chunk over the window that ends with it, and a backward for all but the last."""
    chunk, longest = cfg.ttt.ttt_chunk_size, cfg.ttt.ttt_eval_seq_len
    total = 0.0
    for end in range(chunk, length + chunk, chunk):
        window = min(end, length, longest)
        passes = 2 if end < length else 1
        total += passes * window * forward_flops(cfg, (window + 1) / 2)
    return total


# --- runs ------------------------------------------------------------------------------------------------


def settings(cfg: Cfg, data: Path, tokenizer: Path, steps: int, documents: int) -> dict[str, str]:
    """The environment of both sides: the preset's values under the records' names, and a short run."""
    values = {
        key.upper(): str(int(v) if isinstance(v, bool) else v) for key, v in hyperparameters(cfg).items()
    }
    return values | {
        "DATA_PATH": str(data),
        "TOKENIZER_PATH": str(tokenizer),
        "VAL_DOCS": str(documents),
        "ITERATIONS": str(steps),
        "TRAIN_LOG_EVERY": str(steps),
        "MAX_WALLCLOCK_SECONDS": "0",
        "ENABLE_LOOPING_AT": "0",  # all steps loop, so that one FLOP count holds for them
        "SLIDING_WINDOW_ENABLED": "1",
        "GPTQ_CALIBRATION_BATCHES": "1",
        "PHASED_TTT_PREFIX_DOCS": str(documents // 20),
        "COMPRESSOR": "brotli",  # lrzip is not on every machine, and is not timed here
        "ATTENTION_BACKEND": "flash_attn_interface",
    }


def run_side(side: str, script: str, environ: dict[str, str], keep: Path) -> str:
    """Run a script alone in a folder of its own; returns what it printed and keeps it."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "train_gpt.py").write_text(script, encoding="utf-8")
        if importlib.util.find_spec("flash_attn_interface") is None:
            shutil.copy(
                Path(__file__).with_name("flash_attn_substitute.py"), f"{scratch}/flash_attn_interface.py"
            )
        done = subprocess.run(
            [sys.executable, "train_gpt.py"],
            cwd=scratch,
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    keep.mkdir(parents=True, exist_ok=True)
    (keep / f"{side}.log").write_text(done.stdout, encoding="utf-8")
    if done.returncode:
        sys.exit(f"{side} ended with {done.returncode}; its output is in {keep / side}.log")
    return done.stdout


def read_rows(
    side: str, log: str, cfg: Cfg, lengths: list[int], train_context: float, peak: float
) -> list[Row]:
    """The rows of one side; `peak` in FLOP/s. ValueError names a line that the log lacks."""
    rate = re.findall(r"^\d+/\d+ train_loss: .* tok/s: (\d+)$", log, re.MULTILINE)
    if not rate:
        raise ValueError(f"{side}: no line prints tok/s")
    trained = float(rate[-1])
    rows = [Row("training", side, trained, 3 * trained * forward_flops(cfg, train_context) / peak)]
    flops = stage_flops(cfg, lengths)
    for stage, tags in STAGES.items():
        tag = tags[SIDES.index(side)]
        if tag is None:
            continue
        found = re.findall(rf"^{re.escape(tag)} val_loss:.* eval_time:(\d+)ms$", log, re.MULTILINE)
        if not found:
            raise ValueError(f"{side}: no line of {tag!r} prints eval_time")
        seconds = int(found[-1]) / 1000
        rows.append(Row(stage, side, sum(lengths) / seconds, flops[stage] / seconds / peak))
    return rows


def table(rows: list[Row], gpu: str, attention: str) -> str:
    """Markdown: both sides of a stage in one line, golf_ref over the record as a ratio."""
    lines = [
        f"One {gpu}, synthetic shards, attention on both sides: {attention}.",
        "",
        "| stage | record tok/s | golf_ref tok/s | ratio | record MFU | golf_ref MFU |",
        "|---|---|---|---|---|---|",
    ]
    for stage in dict.fromkeys(row.stage for row in rows):
        record, ours = (next((r for r in rows if (r.stage, r.side) == (stage, side)), None) for side in SIDES)
        ratio = f"{ours.tokens_per_second / record.tokens_per_second:.2f}" if ours and record else "-"
        speeds = [f"{r.tokens_per_second:,.0f}" if r else "none" for r in (record, ours)]
        shares = [f"{r.mfu:.1%}" if r else "none" for r in (record, ours)]
        lines.append(f"| {stage} | {speeds[0]} | {speeds[1]} | {ratio} | {shares[0]} | {shares[1]} |")
    return "\n".join(lines) + "\n"


def peak_of(gpu: str) -> float:
    """FLOP/s of a GPU by its name; ValueError where the table does not hold it."""
    for name, tflops in PEAK_TFLOPS.items():
        if all(word in gpu for word in name.split()):
            return tflops * 1e12
    raise ValueError(f"no peak is known for {gpu!r}; pass --peak-tflops")


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--record", type=Path, required=True, help="train_gpt.py of #1855")
    parser.add_argument("--tokenizer", type=Path, required=True, help="its SentencePiece model")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--val-tokens", type=int, default=2_000_000)
    parser.add_argument("--peak-tflops", type=float, help="dense bfloat16; by default from the GPU's name")
    parser.add_argument(
        "--out", type=Path, default=Path("out/gpu"), help="folder for both logs and the table"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Run both sides and print the table."""
    given = arguments(argv)
    import torch

    if not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py needs a CUDA device: nothing was measured")
    gpu = torch.cuda.get_device_name()
    peak = given.peak_tflops * 1e12 if given.peak_tflops else peak_of(gpu)
    cfg = preset("pr1855")
    real = importlib.util.find_spec("flash_attn_interface") is not None
    with tempfile.TemporaryDirectory() as scratch:
        data, batch = Path(scratch, "data"), cfg.train.train_batch_tokens
        lengths = write_shards(data, 12 * batch, given.val_tokens, cfg.model.vocab_size)
        environ = settings(cfg, data, given.tokenizer.resolve(), given.steps, len(lengths))
        scripts = {"record": given.record.read_text(encoding="utf-8"), "golf_ref": make_script(cfg)}
        logs = {side: run_side(side, scripts[side], environ, given.out) for side in SIDES}
    context = mean_context(lengths, cfg.train.train_seq_len)
    rows = [row for side in SIDES for row in read_rows(side, logs[side], cfg, lengths, context, peak)]
    text = table(rows, gpu, "flash-attn 3" if real else "torch SDPA and varlen in place of flash-attn 3")
    (given.out / "table.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
