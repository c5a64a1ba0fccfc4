"""mamba_ssm's selective scan, by its definition, step by step."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812


def selective_scan(
    u: Any,
    delta: Any,
    A: Any,  # noqa: N803
    B: Any,  # noqa: N803
    C: Any,  # noqa: N803
    D: Any = None,  # noqa: N803
    z: Any = None,
    delta_bias: Any = None,
    delta_softplus: bool = False,
    return_last_state: bool = False,
) -> Any:
    """h[t] = exp(delta[t] A) h[t-1] + delta[t] B[t] u[t];  y[t] = C[t] h[t] + D u[t].

    u, delta: (batch, channels, length). A: (channels, states). B, C: (channels, states), constant in time, or
    (batch, states, length), or (batch, groups, states, length)."""
    if delta_bias is not None:
        delta = delta + delta_bias[..., None]
    if delta_softplus:
        delta = F.softplus(delta)
    wide_b, wide_c = (_wide(one, u.shape[1], u.shape[2]) for one in (B, C))
    decay = torch.exp(delta[..., None] * A[None, :, None, :])
    feed = (delta * u)[..., None] * wide_b
    state = torch.zeros_like(decay[:, :, 0])
    outputs = []
    for t in range(u.shape[2]):
        state = decay[:, :, t] * state + feed[:, :, t]
        outputs.append((state * wide_c[:, :, t]).sum(-1))
    y = torch.stack(outputs, dim=2)
    if D is not None:
        y = y + D[:, None] * u
    if z is not None:
        y = y * F.silu(z)
    return (y, state) if return_last_state else y


def _wide(one: Any, channels: int, length: int) -> Any:
    """B or C as (batch or 1, channels, length, states)."""
    if one.dim() == 2:
        return one[None, :, None, :].expand(1, channels, length, -1)
    grouped = one[:, None] if one.dim() == 3 else one
    return grouped.repeat_interleave(channels // grouped.shape[1], dim=1).transpose(-1, -2)
