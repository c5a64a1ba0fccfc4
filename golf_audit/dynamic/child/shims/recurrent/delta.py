"""flash-linear-attention's delta rules, with and without a gate, and their layers.

After the recurrence of Gated Delta Networks (arXiv 2412.06464) and DeltaNet (arXiv 2406.06484), with the
interface and the parameters of fla-org/flash-linear-attention (fla/ops/gated_delta_rule, fla/ops/delta_rule,
fla/layers/gated_deltanet.py, fla/layers/delta_net.py).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from golf_audit.dynamic.child.shims.recurrent.convolution import ShortConvolution
from golf_audit.dynamic.child.shims.recurrent.norms import FusedRMSNormGated, RMSNorm
from golf_audit.dynamic.child.shims.recurrent.state import Pieces, corrected, shared
from golf_audit.dynamic.child.shims.recurrent.steps import step_bias

_NORM_EPS = 1e-6


def gated_delta_rule(
    q: Any,
    k: Any,
    v: Any,
    g: Any,
    beta: Any,
    scale: float | None = None,
    initial_state: Any = None,
    output_final_state: bool = False,
    use_qk_l2norm_in_kernel: bool = False,
    use_beta_sigmoid_in_kernel: bool = False,
    allow_neg_eigval: bool = False,
    state_v_first: bool = False,
    cu_seqlens: Any = None,
    use_gate_in_kernel: bool = False,
    A_log: Any = None,  # noqa: N803
    dt_bias: Any = None,
    **options: Any,
) -> tuple[Any, Any]:
    """chunk_gated_delta_rule: `corrected` with log decay g, rate beta, queries times `scale` (1 / sqrt(n)).

    q, k: (batch, length, heads, n). v: (batch, length, value heads, dim). g, beta: (batch, length, value
    heads). The state is (batch, value heads, n, dim), with dim first where `state_v_first`."""
    dtype, heads = v.dtype, v.shape[2]
    if use_beta_sigmoid_in_kernel:
        beta = torch.sigmoid(beta.float()) * (2.0 if allow_neg_eigval else 1.0)
    if use_gate_in_kernel:
        raw = g.float() if dt_bias is None else g.float() + dt_bias
        g = -torch.exp(A_log.float()) * F.softplus(raw)
    pieces = None if cu_seqlens is None else Pieces(cu_seqlens, v.shape[1])
    parts = (q, k, v, g, beta)
    q, k, v, g, beta = (one.float() if pieces is None else pieces.split(one).float() for one in parts)
    if use_qk_l2norm_in_kernel:
        q, k = (one * torch.rsqrt(one.square().sum(-1, keepdim=True) + _NORM_EPS) for one in (q, k))
    q = q * (q.shape[-1] ** -0.5 if scale is None else scale)
    state = initial_state.mT if state_v_first and initial_state is not None else initial_state
    y, state = corrected(g, shared(k, heads), v, beta, shared(q, heads), state)
    y = (y if pieces is None else pieces.join(y)).to(dtype)
    return y, (state.mT if state_v_first else state) if output_final_state else None


def delta_rule(
    q: Any,
    k: Any,
    v: Any,
    beta: Any,
    scale: float | None = None,
    initial_state: Any = None,
    output_final_state: bool = False,
    use_qk_l2norm_in_kernel: bool = False,
    cu_seqlens: Any = None,
    **options: Any,
) -> tuple[Any, Any]:
    """chunk_delta_rule: the gated rule without decay."""
    kept = torch.zeros(beta.shape, device=beta.device)
    state = (scale, initial_state, output_final_state, use_qk_l2norm_in_kernel)
    return gated_delta_rule(q, k, v, kept, beta, *state, cu_seqlens=cu_seqlens)


class _DeltaLayer(nn.Module):
    """What both layers share: projections, short convolutions, an output norm with or without a gate."""

    hidden_size: int
    head_k_dim: int
    head_v_dim: int
    use_gate: bool
    use_short_conv: bool

    def _build(self, keys: int, values: int, gate: bool, conv: tuple[int, bool] | None, eps: float) -> None:
        hidden = self.hidden_size
        self.q_proj, self.k_proj = (nn.Linear(hidden, keys, bias=False) for _ in "qk")
        self.v_proj = nn.Linear(hidden, values, bias=False)
        if conv is not None:
            size, bias = conv
            self.q_conv1d, self.k_conv1d = (ShortConvolution(keys, size, bias) for _ in "qk")
            self.v_conv1d = ShortConvolution(values, size, bias)
        if gate:
            self.g_proj = nn.Linear(hidden, values, bias=False)
        norm: Any = FusedRMSNormGated if gate else RMSNorm
        self.o_norm = norm(self.head_v_dim, eps=eps)
        self.o_proj = nn.Linear(values, hidden, bias=False)

    def _projected(self, x: Any, cu_seqlens: Any) -> list[Any]:
        """q, k, v of (batch, length, heads, dim), convolved and activated."""
        found = []
        for name, dim in (("q", self.head_k_dim), ("k", self.head_k_dim), ("v", self.head_v_dim)):
            one = getattr(self, f"{name}_proj")(x)
            if self.use_short_conv:
                one, _ = getattr(self, f"{name}_conv1d")(one, cu_seqlens=cu_seqlens)
            else:
                one = F.silu(one)
            found.append(one.reshape(*one.shape[:2], -1, dim))
        return found

    def _out(self, x: Any, y: Any) -> tuple[Any, None, None]:
        y = self.o_norm(y, self.g_proj(x).reshape(y.shape)) if self.use_gate else self.o_norm(y)
        return self.o_proj(y.flatten(-2)), None, None


def _no_cache(**given: Any) -> None:
    for name, value in given.items():
        if value is not None and value is not False:
            raise NotImplementedError(f"no stand-in for {name} of a layer of flash-linear-attention")


class GatedDeltaNet(_DeltaLayer):
    """fla.layers.GatedDeltaNet without a cache: parameters have the names and shapes of the real one."""

    def __init__(
        self,
        hidden_size: int = 2048,
        expand_v: float = 2,
        head_dim: int = 256,
        num_heads: int = 6,
        num_v_heads: int | None = None,
        mode: str = "chunk",
        use_gate: bool = True,
        use_short_conv: bool = True,
        allow_neg_eigval: bool = False,
        conv_size: int = 4,
        conv_bias: bool = False,
        layer_idx: int | None = None,
        norm_eps: float = 1e-5,
        **options: Any,
    ) -> None:
        super().__init__()
        self.mode, self.layer_idx, self.allow_neg_eigval = mode, layer_idx, allow_neg_eigval
        self.hidden_size, self.expand_v, self.head_dim = hidden_size, expand_v, head_dim
        self.use_gate, self.use_short_conv = use_gate, use_short_conv
        self.conv_size, self.conv_bias = conv_size, conv_bias
        self.num_heads, self.num_v_heads = num_heads, num_v_heads or num_heads
        self.head_k_dim, self.head_v_dim = head_dim, int(head_dim * expand_v)
        self.key_dim, self.value_dim = num_heads * head_dim, self.num_v_heads * self.head_v_dim
        if self.num_v_heads % num_heads:
            raise ValueError(f"{self.num_v_heads} value heads cannot share {num_heads} heads")
        conv = (conv_size, conv_bias) if use_short_conv else None
        self._build(self.key_dim, self.value_dim, use_gate, conv, norm_eps)
        self.a_proj, self.b_proj = (nn.Linear(hidden_size, self.num_v_heads, bias=False) for _ in "ab")
        self.A_log = nn.Parameter(torch.log(torch.empty(self.num_v_heads).uniform_(0, 16)))
        self.A_log._no_weight_decay = True  # type: ignore[attr-defined]
        self.dt_bias = step_bias(self.num_v_heads, 0.001, 0.1, 1e-4)

    def forward(
        self,
        hidden_states: Any,
        attention_mask: Any = None,
        past_key_values: Any = None,
        use_cache: bool | None = False,
        output_attentions: bool | None = False,
        cu_seqlens: Any = None,
        **options: Any,
    ) -> tuple[Any, None, None]:
        """(batch, length, hidden) to the same, beside two that a cache would fill."""
        _no_cache(attention_mask=attention_mask, past_key_values=past_key_values, use_cache=use_cache)
        q, k, v = self._projected(hidden_states, cu_seqlens)
        rate = torch.sigmoid(self.b_proj(hidden_states)) * (2.0 if self.allow_neg_eigval else 1.0)
        step = F.softplus(self.a_proj(hidden_states).float() + self.dt_bias)
        decay = -torch.exp(self.A_log.float()) * step
        y, _ = gated_delta_rule(q, k, v, decay, rate, use_qk_l2norm_in_kernel=True, cu_seqlens=cu_seqlens)
        return self._out(hidden_states, y)


class DeltaNet(_DeltaLayer):
    """fla.layers.DeltaNet with silu and unit keys, without a cache."""

    def __init__(
        self,
        mode: str = "chunk",
        d_model: int | None = None,
        hidden_size: int = 1024,
        expand_k: float = 1.0,
        expand_v: float = 1.0,
        num_heads: int = 4,
        use_beta: bool = True,
        use_gate: bool = False,
        use_short_conv: bool = True,
        conv_size: int = 4,
        conv_bias: bool = False,
        allow_neg_eigval: bool = False,
        layer_idx: int | None = None,
        qk_activation: str = "silu",
        qk_norm: str = "l2",
        norm_eps: float = 1e-5,
        **options: Any,
    ) -> None:
        super().__init__()
        if (qk_activation, qk_norm) != ("silu", "l2"):
            raise NotImplementedError(f"no stand-in for DeltaNet with {qk_activation} and {qk_norm}")
        self.mode, self.layer_idx, self.allow_neg_eigval = mode, layer_idx, allow_neg_eigval
        self.qk_activation, self.qk_norm = qk_activation, qk_norm
        self.hidden_size = hidden_size if d_model is None else d_model
        self.expand_k, self.expand_v, self.num_heads = expand_k, expand_v, num_heads
        self.use_beta, self.use_gate, self.use_short_conv = use_beta, use_gate, use_short_conv
        self.conv_size, self.conv_bias = conv_size, conv_bias
        self.key_dim, self.value_dim = int(self.hidden_size * expand_k), int(self.hidden_size * expand_v)
        self.head_k_dim, self.head_v_dim = self.key_dim // num_heads, self.value_dim // num_heads
        conv = (conv_size, conv_bias) if use_short_conv else None
        self._build(self.key_dim, self.value_dim, use_gate, conv, norm_eps)
        if use_beta:
            self.b_proj = nn.Linear(self.hidden_size, num_heads, bias=False)

    def forward(
        self,
        hidden_states: Any,
        attention_mask: Any = None,
        past_key_values: Any = None,
        use_cache: bool | None = False,
        output_attentions: bool | None = False,
        cu_seqlens: Any = None,
        **options: Any,
    ) -> tuple[Any, None, None]:
        """(batch, length, hidden) to the same, beside two that a cache would fill."""
        _no_cache(attention_mask=attention_mask, past_key_values=past_key_values, use_cache=use_cache)
        q, k, v = self._projected(hidden_states, cu_seqlens)
        rate = torch.sigmoid(self.b_proj(hidden_states)) if self.use_beta else torch.ones_like(q[..., 0])
        rate = rate * (2.0 if self.allow_neg_eigval else 1.0)
        y, _ = delta_rule(q, k, v, rate, use_qk_l2norm_in_kernel=True, cu_seqlens=cu_seqlens)
        return self._out(hidden_states, y)
