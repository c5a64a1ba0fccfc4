"""A model of a few thousand random weights and a stream of short documents, for tests of evaluation."""

import torch

from golf_ref.config import Cfg, preset
from golf_ref.model import GPT

BOS = 1


def small_cfg(*overrides: str) -> Cfg:
    """The tiny preset with every part on, narrower, and windows of 32."""
    return preset(
        "tiny",
        [
            "model_dim=16",
            "num_heads=2",
            "num_kv_heads=1",
            "vocab_size=40",
            "eval_seq_len=32",
            "eval_stride=8",
            "eval_batch_seqs=4",
            "val_batch_tokens=128",
            "ttt_chunk_tokens=64",
            "ttt_eval_seq_len=32",
            "ttt_chunk_size=8",
            "ttt_batch_size=4",
            "ttt_lora_rank=4",
            "ttt_lora_lr=0.05",
            "ttt_lr=0.05",
            "phased_ttt_prefix_docs=8",
            "global_ttt_chunk_tokens=32",
            "global_ttt_lr=0.05",
            *overrides,
        ],
    )


def small_model(cfg: Cfg, seed: int = 0) -> GPT:
    """Random weights everywhere, so that no path is multiplied by a zero of the initialisation."""
    torch.manual_seed(seed)
    model = GPT(cfg.model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    model.set_looping(True)
    return model


def small_stream(lengths: list[int], vocab: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens of documents of these lengths (BOS included); bytes of each target: BOS 0, others 1 to 3."""
    g = torch.Generator().manual_seed(seed)
    tokens = torch.randint(8, vocab, (sum(lengths),), generator=g)
    tokens[torch.tensor([0, *lengths[:-1]]).cumsum(0)] = BOS
    target_bytes = torch.randint(1, 4, (len(tokens) - 1,), generator=g)
    target_bytes[tokens[1:] == BOS] = 0
    return tokens, target_bytes
