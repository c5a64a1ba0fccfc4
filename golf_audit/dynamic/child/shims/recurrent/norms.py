"""RMS norms with a gate, as mamba_ssm and flash-linear-attention name them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn


def rms(x: Any, weight: Any, eps: float, group: int | None = None) -> Any:
    """x over the root of its mean square, in groups of `group` channels (all where None), times a weight."""
    wide = x.float().unflatten(-1, (-1, group or x.shape[-1]))
    normed = (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).flatten(-2)
    return (normed if weight is None else normed * weight).to(x.dtype)


class RMSNormGated(nn.Module):
    """mamba_ssm.ops.triton.layernorm_gated.RMSNorm: norm(x) silu(z), or norm(x silu(z))."""

    def __init__(
        self,
        hidden_size: int,
        eps: float = 1e-5,
        group_size: int | None = None,
        norm_before_gate: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.eps = eps
        self.group_size = group_size
        self.norm_before_gate = norm_before_gate
        self.weight = nn.Parameter(torch.ones(hidden_size, device=device, dtype=dtype))
        self.register_parameter("bias", None)

    def forward(self, x: Any, z: Any = None) -> Any:
        """Norm and gate, in the order that `norm_before_gate` says."""
        if z is None:
            return rms(x, self.weight, self.eps, self.group_size)
        if self.norm_before_gate:
            return rms(x, self.weight, self.eps, self.group_size) * F.silu(z)
        return rms(x * F.silu(z), self.weight, self.eps, self.group_size)


class RMSNorm(nn.Module):
    """fla.modules.RMSNorm."""

    def __init__(
        self,
        hidden_size: int,
        elementwise_affine: bool = True,
        bias: bool = False,
        eps: float = 1e-5,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.eps = eps
        ones = torch.ones(hidden_size, device=device, dtype=dtype)
        self.register_parameter("weight", nn.Parameter(ones) if elementwise_affine else None)
        zeros = torch.zeros_like(ones)
        self.register_parameter("bias", nn.Parameter(zeros) if elementwise_affine and bias else None)

    def forward(self, x: Any) -> Any:
        """The norm, with the bias where there is one."""
        normed = rms(x, self.weight, self.eps)
        return normed if self.bias is None else normed + self.bias


class FusedRMSNormGated(nn.Module):
    """fla.modules.FusedRMSNormGated: norm(x) times an activation of g."""

    def __init__(
        self,
        hidden_size: int,
        elementwise_affine: bool = True,
        eps: float = 1e-5,
        activation: str = "swish",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.eps = eps
        self.activation = activation
        ones = torch.ones(hidden_size, device=device, dtype=dtype)
        self.register_parameter("weight", nn.Parameter(ones) if elementwise_affine else None)
        self.register_parameter("bias", None)

    def forward(self, x: Any, g: Any) -> Any:
        """Norm first, gate after."""
        gate = torch.sigmoid(g) if self.activation == "sigmoid" else F.silu(g)
        return rms(x, self.weight, self.eps) * gate
