"""GPTQ with SDClip scales: rounding that pays for each column's error with the columns still to come.

    minimise  tr(E H E^T),  E = W - s q,   one column at a time                       (GPTQ, arXiv:2210.17323)
    U = upper Cholesky factor of H^-1:   H^-1 = U^T U
    q_j = clamp(round(w_j / s), -Q, Q);  e = (w_j - s q_j) / U_jj;  W_{:,j+1:} -= e U_{j,j+1:}

Shapes: R rows (outputs), C columns (inputs), B columns of one block. Q = 2^(bits-1) - 1, symmetric range.
The linear algebra runs in float64: both factorisations below then give the same integers.
"""

import math

import torch
from torch import Tensor

SMALLEST_FP16 = 2.0**-24  # the record floors at 1e-10, which fp16 rounds to 0: a zero row would divide by it


def integer_range(bits: int) -> int:
    """Largest magnitude Q of a symmetric integer grid."""
    return (1 << (bits - 1)) - 1


def sdclip_scale(W_RC: Tensor, bits: int, k: float) -> Tensor:
    """One fp16 step per row: s_r = k * std(W_r) / Q, unbiased std, no search (#1394)."""
    s_R = k * W_RC.double().std(dim=1) / integer_range(bits)
    return s_R.clamp_min(SMALLEST_FP16).half()


def round_to_grid(W_RC: Tensor, s_R: Tensor, bits: int) -> Tensor:
    """Round to nearest: q = clamp(round(W / s), -Q, Q) as int8 [R, C]."""
    Q = integer_range(bits)
    return (W_RC.double() / s_R.double()[:, None]).round().clamp(-Q, Q).to(torch.int8)


def dequantize_rows(q_RC: Tensor, s_R: Tensor) -> Tensor:
    """s q in fp32 [R, C]."""
    return q_RC.float() * s_R.float()[:, None]


def h_norm_error(W_RC: Tensor, W_hat_RC: Tensor, H_CC: Tensor) -> float:
    """tr(E H E^T): the squared output error of the map on the inputs behind H."""
    E_RC = (W_RC - W_hat_RC).double()
    return float(((E_RC @ H_CC.double()) * E_RC).sum())


def inverse_factor(H_CC: Tensor, reverse: bool) -> Tensor:
    """Upper U with H^-1 = U^T U. `reverse`: with J the reversal, L = chol(J H J), U = J L^-1 J (#1938)."""
    if reverse:
        L_CC = torch.linalg.cholesky(H_CC.flip(0, 1))
        eye_CC = torch.eye(len(H_CC), dtype=H_CC.dtype, device=H_CC.device)
        return torch.linalg.solve_triangular(L_CC, eye_CC, upper=False).flip(0, 1)
    H_inv_CC = torch.cholesky_inverse(torch.linalg.cholesky(H_CC))
    return torch.linalg.cholesky(H_inv_CC, upper=True)


def gptq(
    W_RC: Tensor,
    H_CC: Tensor,
    s_R: Tensor,
    bits: int,
    block: int = 128,
    damp: float = 0.01,
    reverse: bool = True,
) -> Tensor:
    """Quantise W [R, C] against the Hessian H [C, C] with fixed row scales; returns int8 q [R, C]."""
    W_RC, H_CC = W_RC.double().clone(), H_CC.double().clone()
    dead_C = H_CC.diagonal() == 0  # inputs that never fired: their weights change nothing
    H_CC.diagonal()[dead_C] = 1.0
    W_RC[:, dead_C] = 0.0
    H_CC.diagonal().add_(damp * H_CC.diagonal().mean())
    # Loudest inputs first: their errors have the most columns left to be repaid with.
    order_C = H_CC.diagonal().argsort(descending=True, stable=True)
    U_CC = inverse_factor(H_CC[order_C][:, order_C], reverse)
    q_RC = quantize_columns(W_RC[:, order_C], U_CC, s_R.double(), integer_range(bits), block)
    return q_RC[:, order_C.argsort()].to(torch.int8)


def quantize_columns(W_RC: Tensor, U_CC: Tensor, s_R: Tensor, Q: int, block: int) -> Tensor:
    """The column loop; far columns are corrected by one matrix product per block. Consumes W."""
    C = W_RC.shape[1]
    q_RC = torch.zeros_like(W_RC)
    for lo in range(0, C, block):
        hi = min(lo + block, C)
        W_RB, U_BB = W_RC[:, lo:hi].clone(), U_CC[lo:hi, lo:hi]
        err_RB = torch.zeros_like(W_RB)
        for j in range(hi - lo):
            q_R = (W_RB[:, j] / s_R).round().clamp(-Q, Q)
            e_R = (W_RB[:, j] - q_R * s_R) / U_BB[j, j]
            W_RB[:, j:] -= e_R[:, None] * U_BB[j, j:]
            q_RC[:, lo + j], err_RB[:, j] = q_R, e_R
        W_RC[:, hi:] -= err_RB @ U_CC[lo:hi, hi:]
    return q_RC


def hadamard(C: int) -> Tensor:
    """Sylvester's matrix over sqrt(C): symmetric, orthogonal, its own inverse. C is a power of two."""
    if C & (C - 1):
        raise ValueError(f"a Sylvester-Hadamard matrix needs a power of two, not {C}")
    S_CC = torch.ones(1, 1, dtype=torch.float64)
    while len(S_CC) < C:
        S_CC = torch.cat([torch.cat([S_CC, S_CC], 1), torch.cat([S_CC, -S_CC], 1)], 0)
    return S_CC / math.sqrt(C)
