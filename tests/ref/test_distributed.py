"""Two ranks under torchrun with gloo train as one does: the same tokens, gradients, updates and stop."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from golf_ref.config import Cfg, hyperparameters, override
from golf_ref.data import Data
from golf_ref.log import RunLog
from golf_ref.train import train

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = [
    "iterations=5",
    "micro_batches=2",
    "train_seq_len=32",
    "train_batch_tokens=256",
    "eval_seq_len=64",
]


def two_ranks(tmp_path: Path, cfg: Cfg, *settings: str) -> list[dict]:
    out = tmp_path / "result"
    data = [f"{key}={hyperparameters(cfg)[key]}" for key in ("data_path", "val_docs")]
    torchrun = ["torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [
        sys.executable,
        "-m",
        *torchrun,
        "-m",
        "tests.ref.two_ranks",
        str(out),
        *data,
        *SETTINGS,
        *settings,
    ]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return [torch.load(f"{out}.{rank}", weights_only=True) for rank in (0, 1)]


def test_two_ranks_train_as_one(tmp_path: Path, tiny_cfg: Cfg, tiny_data: Data) -> None:
    five = "num_layers=5"  # banks of 10 matrices divide over two ranks, banks of 5 need padding
    alone = train(override(tiny_cfg, [*SETTINGS, five]), tiny_data, log=RunLog(echo=False))
    first, second = two_ranks(tmp_path, tiny_cfg, five)
    assert first["losses"] == pytest.approx(alone.losses, abs=1e-4)
    for name, weight in alone.model.state_dict().items():
        assert torch.equal(first["weights"][name], second["weights"][name]), f"replicas differ in {name}"
        torch.testing.assert_close(first["weights"][name], weight, atol=2e-3, rtol=1e-2)


def test_a_wall_clock_cap_stops_both_ranks_at_the_same_step(tmp_path: Path, tiny_cfg: Cfg) -> None:
    capped = [
        "iterations=100000",
        "max_wallclock_seconds=1.0",
        "gptq_reserve_seconds=0",
        "enable_looping_at=2",
    ]
    first, second = two_ranks(tmp_path, tiny_cfg, *capped)
    assert 1 <= len(first["losses"]) < 100000
    assert first["losses"] == second["losses"]
    assert all(torch.equal(w, second["weights"][name]) for name, w in first["weights"].items())
