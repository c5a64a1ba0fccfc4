"""Stands in for flash-attn 3 on both sides of benchmarks/gpu.py where it is not installed.

Copied beside a script under the name flash_attn_interface.py: the two functions that #1855 and golf_ref call,
made of torch's own kernels. Forward, backward and torch.compile are torch's.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def flash_attn_func(q: Tensor, k: Tensor, v: Tensor, causal: bool = False) -> Tensor:
    """Attention of [B, T, H, d] queries over [B, T, K, d] keys and values; H/K heads share one."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True).transpose(1, 2)


def flash_attn_varlen_func(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    causal: bool = False,
) -> Tensor:
    """The same over packed segments: [T, H, d], boundaries in cu_seqlens (CUDA, half precision)."""
    from torch.nn.attention.varlen import varlen_attn

    window = (-1, 0) if causal else (-1, -1)
    return varlen_attn(
        q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, window_size=window, enable_gqa=True
    )
