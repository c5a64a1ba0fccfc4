"""Every number of a run, in one frozen dataclass, each with where it comes from.

A field's name is the challenge's environment variable in lower case (NUM_LAYERS -> num_layers), so the
mapping between the two is the identity: `hyperparameters` is what a log prints, `from_environ` what a
record's command line sets. The few fields that no record script has are marked "ours". Defaults are #1855's;
a preset lists only what differs from them.

Sources: "#1855" is that record's README command and the header of its seed-42 log; "naive" is train_gpt.py
at the head of openai/parameter-golf; other numbers are pull requests there. No other module reads the
environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace


@dataclass(frozen=True)
class ModelCfg:
    vocab_size: int = 8192
    num_layers: int = 11
    model_dim: int = 512
    num_heads: int = 8
    num_kv_heads: int = 4
    mlp_mult: float = 4.0  # naive 2
    mlp_act: str = "leaky_relu2"  # ours. "leaky_relu2" (#549) or "relu2" (naive)
    rope_base: float = 10000.0
    rope_dims: int = 16  # of the 64 head dims; 0 = all (naive)
    qk_gain_init: float = 5.0  # naive 1.5, #1394 4.0, #1493 5.25
    xsa_last_n: int = 11  # exclusive self attention on the last n layers
    ln_scale: bool = True  # normed inputs times 1/sqrt(layer+1)
    logit_softcap: float = 30.0
    tied_embed_init_std: float = 0.005
    skip_gates_enabled: bool = True  # off: x + w*skip (naive)
    num_loops: int = 2  # extra passes through loop_start..loop_end
    loop_start: int = 3  # #1394 4
    loop_end: int = 5  # inclusive
    parallel_kind: str = "two_lane"  # ours. "none", "one_stream" (#1412) or "two_lane" (#1529)
    parallel_start_layer: int = 8  # #1412 and #1493: PARALLEL_RESIDUAL_START=7
    smear_gate_enabled: bool = True  # #1667, with the BOS mask of #1851
    sparse_attn_gate_enabled: bool = True  # #1787
    sparse_attn_gate_scale: float = 0.5  # #1787 and #2143: 1.0
    gate_window: int = 12  # channels that the smear and attention gates read
    bos_id: int = 1  # ours: written by the export, no record makes it a setting
    attention_backend: str = "auto"  # ours: see attention.py
    compute_dtype: str = "bfloat16"  # ours. The records: bf16 autocast; "float32" = reference
    fused_ce_enabled: bool = True  # ours also covers the fused MLP; takes effect on CUDA with Triton only


@dataclass(frozen=True)
class OptCfg:
    matrix_lr: float = 0.026  # naive 0.04, #1394 0.02, #1493 0.022
    muon_momentum: float = 0.97  # #1514; naive 0.95, #1394 0.99
    muon_momentum_warmup_start: float = 0.92  # naive 0.85
    muon_momentum_warmup_steps: int = 1500  # naive 500
    muon_backend_steps: int = 5
    muon_coefficients: str = "polar_express"  # ours. #1344, #1787; "classic" for naive..#1736
    muon_row_normalize: bool = True  # MuonEq-R, #1217
    muon_wd: float = 0.095
    tied_embed_lr: float = 0.03
    embed_wd: float = 0.085
    scalar_lr: float = 0.02
    adam_wd: float = 0.02
    beta1: float = 0.9
    beta2: float = 0.99  # naive..#1493 0.95
    adam_eps: float = 1e-8
    grad_clip_norm: float = 0.3  # 0 = off (naive)
    ema_decay: float = 0.9965  # 0 = off (naive)


@dataclass(frozen=True)
class TrainCfg:
    seed: int = 42
    iterations: int = 20000
    max_wallclock_seconds: float = 600.0  # 0 = no cap
    gptq_reserve_seconds: float = 0.5  # kept back for the Hessians; #1868 shows that 8 cost nothing
    train_batch_tokens: int = 786432
    train_seq_len: int = 2048
    micro_batches: int = 8  # ours: ranks x gradient accumulation; the records fix it at 8
    loader: str = "packed"  # ours. "packed" documents (#1530), "shuffled" windows (#1394), "stream" (naive)
    warmup_steps: int = 20  # untimed, then everything is restored
    warmdown_frac: float = 0.85  # lr falls over this last part of the budget
    warmdown_iters: int = 0  # naive: the last n steps instead of a fraction
    min_lr: float = 0.1  # floor of the lr multiplier
    enable_looping_at: float = 0.35
    val_loss_every: int = 0  # 0 = only at the end
    train_log_every: int = 500
    compile: bool = True  # ours: torch.compile; the records always compile


@dataclass(frozen=True)
class QuantCfg:
    quant_scheme: str = "gptq"  # ours. "gptq" or "int8_quantile" (naive)
    gptq_calibration_batches: int = 16  # #1394 64
    gptq_calibration_tokens: int = 786432  # ours: per batch, all ranks; records: the training batch
    gptq_block_size: int = 128  # ours: a constant in the records
    gptq_damp: float = 0.01  # ours: a constant in the records
    matrix_bits: int = 6
    matrix_bits_kv: int = 0  # c_k, c_v; 0 = matrix_bits. #2143
    matrix_bits_mlp_fc: int = 0  # mlp.fc; 0 = matrix_bits. #2143
    embed_bits: int = 7
    matrix_clip_sigmas: float = 12.85  # k of SDClip, #1394
    attn_clip_sigmas: float = 13.0  # 0 = matrix_clip_sigmas
    mlp_clip_sigmas: float = 11.5  # 0 = matrix_clip_sigmas
    embed_clip_sigmas: float = 14.0
    passthrough_numel: int = 65536  # ours: a constant in the records; tensors up to this size stay fp16
    gated_attn_quant_gate: bool = True  # attn_gate_w as int8 rows, #1736
    hadamard_rotate: bool = False  # #2143
    lqer_enabled: bool = True  # #1797
    lqer_rank: int = 4
    lqer_top_k: int = 3
    lqer_factor_bits: int = 4
    lqer_asym_enabled: bool = True
    lqer_asym_group: int = 64
    compressor: str = "pergroup"  # "pergroup", "brotli", "lzma" or "zlib" (naive)


@dataclass(frozen=True)
class EvalCfg:
    eval_seq_len: int = 2048
    eval_stride: int = 64
    eval_batch_seqs: int = 32  # ours: windows per forward, a constant in the records
    eval_documents: bool = True  # ours: context ends at BOS (#1530); off: dense rows (up to #1493)
    sliding_window_enabled: bool = False  # #1394 on
    val_batch_tokens: int = 524288


@dataclass(frozen=True)
class TTTCfg:
    ttt_enabled: bool = True
    ttt_kind: str = "phased"  # ours. "sgd" (#461, #1413), "lora" (#1530) or "phased" (#1610, #1626)
    # Score-first SGD on chunks of the stream (#461, #549, #1413, #1493)
    ttt_chunk_tokens: int = 32768
    ttt_lr: float = 0.005
    ttt_epochs: int = 3
    ttt_momentum: float = 0.9
    ttt_grad_clip: float = 1.0  # ours: a constant in the records
    ttt_batch_seqs: int = 32  # ours: a constant in #1493
    # Document LoRA (#1530, #1767, #1855)
    ttt_lora_rank: int = 80  # #1530 96
    ttt_lora_alpha: float = 144.0  # #1787
    ttt_lora_lr: float = 1e-4
    ttt_warm_start_a: bool = True  # #1767
    ttt_chunk_size: int = 48  # #1530 32
    ttt_eval_seq_len: int = 2048
    ttt_batch_size: int = 64
    ttt_beta1: float = 0.0
    ttt_beta2: float = 0.99
    ttt_eps: float = 1e-10  # ours: a constant in the records
    ttt_weight_decay: float = 0.5
    # Pauses for SGD on the documents scored so far (#1610, #1626)
    phased_ttt_prefix_docs: int = 2500
    phased_ttt_num_phases: int = 3
    global_ttt_lr: float = 0.001
    global_ttt_momentum: float = 0.9
    global_ttt_epochs: int = 1
    global_ttt_chunk_tokens: int = 32768
    global_ttt_batch_seqs: int = 32
    global_ttt_grad_clip: float = 1.0


@dataclass(frozen=True)
class DataCfg:
    data_path: str = "data"  # the folder of the shards; DATA_PATH in the naive script
    tokenizer: str = "sentencepiece"  # ours. "sentencepiece" or "byte264"
    caseops_enabled: bool = True  # #1729
    text: str = "hub"  # ours. "hub" (published shards), "stdlib" (Python's files), a .jsonl, a folder of .txt
    hub_repo: str = "romeerp/parameter-golf-caseops-v1"  # the CaseOps export that #1855 trained on
    hub_dataset: str = "fineweb10B_sp8192_lossless_caps_caseops_v1_reserved"
    tokenizer_model: str = (
        "fineweb_8192_bpe_lossless_caps_caseops_v1_reserved.model"  # file name in data_path
    )
    hub_train_shards: int = 80  # shards to fetch; #1855 80
    val_docs: int = 50_000  # the official split; any other number is for other corpora only
    shard_tokens: int = 100_000_000  # the root exporter's; 10_000_000 in the per-record CaseOps script
    doc_chars: int = 0  # ours: cut source documents to pieces of this length; 0 = leave them whole
    max_docs: int = 0  # ours: stop after this many documents; 0 = all


@dataclass(frozen=True)
class Cfg:
    preset: str = "pr1855"
    model: ModelCfg = field(default_factory=ModelCfg)
    opt: OptCfg = field(default_factory=OptCfg)
    train: TrainCfg = field(default_factory=TrainCfg)
    quant: QuantCfg = field(default_factory=QuantCfg)
    eval: EvalCfg = field(default_factory=EvalCfg)
    ttt: TTTCfg = field(default_factory=TTTCfg)
    data: DataCfg = field(default_factory=DataCfg)


Setting = bool | int | float | str

# The common ground of #1394, #1412 and #1493: SP8192 without CaseOps, dense rows of windows, classic Muon.
_SP8192: dict[str, Setting] = {
    "parallel_kind": "none",
    "smear_gate_enabled": False,
    "sparse_attn_gate_enabled": False,
    "muon_coefficients": "classic",
    "muon_momentum": 0.99,
    "beta2": 0.95,
    "min_lr": 0.0,
    "loader": "shuffled",
    "gptq_reserve_seconds": 12.0,
    "val_loss_every": 4000,
    "gptq_calibration_batches": 64,
    "attn_clip_sigmas": 0.0,
    "mlp_clip_sigmas": 0.0,
    "embed_bits": 8,
    "embed_clip_sigmas": 20.0,
    "gated_attn_quant_gate": False,
    "lqer_enabled": False,
    "compressor": "brotli",
    "eval_documents": False,
    "sliding_window_enabled": True,
    "ttt_enabled": False,
    "caseops_enabled": False,
    "hub_repo": "kevclark/parameter-golf",
    "hub_dataset": "fineweb10B_sp8192",
    "tokenizer_model": "fineweb_8192_bpe.model",
    "hub_train_shards": 128,
}
_PR1394: dict[str, Setting] = _SP8192 | {
    "qk_gain_init": 4.0,
    "loop_start": 4,
    "enable_looping_at": 0.5,
    "matrix_lr": 0.02,
    "muon_wd": 0.085,
    "warmdown_frac": 0.667,
    "ema_decay": 0.997,
    "seed": 1,
}

PRESETS: dict[str, dict[str, Setting]] = {
    "naive": {  # train_gpt.py at the head of the challenge; 1.2244 bpb as recorded
        "vocab_size": 1024,
        "num_layers": 9,
        "mlp_mult": 2.0,
        "mlp_act": "relu2",
        "rope_dims": 0,
        "qk_gain_init": 1.5,
        "xsa_last_n": 0,
        "ln_scale": False,
        "skip_gates_enabled": False,
        "num_loops": 0,
        "parallel_kind": "none",
        "smear_gate_enabled": False,
        "sparse_attn_gate_enabled": False,
        "matrix_lr": 0.04,
        "muon_momentum": 0.95,
        "muon_momentum_warmup_start": 0.85,
        "muon_momentum_warmup_steps": 500,
        "muon_coefficients": "classic",
        "muon_row_normalize": False,
        "muon_wd": 0.0,
        "tied_embed_lr": 0.05,
        "embed_wd": 0.0,
        "scalar_lr": 0.04,
        "adam_wd": 0.0,
        "beta2": 0.95,
        "grad_clip_norm": 0.0,
        "ema_decay": 0.0,
        "seed": 1337,
        "gptq_reserve_seconds": 0.0,
        "train_batch_tokens": 524288,
        "train_seq_len": 1024,
        "loader": "stream",
        "warmdown_frac": 0.0,
        "warmdown_iters": 1200,
        "min_lr": 0.0,
        "val_loss_every": 1000,
        "train_log_every": 200,
        "quant_scheme": "int8_quantile",
        "lqer_enabled": False,
        "gated_attn_quant_gate": False,
        "compressor": "zlib",
        "eval_seq_len": 1024,
        "eval_stride": 1024,
        "eval_documents": False,
        "ttt_enabled": False,
        "caseops_enabled": False,
        "hub_repo": "willdepueoai/parameter-golf",
        "hub_dataset": "fineweb10B_sp1024",
        "tokenizer_model": "fineweb_1024_bpe.model",
    },
    "pr1394": _PR1394,  # 1.0856: SP8192, GPTQ on the embedding, SDClip, loops
    # 1.0835: one-stream parallel residual from layer 7. Left out: its per-row clip factor
    # (HESSIAN_CLIP_LAMBDA=0.175) and second loop phase (LOOP_PHASE2_AT=0.65): both extra passes start at 0.5.
    "pr1412": _PR1394 | {"parallel_kind": "one_stream", "parallel_start_layer": 7, "seed": 1337},
    "pr1493": _SP8192  # 1.0810: three looped layers, parallel residual, score-first SGD
    | {
        "qk_gain_init": 5.25,
        "parallel_kind": "one_stream",
        "parallel_start_layer": 7,
        "matrix_lr": 0.022,
        "warmdown_frac": 0.72,
        "ttt_enabled": True,
        "ttt_kind": "sgd",
    },
    "pr1855": {},  # 1.06108: the defaults above
    "pr2143": {  # 1.0713, post-deadline: 12 layers, SP12288, Hadamard rotation with 5/6/7 bits
        "vocab_size": 12288,
        "num_layers": 12,
        "qk_gain_init": 5.25,
        "parallel_kind": "one_stream",
        "parallel_start_layer": 7,
        "sparse_attn_gate_scale": 1.0,
        "muon_momentum": 0.99,
        "embed_wd": 0.095,
        "seed": 1337,
        "gptq_reserve_seconds": 4.0,
        "val_loss_every": 4000,
        "matrix_bits": 5,
        "matrix_bits_kv": 6,
        "matrix_bits_mlp_fc": 6,
        "attn_clip_sigmas": 0.0,
        "mlp_clip_sigmas": 0.0,
        "gated_attn_quant_gate": False,
        "hadamard_rotate": True,
        "compressor": "brotli",
        "sliding_window_enabled": True,
        "hub_repo": "upascal/parameter-golf-sp12288-caseops",
        "hub_dataset": "fineweb10B_sp12288_caseops_v1",
        "tokenizer_model": "fineweb_12288_bpe_caseops_v1.model",
    },
    "tiny": {  # ours: every part of pr1855 in about a minute on two CPU cores
        "vocab_size": 264,
        "num_layers": 4,
        "model_dim": 64,
        "num_heads": 4,
        "num_kv_heads": 2,
        "rope_dims": 4,
        "xsa_last_n": 4,
        "loop_start": 1,
        "loop_end": 2,
        "parallel_start_layer": 3,
        "gate_window": 8,
        "compute_dtype": "float32",
        "muon_momentum_warmup_steps": 90,  # 30 % of the steps
        "ema_decay": 0.97,  # 0.9965 remembers 286 steps and would keep the initial weights
        "iterations": 300,
        "max_wallclock_seconds": 0.0,
        "train_batch_tokens": 1024,
        "train_seq_len": 128,
        "micro_batches": 1,
        "warmup_steps": 2,  # enough to show that everything is put back
        "train_log_every": 50,
        "compile": False,
        "gptq_calibration_batches": 4,
        "gptq_calibration_tokens": 4096,
        "gptq_block_size": 64,
        "passthrough_numel": 1024,  # 65,536 would let every matrix bypass GPTQ
        "lqer_rank": 2,
        "lqer_asym_group": 32,
        "compressor": "brotli",
        "eval_seq_len": 128,
        "eval_stride": 16,
        "eval_batch_seqs": 16,
        "sliding_window_enabled": True,
        "val_batch_tokens": 4096,
        "ttt_chunk_tokens": 2048,
        "ttt_epochs": 1,
        "ttt_lora_rank": 8,
        "ttt_lora_alpha": 14.4,
        "ttt_lora_lr": 3e-3,
        "ttt_chunk_size": 32,
        "ttt_eval_seq_len": 128,
        "ttt_batch_size": 16,
        "phased_ttt_prefix_docs": 16,
        "phased_ttt_num_phases": 2,
        "global_ttt_chunk_tokens": 2048,
        "tokenizer": "byte264",
        "text": "stdlib",
        "hub_repo": "",
        "hub_dataset": "",
        "tokenizer_model": "",
        "hub_train_shards": 0,
        "val_docs": 40,
        "shard_tokens": 500_000,
        "doc_chars": 600,
        "max_docs": 2500,  # about 1.5 M tokens
    },
}

_SECTIONS = tuple(f.name for f in fields(Cfg) if f.name != "preset")


def preset(name: str, overrides: Iterable[str] = ()) -> Cfg:
    """The configuration of a preset with key=value overrides; ValueError names an unknown preset or key."""
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; there are {', '.join(PRESETS)}")
    return override(_with(Cfg(preset=name), PRESETS[name]), overrides)


def override(cfg: Cfg, pairs: Iterable[str]) -> Cfg:
    """Apply `key=value` strings, each read as the type of the field it names."""
    current = hyperparameters(cfg)
    values: dict[str, Setting] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or key not in current:
            raise ValueError(f"{pair!r} is not key=value with a known key")
        values[key] = _parse(key, text, current[key])
    return _with(cfg, values)


def from_environ(cfg: Cfg, environ: Mapping[str, str]) -> Cfg:
    """Apply every environment variable that names a field in upper case, as the records' command lines do."""
    keys = [key for key in hyperparameters(cfg) if key.upper() in environ]
    return override(cfg, [f"{key}={environ[key.upper()]}" for key in keys])


