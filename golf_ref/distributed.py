"""Ranks: torchrun starts one process per device, each holds the whole model and a share of Muon's work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor


class Ranks(NamedTuple):
    """This process among `world` of them; the default is a run without torchrun."""

    rank: int = 0
    world: int = 1


ALONE = Ranks()


def join_ranks() -> tuple[Ranks, torch.device]:
    """Join the process group if torchrun started this process, and pick its device."""
    cuda = torch.cuda.is_available()
    if not dist.is_torchelastic_launched():
        return ALONE, torch.device("cuda" if cuda else "cpu")
    dist.init_process_group("nccl" if cuda else "gloo")
    device = torch.device("cuda", dist.get_node_local_rank()) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    return Ranks(dist.get_rank(), dist.get_world_size()), device


def leave_ranks(ranks: Ranks) -> None:
    if ranks.world > 1:
        dist.destroy_process_group()


def mean_over_ranks(tensors: Iterable[Tensor], ranks: Ranks) -> None:
    """Replace each tensor by its mean over the ranks, all of them in one message."""
    if ranks.world == 1:
        return
    tensors = list(tensors)
    flat = torch.cat([t.flatten() for t in tensors])
    dist.all_reduce(flat, op=dist.ReduceOp.SUM)
    for t, mean in zip(tensors, (flat / ranks.world).split([t.numel() for t in tensors]), strict=True):
        t.copy_(mean.view_as(t))


def sum_over_ranks(x: Tensor, ranks: Ranks) -> Tensor:
    if ranks.world > 1:
        dist.all_reduce(x, op=dist.ReduceOp.SUM)
    return x


def max_over_ranks(x: float, ranks: Ranks, device: torch.device) -> float:
    """The largest of the ranks' values, on every rank."""
    if ranks.world == 1:
        return x
    x_1 = torch.tensor([x], dtype=torch.float64, device=device)
    dist.all_reduce(x_1, op=dist.ReduceOp.MAX)
    return x_1.item()
