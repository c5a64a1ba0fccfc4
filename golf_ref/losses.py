"""Cross-entropy of soft-capped logits.

Shapes: T packed tokens, V vocabulary.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from golf_ref.kernels import fused_softcap_nll, triton_runs_on


def softcap(z_TV: Tensor, cap: float) -> Tensor:
    """c tanh(z / c) in fp32 (Gemma 2, arXiv:2408.00118)."""
    return cap * torch.tanh(z_TV.float() / cap)


def softcapped_nll(z_TV: Tensor, targets_T: Tensor, cap: float, fused: bool) -> Tensor:
    """-log softmax(softcap(z))[target] per token, fp32 nats; `fused` is the same sum in one pass over z."""
    if fused and triton_runs_on(z_TV):
        return fused_softcap_nll(z_TV, targets_T, cap)
    return F.cross_entropy(softcap(z_TV, cap), targets_T, reduction="none")
