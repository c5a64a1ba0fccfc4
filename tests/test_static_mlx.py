"""MLX: a gradient is a value, and a step gives the model another tree of parameters."""

from __future__ import annotations

import pytest

from golf_audit.model import Example, Verdict
from golf_audit.static import example as programs
from golf_audit.timeline import Adapt, Stream
from tests.rule_harness import submission_of

_PROGRAM = """import glob

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(8192, 512)
        self.head = nn.Linear(512, 8192)

    def loss(self, x, y):
        return nn.losses.cross_entropy(self.head(self.emb(x)), y, reduction="mean")


def load(pattern):
    return mx.array(np.concatenate([np.fromfile(f, dtype=np.uint16) for f in sorted(glob.glob(pattern))]))


def learn(model, optimizer, compiled, x, y):
    loss, grads = compiled(x, y)
    STEP


def main():
    model = GPT()
    optimizer = optim.AdamW(learning_rate=1e-3)
    compiled = mx.compile(nn.value_and_grad(model, lambda x, y: model.loss(x, y)))
    text = load("data/fineweb_train_*.bin")
    for start in range(0, 1000):
        learn(model, optimizer, compiled, text[start : start + 1024], text[start + 1 : start + 1025])
    tokens = load("data/fineweb_val_*.bin")
    total = 0.0
    for start in range(0, len(tokens) - 1, 1024):
        x, y = tokens[start : start + 1024], tokens[start + 1 : start + 1025]
        BEFORE
        total += model.loss(x, y).item() * 1024
    loss = total / len(tokens)
    bpb, spent = loss / 2.5831, 1000 * time.perf_counter()
    print(f"quantized_sliding_window val_loss:{loss:.8f} val_bpb:{bpb:.8f} eval_time:{spent:.0f}ms")


main()
"""
STEPS = {
    "the optimiser updates the model": "optimizer.update(model, grads)",
    "a tree of new parameters": (
        "flat = dict(tree_flatten(optimizer.apply_gradients(grads, model.parameters())))\n"
        "    model.update(tree_unflatten(list(flat.items())))"
    ),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("before", ["pass", "learn(model, optimizer, compiled, x, y)"])
def test_steps_are_followed(step: str, before: str) -> None:
    script = _PROGRAM.replace("STEP", step).replace("BEFORE", before)
    folder = programs.files()
    made = {**folder, "train_gpt.py": script}
    timeline = submission_of(Example("", made, Verdict.PASS)).timeline
    assert not timeline.blocking_gaps()
    learned = [e for e in timeline.events if isinstance(e, Adapt) and e.kind == "gradient"]
    assert any(e.region.stream is Stream.TRAIN for e in learned)
    late = [adapt for _, adapt, _ in timeline.adapted_before_score() if adapt.region.stream is Stream.VAL]
    assert bool(late) is (before != "pass")
