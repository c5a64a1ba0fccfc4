"""The training run: warm-up, then steps against the clock, in the log dialect of #1394 and its successors."""

from __future__ import annotations

import copy
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from golf_ref.attention import Segments, pick_backend
from golf_ref.config import Cfg, DataCfg, hyperparameters
from golf_ref.data import Data, Prefetcher, make_loader
from golf_ref.distributed import ALONE, Ranks, max_over_ranks, mean_over_ranks
from golf_ref.evaluate import Score, evaluate_plain
from golf_ref.log import RunLog, progress
from golf_ref.model import GPT, executed_layers
from golf_ref.optim import Ema, Optimizers, lr_multiplier

Nll = Callable[[Tensor, Tensor, Segments], Tensor]  # GPT.nll, or its compiled form
# Numbers of boundaries that get a compiled graph before the clock (#1530).
CU_SEQLENS_BUCKETS = (64, 128, 192, 256)


@dataclass
class TrainResult:
    """The model after the last step, the same with averaged weights, and what happened on the way."""

    model: GPT
    ema_model: GPT  # equals `model` where the preset has no EMA
    log: RunLog
    steps: int = 0
    seconds: float = 0.0  # on the training clock: without warm-up and validation
    losses: list[float] = field(default_factory=list)  # nats per token, per step, mean over ranks
    lr_mults: list[float] = field(default_factory=list)  # per step
    validations: list[tuple[int, Score]] = field(default_factory=list)  # after this many steps


