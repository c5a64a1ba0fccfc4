"""Hessians of every quantised linear map, from the inputs that the one forward function hands to a recorder.

    H = (1 / batches) * sum over batches, tokens and loop passes of  x x^T     (GPTQ, arXiv:2210.17323)

Training tokens only. Under depth recurrence a looped layer is recorded once per pass, because all passes
share its weights.

Shapes: T packed tokens, C input features of a map.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from golf_ref.attention import Segments
from golf_ref.model import GPT


class HessianRecorder:
    """Accumulates x^T x in fp32 under the un-banked name of each linear map."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self._last_x: Tensor | None = None
        self._last_xx: Tensor | None = None

    def record(self, name: str, x_TC: Tensor) -> None:
        """Add one input; q, k and v read the same tensor in a row, so its product is formed once."""
        if x_TC is not self._last_x:
            x32_TC = x_TC.detach().float().reshape(-1, x_TC.shape[-1])
            self._last_x, self._last_xx = x_TC, x32_TC.T @ x32_TC
        assert self._last_xx is not None
        if name in self.sums:
            self.sums[name] += self._last_xx
        else:
            self.sums[name] = self._last_xx.clone()

    def mean(self, batches: int) -> dict[str, Tensor]:
        return {name: xx_CC / batches for name, xx_CC in self.sums.items()}


@torch.no_grad()
def collect_hessians(model: GPT, train_batches: Iterable[tuple[Tensor, Segments]]) -> dict[str, Tensor]:
    """Return name -> H_CC over (ids_T, segments) batches of TRAINING tokens."""
    model.eval()
    recorder = HessianRecorder()
    batches = 0
    for ids_T, segments in train_batches:
        model.forward_hidden(ids_T, segments, recorder=recorder)
        batches += 1
    if batches == 0:
        raise ValueError("calibration needs at least one batch of training tokens")
    return recorder.mean(batches)
