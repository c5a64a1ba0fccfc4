"""Causal attention inside the segments of a packed buffer, the rotary positions of those segments, and XSA.

Shapes: T packed tokens, S segments, L longest segment, H query heads, K key/value heads, d head dim,
R rotary dims / 2. A buffer holds documents, rows or windows one after the other; `Segments` says where each
starts, and nothing ever attends, or counts positions, across a boundary.

`attend_loop` is the definition; every other backend is tested against it:
    sdpa                  any device: segments padded to (S, L), where causality alone hides the padding
    varlen                torch.nn.attention.varlen (CUDA, half precision)
    flash_attn            flash-attn 2 (CUDA, half precision)
    flash_attn_interface  flash-attn 3 (Hopper): what the records ran
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Segments:
    """Boundaries of a packed buffer: int32 [0, ..., T], non-decreasing, no piece longer than max_len.

    Repeated boundaries at the end are empty segments, which let a compiled graph see few lengths.
    """

    cu_seqlens: Tensor
    max_len: int

    @staticmethod
    def rows(n_rows: int, T: int, device: torch.device | str = "cpu") -> Segments:
        """n_rows rows of T tokens each, one after the other."""
        return Segments(torch.arange(0, n_rows * T + 1, T, dtype=torch.int32, device=device), T)

    @staticmethod
    def from_bos(ids_T: Tensor, bos_id: int, max_len: int, pad_to: int = 1) -> Segments:
        """A segment per document, cut every max_len tokens; pad_to rounds the number of boundaries up."""
        T = ids_T.numel()
        heads = [0, *(ids_T == bos_id).nonzero().flatten().tolist(), T]
        starts = [t for a, b in pairwise(heads) for t in range(a, b, max_len)]
        padding = [T] * (-(len(starts) + 1) % pad_to)
        cu_seqlens = torch.tensor([*starts, T, *padding], dtype=torch.int32, device=ids_T.device)
        return Segments(cu_seqlens, max_len)

    def to(self, device: torch.device | str) -> Segments:
        return Segments(self.cu_seqlens.to(device, non_blocking=True), self.max_len)

    def locate(self, T: int) -> tuple[Tensor, Tensor]:
        """Segment number and position inside it, for each of T packed tokens."""
        t_T = torch.arange(T, device=self.cu_seqlens.device, dtype=torch.int32)
        segment_T = torch.searchsorted(self.cu_seqlens[1:], t_T, right=True)
        return segment_T, t_T - self.cu_seqlens[segment_T]


def attention(q_THd: Tensor, k_TKd: Tensor, v_TKd: Tensor, segments: Segments, backend: str) -> Tensor:
    """softmax(q k^T / sqrt(d)) v over earlier tokens of the same segment; H/K heads share K and V."""
    if backend == "auto":
        backend = pick_backend(q_THd.device.type, q_THd.dtype)
    if backend == "loop":
        return attend_loop(q_THd, k_TKd, v_TKd, segments)
    if backend == "sdpa":
        return attend_sdpa(q_THd, k_TKd, v_TKd, segments)
    if backend == "varlen":
        return attend_varlen(q_THd, k_TKd, v_TKd, segments)
    if backend == "flash_attn":
        return attend_flash_attn(q_THd, k_TKd, v_TKd, segments)
    if backend == "flash_attn_interface":
        return attend_flash_attn_interface(q_THd, k_TKd, v_TKd, segments)
    raise ValueError(f"unknown attention backend {backend!r}")


@cache
def pick_backend(device_type: str, dtype: torch.dtype) -> str:
    """The fastest backend this machine can run: the records' own on Hopper, SDPA without a GPU."""
    if device_type != "cuda" or dtype not in (torch.float16, torch.bfloat16):
        return "sdpa"
    hopper = torch.cuda.get_device_capability()[0] == 9
    if hopper and importlib.util.find_spec("flash_attn_interface"):
        return "flash_attn_interface"
    if importlib.util.find_spec("flash_attn"):
        return "flash_attn"
    return "varlen" if importlib.util.find_spec("torch.nn.attention.varlen") else "sdpa"


