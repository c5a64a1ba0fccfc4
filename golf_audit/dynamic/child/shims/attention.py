"""flash-attn 2 and 3 and the attention of PyTorch: dense and variable length, by explicit softmax."""

from __future__ import annotations

import importlib.util
import math
import sys
from importlib.machinery import ModuleSpec
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

from golf_audit.dynamic.child.context import Context, module

Window = tuple[int, int]


def attend(
    q: Any, k: Any, v: Any, scale: float | None, causal: bool, window: Window = (-1, -1), softcap: float = 0.0
) -> Any:
    """Attention of (batch, length, heads, dim); fewer key heads than query heads share them (GQA).

    As in flash-attn the causal mask is aligned to the end when lengths differ, and a window (left, right)
    counts positions on either side, -1 for no limit."""
    group = q.shape[2] // k.shape[2]
    k, v = (t.repeat_interleave(group, dim=2) if group > 1 else t for t in (k, v))
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    rows, columns = q.shape[2], k.shape[2]
    if not softcap and window in ((-1, -1), (-1, 0)) and (rows == columns or not causal):
        causal = causal or window == (-1, 0)
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=scale).transpose(1, 2)
    scores = q @ k.transpose(-1, -2) * (scale or 1 / math.sqrt(q.shape[-1]))
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    hidden = _hidden(rows, columns, causal, window, q.device)
    weights = torch.softmax(scores.masked_fill(hidden, -math.inf), dim=-1).masked_fill(
        hidden.all(-1, True), 0.0
    )
    return (weights @ v).transpose(1, 2)


def _hidden(rows: int, columns: int, causal: bool, window: Window, device: Any) -> Any:
    """True where a query must not look at a key."""
    at = torch.arange(rows, device=device)[:, None] + (columns - rows)
    key = torch.arange(columns, device=device)[None, :]
    left, right = window
    if causal:
        right = 0
    hidden = torch.zeros(rows, columns, dtype=torch.bool, device=device)
    if left >= 0:
        hidden |= key < at - left
    if right >= 0:
        hidden |= key > at + right
    return hidden


def _window(given: Any) -> Window:
    left, right = given if given is not None else (-1, -1)
    return (-1 if left is None else int(left), -1 if right is None else int(right))


def dense(
    q: Any,
    k: Any,
    v: Any,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: Window = (-1, -1),
    softcap: float = 0.0,
    **options: Any,
) -> Any:
    """flash_attn_func of (batch, length, heads, dim)."""
    return attend(q, k, v, softmax_scale, causal, _window(window_size), softcap)


def dense3(
    q: Any, k: Any, v: Any, softmax_scale: float | None = None, causal: bool = False, **options: Any
) -> Any:
    """flash_attn_func of FlashAttention 3, whose fourth argument is the scale."""
    return dense(
        q,
        k,
        v,
        0.0,
        softmax_scale,
        causal,
        options.get("window_size") or (-1, -1),
        options.get("softcap", 0.0),
    )


def varied(
    q: Any,
    k: Any,
    v: Any,
    cu_seqlens_q: Any,
    cu_seqlens_k: Any = None,
    max_seqlen_q: Any = None,
    max_seqlen_k: Any = None,
    *args: Any,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: Window = (-1, -1),
    softcap: float = 0.0,
    **options: Any,
) -> Any:
    """flash_attn_varlen_func of (total, heads, dim): each piece between two offsets attends to itself."""
    keys = cu_seqlens_k if cu_seqlens_k is not None else cu_seqlens_q
    bounds, key_bounds = cu_seqlens_q.tolist(), keys.tolist()
    parts = [torch.zeros_like(q[: bounds[0]])]
    for first, end, key_first, key_end in zip(bounds, bounds[1:], key_bounds, key_bounds[1:], strict=False):
        if end > first:
            one = (q[first:end][None], k[key_first:key_end][None], v[key_first:key_end][None])
            parts.append(attend(*one, softmax_scale, causal, _window(window_size), softcap)[0])
    parts.append(torch.zeros_like(q[bounds[-1] :]))
    return torch.cat(parts)


def packed(qkv: Any, *args: Any, **options: Any) -> Any:
    """flash_attn_qkvpacked_func of (batch, length, 3, heads, dim)."""
    return dense(*qkv.unbind(dim=2), *args, **options)


def packed_varied(qkv: Any, cu_seqlens: Any, max_seqlen: Any, *args: Any, **options: Any) -> Any:
    """flash_attn_varlen_qkvpacked_func of (total, 3, heads, dim)."""
    return varied(*qkv.unbind(dim=1), cu_seqlens, cu_seqlens, max_seqlen, max_seqlen, *args, **options)


FLASH2 = {
    "flash_attn_func": dense,
    "flash_attn_varlen_func": varied,
    "flash_attn_qkvpacked_func": packed,
    "flash_attn_varlen_qkvpacked_func": packed_varied,
}
_PACKAGES = ("flash_attn", "flash_attn_interface", "hopper")
FLASH3 = {**FLASH2, "flash_attn_func": dense3}


def install(context: Context) -> None:
    """Offer flash_attn, flash_attn_interface and their sub-modules; on a GPU those not installed."""
    real = {name for name in _PACKAGES if context.job.device != "cpu" and _installed(name)}

    def told(functions: dict[str, Any]) -> dict[str, Any]:
        return {name: _telling(context, function) for name, function in functions.items()}

    if "flash_attn" not in real:
        made: Any = module("flash_attn", __version__="2.8.3", **told(FLASH2))
        made.__path__ = []
        module("flash_attn.flash_attn_interface", **told(FLASH2))
    if "flash_attn_interface" not in real:
        module("flash_attn_interface", __version__="3.0.0", **told(FLASH3))
    if "hopper" not in real:
        hopper: Any = module("hopper", **told(FLASH3))
        hopper.__path__ = []
        module("hopper.flash_attn_interface", **told(FLASH3))
    for name in (*_PACKAGES, "flash_attn.flash_attn_interface"):
        if name.split(".")[0] not in real:
            sys.modules[name].__spec__ = ModuleSpec(name, None)


def _installed(name: str) -> bool:
    """True for a package of this environment; a stand-in that is there already is none."""
    return name not in sys.modules and importlib.util.find_spec(name) is not None


def _telling(context: Context, function: Any) -> Any:
    def call(*args: Any, **options: Any) -> Any:
        context.used("flash_attn", "attention by explicit softmax")
        with torch._C.DisableTorchFunction():  # nothing inside is a score
            return function(*args, **options)

    call.__name__ = function.__name__
    return call
