"""Short causal convolutions: the function of causal_conv1d, the function and the layer of fla."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from golf_audit.dynamic.child.shims.recurrent.state import Pieces


def convolve(x: Any, weight: Any, bias: Any, before: Any, piece: Any = None) -> Any:
    """y[c, t] = bias[c] + sum over i of weight[c, i] x[c, t - width + 1 + i], over (batch, channels, length).

    `before` (batch, channels, width - 1) stands before the first step; zeros where None. Where `piece`
    (batch, length) numbers the pieces of a row, a step sees those of its own piece alone."""
    width, length = weight.shape[-1], x.shape[-1]
    if before is None:
        before = x.new_zeros(*x.shape[:2], width - 1)
    if piece is None:
        return F.conv1d(torch.cat((before, x), -1), weight[:, None], bias, groups=x.shape[1])
    long = F.pad(x, (width - 1, 0))
    numbers = F.pad(piece, (width - 1, 0), value=-1)
    y = torch.zeros_like(x) if bias is None else bias[:, None].expand_as(x)
    for i in range(width):
        own = (numbers[:, i : i + length] == piece)[:, None]
        y = y + weight[:, i, None] * long[..., i : i + length] * own
    return y


def activated(y: Any, activation: str | None) -> Any:
    """silu under both of its names, or nothing."""
    if activation not in (None, "silu", "swish"):
        raise NotImplementedError(f"activation must be silu or None, not {activation}")
    return y if activation is None else F.silu(y)


def causal_conv(
    x: Any,
    weight: Any,
    bias: Any = None,
    seq_idx: Any = None,
    initial_states: Any = None,
    return_final_states: bool = False,
    final_states_out: Any = None,
    activation: str | None = None,
) -> Any:
    """causal_conv1d.causal_conv1d_fn: depthwise, over (batch, channels, length); no step sees a later one."""
    if seq_idx is not None and (initial_states is not None or return_final_states):
        raise NotImplementedError("causal_conv1d takes no states beside seq_idx")
    y = activated(convolve(x, weight, bias, initial_states, seq_idx), activation)
    if not return_final_states:
        return y
    last = _last(x, weight, initial_states)
    return y, last if final_states_out is None else final_states_out.copy_(last)


def _last(x: Any, weight: Any, before: Any) -> Any:
    """The width - 1 inputs that stand before the step that would come next."""
    width = weight.shape[-1]
    whole = F.pad(x, (width - 1, 0)) if before is None else torch.cat((before, x), -1)
    return whole[..., whole.shape[-1] - width + 1 :]


def short_conv(
    x: Any,
    weight: Any = None,
    bias: Any = None,
    residual: Any = None,
    initial_state: Any = None,
    output_final_state: bool | None = False,
    activation: str | None = None,
    backend: str | None = "triton",
    cu_seqlens: Any = None,
    **options: Any,
) -> tuple[Any, Any]:
    """fla.modules.convolution.causal_conv1d, over (batch, length, channels): the result and a last state."""
    if initial_state is not None or output_final_state:
        raise NotImplementedError("no stand-in for the states of flash-linear-attention's convolution")
    turned = x.transpose(1, 2)
    piece = None
    if cu_seqlens is not None:
        lengths = torch.tensor(Pieces(cu_seqlens, x.shape[1]).lengths, device=x.device)
        piece = torch.arange(len(lengths), device=x.device).repeat_interleave(lengths)[None]
    y = activated(convolve(turned, weight, bias, None, piece), activation).transpose(1, 2)
    return (y if residual is None else y + residual), None


class ShortConvolution(nn.Conv1d):
    """fla.modules.ShortConvolution: a depthwise Conv1d and its activation, over (batch, length, channels)."""

    def __init__(
        self,
        hidden_size: int,
        kernel_size: int,
        bias: bool = False,
        activation: str | None = "silu",
        backend: str | None = "triton",
        device: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            hidden_size,
            hidden_size,
            kernel_size,
            groups=hidden_size,
            bias=bias,
            padding=kernel_size - 1,
            device=device,
            dtype=dtype,
        )
        self.hidden_size = hidden_size
        self.activation = activation
        self.backend = backend

    def forward(  # type: ignore[override]
        self,
        x: Any,
        residual: Any = None,
        mask: Any = None,
        cache: Any = None,
        output_final_state: bool = False,
        cu_seqlens: Any = None,
        **options: Any,
    ) -> tuple[Any, Any]:
        """The result, and no state."""
        if mask is not None:
            x = x * mask[..., None]
        weight = self.weight[:, 0]
        return short_conv(
            x, weight, self.bias, residual, cache, output_final_state, self.activation, cu_seqlens=cu_seqlens
        )
