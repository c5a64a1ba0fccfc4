"""A submission with a real model in a few seconds: next tokens by a table, scored and learned from by chunks.

MODE is what it does wrong: "before" learns from each chunk before it scores it, "twice" counts the first
chunk again, "part" leaves the second half out, "numpy" cuts its batches where no position follows.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from golf_audit.rerun.environment import MAGIC
from tests.rerun.small import claim

TOKENS = 4_097
VOCAB = 64
SCRIPT = '''"""A table of next tokens, learned from chunk by chunk."""

import os

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F

SEED = int(os.environ.get("SEED", "1337"))
MODE = os.environ.get("MODE", "honest")
RANK = int(os.environ.get("RANK", "0"))
WORLD = int(os.environ.get("WORLD_SIZE", "1"))
VOCAB, CHUNK, ROW = 64, 512, 64


class Table(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = torch.nn.Embedding(VOCAB, VOCAB)

    def forward(self, x, y):
        return F.cross_entropy(self.emb(x).reshape(-1, VOCAB), y.reshape(-1), reduction="none")


def load(name):
    header = np.fromfile(f"data/{name}", dtype="<i4", count=256)
    return np.fromfile(f"data/{name}", dtype="<u2", offset=1024, count=int(header[2]))


def batch(val, start):
    rows = range(start + RANK * ROW, start + CHUNK, WORLD * ROW)
    if MODE == "numpy":
        val = np.asarray(val)
        x = torch.from_numpy(np.stack([val[r : r + ROW] for r in rows]).astype(np.int64))
        y = torch.from_numpy(np.stack([val[r + 1 : r + ROW + 1] for r in rows]).astype(np.int64))
        return x, y
    x = torch.stack([val[r : r + ROW] for r in rows]).to(torch.int64)
    y = torch.zeros_like(x)
    for i, r in enumerate(rows):
        y[i, :ROW] = val[r + 1 : r + ROW + 1]
    return x, y


def learn(model, optimizer, x, y):
    optimizer.zero_grad()
    model(x, y).mean().backward()
    if WORLD > 1:
        for p in model.parameters():
            dist.all_reduce(p.grad)
    optimizer.step()


def evaluate(model, val):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    loss_sum = torch.zeros((), dtype=torch.float64)
    count = torch.zeros((), dtype=torch.float64)
    starts = list(range(0, len(val) - 1, CHUNK))
    if MODE == "part":
        starts = starts[: len(starts) // 2]
    if MODE == "twice":
        starts = [*starts, 0]
    for start in starts:
        x, y = batch(val, start)
        if MODE == "before":
            learn(model, optimizer, x, y)
        with torch.no_grad():
            losses = model(x, y)
        loss_sum += losses.to(torch.float64).sum()
        count += losses.numel()
        if MODE != "before":
            learn(model, optimizer, x, y)
    if WORLD > 1:
        dist.all_reduce(loss_sum)
        dist.all_reduce(count)
    return (loss_sum / count).item()


def main():
    if WORLD > 1:
        dist.init_process_group("gloo")
    torch.manual_seed(SEED)
    val = torch.from_numpy(load("fineweb_val_000000.bin").astype(np.uint16))
    model = Table()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    train = torch.from_numpy(load("fineweb_train_000000.bin").astype(np.int64))
    for step in range(4):
        learn(model, optimizer, train[step * 64 : step * 64 + 64], train[step * 64 + 1 : step * 64 + 65])
    loss = evaluate(model, val)
    if RANK == 0:
        print(f"seed:{SEED} world_size:{WORLD}")
        print(f"val_tokens: {len(val) - 1}")
        print("stopping_early: wallclock_cap train_time:1000ms step:4/4")
        print(f"final_ttt val_loss:{loss:.8f} val_bpb:{loss / 1.5:.8f} eval_time:100ms")
    if WORLD > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
'''


def folder(at: Path, mode: str = "honest", ranks: int = 1) -> Path:
    """The submission on disk."""
    made = at / "records" / "track_non_record_16mb" / "2026-04-20_Whole"
    made.mkdir(parents=True)
    (made / "train_gpt.py").write_text(SCRIPT)
    start = f"torchrun --standalone --nproc_per_node={ranks}" if ranks > 1 else "python"
    (made / "README.md").write_text(f"# A table\n\n    MODE={mode} SEED=42 {start} train_gpt.py\n")
    (made / "submission.json").write_text(claim({42: 4.0}))
    return made


def data(at: Path) -> Path:
    """Shards of a text that repeats itself: values alone would not tell its positions."""
    made = at / "data"
    made.mkdir()
    drawn = np.random.default_rng(7)
    phrases = drawn.integers(2, VOCAB, size=(8, 16))
    for name in ("fineweb_train_000000.bin", "fineweb_val_000000.bin"):
        tokens = phrases[drawn.integers(0, 8, size=TOKENS // 16 + 1)].reshape(-1)[:TOKENS].astype("<u2")
        header = struct.pack("<256i", MAGIC, 1, TOKENS, *[0] * 253)
        (made / name).write_bytes(header + tokens.tobytes())
    return made
