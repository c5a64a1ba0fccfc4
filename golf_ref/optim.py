"""Which parameter goes to which optimiser, the schedules of a run, and the moving average of the weights."""

from __future__ import annotations

import torch
from torch import Tensor

from golf_ref.config import OptCfg, TrainCfg
from golf_ref.distributed import Ranks, mean_over_ranks, sum_over_ranks
from golf_ref.model import GPT
from golf_ref.muon import Muon

BANKS = ("qo_bank", "kv_bank", "up_bank", "down_bank")


def lr_multiplier(cfg: TrainCfg, frac: float, step: int) -> float:
    """1 until the last part w of the budget, then max((1 - frac) / w, min_lr); there is no lr warm-up.

    The naive baseline counts w in steps; their share of the budget is estimated from the mean step so far.
    """
    w = cfg.warmdown_iters * frac / max(step, 1) if cfg.warmdown_iters else cfg.warmdown_frac
    return 1.0 if frac < 1 - w or w == 0 else max((1 - frac) / w, cfg.min_lr)


def muon_momentum(cfg: OptCfg, step: int) -> float:
    """Linear from muon_momentum_warmup_start to muon_momentum over the first steps."""
    part = min(step / max(cfg.muon_momentum_warmup_steps, 1), 1.0)
    return (1 - part) * cfg.muon_momentum_warmup_start + part * cfg.muon_momentum


class Optimizers:
    """Muon for the four banks, AdamW for the tied embedding and for every scalar, gain and gate."""

    def __init__(self, model: GPT, cfg: OptCfg, ranks: Ranks):
        self.cfg, self.ranks = cfg, ranks
        named = dict(model.named_parameters())
        banks = [named.pop(name) for name in BANKS]
        self.muon = Muon(
            banks,
            cfg.muon_coefficients,
            cfg.muon_backend_steps,
            cfg.muon_row_normalize,
            model.dtype,  # bf16 in the records; fp32 where the model computes in fp32
            ranks,
        )
        embedding = named.pop("tok_emb.weight")
        self.small = [embedding, *named.values()]
        groups = [
            {"params": [embedding], "base_lr": cfg.tied_embed_lr, "weight_decay": cfg.embed_wd},
            {"params": list(named.values()), "base_lr": cfg.scalar_lr, "weight_decay": cfg.adam_wd},
        ]
        cuda = embedding.device.type == "cuda"
        self.adam = torch.optim.AdamW(
            groups, lr=0.0, betas=(cfg.beta1, cfg.beta2), eps=cfg.adam_eps, fused=cuda or None
        )

    @torch.no_grad()
    def step(self, lr_mult: float, step: int) -> None:
        """Average over ranks, clip the global norm, update. The records clip per rank, before the average."""
        bank_grads = self.muon.reduce()
        # A part that cfg leaves unused has no gradient.
        small_grads = [p.grad for p in self.small if p.grad is not None]
        mean_over_ranks(small_grads, self.ranks)
        if self.cfg.grad_clip_norm:
            clip = self._clip_factor(bank_grads, small_grads)
            for g in (*bank_grads, *small_grads):
                g.mul_(clip)
        for group in self.adam.param_groups:
            group["lr"] = group["base_lr"] * lr_mult
        self.adam.step()
        lr = self.cfg.matrix_lr * lr_mult
        self.muon.step(bank_grads, lr, muon_momentum(self.cfg, step), self.cfg.muon_wd)

    def zero_grad(self) -> None:
        for p in (*self.muon.banks, *self.small):
            p.grad = None

    def reset(self) -> None:
        """Forget every step taken."""
        self.muon.reset()
        self.adam.state.clear()

    def _clip_factor(self, bank_grads: list[Tensor], small_grads: list[Tensor]) -> Tensor:
        # min(1, clip / ||g||) over all parameters; each rank holds its own slice of the banks' gradients
        squares = sum_over_ranks(
            torch.stack([g.float().square().sum() for g in bank_grads]).sum(), self.ranks
        )
        squares = squares + torch.stack([g.float().square().sum() for g in small_grads]).sum()
        return (self.cfg.grad_clip_norm / (squares.sqrt() + 1e-6)).clamp_max(1.0)


class Ema:
    """e <- d e + (1 - d) p over every parameter, in fp32, from the initial weights, never bias-corrected."""

    def __init__(self, model: GPT, decay: float):
        self.decay = decay
        self.parameters = list(model.parameters())
        self.average = [p.detach().float().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self) -> None:
        for e, p in zip(self.average, self.parameters, strict=True):
            e.lerp_(p.float(), 1 - self.decay)

    @torch.no_grad()
    def copy_to(self, model: GPT) -> None:
        for e, p in zip(self.average, model.parameters(), strict=True):
            p.copy_(e)
