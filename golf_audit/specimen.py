"""Small submissions for the rules' examples: each example states only what makes it legal or illegal.

The logs are written here, in the two dialects' common vocabulary; none is copied from a submission.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

SCRIPT = '''"""Trains a small language model and prints its score on the validation split."""

import os

import torch

SEED = int(os.environ.get("SEED", "42"))


def main() -> None:
    torch.manual_seed(SEED)


if __name__ == "__main__":
    main()
'''
README = """# Eleven layers with a sliding-window evaluation

    SEED=42 torchrun --standalone --nproc_per_node=8 train_gpt.py
"""
SP8192 = 2.58310
"""val_loss / val_bpb of the tokenizer in these logs."""


def log(
    seed: int = 42,
    bpb: float = 1.0801,
    *,
    ratio: float = SP8192,
    tokens: int | None = 40_540_160,
    train_ms: int = 588_020,
    after_stop: Sequence[str] = (
        "GPTQ:collecting Hessians from calibration data...",
        "GPTQ:collected 67 Hessians in 9.8s",
    ),
    quantized_ms: int = 11_000,
    eval_ms: int = 412_000,
    model: int = 15_940_000,
    code: int | None = None,
    world: int = 8,
    gpu: str | None = "NVIDIA H100 80GB HBM3",
    shards: int = 80,
    data: str = "./data/datasets/fineweb10B_sp8192",
    settings: Mapping[str, object] | None = None,
    extra: Sequence[str] = (),
) -> str:
    """A training log. `ratio` is loss / bpb, `tokens` the validation tokens (None: not printed), `code` the
    code bytes as logged (default: those of SCRIPT), `after_stop` and `extra` lines between stop and end."""
    code = len(SCRIPT.encode()) if code is None else code
    dump = {
        "seed": seed,
        "world_size": world,
        "vocab_size": 8192,
        "train_files": f"{data}/fineweb_train_*.bin",
    }
    lines = ["Hyperparameters:", *(f"  {k}: {v}" for k, v in sorted({**dump, **(settings or {})}.items()))]
    if gpu is not None:
        lines += [
            f"|   {i}  {gpu}          On  |   00000000:{i:02X}:00.0 Off |                    0 |"
            for i in range(world)
        ]
    lines += [f"train_shards: {shards}"]
    lines += [f"val_tokens: {tokens}"] if tokens is not None else []
    lines += [
        "model_params:35944602",
        f"4800/20000 train_loss: 2.8011 train_time: {train_ms / 60_000:.1f}m tok/s: 6412345",
        f"stopping_early: wallclock_cap train_time: {train_ms}ms step: 4905/20000",
        *after_stop,
        f"Serialized model quantized+brotli: {model} bytes",
        f"Code size: {code} bytes",
        f"Total submission size quantized+brotli: {model + code} bytes",
        _final("quantized", bpb + 0.0113, ratio, quantized_ms),
        *extra,
        _final("quantized_sliding_window", bpb, ratio, eval_ms),
    ]
    return "\n".join(lines) + "\n"


def _final(tag: str, bpb: float, ratio: float, milliseconds: int) -> str:
    return f"{tag} val_loss:{bpb * ratio:.8f} val_bpb:{bpb:.8f} eval_time:{milliseconds}ms"


def claim(bpb: float = 1.0801, seeds: Mapping[int, float] | None = None, **changed: object) -> str:
    """A submission.json. `changed` replaces a key; None removes it."""
    fields: dict[str, object] = {
        "author": "A. Participant",
        "github_id": "participant",
        "name": "Eleven layers, sliding window",
        "date": "2026-04-20",
        "val_bpb": bpb,
        "seed_results": {str(seed): {"val_bpb": value} for seed, value in (seeds or {42: bpb}).items()},
        **changed,
    }
    return json.dumps({key: value for key, value in fields.items() if value is not None}, indent=2) + "\n"


def folder(
    *logs: str, submission: str | None = None, files: Mapping[str, str | None] | None = None
) -> dict[str, str]:
    """A submission folder with these logs, train_log_1.txt on. `files` adds, replaces or removes (None)."""
    made: dict[str, str | None] = {
        "README.md": README,
        "submission.json": claim() if submission is None else submission,
        "train_gpt.py": SCRIPT,
        **{f"train_log_{number}.txt": text for number, text in enumerate(logs, start=1)},
        **(files or {}),
    }
    return {name: text for name, text in made.items() if text is not None}


def several(scores: Mapping[int, float], claimed: float | None = None) -> dict[str, str]:
    """A folder with one log per seed; the headline is their mean unless another one is given."""
    headline = round(sum(scores.values()) / len(scores), 6) if claimed is None else claimed
    return folder(*(log(seed, bpb) for seed, bpb in scores.items()), submission=claim(headline, scores))
