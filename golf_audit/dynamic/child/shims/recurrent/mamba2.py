"""Mamba-2: its scan and the module around it.

After the recurrence of state-space duality (arXiv 2405.21060), with the interface and the parameters of
state-spaces/mamba (mamba_ssm/ops/triton/ssd_combined.py and mamba_ssm/modules/mamba2.py).
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from golf_audit.dynamic.child.shims.recurrent.convolution import causal_conv
from golf_audit.dynamic.child.shims.recurrent.norms import RMSNormGated
from golf_audit.dynamic.child.shims.recurrent.state import decayed, shared
from golf_audit.dynamic.child.shims.recurrent.steps import step_bias


def chunk_scan(
    x: Any,
    dt: Any,
    A: Any,  # noqa: N803
    B: Any,  # noqa: N803
    C: Any,  # noqa: N803
    chunk_size: int,
    D: Any = None,  # noqa: N803
    z: Any = None,
    dt_bias: Any = None,
    initial_states: Any = None,
    seq_idx: Any = None,
    cu_seqlens: Any = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = (0.0, math.inf),
    return_final_states: bool = False,
    return_varlen_states: bool = False,
) -> Any:
    """mamba_chunk_scan_combined: S[t] = e^(dt[t] A) S[t-1] + dt[t] x[t] B[t]^T;  y[t] = S[t] C[t] + D x[t].

    x, z: (batch, length, heads, dim). dt: (batch, length, heads). A: (heads,). B, C: (batch, length, groups,
    states). D: (heads,) or (heads, dim). The states are (batch, heads, dim, states)."""
    if seq_idx is not None or cu_seqlens is not None or return_varlen_states:
        raise NotImplementedError("no stand-in for packed sequences of Mamba-2")
    dtype, heads = x.dtype, x.shape[2]
    x, dt = x.float(), dt.float()
    if dt_bias is not None:
        dt = dt + dt_bias
    dt = torch.clamp(F.softplus(dt) if dt_softplus else dt, *dt_limit)
    keys = shared(B.float(), heads) * dt[..., None]
    first = None if initial_states is None else initial_states.float().mT
    queries = shared(C.float(), heads)
    y, state = decayed(dt * A, keys[..., None, :], x[..., None, :], queries, first)
    if D is not None:
        y = y + (D if D.dim() == 2 else D[:, None]) * x
    if z is not None:
        y = y * F.silu(z.float())
    return (y.to(dtype), state.mT) if return_final_states else y.to(dtype)


class Mamba2(nn.Module):
    """mamba_ssm.Mamba2 on one process, without a cache: parameters have the real names and shapes."""

    def __init__(
        self,
        d_model: int,
        d_state: int = 128,
        d_conv: int = 4,
        conv_init: float | None = None,
        expand: float = 2,
        headdim: int = 64,
        d_ssm: int | None = None,
        ngroups: int = 1,
        A_init_range: tuple[float, float] = (1, 16),  # noqa: N803
        D_has_hdim: bool = False,  # noqa: N803
        rmsnorm: bool = True,
        norm_before_gate: bool = False,
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        dt_init_floor: float = 1e-4,
        dt_limit: tuple[float, float] = (0.0, math.inf),
        bias: bool = False,
        conv_bias: bool = True,
        chunk_size: int = 256,
        use_mem_eff_path: bool = True,
        layer_idx: int | None = None,
        process_group: Any = None,
        sequence_parallel: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if process_group is not None:
            raise NotImplementedError("no stand-in for Mamba-2 over several processes")
        self.d_model, self.d_state, self.d_conv, self.conv_init = d_model, d_state, d_conv, conv_init
        self.expand, self.headdim, self.ngroups, self.layer_idx = expand, headdim, ngroups, layer_idx
        self.process_group, self.sequence_parallel = None, sequence_parallel
        self.world_size, self.local_rank = 1, 0
        self.d_inner = int(expand * d_model)
        self.d_ssm = self.d_inner if d_ssm is None else d_ssm
        if self.d_ssm % headdim:
            raise ValueError(f"headdim {headdim} does not divide the state-space width {self.d_ssm}")
        self.nheads = self.d_ssm // headdim
        self.D_has_hdim, self.rmsnorm, self.norm_before_gate = D_has_hdim, rmsnorm, norm_before_gate
        self.dt_limit, self.chunk_size, self.use_mem_eff_path = dt_limit, chunk_size, use_mem_eff_path
        self.activation, self.act = "silu", nn.SiLU()
        made = {"device": device, "dtype": dtype}
        self.in_proj = nn.Linear(d_model, sum(self._widths()), bias=bias, **made)
        width = self.d_ssm + 2 * ngroups * d_state
        self.conv1d = nn.Conv1d(
            width, width, d_conv, groups=width, padding=d_conv - 1, bias=conv_bias, **made
        )
        if conv_init is not None:
            nn.init.uniform_(self.conv1d.weight, -conv_init, conv_init)
        self.dt_bias = step_bias(self.nheads, dt_min, dt_max, dt_init_floor, device, dtype)
        drawn = torch.empty(self.nheads, device=device).uniform_(*A_init_range)
        self.A_log = nn.Parameter(torch.log(drawn).to(dtype=dtype))
        self.D = nn.Parameter(torch.ones(self.d_ssm if D_has_hdim else self.nheads, device=device))
        for one in (self.A_log, self.D):
            one._no_weight_decay = True  # type: ignore[attr-defined]
        if rmsnorm:
            group = self.d_ssm // ngroups
            self.norm = RMSNormGated(self.d_ssm, group_size=group, norm_before_gate=norm_before_gate, **made)
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=bias, **made)

    def _widths(self) -> list[int]:
        """Of what in_proj gives: the gated part beside the state space (two), z, x with B and C, dt."""
        mixed = self.d_ssm + 2 * self.ngroups * self.d_state
        return [self.d_inner - self.d_ssm] * 2 + [self.d_ssm, mixed, self.nheads]

    def forward(
        self,
        u: Any,
        seqlen: int | None = None,
        seq_idx: Any = None,
        cu_seqlens: Any = None,
        inference_params: Any = None,
    ) -> Any:
        """(batch, length, d_model) to the same; (batch times length, d_model) where `seqlen` is given."""
        if inference_params is not None:
            raise NotImplementedError("no stand-in for Mamba-2's inference cache")
        rows = u if seqlen is None else u.reshape(-1, seqlen, u.shape[-1])
        gate, beside, z, mixed, dt = torch.split(self.in_proj(rows), self._widths(), dim=-1)
        mixed = causal_conv(mixed.mT, self.conv1d.weight[:, 0], self.conv1d.bias, activation="silu").mT
        group = self.ngroups * self.d_state
        x, b, c = torch.split(mixed, [self.d_ssm, group, group], dim=-1)
        heads, groups = (*rows.shape[:2], self.nheads, self.headdim), (*rows.shape[:2], self.ngroups, -1)
        y = chunk_scan(
            x.reshape(heads),
            dt,
            -torch.exp(self.A_log.float()),
            b.reshape(groups),
            c.reshape(groups),
            self.chunk_size,
            D=self.D.reshape(self.nheads, -1) if self.D_has_hdim else self.D,
            z=None if self.rmsnorm else z.reshape(heads),
            dt_bias=self.dt_bias,
            dt_softplus=True,
            dt_limit=self.dt_limit,
            seq_idx=seq_idx,
            cu_seqlens=cu_seqlens,
        ).flatten(-2)
        if self.rmsnorm:
            y = self.norm(y, z)
        return self.out_proj(torch.cat((F.silu(gate) * beside, y), dim=-1)).reshape(u.shape)
