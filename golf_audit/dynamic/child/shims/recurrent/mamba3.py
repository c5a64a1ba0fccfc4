"""Mamba-3 with one input and one output per head (SISO): its combined kernel, and the module around it.

After the recurrence of the paper (trapezoidal discretisation, state turned by angles that depend on the
data) and the interface of state-spaces/mamba as released in March 2026 (mamba_ssm/modules/mamba3.py and
mamba_ssm/ops/triton/mamba3/mamba3_siso_combined.py), where -softplus gives A; June's version has another
function there. The variant with many inputs and outputs (MIMO) has no stand-in.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from golf_audit.dynamic.child.shims.recurrent.norms import RMSNormGated
from golf_audit.dynamic.child.shims.recurrent.state import Pieces, decayed, shared
from golf_audit.dynamic.child.shims.recurrent.steps import step_bias


def siso(
    Q: Any,  # noqa: N803
    K: Any,  # noqa: N803
    V: Any,  # noqa: N803
    ADT: Any,  # noqa: N803
    DT: Any,  # noqa: N803
    Trap: Any,  # noqa: N803
    Q_bias: Any,  # noqa: N803
    K_bias: Any,  # noqa: N803
    Angles: Any,  # noqa: N803
    D: Any = None,  # noqa: N803
    Z: Any = None,  # noqa: N803
    Input_States: Any = None,  # noqa: N803
    chunk_size: int = 64,
    return_final_states: bool = False,
    cu_seqlens: Any = None,
) -> Any:
    """mamba3_siso_combined. With q = rotate(Q + Q_bias), k = rotate(K + K_bias) and trap = sigmoid(Trap),

    S[t] = e^ADT[t] S[t-1] + (1 - trap[t]) DT[t] e^ADT[t] V[t-1] k[t-1]^T + trap[t] DT[t] V[t] k[t]^T,
    y[t] = (S[t] q[t] + D V[t]) silu(Z[t]); the angles are the running sum of DT pi tanh(Angles).

    Q, K: (batch, length, groups, states). V, Z: (batch, length, heads, dim). ADT, DT, Trap: (batch, heads,
    length). Q_bias, K_bias: (heads, states). Angles: (batch, length, heads, at most states / 2). D: (heads,).
    Input_States and the final states: angle, S (heads, dim, states), k and V of the last step."""
    dtype, heads = V.dtype, V.shape[2]
    over_time = (Q, K, V, Angles, *(one.transpose(1, 2) for one in (ADT, DT, Trap)))
    pieces = None if cu_seqlens is None else Pieces(cu_seqlens, V.shape[1])
    if pieces is not None:
        over_time = tuple(pieces.split(one) for one in over_time)
    q, k, v, angles, adt, dt, trap = (one.float() for one in over_time)
    angle, state, key, value = Input_States if Input_States is not None else (None,) * 4
    turn = torch.cumsum(torch.tanh(angles) * math.pi * dt[..., None], dim=1)
    turn = torch.remainder(turn if angle is None else turn + angle[:, None], 2 * math.pi)
    q, k = (rotated(shared(x, heads) + b, turn) for x, b in ((q, Q_bias), (k, K_bias)))
    trap = torch.sigmoid(trap)
    now, past = trap * dt, (1 - trap) * dt * torch.exp(adt)
    keys = torch.stack((now[..., None] * k, past[..., None] * _delayed(k, key)), dim=3)
    values = torch.stack((v, _delayed(v, value)), dim=3)
    y, state = decayed(adt, keys, values, q, None if state is None else state.mT)
    last = (turn, k, v) if pieces is not None else (turn[:, -1], k[:, -1], v[:, -1])
    if D is not None:
        y = y + D[:, None] * v
    if pieces is not None:
        y = pieces.join(y)
    if Z is not None:
        y = y * F.silu(Z.float())
    if not return_final_states:
        return y.to(dtype)
    angle, key, value = (pieces.last(one) for one in last) if pieces is not None else last
    return y.to(dtype), angle, state.mT, key.to(dtype), value.to(dtype)


def rotated(x: Any, angle: Any) -> Any:
    """Neighbouring pairs turned by their angle; pairs without one stay."""
    pairs, count = x.unflatten(-1, (-1, 2)), angle.shape[-1]
    (a, b), rest = pairs[..., :count, :].unbind(-1), pairs[..., count:, :]
    cos, sin = torch.cos(angle), torch.sin(angle)
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return torch.cat((turned, rest), dim=-2).flatten(-2)


def _delayed(x: Any, first: Any) -> Any:
    """x one step later, behind what came before the first step."""
    before = torch.zeros_like(x[:, :1]) if first is None else first.to(x.dtype).reshape(x[:, :1].shape)
    return torch.cat((before, x[:, :-1]), dim=1)


class Mamba3(nn.Module):
    """mamba_ssm.modules.mamba3.Mamba3 without MIMO; parameters have the names and shapes of the real one."""

    def __init__(
        self,
        d_model: int,
        d_state: int = 128,
        expand: float = 2,
        headdim: int = 64,
        ngroups: int = 1,
        rope_fraction: float = 0.5,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        dt_init_floor: float = 1e-4,
        A_floor: float = 1e-4,  # noqa: N803
        is_outproj_norm: bool = False,
        is_mimo: bool = False,
        mimo_rank: int = 4,
        chunk_size: int = 64,
        dropout: float = 0.0,
        layer_idx: int | None = None,
        n_layer: int | None = None,
        device: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if is_mimo:
            raise NotImplementedError("no stand-in for Mamba-3 with many inputs and outputs (is_mimo)")
        if rope_fraction not in (0.5, 1.0):
            raise ValueError(f"rope_fraction is 0.5 or 1, not {rope_fraction}")
        self.d_model, self.d_state, self.expand, self.headdim = d_model, d_state, expand, headdim
        self.chunk_size, self.layer_idx, self.A_floor = chunk_size, layer_idx, A_floor
        self.is_outproj_norm, self.is_mimo, self.mimo_rank = is_outproj_norm, False, 1
        self.d_inner = int(expand * d_model)
        if self.d_inner % headdim:
            raise ValueError(f"headdim {headdim} does not divide the inner width {self.d_inner}")
        self.nheads, self.num_bc_heads = self.d_inner // headdim, ngroups
        self.rotary_dim_divisor = int(2 / rope_fraction)
        self.split_tensor_size = int(d_state * rope_fraction) // 2 * 2
        self.num_rope_angles = self.split_tensor_size // 2
        made = {"device": device, "dtype": dtype}
        self.in_proj = nn.Linear(d_model, sum(self._widths()), bias=False, **made)
        self.dt_bias = step_bias(self.nheads, dt_min, dt_max, dt_init_floor, device)
        ones = torch.ones(self.nheads, 1, d_state, device=device)
        self.B_bias, self.C_bias = nn.Parameter(ones), nn.Parameter(ones.clone())
        self.B_norm, self.C_norm = (RMSNormGated(d_state, **made) for _ in "BC")
        self.D = nn.Parameter(torch.ones(self.nheads, device=device))
        self.D._no_weight_decay = True  # type: ignore[attr-defined]
        if is_outproj_norm:
            self.norm = RMSNormGated(self.d_inner, group_size=headdim, **made)
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=False, **made)

    def _widths(self) -> list[int]:
        """Of what in_proj gives: z, x, B, C, dt, A, trap, angles."""
        group = self.d_state * self.num_bc_heads
        return [self.d_inner] * 2 + [group] * 2 + [self.nheads] * 3 + [self.num_rope_angles]

    def forward(
        self, u: Any, seq_idx: Any = None, cu_seqlens: Any = None, inference_params: Any = None
    ) -> Any:
        """(batch, length, d_model) to the same; seq_idx has no effect, as in the real one."""
        if inference_params is not None:
            raise NotImplementedError("no stand-in for Mamba-3's inference cache")
        z, x, b, c, dt, a, trap, angles = torch.split(self.in_proj(u), self._widths(), dim=-1)
        z, x = (one.reshape(*u.shape[:2], self.nheads, self.headdim) for one in (z, x))
        b, c = (one.reshape(*u.shape[:2], self.num_bc_heads, self.d_state) for one in (b, c))
        dt = F.softplus(dt + self.dt_bias)
        adt = torch.clamp(-F.softplus(a.float()), max=-self.A_floor) * dt
        y = siso(
            self.C_norm(c),
            self.B_norm(b),
            x,
            adt.mT,
            dt.mT,
            trap.mT,
            self.C_bias[:, 0],
            self.B_bias[:, 0],
            angles[..., None, :].expand(-1, -1, self.nheads, -1),
            self.D,
            None if self.is_outproj_norm else z,
            cu_seqlens=cu_seqlens,
        ).flatten(-2)
        return self.out_proj((self.norm(y, z.flatten(-2)) if self.is_outproj_norm else y).to(x.dtype))
