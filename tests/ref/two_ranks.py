"""Run by torchrun in test_distributed.py: a few steps, then each rank's losses and weights to a file."""

import sys

import torch

from golf_ref.config import preset
from golf_ref.data import load_data
from golf_ref.distributed import join_ranks, leave_ranks
from golf_ref.log import RunLog
from golf_ref.train import train

if __name__ == "__main__":
    out, *settings = sys.argv[1:]
    torch.set_num_threads(1)
    ranks, device = join_ranks()
    cfg = preset("tiny", settings)
    result = train(cfg, load_data(cfg), ranks, device, RunLog(echo=False, rank=ranks.rank))
    torch.save({"losses": result.losses, "weights": result.model.state_dict()}, f"{out}.{ranks.rank}")
    leave_ranks(ranks)
