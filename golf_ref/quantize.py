"""Which tensor is quantised how, and back: un-banked state -> int8 tensors, meta strings -> un-banked state.

    embedding, attention, MLP matrices    GPTQ int5..int7, SDClip factor k per class; LQER for the worst few
    attention gates                       int8 rows, s = max|w| / 127 (#1736)
    everything up to `passthrough_numel`  fp16
    scheme "int8_quantile" (naive)        int8 rows clipped at the 99.99984 % quantile; small tensors fp32

Shapes: R rows, C columns.
"""

import torch
from torch import Tensor

from golf_ref.config import QuantCfg
from golf_ref.gptq import dequantize_rows, gptq, hadamard, round_to_grid, sdclip_scale
from golf_ref.lqer import lqer_asymmetric, lqer_correction, lqer_symmetric, worst_tensors

NAIVE_QUANTILE = 0.9999984  # train_gpt.py at the head of the challenge
EMBEDDING = "tok_emb.weight"
LQER_SUFFIXES = {"A": ".lqA", "sA": ".lqAs", "B": ".lqB", "sB": ".lqBs"}  # the asymmetric form appends "_a"

Quantised = tuple[dict[str, Tensor], dict[str, str]]  # tensors, meta string per original name


def quantize_state(state: dict[str, Tensor], hessians: dict[str, Tensor], cfg: QuantCfg) -> Quantised:
    """Quantise an un-banked state; `hessians` is keyed by the same names as the matrices."""
    tensors: dict[str, Tensor] = {}
    meta: dict[str, str] = {}
    errors: dict[str, Tensor] = {}
    for name, W in state.items():
        W = W.detach().cpu()
        kind = tensor_kind(name, W, cfg)
        if kind == "matrix":
            H_CC = hessians[name].cpu() if cfg.quant_scheme == "gptq" else None
            q_RC, s_R, errors[name], meta[name] = quantize_matrix(name, W.float(), H_CC, cfg)
            tensors[name + ".q"], tensors[name + ".scale"] = q_RC, s_R
        elif kind == "gate":
            s_R = (W.float().abs().amax(dim=1) / 127).clamp_min(2.0**-24).half()
            tensors[name + ".gq"], tensors[name + ".gs"] = round_to_grid(W, s_R, 8), s_R
            meta[name] = "gate_int8_row"
        else:
            tensors[name] = W if kind == "exact" else W.half()
            meta[name] = f"passthrough ({str(tensors[name].dtype).removeprefix('torch.')})"
    if cfg.lqer_enabled:
        for name in worst_tensors(errors, cfg.lqer_top_k):
            meta[name] += add_lqer(tensors, name, errors[name], cfg)
    return tensors, meta


def tensor_kind(name: str, W: Tensor, cfg: QuantCfg) -> str:
    """ "matrix", "gate", "half" or "exact"."""
    if not W.is_floating_point():
        return "exact"
    if cfg.gated_attn_quant_gate and name.endswith("attn_gate_w") and 32 <= W.numel() <= 8192:
        return "gate"
    if W.ndim == 2 and W.numel() > cfg.passthrough_numel:
        return "matrix"
    return "half" if cfg.quant_scheme == "gptq" else "exact"


def matrix_grid(name: str, cfg: QuantCfg) -> tuple[int, float]:
    """Bits and clip factor k of one matrix."""
    if name == EMBEDDING:
        return cfg.embed_bits, cfg.embed_clip_sigmas
    if ".mlp." in name:
        bits = cfg.matrix_bits_mlp_fc if ".fc." in name else 0
        return bits or cfg.matrix_bits, cfg.mlp_clip_sigmas or cfg.matrix_clip_sigmas
    if ".attn." in name:
        bits = cfg.matrix_bits_kv if ".c_k." in name or ".c_v." in name else 0
        return bits or cfg.matrix_bits, cfg.attn_clip_sigmas or cfg.matrix_clip_sigmas
    return cfg.matrix_bits, cfg.matrix_clip_sigmas


def quantize_matrix(
    name: str, W_RC: Tensor, H_CC: Tensor | None, cfg: QuantCfg
) -> tuple[Tensor, Tensor, Tensor, str]:
    """Integers, row scales, error W - s q (in the rotated space where one is used) and the meta string."""
    if H_CC is None:
        s_R = (quantile_clip(W_RC) / 127).clamp_min(1 / 127).half()
        q_RC = round_to_grid(W_RC, s_R, 8)
        return q_RC, s_R, W_RC - dequantize_rows(q_RC, s_R), "int8_quantile"
    bits, k = matrix_grid(name, cfg)
    note = f"gptq (int{bits})"
    if cfg.hadamard_rotate and name != EMBEDDING:
        Q_CC = hadamard(W_RC.shape[1])
        W_RC, H_CC = (W_RC.double() @ Q_CC).float(), Q_CC @ H_CC.double() @ Q_CC  # W Q^T and Q H Q^T, Q = Q^T
        note += "+hadamard"
    s_R = sdclip_scale(W_RC, bits, k)
    q_RC = gptq(W_RC, H_CC, s_R, bits, cfg.gptq_block_size, cfg.gptq_damp)
    return q_RC, s_R, W_RC - dequantize_rows(q_RC, s_R), note


def quantile_clip(W_RC: Tensor) -> Tensor:
    """Per row, the NAIVE_QUANTILE quantile of |w| (linear interpolation)."""
    return torch.quantile(W_RC.abs(), NAIVE_QUANTILE, dim=1)


def add_lqer(tensors: dict[str, Tensor], name: str, E_RC: Tensor, cfg: QuantCfg) -> str:
    """Store the low-rank factors of one error; returns what to append to the meta string."""
    asymmetric = cfg.lqer_asym_enabled and (cfg.lqer_rank * E_RC.shape[1]) % cfg.lqer_asym_group == 0
    if asymmetric:
        factors = lqer_asymmetric(E_RC, cfg.lqer_rank, cfg.lqer_asym_group)
    else:
        factors = lqer_symmetric(E_RC, cfg.lqer_rank, cfg.lqer_factor_bits)
    for part, suffix in LQER_SUFFIXES.items():
        tensors[name + suffix + ("_a" if asymmetric else "")] = factors[part]
    return "+lqer_asym" if asymmetric else "+lqer"


def dequantize_state(tensors: dict[str, Tensor], meta: dict[str, str]) -> dict[str, Tensor]:
    """The un-banked state in fp32: W = (s q + (s_A A)(s_B B)) Q, each part where the meta string names it."""
    return {name: dequantize_tensor(tensors, name, note) for name, note in meta.items()}


def dequantize_tensor(tensors: dict[str, Tensor], name: str, note: str) -> Tensor:
    if note.startswith("passthrough"):
        W = tensors[name]
        return W.float() if W.is_floating_point() else W
    if note == "gate_int8_row":
        return dequantize_rows(tensors[name + ".gq"], tensors[name + ".gs"])
    W_RC = dequantize_rows(tensors[name + ".q"], tensors[name + ".scale"])
    if "+lqer" in note:
        end = "_a" if "+lqer_asym" in note else ""
        factors = {part: tensors[name + suffix + end] for part, suffix in LQER_SUFFIXES.items()}
        W_RC += lqer_correction(factors)
    if "+hadamard" in note:
        W_RC = (W_RC.double() @ hadamard(W_RC.shape[1])).float()
    return W_RC
