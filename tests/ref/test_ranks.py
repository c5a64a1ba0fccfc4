"""Evaluation divided over two gloo ranks: the same positions, each once, and the score of one rank."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from golf_ref.distributed import ALONE, Ranks
from golf_ref.evaluate import Score, evaluate_plain, evaluate_sliding
from golf_ref.log import RunLog
from golf_ref.ttt_lora import evaluate_lora_ttt
from golf_ref.ttt_sgd import evaluate_sgd_ttt
from tests.ref.small import small_cfg, small_model, small_stream

LENGTHS = [20, 3, 32, 12, 1, 18, 9, 28, 25, 5, 70]


def score(driver: str, ranks: Ranks, *overrides: str) -> Score:
    cfg = small_cfg(*overrides)
    model, stream = small_model(cfg), small_stream(LENGTHS)
    if driver == "plain":
        return evaluate_plain(model, *stream, cfg.eval, ranks)
    if driver == "sliding":
        return evaluate_sliding(model, *stream, cfg.eval, ranks)
    if driver == "sgd":
        return evaluate_sgd_ttt(model, *stream, cfg.eval, cfg.ttt, ranks)
    return evaluate_lora_ttt(model, *stream, cfg.ttt, 2, 0, RunLog(echo=False), ranks)


def one_rank(rank: int, meeting: str, drivers: list[tuple[str, ...]], results: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    scores = [score(driver, Ranks(rank, 2), *overrides) for driver, *overrides in drivers]
    torch.save([tuple(vars(s).values()) for s in scores], f"{results}.{rank}")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_ranks_score_what_one_scores(tmp_path):
    frozen = ("phased", "ttt_lora_lr=0", "global_ttt_lr=0")
    drivers = [("plain",), ("sliding",), ("sgd",), frozen, ("phased",)]
    args = (str(tmp_path / "meeting"), drivers, str(tmp_path / "scores"))
    mp.spawn(one_rank, args, nprocs=2)
    first, second = (torch.load(tmp_path / f"scores.{rank}") for rank in range(2))
    assert first == second, "all ranks report one score"
    for (driver, *overrides), (val_loss, _, tokens, n_bytes) in zip(drivers[:-1], first, strict=False):
        alone = score(driver, ALONE, *overrides)
        assert (tokens, n_bytes) == (alone.tokens, alone.bytes), driver
        assert val_loss == pytest.approx(alone.val_loss, abs=1e-5), driver
    # Learning adapters: rank 1 warms its own A, so the score differs, but still counts each position once.
    assert first[-1][2] == sum(LENGTHS) - 1
