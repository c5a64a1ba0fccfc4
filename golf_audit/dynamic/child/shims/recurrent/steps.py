"""How state-space layers begin: step sizes drawn evenly in the logarithm."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn


def step_bias(
    count: int, low: float, high: float, floor: float, device: Any = None, dtype: Any = None
) -> nn.Parameter:
    """A bias b for which softplus(b) is a step size between `low` and `high`, at least `floor`."""
    size = torch.exp(torch.rand(count, device=device) * math.log(high / low) + math.log(low)).clamp(min=floor)
    bias = nn.Parameter((size + torch.log(-torch.expm1(-size))).to(dtype=dtype))
    bias._no_weight_decay = True  # type: ignore[attr-defined]
    return bias
