"""Small programs for the examples of the order rules: each example states only its evaluation.

They are written here; none is taken from a submission.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from golf_audit import specimen

_HEAD = """import copy
import glob
import math
import os
import time
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(8192, 512)
        self.head = nn.Linear(512, 8192)

    def hidden(self, x):
        return F.rms_norm(self.emb(x), (512,))

    def forward(self, x, y):
        return F.cross_entropy(self.head(self.hidden(x)).flatten(0, 1).float(), y.flatten(), reduction="none")


def load(pattern):
    shards = [np.fromfile(name, dtype="<u2").astype(np.int64) for name in sorted(glob.glob(pattern))]
    return torch.from_numpy(np.concatenate(shards))


def piece(tokens, start, length=1024):
    chunk = tokens[start : start + length + 1]
    return chunk[:-1].unsqueeze(0), chunk[1:].unsqueeze(0)


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    model(x, y).mean().backward()
    optimizer.step()


def train(model):
    tokens = load(TRAIN_FILES)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for i in range(20000):
        x, y = piece(tokens, i * 1024)
        step(model, optimizer, x, y)


TRAIN_FILES = os.environ.get("TRAIN_FILES", "data/fineweb_train_*.bin")
EXTRA = int(os.environ.get("EXTRA_ENABLED", "0"))


def evaluate(model, tokens):
    total, count = 0.0, 0
"""
_TAIL = """    return total / count


def main():
    model = GPT()
    train(model)
    tokens = load("data/fineweb_val_*.bin")
{before}
    torch.save(model.state_dict(), "model.pt")
    model.load_state_dict(torch.load("model.pt"))
    started = time.perf_counter()
    loss = evaluate(model, tokens)
    spent = 1000 * (time.perf_counter() - started)
    bpb = loss / 2.58310
    print(f"quantized_sliding_window val_loss:{{loss:.8f}} val_bpb:{{bpb:.8f}} eval_time:{{spent:.0f}}ms")


if __name__ == "__main__":
    main()
"""

SCORE = """
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        nll = model(x, y)
    total += nll.sum().item()
    count += y.numel()
"""
SCORED_THEN_TRAINED = """
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        nll = model(x, y)
    total += nll.sum().item()
    count += y.numel()
    for _ in range(3):
        step(model, optimizer, x, y)
"""
STEP_BEFORE_SUM = """
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        nll = model(x, y)
    step(model, optimizer, x, y)
    total += nll.sum().item()
    count += y.numel()
"""
TRAIN_FIRST = """
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    step(model, optimizer, x, y)
    with torch.no_grad():
        nll = model(x, y)
    total += nll.sum().item()
    count += y.numel()
"""
LAST_OF_THREE = """
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for epoch in range(3):
    for start in range(0, len(tokens) - 1, 1024):
        x, y = piece(tokens, start)
        nll = model(x, y)
        if epoch == 2:
            total += nll.sum().item()
            count += y.numel()
        optimizer.zero_grad()
        nll.mean().backward()
        optimizer.step()
"""
POLISH = """
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    for start in range(0, len(tokens) - 1, 1024):
        x, y = piece(tokens, start)
        step(model, optimizer, x, y)
"""
SWITCHED_POLISH = "    if EXTRA:\n" + textwrap.indent(POLISH.strip("\n"), "    ") + "\n"
BENIGN_SWITCH = """
    if EXTRA:
        extra = torch.optim.SGD(model.parameters(), lr=1e-4)
        step(model, extra, *piece(load(TRAIN_FILES), 0))
"""
BETTER_OF_TWO = """
other = copy.deepcopy(model)
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        nll = torch.minimum(model(x, y), other(x, y))
    total += nll.sum().item()
    count += y.numel()
