"""LQER: a quantised low-rank correction of the quantisation error (arXiv:2402.02446; form of #1797).

    E = W - s q ~ (U_K S_K)(V_K^T) = A B,      on load  W = s q + (s_A A)(s_B B)

Shapes: R rows, C columns, K rank, G groups of B. Factors are held as int8; entropy coding does the packing.
"""

import torch
from torch import Tensor

ASYM_A_RANGE = (-2, 1)  # two bits, one scale max|A| / 1.5 (#1797)
ASYM_B_RANGE = (-8, 7)  # four bits, one scale max|group| / 7.5 per group


def low_rank_factors(E_RC: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Best rank-K factors of E in the Frobenius norm: A = U_K S_K [R, K], B = V_K^T [K, C]."""
    U_RC, S_C, Vt_CC = torch.linalg.svd(E_RC.double(), full_matrices=False)
    return U_RC[:, :rank] * S_C[:rank], Vt_CC[:rank]


def quantize_groups(X_GN: Tensor, halfway: float, lo: int, hi: int) -> tuple[Tensor, Tensor]:
    """Per row: fp16 scale max|x| / halfway, integers round-clamped to [lo, hi]."""
    scale_G = (X_GN.abs().amax(dim=1) / halfway).clamp_min(2.0**-24).half()
    q_GN = (X_GN / scale_G.double()[:, None]).round().clamp(lo, hi).to(torch.int8)
    return q_GN, scale_G


def lqer_asymmetric(E_RC: Tensor, rank: int, group: int) -> dict[str, Tensor]:
    """2-bit A with one scale, 4-bit B with a scale per `group` entries of the flattened matrix."""
    A_RK, B_KC = low_rank_factors(E_RC, rank)
    if B_KC.numel() % group:
        raise ValueError(f"B has {B_KC.numel()} entries, not a multiple of the group {group}")
    qA_1N, sA_1 = quantize_groups(A_RK.reshape(1, -1), 1.5, *ASYM_A_RANGE)
    qB_GN, sB_G = quantize_groups(B_KC.reshape(-1, group), 7.5, *ASYM_B_RANGE)
    return {"A": qA_1N.reshape(A_RK.shape), "sA": sA_1, "B": qB_GN.reshape(B_KC.shape), "sB": sB_G}


def lqer_symmetric(E_RC: Tensor, rank: int, bits: int) -> dict[str, Tensor]:
    """Fallback when B does not divide into groups: one scale per row of each factor, integers in +-Q."""
    Q = (1 << (bits - 1)) - 1
    A_RK, B_KC = low_rank_factors(E_RC, rank)
    qA_RK, sA_R = quantize_groups(A_RK, Q, -Q, Q)
    qB_KC, sB_K = quantize_groups(B_KC, Q, -Q, Q)
    return {"A": qA_RK, "sA": sA_R, "B": qB_KC, "sB": sB_K}


def lqer_correction(factors: dict[str, Tensor]) -> Tensor:
    """(s_A A)(s_B B) in fp32 [R, C]; the number of scales tells whether they are per matrix, row or group."""
    A_RK, B_KC = factors["A"].float(), factors["B"].float()
    A_RK = (A_RK.reshape(factors["sA"].numel(), -1) * factors["sA"].float()[:, None]).reshape(A_RK.shape)
    B_KC = (B_KC.reshape(factors["sB"].numel(), -1) * factors["sB"].float()[:, None]).reshape(B_KC.shape)
    return A_RK @ B_KC


def worst_tensors(errors: dict[str, Tensor], top_k: int) -> list[str]:
    """The top_k names by ||E||_F, largest first."""
    norms = {name: float(E_RC.norm()) for name, E_RC in errors.items()}
    return sorted(norms, key=lambda name: (-norms[name], name))[:top_k]