def hyperparameters(cfg: Cfg) -> dict[str, Setting]:
    """All settings by name, sorted: the Hyperparameters block of a log."""
    flat = {f.name: getattr(getattr(cfg, s), f.name) for s in _SECTIONS for f in fields(getattr(cfg, s))}
    return dict(sorted(flat.items()))


def _with(cfg: Cfg, values: Mapping[str, Setting]) -> Cfg:
    known = hyperparameters(cfg)
    unknown = [key for key in values if key not in known]
    if unknown:
        raise ValueError(f"unknown settings: {', '.join(unknown)}")
    sections = {s: getattr(cfg, s) for s in _SECTIONS}
    for name, section in sections.items():
        own = {f.name for f in fields(section)}
        sections[name] = replace(section, **{k: v for k, v in values.items() if k in own})
    return replace(cfg, **sections)


def _parse(key: str, text: str, current: Setting) -> Setting:
    if isinstance(current, bool):
        if text.lower() not in {"0", "1", "true", "false"}:
            raise ValueError(f"{key}={text}: expected 0, 1, true or false")
        return text.lower() in {"1", "true"}
    if isinstance(current, str):
        return text
    try:
        return type(current)(text)
    except ValueError:
        raise ValueError(f"{key}={text}: expected {type(current).__name__}") from None