"""
BEST_KEPT = """
best = [torch.full((1024,), 1e9) for _ in range(len(tokens) // 1024)]
for version in range(4):
    for i in range(len(tokens) // 1024):
        x, y = piece(tokens, i * 1024)
        with torch.no_grad():
            nll = model(x, y) * (1.0 + 0.01 * version)
        if nll.mean() < best[i].mean():
            best[i].copy_(nll)
for i in range(len(tokens) // 1024):
    total += best[i].sum().item()
    count += 1024
"""
SLOT = """
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    hidden = model.hidden(x).detach()
    delta = torch.zeros(1, 1, 512, requires_grad=True)
    optimizer = torch.optim.AdamW([delta], lr=5e-3)
    for _ in range(8):
        optimizer.zero_grad()
        F.cross_entropy(model.head(hidden + delta).flatten(0, 1), y.flatten()).backward()
        optimizer.step()
    with torch.no_grad():
        nll = F.cross_entropy(model.head(hidden + delta).flatten(0, 1), y.flatten(), reduction="none")
    total += nll.sum().item()
    count += y.numel()
"""
BIAS_AFTER = """
bias = torch.zeros(1, 1, 512, requires_grad=True)
optimizer = torch.optim.SGD([bias], lr=5e-3)
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    logits = model.head(model.hidden(x).detach() + bias).flatten(0, 1)
    nll = F.cross_entropy(logits, y.flatten(), reduction="none")
    total += nll.sum().item()
    count += y.numel()
    optimizer.zero_grad()
    nll.mean().backward()
    optimizer.step()
"""
DOCUMENTS = """
starts = (tokens == 1).nonzero()[:, 0].tolist()
documents = []
for i in range(len(starts) - 1):
    documents.append((starts[i], starts[i + 1] - starts[i]))
documents.sort(key=lambda document: document[1])
{before}
for start, length in documents:
{per_document}
    optimizer = torch.optim.SGD(other.parameters(), lr=1e-3)
    for first in range(start, start + length, 256):
        x, y = piece(tokens, first, 256)
        with torch.no_grad():
            nll = other(x, y)
        total += nll.sum().item()
        count += y.numel()
        step(other, optimizer, x, y)
"""
BY_DOCUMENT = """
starts = (tokens == 1).nonzero()[:, 0].tolist()
for i in range(len(starts) - 1):
    x, y = piece(tokens, starts[i], starts[i + 1] - starts[i])
    with torch.no_grad():
        nll = model(x, y)
    total += nll.sum().item()
    count += y.numel()
"""
_HIDDEN = "        return F.rms_norm(self.emb(x), (512,))\n"
_MIXED = """        e = self.emb(x)
        gate = torch.sigmoid(self.gate(e)){mask}
        before = torch.cat([torch.zeros_like(e[:, :1]), e[:, :-1]], dim=1)
        return F.rms_norm(e + gate * before, (512,))
"""
_GATE = {"        self.head = nn": "        self.gate = nn.Linear(512, 1)\n        self.head = nn"}
SMEAR_PLAIN = {**_GATE, _HIDDEN: _MIXED.format(mask="")}
SMEAR_MASKED = {**_GATE, _HIDDEN: _MIXED.format(mask=" * (x != 1).unsqueeze(-1)")}
ATTENTION = {
    _HIDDEN: """        h = self.emb(x)
        q, k, v = self.q(h), self.k(h), self.v(h)
        return F.rms_norm(h + F.scaled_dot_product_attention(q, k, v, is_causal=True), (512,))
""",
    "        self.head = nn": """        self.q = nn.Linear(512, 512)
        self.k = nn.Linear(512, 512)
        self.v = nn.Linear(512, 512)
        self.head = nn""",
}
UNSHIFTED = {"return chunk[:-1].unsqueeze(0), chunk[1:].unsqueeze(0)": "return chunk[None], chunk[None]"}
CALIBRATE = """
    calibration = load({files})
    scale = model.hidden(calibration[:4096]).abs().amax()
    state = {{name: torch.round(w / scale) * scale for name, w in model.state_dict().items()}}
    model.load_state_dict(state)
"""
STEP_ON_TRAIN = (
    """
more = load(TRAIN_FILES)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
step(model, optimizer, *piece(more, 0))
"""
    + SCORE
)
PREFILLED = """
def filled():
    counts = np.zeros(1 << 22)
    more = load(TRAIN_FILES).numpy()
    np.add.at(counts, (more[:-1] * 36313 ^ more[1:] * 27191) & ((1 << 22) - 1), 1)
    return counts


table = filled()
for start in range(0, len(tokens) - 1, 1024):
    x, y = piece(tokens, start)
    with torch.no_grad():
        p = torch.exp(-model(x, y)).numpy()
    key = ((x.numpy() * 36313) ^ (y.numpy() * 27191)) & ((1 << 22) - 1)
    mixed = 0.8 * p + 0.2 * table[key]
    total += -np.log(mixed).sum()
    count += y.numel()
"""
WARM_UP = """
    warm = copy.deepcopy(model)
    optimizer = torch.optim.SGD(warm.parameters(), lr=1e-3)
    x, y = {batch}
    step(warm, optimizer, x, y)
"""


def program(evaluation: str = SCORE, before: str = "", **changed: str) -> str:
    """A script that trains, runs `before` (in main), saves, loads, evaluates. `changed` replaces texts."""
    text = (
        _HEAD
        + textwrap.indent(evaluation.strip("\n"), "    ")
        + "\n"
        + _TAIL.format(before=before.strip("\n"))
    )
    for old, new in changed.items():
        text = text.replace(old, new)
    return text


def claiming(folder: dict[str, str], bpb: float) -> dict[str, str]:
    """The same folder with another claim than its log's 1.0801."""
    return {**folder, "submission.json": specimen.claim(bpb)}


def files(evaluation: str = SCORE, before: str = "", readme: str = "", **changed: str) -> dict[str, str]:
    """The folder of such a program, with a log that its claim is found in."""
    script = program(evaluation, before, **changed)
    added: dict[str, str | None] = {"train_gpt.py": script}
    if readme:
        added["README.md"] = readme
    return specimen.folder(_log(script), files=added)


ROUTED = {
    "return F.rms_norm(self.emb(x), (512,))": """h = F.rms_norm(self.emb(x), (512,))
        p = torch.sigmoid(self.head(h)[..., 0])
        part = (p > 0.5).long().cumsum(-1)
        pooled = torch.zeros_like(p).scatter_add_(-1, part, p)
        return h * (pooled.gather(-1, part) * p + (1 - p))[..., None]"""
}
"""A model that pools and gathers at places which it computed itself."""
TOLD_POLISH = (
    '    print("artifact: about to be written")\n    if EXTRA:\n'
    '        print("polish: starts on the stream")\n' + textwrap.indent(POLISH.strip("\n"), "    ") + "\n"
)
"""Adaptation before saving, behind a switch, and said so."""


def told(folder: dict[str, str], *lines: str) -> dict[str, str]:
    """The same folder, with these lines in its log."""
    return {**folder, "train_log_1.txt": _log(folder["train_gpt.py"], lines)}


def _log(script: str, extra: Sequence[str] = ()) -> str:
    """The log of such a program: it prints one result."""
    lines = specimen.log(code=len(script.encode()), extra=extra).splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("quantized val_loss"))


SWITCH_ON = "# Eleven layers\n\n    EXTRA_ENABLED=1 torchrun --standalone --nproc_per_node=8 train_gpt.py\n"
