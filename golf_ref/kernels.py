"""Triton kernels of the two hot spots, for half precision on CUDA.

The eager forms in losses.py and layers.py are their definition, and what runs everywhere else.

Shapes: T packed tokens, V vocabulary, D model dim, F hidden dim of the MLP; M, N, K of one matrix product.
"""

from __future__ import annotations

import torch
from torch import Tensor

try:
    import triton
    import triton.language as tl
except ImportError:  # CPU builds of torch come without it
    triton = None

if triton is not None:

    @triton.jit
    def _nll_forward(z_ptr, target_ptr, loss_ptr, lse_ptr, cap, V, BLOCK: tl.constexpr):
        # u = 2c sigmoid(2z/c) = c + c tanh(z/c): the soft cap plus a constant, which softmax does not see.
        # One row per program: running maximum m and sum s of exp(u - m) over blocks of the vocabulary.
        t = tl.program_id(0).to(tl.int64)
        m = float("-inf")
        s = 0.0
        for start in range(0, V, BLOCK):
            v = start + tl.arange(0, BLOCK)
            z = tl.load(z_ptr + t * V + v, mask=v < V, other=0.0).to(tl.float32)
            u = tl.where(v < V, 2 * cap * tl.sigmoid(2 * z / cap), float("-inf"))
            m_next = tl.maximum(m, tl.max(u, 0))
            s = s * tl.exp(m - m_next) + tl.sum(tl.exp(u - m_next), 0)
            m = m_next
        lse = m + tl.log(s)
        z_target = tl.load(z_ptr + t * V + tl.load(target_ptr + t)).to(tl.float32)
        tl.store(lse_ptr + t, lse)
        tl.store(loss_ptr + t, lse - 2 * cap * tl.sigmoid(2 * z_target / cap))

    @triton.jit
    def _nll_backward(z_ptr, target_ptr, lse_ptr, dloss_ptr, dz_ptr, cap, V, BLOCK: tl.constexpr):
        # dz = dloss (softmax(u) - [v = target]) du/dz,  du/dz = 4 sigma (1 - sigma)
        t = tl.program_id(0).to(tl.int64)
        v = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
        z = tl.load(z_ptr + t * V + v, mask=v < V, other=0.0).to(tl.float32)
        sigma = tl.sigmoid(2 * z / cap)
        p = tl.exp(2 * cap * sigma - tl.load(lse_ptr + t))
        p = tl.where(v == tl.load(target_ptr + t), p - 1.0, p)
        dz = tl.load(dloss_ptr + t) * p * 4 * sigma * (1 - sigma)
        tl.store(dz_ptr + t * V + v, dz.to(dz_ptr.dtype.element_ty), mask=v < V)

    @triton.jit
    def _matmul_phi(
        a_ptr, b_ptr, p_ptr, out_ptr, M, N, K, b_row, b_column,
        FORWARD: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr,
    ):  # fmt: skip
        # FORWARD: p = a b, out = phi(p).  Else: out = (a b) phi'(p).  a [M, K], b [K, N] by strides.
        # Programs walk GROUP row blocks down before the next column block, so b stays in the L2 cache.
        row_blocks, column_blocks = tl.cdiv(M, BM), tl.cdiv(N, BN)
        pid = tl.program_id(0)
        first = pid // (GROUP * column_blocks) * GROUP
        height = min(row_blocks - first, GROUP)
        row_block = first + pid % (GROUP * column_blocks) % height
        column_block = pid % (GROUP * column_blocks) // height
        m = (row_block * BM + tl.arange(0, BM)).to(tl.int64)[:, None]
        n = (column_block * BN + tl.arange(0, BN))[None, :]
        acc = tl.zeros((BM, BN), dtype=tl.float32)
        for start in range(0, K, BK):
            k = start + tl.arange(0, BK)
            a = tl.load(a_ptr + m * K + k[None, :], mask=(m < M) & (k[None, :] < K), other=0.0)
            b = tl.load(b_ptr + k[:, None] * b_row + n * b_column, mask=(k[:, None] < K) & (n < N), other=0.0)
            acc = tl.dot(a, b, acc)
        inside = (m < M) & (n < N)
        dtype = out_ptr.dtype.element_ty
        if FORWARD:
            p = acc.to(dtype)  # rounded first, as the eager form does
            tl.store(p_ptr + m * N + n, p, mask=inside)
            p = p.to(tl.float32)
            leaky = tl.where(p > 0, p, 0.5 * p)
            out = leaky * leaky
        else:
            p = tl.load(p_ptr + m * N + n, mask=inside, other=0.0).to(tl.float32)
            out = acc * tl.where(p > 0, 2 * p, 0.5 * p)
        tl.store(out_ptr + m * N + n, out.to(dtype), mask=inside)


