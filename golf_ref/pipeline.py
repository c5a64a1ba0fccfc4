"""One run from shards to a score: train, EMA, GPTQ + LQER, compress, reload, evaluate, adapt at test time.

Training data is read until the artifact is written and not after it. What is evaluated is the artifact as
read back from its file, once more for each adaptation: none starts from weights another one has adapted.
Log lines are in the dialect of #1394 and its successors.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from golf_ref.artifact import check_cap, pack_artifact, unpack_artifact
from golf_ref.codecs import pack_script
from golf_ref.config import Cfg, hyperparameters
from golf_ref.data import Data, ShuffledLoader
from golf_ref.distributed import Ranks, mean_over_ranks
from golf_ref.evaluate import Score, evaluate_plain, evaluate_sliding
from golf_ref.hessian import collect_hessians
from golf_ref.log import RunLog
from golf_ref.model import GPT, rebank, unbank
from golf_ref.quantize import dequantize_state, quantize_state
from golf_ref.train import TrainResult, train
from golf_ref.ttt_lora import evaluate_lora_ttt
from golf_ref.ttt_sgd import evaluate_sgd_ttt

ARTIFACT = "final_model.golf"
TTT_TAGS = {"sgd": "quantized_ttt", "lora": "quantized_ttt_lora", "phased": "quantized_ttt_phased"}


@dataclass(frozen=True)
class Stage:
    """One evaluation of a run: the tag of its log line, its score, its seconds."""

    tag: str
    score: Score
    seconds: float


def one_thread_on_cpu() -> None:
    """What runs on a CPU is small: with two threads on two busy cores `tiny` took ten times as long."""
    if not torch.cuda.is_available():
        torch.set_num_threads(1)


def run_record(
    cfg: Cfg,
    data: Data,
    out_dir: Path,
    script: str,
    ttt_kinds: tuple[str, ...],
    ranks: Ranks,
    device: torch.device,
    log: RunLog,
) -> list[Stage]:
    """The whole run; `script` is the source that the submission would ship and count."""
    result = train(cfg, data, ranks, device, log)
    model = result.ema_model
    log.line("ema:applying EMA weights" if cfg.opt.ema_decay else "ema:off")
    stages = [timed_plain("diagnostic pre-quantization post-ema", cfg, model, data, ranks, log)]
    path = out_dir / ARTIFACT
    write_artifact(cfg, model, data, path, script, ranks, device, log)

    stages += evaluate_artifact(cfg, data, path, ranks, device, log)
    for kind in ttt_kinds:
        stages.append(adapt_artifact(cfg, data, path, kind, ranks, device, log))
    log.line(f"total_eval_time:{sum(stage.seconds for stage in stages[1:]):.1f}s")
    if ranks.rank == 0:
        write_report(cfg, result, stages, path, out_dir / "report.json")
    return stages


# ---------------------------------------------------------------------------------------------------
# artifact


def write_artifact(
    cfg: Cfg, model: GPT, data: Data, path: Path, script: str, ranks: Ranks, device: torch.device, log: RunLog
) -> None:
    """Hessians on training tokens, quantise, compress, save; rank 0 writes, all wait. Logs every size."""
    log.line(f"Serialized model: {sum(p.numel() * p.element_size() for p in model.parameters())} bytes")
    code_bytes = log_code_size(script, log)
    hessians = calibrate(cfg, model, data, ranks, device, log) if cfg.quant.quant_scheme == "gptq" else {}
    if ranks.rank == 0:
        start = time.perf_counter()
        tensors, meta = quantize_state(unbank(model), hessians, cfg.quant)
        log.line(f"GPTQ:quantized in {time.perf_counter() - start:.1f}s")
        log_meta(meta, log)
        start = time.perf_counter()
        codec, layout = codec_and_layout(cfg.quant.compressor)
        path.write_bytes(pack_artifact(tensors, meta, codec, layout))
        log.line(f"GPTQ:compressed+saved in {time.perf_counter() - start:.1f}s")
        model_bytes = path.stat().st_size
        log.line(f"Serialized model quantized+{cfg.quant.compressor}: {model_bytes} bytes")
        log.line(f"Total submission size quantized+{cfg.quant.compressor}: {model_bytes + code_bytes} bytes")
        check_cap(model_bytes, code_bytes)
    if ranks.world > 1:
        dist.barrier()


def calibrate(
    cfg: Cfg, model: GPT, data: Data, ranks: Ranks, device: torch.device, log: RunLog
) -> dict[str, torch.Tensor]:
    """Mean Hessians over ranks, each on its own training files; documents are not masked (#1855)."""
    log.line("GPTQ:collecting Hessians from calibration data...")
    start = time.perf_counter()
    T = cfg.quant.gptq_calibration_tokens // cfg.train.micro_batches
    loader = ShuffledLoader(data.train_files, cfg.train.train_seq_len, T, ranks.rank, ranks.world)
    n_forwards = cfg.quant.gptq_calibration_batches * cfg.train.micro_batches // ranks.world
    batches = (loader.next_batch().to(device) for _ in range(n_forwards))
    hessians = collect_hessians(model, ((batch.ids, batch.segments) for batch in batches))
    mean_over_ranks(hessians.values(), ranks)
    log.line(f"GPTQ:collected {len(hessians)} Hessians in {time.perf_counter() - start:.1f}s")
    return hessians


def codec_and_layout(compressor: str) -> tuple[str, str]:
    """#1855's "pergroup" is lrzip on a stream per kind of matrix; other names are codecs of a flat file."""
    return ("lrzip", "pergroup") if compressor == "pergroup" else (compressor, "flat")


def load_artifact(cfg: Cfg, path: Path, device: torch.device) -> GPT:
    """The model of an artifact file, looping on as at the end of training."""
    model = GPT(cfg.model)
    rebank(model, dequantize_state(*unpack_artifact(path.read_bytes())))
    model.set_looping(cfg.model.num_loops > 0)
    return model.to(device)


def log_code_size(script: str, log: RunLog) -> int:
    """Bytes that count as code: the script as shipped, or packed where that is smaller."""
    raw, packed = len(script.encode()), len(pack_script(script, "brotli"))
    log.line(f"Code size (uncompressed): {raw} bytes")
    log.line(f"Code size (compressed): {min(raw, packed)} bytes")
    return min(raw, packed)


def log_meta(meta: dict[str, str], log: RunLog) -> None:
    """One line per way of keeping a tensor, layers folded."""
    kinds: dict[str, set[str]] = {}
    for name, note in meta.items():
        kinds.setdefault(note, set()).add(".".join(part for part in name.split(".") if not part.isdigit()))
    log.line("Quantized weights:")
    for note, names in sorted(kinds.items()):
        log.line(f"  {note}: {', '.join(sorted(names))}")


# ---------------------------------------------------------------------------------------------------
# evaluation


def evaluate_artifact(
    cfg: Cfg, data: Data, path: Path, ranks: Ranks, device: torch.device, log: RunLog
) -> list[Stage]:
    """Plain and, where the preset has it, sliding-window evaluation of the reloaded artifact."""
    model = load_artifact(cfg, path, device)
    stages = [timed_plain("quantized", cfg, model, data, ranks, log)]
    if cfg.eval.sliding_window_enabled:
        val_tokens, val_bytes = data.val_ids, data.val_bytes[1:]
        start = time.perf_counter()
        score = evaluate_sliding(model, val_tokens, val_bytes, cfg.eval, ranks)
        stages.append(log_score("quantized_sliding_window", score, time.perf_counter() - start, log))
    return stages


def adapt_artifact(
    cfg: Cfg, data: Data, path: Path, kind: str, ranks: Ranks, device: torch.device, log: RunLog
) -> Stage:
    """Test-time training of the reloaded artifact; every token is scored before anything learns from it."""
    model = load_artifact(cfg, path, device)
    val_tokens, val_bytes = data.val_ids, data.val_bytes[1:]
    start = time.perf_counter()
    if kind == "sgd":
        score = evaluate_sgd_ttt(model, val_tokens, val_bytes, cfg.eval, cfg.ttt, ranks)
    elif kind in ("lora", "phased"):
        phases = cfg.ttt.phased_ttt_num_phases if kind == "phased" else 0
        score = evaluate_lora_ttt(model, val_tokens, val_bytes, cfg.ttt, phases, cfg.train.seed, log, ranks)
    else:
        raise ValueError(f"unknown ttt_kind {kind!r}; known: {', '.join(TTT_TAGS)}")
    return log_score(TTT_TAGS[kind], score, time.perf_counter() - start, log)


def timed_plain(tag: str, cfg: Cfg, model: GPT, data: Data, ranks: Ranks, log: RunLog) -> Stage:
    val_tokens, val_bytes = data.val_ids, data.val_bytes[1:]
    start = time.perf_counter()
    score = evaluate_plain(model, val_tokens, val_bytes, cfg.eval, ranks)
    return log_score(tag, score, time.perf_counter() - start, log)


def log_score(tag: str, score: Score, seconds: float, log: RunLog) -> Stage:
    ms = f"{1000 * seconds:.0f}ms"
    log.line(f"{tag} val_loss:{score.val_loss:.8f} val_bpb:{score.val_bpb:.8f} eval_time:{ms}")
    return Stage(tag, score, seconds)


def write_report(cfg: Cfg, result: TrainResult, stages: list[Stage], artifact: Path, path: Path) -> None:
    """What `plot` and the bundle's README are made from."""
    report = {
        "preset": cfg.preset,
        "hyperparameters": hyperparameters(cfg),
        "steps": result.steps,
        "train_seconds": result.seconds,
        "losses": result.losses,
        "lr_mults": result.lr_mults,
        "validations": [[step, score.val_bpb] for step, score in result.validations],
        "artifact_bytes": artifact.stat().st_size,
        "stages": [asdict(stage) for stage in stages],
    }
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
