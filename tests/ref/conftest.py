"""One thread, as tests share their cores, and Triton's interpreter where there is no GPU to compile for."""

import os

import pytest
import torch

from golf_ref.config import Cfg, preset
from golf_ref.data import Data, load_data
from golf_ref.data_prepare import prepare

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when golf_ref.kernels is first imported
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_cfg(tmp_path_factory: pytest.TempPathFactory) -> Cfg:
    """The tiny preset with shards of the running Python's own sources."""
    folder = tmp_path_factory.mktemp("shards")
    cfg = preset("tiny", [f"data_path={folder}", "max_docs=300", "val_docs=10", "shard_tokens=60000"])
    prepare(cfg, folder)
    return cfg


@pytest.fixture(scope="session")
def tiny_data(tiny_cfg: Cfg) -> Data:
    return load_data(tiny_cfg)
