"""Losses that leave one call are known by their shapes, and nothing else is taken for them."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra `run` is not installed")


def test_the_shapes_of_a_loss() -> None:
    from golf_audit.dynamic.child.recorder.fused import losses_of

    rows, targets, losses = torch.zeros(6, 10), torch.zeros(6, dtype=torch.int64), torch.zeros(6)
    found = losses_of((rows.view(2, 3, 10), targets.view(2, 3), 30.0), losses.view(2, 3), 10)
    assert found is not None and tuple(found[1].shape) == (6, 10) and tuple(found[2].shape) == (6,)
    assert losses_of((rows, targets), (losses, rows), 10) is not None, "the first of several results"
    for args, result in (
        ((rows,), losses),  # no targets
        ((rows, targets), losses.sum()),  # one number
        ((rows, targets), rows),  # as many as the rows have
        ((rows, targets.float()), losses),  # targets are whole numbers
        ((rows, rows, targets), losses),  # which rows?
        ((torch.zeros(6, 11), targets), losses),  # another width than the vocabulary
        ((rows, targets), "text"),
    ):
        assert losses_of(args, result, 10) is None


def test_autograd_functions_are_watched_and_still_work() -> None:
    """In a process of its own: the watch replaces torch's own method."""
    import subprocess
    import sys

    code = """
import torch
from golf_audit.dynamic.child.recorder.fused import watch_functions
seen = []
watch_functions(lambda args, result: seen.append((len(args), tuple(result.shape))))
class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return 2 * x
    @staticmethod
    def backward(ctx, g): return 2 * g
x = torch.ones(3, requires_grad=True)
Double.apply(x).sum().backward()
assert x.grad.tolist() == [2, 2, 2] and seen == [(1, (3,))], (x.grad, seen)
"""
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("scale", "cap"), [(0.3, 30.0), (0.3, 15.0), (8.0, 30.0), (1.0, None)])
def test_a_softcap_inside_the_call_is_found_also_where_logits_are_small(
    scale: float, cap: float | None, tmp_path: Any
) -> None:
    """golf_ref's fused loss: at small logits the softmax without the cap comes near, and is not the score."""
    import torch.nn.functional as F  # noqa: N812

    from golf_audit.dynamic.messages import Score
    from tests.dynamic.watched import Watched, tensor

    watched = Watched(tmp_path)
    torch.manual_seed(1)
    rows, targets = scale * torch.randn(48, 1024), tensor(1, 48)
    wide = rows.double()
    losses = F.cross_entropy(wide if cap is None else cap * torch.tanh(wide / cap), targets, reduction="none")
    watched.recorder.fused((rows, targets, 30.0, 15.0), losses.float())
    (score,) = watched.of(Score)
    assert score.off is not None and score.off < 1e-5
    assert all(score.fingerprints)
