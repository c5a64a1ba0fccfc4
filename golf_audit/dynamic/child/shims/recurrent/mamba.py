"""The first Mamba: the module around the selective scan.

After arXiv 2312.00752, with the interface and the parameters of state-spaces/mamba
(mamba_ssm/modules/mamba_simple.py).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from golf_audit.dynamic.child.shims.recurrent.convolution import causal_conv
from golf_audit.dynamic.child.shims.recurrent.scans import selective_scan
from golf_audit.dynamic.child.shims.recurrent.steps import step_bias


class Mamba(nn.Module):
    """mamba_ssm.Mamba without a cache: parameters have the names and shapes of the real one."""

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        d_conv: int = 4,
        expand: float = 2,
        dt_rank: int | str = "auto",
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        dt_init: str = "random",
        dt_scale: float = 1.0,
        dt_init_floor: float = 1e-4,
        conv_bias: bool = True,
        bias: bool = False,
        use_fast_path: bool = True,
        layer_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.d_model, self.d_state, self.d_conv, self.expand = d_model, d_state, d_conv, expand
        self.d_inner = width = int(expand * d_model)
        self.dt_rank = math.ceil(d_model / 16) if isinstance(dt_rank, str) else dt_rank
        self.use_fast_path, self.layer_idx = use_fast_path, layer_idx
        self.activation, self.act = "silu", nn.SiLU()
        made = {"device": device, "dtype": dtype}
        self.in_proj = nn.Linear(d_model, 2 * width, bias=bias, **made)
        self.conv1d = nn.Conv1d(
            width, width, d_conv, groups=width, padding=d_conv - 1, bias=conv_bias, **made
        )
        self.x_proj = nn.Linear(width, self.dt_rank + 2 * d_state, bias=False, **made)
        self.dt_proj = nn.Linear(self.dt_rank, width, **made)
        spread = dt_scale / math.sqrt(self.dt_rank)
        nn.init.uniform_(self.dt_proj.weight, spread if dt_init == "constant" else -spread, spread)
        self.dt_proj.bias = step_bias(width, dt_min, dt_max, dt_init_floor, device, dtype)
        self.dt_proj.bias._no_reinit = True  # type: ignore[attr-defined]
        rates = torch.arange(1, d_state + 1, dtype=torch.float32, device=device)
        self.A_log = nn.Parameter(torch.log(rates).repeat(width, 1))
        self.D = nn.Parameter(torch.ones(width, device=device))
        for one in (self.A_log, self.D):
            one._no_weight_decay = True  # type: ignore[attr-defined]
        self.out_proj = nn.Linear(width, d_model, bias=bias, **made)

    def forward(self, hidden_states: Any, inference_params: Any = None) -> Any:
        """(batch, length, d_model) to the same."""
        if inference_params is not None:
            raise NotImplementedError("no stand-in for Mamba's inference cache")
        x, z = self.in_proj(hidden_states).mT.chunk(2, dim=1)
        x = causal_conv(x, self.conv1d.weight[:, 0], self.conv1d.bias, activation="silu")
        split = [self.dt_rank, self.d_state, self.d_state]
        dt, b, c = torch.split(self.x_proj(x.mT), split, dim=-1)
        y = selective_scan(
            x,
            (dt @ self.dt_proj.weight.T).mT,
            -torch.exp(self.A_log.float()),
            b.mT,
            c.mT,
            self.D,
            z=z,
            delta_bias=self.dt_proj.bias,
            delta_softplus=True,
        )
        return self.out_proj(y.mT)
