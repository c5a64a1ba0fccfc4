"""Random numbers of a script that seeds nothing: the same in every run, so that two runs can be compared.

PyTorch, numpy and Python seed themselves from the system's entropy when nobody else does."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from golf_audit.dynamic.child.context import Context, replace

SEED = 20_260_318
"""Any number: scripts that seed overwrite it."""


def install(context: Context) -> None:
    """Seed the global generators, and numpy's that are made without a seed."""
    torch.manual_seed(SEED)
    random.seed(SEED)
    np.random.seed(SEED)
    made = np.random.default_rng

    def default_rng(seed: Any = None) -> np.random.Generator:
        return made(SEED if seed is None else seed)

    replace(np.random, default_rng=default_rng)
