"""mamba_ssm's selective scan and causal_conv1d, by their definitions, step by step."""

from __future__ import annotations

import importlib.util
import inspect
from importlib.machinery import ModuleSpec
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

from golf_audit.dynamic.child.context import Context, module


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


def causal_conv(
    x: Any, weight: Any, bias: Any = None, *args: Any, activation: str | None = None, **o: Any
) -> Any:
    """A depthwise convolution over (batch, channels, length) that sees no later step."""
    width = weight.shape[-1]
    y = F.conv1d(F.pad(x, (width - 1, 0)), weight[:, None], bias, groups=x.shape[1])
    return F.silu(y) if activation in ("silu", "swish") else y


def install(context: Context) -> None:
    """Offer mamba_ssm's scan and causal_conv1d where they are not installed."""

    def scan(*args: Any, **options: Any) -> Any:
        context.used("mamba_ssm", "selective scan step by step")
        return selective_scan(*args, **options)

    scan.__signature__ = inspect.signature(selective_scan)  # type: ignore[attr-defined]
    if importlib.util.find_spec("mamba_ssm") is None:
        for name in ("mamba_ssm", "mamba_ssm.ops"):
            made: Any = module(name)
            made.__path__ = []
            made.__spec__ = ModuleSpec(name, None)
        module("mamba_ssm.ops.selective_scan_interface", selective_scan_fn=scan, selective_scan_ref=scan)
    if importlib.util.find_spec("causal_conv1d") is None:
        module("causal_conv1d", causal_conv1d_fn=causal_conv)
