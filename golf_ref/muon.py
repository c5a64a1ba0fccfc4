"""Muon (Jordan et al. 2024) on banks of matrices: momentum, row normalisation, Newton-Schulz, sharded.

Shapes: B matrices of a bank, each R rows by C columns; b = ceil(B / ranks), one rank's share of a bank.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor

from golf_ref.distributed import Ranks

# (a, b, c) of X <- a X + (b A + c A^2) X per step.
NEWTON_SCHULZ = {
    # Polar Express (arXiv:2505.16932), tuned for exactly five steps: singular values in [1e-3, 1] land in
    # [0.859, 1.141]. First used in #1344.
    "polar_express": (
        (8.156554524902461, -22.48329292557795, 15.878769915207462),
        (4.042929935166739, -2.808917465908714, 0.5000178451051316),
        (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
        (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
        (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
    ),
    # Keller Jordan's original tuple: [1e-2, 1] lands in [0.682, 1.134].
    "classic": ((3.4445, -4.7750, 2.0315),) * 5,
}


def newton_schulz(G_BRC: Tensor, coefficients: str, steps: int, dtype: torch.dtype) -> Tensor:
    """U V^T of each matrix G = U S V^T, approximately; the matrix products run in `dtype`."""
    X = G_BRC.to(dtype)
    wide = X.shape[-2] <= X.shape[-1]
    X = X if wide else X.mT
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for a, b, c in NEWTON_SCHULZ[coefficients][:steps]:
        A = X @ X.mT
        X = torch.baddbmm(X, torch.baddbmm(A, A, A, beta=b, alpha=c), X, beta=a)
    return X if wide else X.mT


def normalize_rows(G_BRC: Tensor) -> Tensor:
    """MuonEq-R (#1217): every row of the update enters Newton-Schulz with length one."""
    return G_BRC / G_BRC.norm(dim=-1, keepdim=True).clamp_min(1e-7)


class Muon:
    """One optimiser step over all banks; each rank orthogonalises its own slice of every bank.

    The momentum lives here, outside any optimiser state dict: `reset` clears it after the warm-up (in the
    records' multi-GPU runs it survives, refspec 8.16).
    """

    def __init__(
        self,
        banks: Iterable[torch.nn.Parameter],
        coefficients: str,
        steps: int,
        row_normalize: bool,
        dtype: torch.dtype,
        ranks: Ranks,
    ):
        self.banks = sorted(banks, key=lambda bank: bank.numel(), reverse=True)  # largest message first
        self.coefficients, self.steps, self.row_normalize = coefficients, steps, row_normalize
        self.dtype, self.ranks = dtype, ranks
        self.momenta = [torch.zeros_like(self._slice(bank), dtype=dtype) for bank in self.banks]

    def reset(self) -> None:
        for m_bRC in self.momenta:
            m_bRC.zero_()

    def reduce(self) -> list[Tensor]:
        """This rank's slice of every bank's gradient, averaged over the ranks, in the order of `banks`."""
        if self.ranks.world == 1:
            return [bank.grad.to(self.dtype) for bank in self.banks]
        slices = [torch.empty_like(m_bRC) for m_bRC in self.momenta]
        messages = [
            dist.reduce_scatter_tensor(g_bRC, self._padded(bank.grad.to(self.dtype)), async_op=True)
            for bank, g_bRC in zip(self.banks, slices, strict=True)
        ]
        for message in messages:
            message.wait()
        return [g_bRC / self.ranks.world for g_bRC in slices]

    @torch.no_grad()
    def step(self, grads: list[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        pending = None  # a bank whose update is still on its way while the next one is orthogonalised
        for bank, g_bRC, m_bRC in zip(self.banks, grads, self.momenta, strict=True):
            # m <- mu m + g;  u = g + mu m (Nesterov)
            m_bRC.mul_(momentum).add_(g_bRC)
            u_bRC = g_bRC + momentum * m_bRC
            if self.row_normalize:
                u_bRC = normalize_rows(u_bRC)
            u_bRC = newton_schulz(u_bRC, self.coefficients, self.steps, self.dtype)
            arriving = self._gather(u_bRC)
            if pending is not None:
                self._apply(*pending, lr, weight_decay)
            pending = (bank, *arriving)
        if pending is not None:
            self._apply(*pending, lr, weight_decay)

    def _gather(self, u_bRC: Tensor) -> tuple[list[Tensor], dist.Work | None]:
        if self.ranks.world == 1:
            return [u_bRC], None
        parts = [torch.empty_like(u_bRC) for _ in range(self.ranks.world)]
        return parts, dist.all_gather(parts, u_bRC.contiguous(), async_op=True)

    def _apply(
        self, bank: Tensor, parts: list[Tensor], message: dist.Work | None, lr: float, weight_decay: float
    ) -> None:
        if message is not None:
            message.wait()
        U_BRC = torch.cat(parts)[: len(bank)] if message is not None else parts[0]
        # W <- (1 - lr wd) W - lr sqrt(max(1, R/C)) U
        R, C = bank.shape[-2:]
        bank.mul_(1 - lr * weight_decay).add_(U_BRC, alpha=-lr * max(1, R / C) ** 0.5)

    def _padded(self, G_BRC: Tensor) -> Tensor:
        missing = -len(G_BRC) % self.ranks.world
        return torch.cat((G_BRC, G_BRC.new_zeros(missing, *G_BRC.shape[1:])))

    def _slice(self, bank: Tensor) -> Tensor:
        b = -(-len(bank) // self.ranks.world)
        return bank.detach().new_empty(b, *bank.shape[1:])