def triton_runs_on(x: Tensor) -> bool:
    """Whether the kernels serve this tensor; the reference numerics (fp32) stay eager."""
    return triton is not None and x.is_cuda and x.dtype in (torch.bfloat16, torch.float16)


class _SoftcapNll(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z_TV: Tensor, targets_T: Tensor, cap: float) -> Tensor:
        z_TV = z_TV.contiguous()
        T, V = z_TV.shape
        loss_T, lse_T = (torch.empty(T, dtype=torch.float32, device=z_TV.device) for _ in range(2))
        _nll_forward[(T,)](z_TV, targets_T, loss_T, lse_T, cap, V, BLOCK=1024)
        ctx.save_for_backward(z_TV, targets_T, lse_T)
        ctx.cap = cap
        return loss_T

    @staticmethod
    def backward(ctx, dloss_T: Tensor) -> tuple[Tensor, None, None]:
        z_TV, targets_T, lse_T = ctx.saved_tensors
        T, V = z_TV.shape
        dz_TV = torch.empty_like(z_TV)
        grid = (T, triton.cdiv(V, 1024))
        _nll_backward[grid](z_TV, targets_T, lse_T, dloss_T.contiguous(), dz_TV, ctx.cap, V, BLOCK=1024)
        return dz_TV, None, None


def fused_softcap_nll(z_TV: Tensor, targets_T: Tensor, cap: float) -> Tensor:
    """losses.softcapped_nll in one read of the logits forward and one backward (#1787)."""
    return _SoftcapNll.apply(z_TV, targets_T, cap)


class _LeakyRelu2Mlp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, n_TD: Tensor, up_FD: Tensor, down_DF: Tensor) -> Tensor:
        n_TD = n_TD.contiguous()
        p_TF = n_TD.new_empty(n_TD.shape[0], up_FD.shape[0])
        hidden_TF = _run_matmul_phi(n_TD, up_FD.T, p_TF, forward=True)
        ctx.save_for_backward(n_TD, up_FD, down_DF, p_TF, hidden_TF)
        return hidden_TF @ down_DF.T

    @staticmethod
    def backward(ctx, dy_TD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        n_TD, up_FD, down_DF, p_TF, hidden_TF = ctx.saved_tensors
        dp_TF = _run_matmul_phi(dy_TD.contiguous(), down_DF, p_TF, forward=False)
        return dp_TF @ up_FD, dp_TF.T @ n_TD, dy_TD.T @ hidden_TF


def fused_leaky_relu2_mlp(n_TD: Tensor, up_FD: Tensor, down_DF: Tensor) -> Tensor:
    """LeakyReLU_0.5(n Wu^T)^2 Wd^T with the activation inside the matrix products (#1530)."""
    return _LeakyRelu2Mlp.apply(n_TD, up_FD, down_DF)


def _run_matmul_phi(a_MK: Tensor, b_KN: Tensor, p_MN: Tensor, forward: bool) -> Tensor:
    (M, K), N = a_MK.shape, b_KN.shape[1]
    out_MN = a_MK.new_empty(M, N)
    BM, BN, BK = 128, 128, 64
    grid = (triton.cdiv(M, BM) * triton.cdiv(N, BN),)
    _matmul_phi[grid](
        a_MK, b_KN, p_MN, out_MN, M, N, K, b_KN.stride(0), b_KN.stride(1),
        FORWARD=forward, BM=BM, BN=BN, BK=BK, GROUP=8, num_warps=8, num_stages=3,
    )  # fmt: skip
    return out_MN
