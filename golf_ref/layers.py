"""The small pieces of a block: norm, activation, gates.

Shapes: T packed tokens, D model dim, H heads, d head dim, F hidden dim of the MLP, W gate window.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def rms(x: Tensor) -> Tensor:
    """x / sqrt(mean(x^2) + eps) over the last axis, without a weight; eps is the dtype's own."""
    return F.rms_norm(x, (x.shape[-1],))


def mlp_activation(p_TF: Tensor, kind: str) -> Tensor:
    """phi(p) = LeakyReLU_0.5(p)^2 (#549), or relu(p)^2 (naive, arXiv:2109.08668)."""
    if kind == "leaky_relu2":
        return F.leaky_relu(p_TF, 0.5).square()
    if kind == "relu2":
        return F.relu(p_TF).square()
    raise ValueError(f"unknown activation {kind!r}")


def smear(e_TD: Tensor, ids_T: Tensor, position_T: Tensor, w_1W: Tensor, lam: Tensor, bos_id: int) -> Tensor:
    """x_t = e_t + lambda * sigmoid(w . e_t[:W]) * e_{t-1}, unless t starts a segment or a document.

    #1667. Without the BOS mask the last token of a document leaks into the next one (found in #1797).
    """
    gate_T1 = lam * torch.sigmoid(F.linear(e_TD[:, : w_1W.shape[1]], w_1W))
    keep_T1 = ((position_T > 0) & (ids_T != bos_id))[:, None]
    previous_TD = torch.cat((torch.zeros_like(e_TD[:1]), e_TD[:-1]))
    return e_TD + gate_T1 * keep_T1 * previous_TD


def sparse_gate(y_THd: Tensor, n_TD: Tensor, w_HW: Tensor, scale: float) -> Tensor:
    """y_h <- sigmoid(scale * w_h . n[:W]) * y_h (#1787); 1/2 at initialisation."""
    gate_TH = torch.sigmoid(scale * F.linear(n_TD[:, : w_HW.shape[1]].contiguous(), w_HW))
    return y_THd * gate_TH[..., None]