class Stopwatch:
    """Time that counts: runs while training, stands during warm-up and validation."""

    def __init__(self, clock: Callable[[], float], device: torch.device):
        self.clock, self.device = clock, device
        self.kept, self.since = 0.0, 0.0

    def start(self) -> None:
        self._settle()
        self.since = self.clock()

    def stop(self) -> None:
        self.kept = self.seconds()

    def seconds(self) -> float:
        """Counted so far, with the device's queue done; only while the watch runs."""
        self._settle()
        return self.kept + self.clock() - self.since

    def _settle(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@dataclass(frozen=True)
class Setup:
    """What the functions of one training run share."""

    cfg: Cfg
    data: Data
    model: GPT
    nll: Nll
    optimizers: Optimizers
    ranks: Ranks
    device: torch.device
    log: RunLog

    def loader(self) -> Prefetcher:
        """The training loader from its beginning."""
        files, rank, world = self.data.train_files, self.ranks.rank, self.ranks.world
        return Prefetcher(make_loader(self.cfg, files, rank, world), self.device)


def train(
    cfg: Cfg,
    data: Data,
    ranks: Ranks = ALONE,
    device: torch.device | str = "cpu",
    log: RunLog | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> TrainResult:
    """Train one model under cfg; `clock` is what the wall-clock cap is measured with, in seconds."""
    if cfg.train.micro_batches % ranks.world:
        raise ValueError(f"{cfg.train.micro_batches} micro-batches do not divide over {ranks.world} ranks")
    log = log if log is not None else RunLog(rank=ranks.rank)
    seed_everything(cfg.train.seed)
    model = GPT(cfg.model).to(device)
    nll = compiled_nll(model) if cfg.train.compile else model.nll
    optimizers = Optimizers(model, cfg.opt, ranks)
    setup = Setup(cfg, data, model, nll, optimizers, ranks, torch.device(device), log)
    log_header(setup)
    if cfg.train.warmup_steps:
        warm_up(setup)
    return run(setup, clock)


def run(s: Setup, clock: Callable[[], float]) -> TrainResult:
    """The timed part: steps until the budget or the iterations are used up."""
    t = s.cfg.train
    budget = t.max_wallclock_seconds - t.gptq_reserve_seconds if t.max_wallclock_seconds else 0.0
    loader, ema = s.loader(), Ema(s.model, s.cfg.opt.ema_decay)
    result = TrainResult(s.model, s.model, s.log)
    losses: list[Tensor] = []
    seconds, out_of_time = 0.0, False
    watch = Stopwatch(clock, s.device)
    watch.start()
    for step in progress(range(t.iterations + 1), t.iterations + 1, "train"):
        last = out_of_time or step == t.iterations
        if last or (t.val_loss_every and step % t.val_loss_every == 0):
            watch.stop()
            result.validations.append((step, validate(s, step)))
            watch.start()
        if last:
            break
        frac = seconds / budget if budget else step / t.iterations
        if s.cfg.model.num_loops and not s.model.looping and frac >= t.enable_looping_at:
            enable_looping(s, f"layer_loop:enabled step:{step} frac:{frac:.3f}")
        lr_mult = lr_multiplier(t, frac, step)
        losses.append(train_step(s, loader, lr_mult, step))
        if s.cfg.opt.ema_decay:
            ema.update()
        result.lr_mults.append(lr_mult)
        # One clock for all ranks, the slowest: replicas never differ in lr, and the step that crosses the cap
        # is the last one everywhere.
        seconds = max_over_ranks(watch.seconds(), s.ranks, s.device)
        out_of_time = bool(budget) and seconds >= budget
        if step < 5 or (step + 1) % t.train_log_every == 0 or out_of_time:
            log_step(s, step + 1, losses[-1].clone(), seconds)
    loader.close()
    result.steps, result.seconds, result.losses = len(losses), seconds, mean_losses(losses, s.ranks)
    if s.cfg.opt.ema_decay:
        result.ema_model = copy.deepcopy(s.model)
        ema.copy_to(result.ema_model)
    log_end(s, result, out_of_time)
    return result


def train_step(s: Setup, loader: Prefetcher, lr_mult: float, step: int) -> Tensor:
    """One update from this rank's share of the micro-batches; returns their mean loss in nats."""
    accumulate = s.cfg.train.micro_batches // s.ranks.world
    losses = []
    for _ in range(accumulate):
        batch = loader.next_batch()
        loss = s.nll(batch.ids, batch.targets, batch.segments).mean()
        (loss / accumulate).backward()
        losses.append(loss.detach())
    s.optimizers.step(lr_mult, step)
    s.optimizers.zero_grad()
    return torch.stack(losses).mean()


def warm_up(s: Setup) -> None:
    """Untimed: compile and run every graph on training tokens, then put back weights and optimiser state."""
    initial = copy.deepcopy(s.model.state_dict())
    loader, steps = s.loader(), s.cfg.train.warmup_steps
    for looping in (False, True) if s.cfg.model.num_loops else (False,):
        name = "loop_warmup" if looping else "warmup"
        if looping:
            enable_looping(s, f"{name}:enabled")
        if s.cfg.train.compile and s.cfg.train.loader == "packed":
            compile_buckets(s)
        for i in range(1, steps + 1):
            train_step(s, loader, 1.0, 0)
            if i <= 6 or i % 10 == 0 or i == steps:
                s.log.line(f"{name}_step: {i}/{steps}")
    loader.close()
    s.model.load_state_dict(initial)
    s.model.set_looping(False)
    s.optimizers.reset()


def compiled_nll(model: GPT) -> Nll:
    """The one forward under torch.compile: a graph per number of boundaries and per loop state."""
    torch._dynamo.config.cache_size_limit = 64
    if model.backend == "auto":  # settled before tracing: the choice looks at the machine
        model.backend = pick_backend(model.tok_emb.weight.device.type, model.dtype)
    return torch.compile(model.nll, dynamic=False)


def compile_buckets(s: Setup) -> None:
    """Forward and backward on random tokens for every usual length of cu_seqlens; gradients are dropped."""
    T, longest = s.cfg.train.train_batch_tokens // s.cfg.train.micro_batches, s.cfg.train.train_seq_len
    ids_T = torch.randint(s.cfg.model.vocab_size, (T,), device=s.device)
    for n in CU_SEQLENS_BUCKETS:
        cu_seqlens = torch.linspace(0, T, n, device=s.device).int()
        if int(cu_seqlens.diff().max()) <= longest:
            s.nll(ids_T, ids_T, Segments(cu_seqlens, longest)).mean().backward()
            s.optimizers.zero_grad()


def enable_looping(s: Setup, prefix: str) -> None:
    s.model.set_looping(True)
    encoder, decoder = executed_layers(s.cfg.model, looping=True)
    s.log.line(f"{prefix} encoder:{encoder} decoder:{decoder}")


def validate(s: Setup, step: int) -> Score:
    s.model.eval()
    score = evaluate_plain(s.model, s.data.val_ids, s.data.val_bytes[1:], s.cfg.eval, s.ranks)
    s.model.train()
    iterations = s.cfg.train.iterations
    s.log.line(f"{step}/{iterations} val_loss: {score.val_loss:.4f} val_bpb: {score.val_bpb:.4f}")
    return score


def mean_losses(losses: list[Tensor], ranks: Ranks) -> list[float]:
    if not losses:
        return []
    stacked = torch.stack(losses)
    mean_over_ranks([stacked], ranks)
    return stacked.tolist()


def seed_everything(seed: int) -> None:
    """The same seed on every rank: replicas start equal."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def log_header(s: Setup) -> None:
    t, ranks = s.cfg.train, s.ranks
    launch = {"world_size": ranks.world, "grad_accum_steps": t.micro_batches // ranks.world}
    files = data_files(s.cfg.data)
    settings = (
        hyperparameters(s.cfg) | {"preset": s.cfg.preset, "distributed": ranks.world > 1} | launch | files
    )
    s.log.line("Hyperparameters:")
    for key in sorted(settings):
        s.log.line(f"  {key}: {settings[key]}")
    s.log.line(f"Running Python {sys.version.split()[0]}")
    s.log.line(f"Running PyTorch {torch.__version__}")
    if s.device.type == "cuda":
        s.log.line(f"Running on {ranks.world} x {torch.cuda.get_device_name(s.device)}")
    s.log.line(f"train_shards: {len(s.data.train_files)}")
    s.log.line(f"val_tokens: {len(s.data.val_ids) - 1}")
    s.log.line(f"model_params:{sum(p.numel() for p in s.model.parameters())}")
    if t.max_wallclock_seconds:
        effective_ms = 1000 * (t.max_wallclock_seconds - t.gptq_reserve_seconds)
        s.log.line(f"gptq:reserving {t.gptq_reserve_seconds:.1f}s, effective={effective_ms:.0f}ms")


def data_files(cfg: DataCfg) -> dict[str, str]:
    """The files that the run reads, as #1855 logs them; the byte sidecar only where it is read."""
    names = ["train", "val", *(["val_bytes"] if cfg.caseops_enabled else [])]
    return {f"{name}_files": f"{cfg.data_path}/fineweb_{name}_*.bin" for name in names}


def log_step(s: Setup, step: int, loss: Tensor, seconds: float) -> None:
    mean_over_ranks([loss], s.ranks)
    rate = step * s.cfg.train.train_batch_tokens / max(seconds, 1e-9)
    timing = f"train_time: {seconds / 60:.1f}m tok/s: {rate:.0f}"
    s.log.line(f"{step}/{s.cfg.train.iterations} train_loss: {loss.item():.4f} {timing}")


def log_end(s: Setup, result: TrainResult, out_of_time: bool) -> None:
    if out_of_time:
        ms, iterations = f"{1000 * result.seconds:.0f}ms", s.cfg.train.iterations
        s.log.line(f"stopping_early: wallclock_cap train_time: {ms} step: {result.steps}/{iterations}")
    if s.device.type == "cuda":
        allocated = torch.cuda.max_memory_allocated(s.device) >> 20
        reserved = torch.cuda.max_memory_reserved(s.device) >> 20
        s.log.line(f"peak memory allocated: {allocated} MiB reserved: {reserved} MiB")