def attend_loop(q_THd: Tensor, k_TKd: Tensor, v_TKd: Tensor, segments: Segments) -> Tensor:
    """The definition: one causal attention per segment."""
    group = q_THd.shape[1] // k_TKd.shape[1]
    bounds = segments.cu_seqlens.tolist()
    out = []
    for a, b in pairwise(bounds):
        if a == b:
            continue
        q_HLd = q_THd[a:b].transpose(0, 1)
        k_HLd = k_TKd[a:b].repeat_interleave(group, 1).transpose(0, 1)
        v_HLd = v_TKd[a:b].repeat_interleave(group, 1).transpose(0, 1)
        score_HLL = q_HLd @ k_HLd.transpose(1, 2) / q_THd.shape[2] ** 0.5
        future_LL = torch.ones(b - a, b - a, dtype=torch.bool, device=q_THd.device).triu(1)
        weight_HLL = score_HLL.masked_fill(future_LL, float("-inf")).softmax(-1)
        out.append((weight_HLL @ v_HLd).transpose(0, 1))
    return torch.cat(out)


def attend_sdpa(q_THd: Tensor, k_TKd: Tensor, v_TKd: Tensor, segments: Segments) -> Tensor:
    T, S, L = q_THd.shape[0], segments.cu_seqlens.numel() - 1, segments.max_len
    packed = (q_THd, k_TKd, v_TKd)
    full = S * L == T  # no piece exceeds L, so every segment is exactly L long and padding is a reshape
    if full:
        q, k, v = (x.view(S, L, *x.shape[1:]) for x in packed)
    else:
        # Padding lies after the tokens of its segment: the causal mask alone keeps it from every real query.
        segment_T, position_T = segments.locate(T)
        q, k, v = (x.new_zeros(S, L, *x.shape[1:]).index_put((segment_T, position_T), x) for x in packed)
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    y_SLHd = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2)
    return y_SLHd.reshape(q_THd.shape) if full else y_SLHd[segment_T, position_T]


def attend_varlen(q_THd: Tensor, k_TKd: Tensor, v_TKd: Tensor, segments: Segments) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    cu, longest = segments.cu_seqlens, segments.max_len
    causal = (-1, 0)  # all keys before the query, none after: this API's way of saying causal
    gqa = q_THd.shape[1] != k_TKd.shape[1]
    return varlen_attn(q_THd, k_TKd, v_TKd, cu, cu, longest, longest, window_size=causal, enable_gqa=gqa)


def attend_flash_attn(q_THd: Tensor, k_TKd: Tensor, v_TKd: Tensor, segments: Segments) -> Tensor:
    from flash_attn import flash_attn_varlen_func

    cu, longest = segments.cu_seqlens, segments.max_len
    return flash_attn_varlen_func(q_THd, k_TKd, v_TKd, cu, cu, longest, longest, causal=True)


def attend_flash_attn_interface(q_THd: Tensor, k_TKd: Tensor, v_TKd: Tensor, segments: Segments) -> Tensor:
    from flash_attn_interface import flash_attn_varlen_func

    cu, longest = segments.cu_seqlens, segments.max_len
    out = flash_attn_varlen_func(q_THd, k_TKd, v_TKd, cu, cu, longest, longest, causal=True)
    return out[0] if isinstance(out, tuple) else out  # some releases return (y, log-sum-exp)


def rotary_table(position_T: Tensor, rotary_dims: int, base: float) -> tuple[Tensor, Tensor]:
    """cos and sin of position * base^(-2j/rotary_dims), j = 0..R-1, as [T, 1, R] to broadcast over heads."""
    j_R = torch.arange(0, rotary_dims, 2, dtype=torch.float32, device=position_T.device)
    angle_TR = position_T.float()[:, None] * base ** (-j_R / rotary_dims)
    return angle_TR.cos()[:, None], angle_TR.sin()[:, None]


def rotate(x_THd: Tensor, cos_T1R: Tensor, sin_T1R: Tensor) -> Tensor:
    """(x1, x2) -> (x1 cos + x2 sin, -x1 sin + x2 cos) on the first 2R dims, dim j paired with j + R."""
    R = cos_T1R.shape[-1]
    x1, x2, rest = x_THd[..., :R], x_THd[..., R : 2 * R], x_THd[..., 2 * R :]
    return torch.cat((x1 * cos_T1R + x2 * sin_T1R, x2 * cos_T1R - x1 * sin_T1R, rest), -1)


def exclude_self(y_THd: Tensor, v_TKd: Tensor) -> Tensor:
    """XSA: y - (y . v^) v^ with v^ = v/|v| of the same position: nothing is added along its own value."""
    y_TKGd = y_THd.unflatten(1, (v_TKd.shape[1], -1))
    v_TK1d = F.normalize(v_TKd, dim=-1).unsqueeze(2)
    return (y_TKGd - (y_TKGd * v_TK1d).sum(-1, keepdim=True) * v_TK1d).flatten(1, 2)
