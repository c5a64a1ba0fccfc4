"""The training loop keeps its order, its clock and its log, and warm-up leaves nothing behind."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from golf_ref.attention import Segments
from golf_ref.config import Cfg, override
from golf_ref.data import Data
from golf_ref.distributed import Ranks
from golf_ref.log import RunLog
from golf_ref.model import GPT
from golf_ref.tokenizer import BOS_ID
from golf_ref.train import TrainResult, train

SHORT = ["iterations=6", "train_seq_len=32", "train_batch_tokens=128", "eval_seq_len=64", "train_log_every=2"]


def quiet(cfg: Cfg, data: Data, *settings: str, clock: Callable[[], float] | None = None) -> TrainResult:
    cfg = override(cfg, [*SHORT, *settings])
    log = RunLog(echo=False)
    return train(cfg, data, log=log) if clock is None else train(cfg, data, log=log, clock=clock)


def ticking(seconds_per_reading: float) -> Callable[[], float]:
    """A clock that moves only when it is read."""
    now = -seconds_per_reading

    def clock() -> float:
        nonlocal now
        now += seconds_per_reading
        return now

    return clock


def test_the_same_seed_gives_the_same_run(tiny_cfg: Cfg, tiny_data: Data) -> None:
    assert quiet(tiny_cfg, tiny_data).losses == quiet(tiny_cfg, tiny_data).losses
    assert quiet(tiny_cfg, tiny_data).losses != quiet(tiny_cfg, tiny_data, "seed=1").losses


@pytest.mark.parametrize("loader", ["packed", "shuffled", "stream"])
def test_training_lowers_the_loss_with_every_loader(tiny_cfg: Cfg, tiny_data: Data, loader: str) -> None:
    losses = quiet(tiny_cfg, tiny_data, "iterations=12", f"loader={loader}").losses
    assert losses[0] == pytest.approx(5.58, abs=0.2)  # ln 264
    assert losses[-1] < losses[0] - 1


def test_warm_up_leaves_the_run_as_if_it_had_not_been(tiny_cfg: Cfg, tiny_data: Data) -> None:
    cold, warm = quiet(tiny_cfg, tiny_data), quiet(tiny_cfg, tiny_data, "warmup_steps=3")
    assert warm.losses == cold.losses
    for a, b in zip(cold.ema_model.parameters(), warm.ema_model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert [line for line in warm.log.lines if "warmup_step:" in line][::3] == [
        "warmup_step: 1/3",
        "loop_warmup_step: 1/3",
    ]


def test_loops_start_at_their_fraction_and_stay(tiny_cfg: Cfg, tiny_data: Data) -> None:
    result = quiet(tiny_cfg, tiny_data, "iterations=10", "enable_looping_at=0.35")
    (line,) = [line for line in result.log.lines if line.startswith("layer_loop")]
    assert line == "layer_loop:enabled step:4 frac:0.400 encoder:[0, 1, 2, 1] decoder:[2, 1, 2, 3]"
    assert result.model.looping and result.ema_model.looping


def test_the_step_that_crosses_the_cap_is_the_last_one(tiny_cfg: Cfg, tiny_data: Data) -> None:
    # the clock is read at the start and after every step: 10 s each, 35 s of budget
    result = quiet(
        tiny_cfg, tiny_data, "max_wallclock_seconds=40", "gptq_reserve_seconds=5", clock=ticking(10.0)
    )
    assert (result.steps, result.seconds) == (4, 40.0)
    assert "stopping_early: wallclock_cap train_time: 40000ms step: 4/6" in result.log.lines
    assert result.lr_mults == pytest.approx([1.0] + [(1 - spent / 35) / 0.85 for spent in (10, 20, 30)])


def test_a_run_within_its_cap_does_not_say_that_it_stopped(tiny_cfg: Cfg, tiny_data: Data) -> None:
    result = quiet(tiny_cfg, tiny_data, "max_wallclock_seconds=1000", clock=ticking(1.0))
    assert result.steps == 6
    assert not any("stopping_early" in line for line in result.log.lines)


def test_validation_stands_outside_the_clock(
    tiny_cfg: Cfg, tiny_data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    real = train.__globals__["evaluate_plain"]

    def slow_evaluation(*args: object) -> object:
        nonlocal now
        now += 500.0
        return real(*args)

    monkeypatch.setitem(train.__globals__, "evaluate_plain", slow_evaluation)
    result = quiet(tiny_cfg, tiny_data, "val_loss_every=2", "max_wallclock_seconds=600", clock=lambda: now)
    assert (result.steps, result.seconds) == (6, 0.0)
    assert [step for step, _ in result.validations] == [0, 2, 4, 6]


def test_averaged_weights_lag_behind_the_live_ones(tiny_cfg: Cfg, tiny_data: Data) -> None:
    result = quiet(tiny_cfg, tiny_data)
    assert not torch.equal(result.model.qo_bank, result.ema_model.qo_bank)
    naive = quiet(tiny_cfg, tiny_data, "ema_decay=0")
    assert naive.ema_model is naive.model


def test_the_log_has_the_lines_that_reviewers_read(tiny_cfg: Cfg, tiny_data: Data) -> None:
    log = "\n".join(quiet(tiny_cfg, tiny_data, "val_loss_every=4").log.lines)
    number = r"\d+\.\d{4}"
    for pattern in (
        r"^Hyperparameters:\n  adam_eps: 1e-08\n",
        r"^  seed: 42$",
        r"^  world_size: 1$",
        r"^train_shards: \d+$",
        rf"^val_tokens: {len(tiny_data.val_ids) - 1}$",
        r"^model_params:198833$",
        rf"^0/6 val_loss: {number} val_bpb: {number}$",
        rf"^2/6 train_loss: {number} train_time: 0\.0m tok/s: \d+$",
        rf"^6/6 val_loss: {number} val_bpb: {number}$",
    ):
        assert re.search(pattern, log, re.MULTILINE), pattern


def test_the_log_goes_to_its_file_as_it_is_written(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "logs" / "run.txt", echo=False)
    log.line("one")
    assert (tmp_path / "logs" / "run.txt").read_text() == "one\n"
    silent = RunLog(rank=1)
    silent.line("two")
    assert silent.lines == []


def test_micro_batches_must_divide_over_the_ranks(tiny_cfg: Cfg, tiny_data: Data) -> None:
    with pytest.raises(ValueError, match="do not divide"):
        train(override(tiny_cfg, ["micro_batches=3"]), tiny_data, Ranks(0, 2))


@pytest.mark.slow
def test_the_forward_is_one_graph_that_new_documents_do_not_change(tiny_cfg: Cfg) -> None:
    torch.manual_seed(0)
    model = GPT(tiny_cfg.model)
    model.backend = "sdpa"
    compiled = torch.compile(model.nll, fullgraph=True, dynamic=False, backend="aot_eager")
    for layout, bos_at in enumerate(([0, 40], [3, 50, 90])):
        ids = torch.randint(8, 264, (128,))
        ids[bos_at] = BOS_ID
        segments = Segments.from_bos(ids, BOS_ID, 32, pad_to=64)
        with torch.compiler.set_stance("fail_on_recompile" if layout else "default"):
            loss = compiled(ids, ids.roll(-1), segments)
        torch.testing.assert_close(loss, model.nll(ids, ids.roll(-1), segments), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on a CPU needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on importing its compiler
def test_a_compiled_run_trains_like_an_eager_one(tiny_cfg: Cfg, tiny_data: Data) -> None:
    once = ["iterations=3", "enable_looping_at=2", "num_layers=3"]
    eager, compiled = quiet(tiny_cfg, tiny_data, *once), quiet(tiny_cfg, tiny_data, *once, "compile=1")
    assert compiled.losses == pytest.approx(eager.losses, abs=2e-3)
