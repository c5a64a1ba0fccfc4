"""The golf_ref stack with preset tiny as one file, made by `python -m golf_ref bundle`."""

from __future__ import annotations

import base64
import brotli
import copy
import importlib.util
import json
import lzma
import math
import numpy as np
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import torch
import torch.distributed as dist
import torch.nn.functional as F
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from itertools import pairwise
from pathlib import Path
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn
from typing import NamedTuple, Protocol, TypeVar


# ----------------------------------------------------------------------------------------------------
# config
#
# Every setting is an environment variable of its name in upper case.



@dataclass(frozen=True)
class ModelCfg:
    vocab_size: int = int(os.environ.get("VOCAB_SIZE", "264"))
    num_layers: int = int(os.environ.get("NUM_LAYERS", "4"))
    model_dim: int = int(os.environ.get("MODEL_DIM", "64"))
    num_heads: int = int(os.environ.get("NUM_HEADS", "4"))
    num_kv_heads: int = int(os.environ.get("NUM_KV_HEADS", "2"))
    mlp_mult: float = float(os.environ.get("MLP_MULT", "4.0"))
    mlp_act: str = os.environ.get("MLP_ACT", "leaky_relu2")
    rope_base: float = float(os.environ.get("ROPE_BASE", "10000.0"))
    rope_dims: int = int(os.environ.get("ROPE_DIMS", "4"))
    qk_gain_init: float = float(os.environ.get("QK_GAIN_INIT", "5.0"))
    xsa_last_n: int = int(os.environ.get("XSA_LAST_N", "4"))
    ln_scale: bool = bool(int(os.environ.get("LN_SCALE", "1")))
    logit_softcap: float = float(os.environ.get("LOGIT_SOFTCAP", "30.0"))
    tied_embed_init_std: float = float(os.environ.get("TIED_EMBED_INIT_STD", "0.005"))
    skip_gates_enabled: bool = bool(int(os.environ.get("SKIP_GATES_ENABLED", "1")))
    num_loops: int = int(os.environ.get("NUM_LOOPS", "2"))
    loop_start: int = int(os.environ.get("LOOP_START", "1"))
    loop_end: int = int(os.environ.get("LOOP_END", "2"))
    parallel_kind: str = os.environ.get("PARALLEL_KIND", "two_lane")
    parallel_start_layer: int = int(os.environ.get("PARALLEL_START_LAYER", "3"))
    smear_gate_enabled: bool = bool(int(os.environ.get("SMEAR_GATE_ENABLED", "1")))
    sparse_attn_gate_enabled: bool = bool(int(os.environ.get("SPARSE_ATTN_GATE_ENABLED", "1")))
    sparse_attn_gate_scale: float = float(os.environ.get("SPARSE_ATTN_GATE_SCALE", "0.5"))
    gate_window: int = int(os.environ.get("GATE_WINDOW", "8"))
    bos_id: int = int(os.environ.get("BOS_ID", "1"))
    attention_backend: str = os.environ.get("ATTENTION_BACKEND", "auto")
    compute_dtype: str = os.environ.get("COMPUTE_DTYPE", "float32")
    fused_ce_enabled: bool = bool(int(os.environ.get("FUSED_CE_ENABLED", "1")))


@dataclass(frozen=True)
class OptCfg:
    matrix_lr: float = float(os.environ.get("MATRIX_LR", "0.026"))
    muon_momentum: float = float(os.environ.get("MUON_MOMENTUM", "0.97"))
    muon_momentum_warmup_start: float = float(os.environ.get("MUON_MOMENTUM_WARMUP_START", "0.92"))
    muon_momentum_warmup_steps: int = int(os.environ.get("MUON_MOMENTUM_WARMUP_STEPS", "90"))
    muon_backend_steps: int = int(os.environ.get("MUON_BACKEND_STEPS", "5"))
    muon_coefficients: str = os.environ.get("MUON_COEFFICIENTS", "polar_express")
    muon_row_normalize: bool = bool(int(os.environ.get("MUON_ROW_NORMALIZE", "1")))
    muon_wd: float = float(os.environ.get("MUON_WD", "0.095"))
    tied_embed_lr: float = float(os.environ.get("TIED_EMBED_LR", "0.03"))
    embed_wd: float = float(os.environ.get("EMBED_WD", "0.085"))
    scalar_lr: float = float(os.environ.get("SCALAR_LR", "0.02"))
    adam_wd: float = float(os.environ.get("ADAM_WD", "0.02"))
    beta1: float = float(os.environ.get("BETA1", "0.9"))
    beta2: float = float(os.environ.get("BETA2", "0.99"))
    adam_eps: float = float(os.environ.get("ADAM_EPS", "1e-08"))
    grad_clip_norm: float = float(os.environ.get("GRAD_CLIP_NORM", "0.3"))
    ema_decay: float = float(os.environ.get("EMA_DECAY", "0.97"))


@dataclass(frozen=True)
class TrainCfg:
    seed: int = int(os.environ.get("SEED", "42"))
    iterations: int = int(os.environ.get("ITERATIONS", "300"))
    max_wallclock_seconds: float = float(os.environ.get("MAX_WALLCLOCK_SECONDS", "0.0"))
    gptq_reserve_seconds: float = float(os.environ.get("GPTQ_RESERVE_SECONDS", "0.5"))
    train_batch_tokens: int = int(os.environ.get("TRAIN_BATCH_TOKENS", "1024"))
    train_seq_len: int = int(os.environ.get("TRAIN_SEQ_LEN", "128"))
    micro_batches: int = int(os.environ.get("MICRO_BATCHES", "1"))
    loader: str = os.environ.get("LOADER", "packed")
    warmup_steps: int = int(os.environ.get("WARMUP_STEPS", "2"))
    warmdown_frac: float = float(os.environ.get("WARMDOWN_FRAC", "0.85"))
    warmdown_iters: int = int(os.environ.get("WARMDOWN_ITERS", "0"))
    min_lr: float = float(os.environ.get("MIN_LR", "0.1"))
    enable_looping_at: float = float(os.environ.get("ENABLE_LOOPING_AT", "0.35"))
    val_loss_every: int = int(os.environ.get("VAL_LOSS_EVERY", "0"))
    train_log_every: int = int(os.environ.get("TRAIN_LOG_EVERY", "50"))
    compile: bool = bool(int(os.environ.get("COMPILE", "0")))


@dataclass(frozen=True)
class QuantCfg:
    quant_scheme: str = os.environ.get("QUANT_SCHEME", "gptq")
    gptq_calibration_batches: int = int(os.environ.get("GPTQ_CALIBRATION_BATCHES", "4"))
    gptq_calibration_tokens: int = int(os.environ.get("GPTQ_CALIBRATION_TOKENS", "4096"))
    gptq_block_size: int = int(os.environ.get("GPTQ_BLOCK_SIZE", "64"))
    gptq_damp: float = float(os.environ.get("GPTQ_DAMP", "0.01"))
    matrix_bits: int = int(os.environ.get("MATRIX_BITS", "6"))
    matrix_bits_kv: int = int(os.environ.get("MATRIX_BITS_KV", "0"))
    matrix_bits_mlp_fc: int = int(os.environ.get("MATRIX_BITS_MLP_FC", "0"))
    embed_bits: int = int(os.environ.get("EMBED_BITS", "7"))
    matrix_clip_sigmas: float = float(os.environ.get("MATRIX_CLIP_SIGMAS", "12.85"))
    attn_clip_sigmas: float = float(os.environ.get("ATTN_CLIP_SIGMAS", "13.0"))
    mlp_clip_sigmas: float = float(os.environ.get("MLP_CLIP_SIGMAS", "11.5"))
    embed_clip_sigmas: float = float(os.environ.get("EMBED_CLIP_SIGMAS", "14.0"))
    passthrough_numel: int = int(os.environ.get("PASSTHROUGH_NUMEL", "1024"))
    gated_attn_quant_gate: bool = bool(int(os.environ.get("GATED_ATTN_QUANT_GATE", "1")))
    hadamard_rotate: bool = bool(int(os.environ.get("HADAMARD_ROTATE", "0")))
    lqer_enabled: bool = bool(int(os.environ.get("LQER_ENABLED", "1")))
    lqer_rank: int = int(os.environ.get("LQER_RANK", "2"))
    lqer_top_k: int = int(os.environ.get("LQER_TOP_K", "3"))
    lqer_factor_bits: int = int(os.environ.get("LQER_FACTOR_BITS", "4"))
    lqer_asym_enabled: bool = bool(int(os.environ.get("LQER_ASYM_ENABLED", "1")))
    lqer_asym_group: int = int(os.environ.get("LQER_ASYM_GROUP", "32"))
    compressor: str = os.environ.get("COMPRESSOR", "brotli")


@dataclass(frozen=True)
class EvalCfg:
    eval_seq_len: int = int(os.environ.get("EVAL_SEQ_LEN", "128"))
    eval_stride: int = int(os.environ.get("EVAL_STRIDE", "16"))
    eval_batch_seqs: int = int(os.environ.get("EVAL_BATCH_SEQS", "16"))
    eval_documents: bool = bool(int(os.environ.get("EVAL_DOCUMENTS", "1")))
    sliding_window_enabled: bool = bool(int(os.environ.get("SLIDING_WINDOW_ENABLED", "1")))
    val_batch_tokens: int = int(os.environ.get("VAL_BATCH_TOKENS", "4096"))


@dataclass(frozen=True)
class TTTCfg:
    ttt_enabled: bool = bool(int(os.environ.get("TTT_ENABLED", "1")))
    ttt_kind: str = os.environ.get("TTT_KIND", "phased")
    ttt_chunk_tokens: int = int(os.environ.get("TTT_CHUNK_TOKENS", "2048"))
    ttt_lr: float = float(os.environ.get("TTT_LR", "0.005"))
    ttt_epochs: int = int(os.environ.get("TTT_EPOCHS", "1"))
    ttt_momentum: float = float(os.environ.get("TTT_MOMENTUM", "0.9"))
    ttt_grad_clip: float = float(os.environ.get("TTT_GRAD_CLIP", "1.0"))
    ttt_batch_seqs: int = int(os.environ.get("TTT_BATCH_SEQS", "32"))
    ttt_lora_rank: int = int(os.environ.get("TTT_LORA_RANK", "8"))
    ttt_lora_alpha: float = float(os.environ.get("TTT_LORA_ALPHA", "14.4"))
    ttt_lora_lr: float = float(os.environ.get("TTT_LORA_LR", "0.003"))
    ttt_warm_start_a: bool = bool(int(os.environ.get("TTT_WARM_START_A", "1")))
    ttt_chunk_size: int = int(os.environ.get("TTT_CHUNK_SIZE", "32"))
    ttt_eval_seq_len: int = int(os.environ.get("TTT_EVAL_SEQ_LEN", "128"))
    ttt_batch_size: int = int(os.environ.get("TTT_BATCH_SIZE", "16"))
    ttt_beta1: float = float(os.environ.get("TTT_BETA1", "0.0"))
    ttt_beta2: float = float(os.environ.get("TTT_BETA2", "0.99"))
    ttt_eps: float = float(os.environ.get("TTT_EPS", "1e-10"))
    ttt_weight_decay: float = float(os.environ.get("TTT_WEIGHT_DECAY", "0.5"))
    phased_ttt_prefix_docs: int = int(os.environ.get("PHASED_TTT_PREFIX_DOCS", "16"))
    phased_ttt_num_phases: int = int(os.environ.get("PHASED_TTT_NUM_PHASES", "2"))
    global_ttt_lr: float = float(os.environ.get("GLOBAL_TTT_LR", "0.001"))
    global_ttt_momentum: float = float(os.environ.get("GLOBAL_TTT_MOMENTUM", "0.9"))
    global_ttt_epochs: int = int(os.environ.get("GLOBAL_TTT_EPOCHS", "1"))
    global_ttt_chunk_tokens: int = int(os.environ.get("GLOBAL_TTT_CHUNK_TOKENS", "2048"))
    global_ttt_batch_seqs: int = int(os.environ.get("GLOBAL_TTT_BATCH_SEQS", "32"))
    global_ttt_grad_clip: float = float(os.environ.get("GLOBAL_TTT_GRAD_CLIP", "1.0"))


@dataclass(frozen=True)
class DataCfg:
    data_path: str = os.environ.get("DATA_PATH", "data")
    tokenizer: str = os.environ.get("TOKENIZER", "byte264")
    caseops_enabled: bool = bool(int(os.environ.get("CASEOPS_ENABLED", "1")))
    text: str = os.environ.get("TEXT", "stdlib")
    hub_repo: str = os.environ.get("HUB_REPO", "")
    hub_dataset: str = os.environ.get("HUB_DATASET", "")
    tokenizer_model: str = os.environ.get("TOKENIZER_MODEL", "")
    hub_train_shards: int = int(os.environ.get("HUB_TRAIN_SHARDS", "0"))
    val_docs: int = int(os.environ.get("VAL_DOCS", "40"))
    shard_tokens: int = int(os.environ.get("SHARD_TOKENS", "500000"))
    doc_chars: int = int(os.environ.get("DOC_CHARS", "600"))
    max_docs: int = int(os.environ.get("MAX_DOCS", "2500"))


@dataclass(frozen=True)
class Cfg:
    preset: str = "tiny"
    model: ModelCfg = ModelCfg()
    opt: OptCfg = OptCfg()
    train: TrainCfg = TrainCfg()
    quant: QuantCfg = QuantCfg()
    eval: EvalCfg = EvalCfg()
    ttt: TTTCfg = TTTCfg()
    data: DataCfg = DataCfg()


Setting = bool | int | float | str
_SECTIONS = ('model', 'opt', 'train', 'quant', 'eval', 'ttt', 'data')

def hyperparameters(cfg: Cfg) -> dict[str, Setting]:
    """All settings by name, sorted: the Hyperparameters block of a log."""
    flat = {f.name: getattr(getattr(cfg, s), f.name) for s in _SECTIONS for f in fields(getattr(cfg, s))}
    return dict(sorted(flat.items()))


# ----------------------------------------------------------------------------------------------------
# ticker
#
# A counter on standard error for plain loops, so that evaluations need no wrapper around their iterators.


def tick(what: str, done: int, total: int) -> None:
    """Overwrite one line `what done/total`, where standard error is a terminal."""
    if sys.stderr.isatty():
        print(f"\r{what} {done}/{total}", end="\n" if done >= total else "", file=sys.stderr, flush=True)


# ----------------------------------------------------------------------------------------------------
# log
#
# Where a run writes: its log file, the screen, a progress bar.


Item = TypeVar("Item")


class RunLog:
    """Lines of a run in order, echoed and appended to a file as they come; silent on every rank but 0."""

    def __init__(self, path: Path | None = None, echo: bool = True, rank: int = 0):
        self.lines: list[str] = []
        self.path, self.echo, self.rank = path, echo, rank
        if path is not None and rank == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("", encoding="utf-8")

    def line(self, text: str) -> None:
        if self.rank:
            return
        self.lines.append(text)
        if self.echo:
            print(text, flush=True)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                print(text, file=file)


def progress(items: Iterable[Item], total: int | None, what: str) -> Iterator[Item]:
    """The items, with a bar on standard error where that is a terminal."""
    console = Console(stderr=True)
    yield from track(
        items, what, total=total, console=console, transient=True, disable=not console.is_terminal
    )


# ----------------------------------------------------------------------------------------------------
# distributed
#
# Ranks: torchrun starts one process per device, each holds the whole model and a share of Muon's work.


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


# ----------------------------------------------------------------------------------------------------
# caseops
#
# CaseOps (#1729, lossless_caps_caseops_v1): text <-> lower-case text with case operators, on every string.
#
#     hello -> hello   Hello -> TITLE hello   NASA -> ALLCAPS nasa   iPhone -> i CAPNEXT phone   A -> TITLE a
#
# A word is a run of ASCII letters; everything else is copied, and an operator that stands in the text itself is
# preceded by ESC. Decoding and byte counting are one state machine: the bytes charged to a piece of encoded
# text are the UTF-8 bytes of the original text that it gives rise to.


TITLE, ALLCAPS, CAPNEXT, ESC = "\ue001", "\ue002", "\ue003", "\ue004"
OPERATORS = TITLE + ALLCAPS + CAPNEXT + ESC
_WORD_OR_OPERATOR = re.compile(f"[A-Za-z]+|[{OPERATORS}]")


def caseops_encode(text: str) -> str:
    return _WORD_OR_OPERATOR.sub(_encode_match, text)


def caseops_decode(encoded: str) -> str:
    """The original text; ValueError where `encoded` is not the encoding of any text."""
    decoder = CaseDecoder()
    text = decoder.feed(encoded)
    decoder.finish()
    return text


def _encode_match(match: re.Match[str]) -> str:
    word = match.group()
    if word in OPERATORS:
        return ESC + word
    if word.islower():
        return word
    if len(word) >= 2 and word.isupper():
        return ALLCAPS + word.lower()
    if word[1:].islower():
        return TITLE + word.lower()
    head = TITLE + word[0].lower() if word[0].isupper() else word[0]
    return head + "".join(CAPNEXT + c.lower() if c.isupper() else c for c in word[1:])


class CaseDecoder:
    """The decoder's state between pieces: feed it encoded text in any cuts, it returns the original text."""

    def __init__(self) -> None:
        self.pending = ""  # the operator that waits for its letter
        self.in_word = False
        self.all_caps = False  # inside an ALLCAPS word

    def feed(self, piece: str) -> str:
        return "".join(map(self._step, piece))

    def finish(self) -> None:
        if self.pending:
            raise ValueError(f"text ends on operator U+{ord(self.pending):04X}")

    def _step(self, c: str) -> str:
        if self.pending == ESC:
            self.pending, self.in_word, self.all_caps = "", False, False
            return c
        if c in OPERATORS:
            if self.pending or (self.in_word and c in TITLE + ALLCAPS):
                raise ValueError(f"operator U+{ord(c):04X} out of place")
            self.pending = c
            return ""
        if not (c.isascii() and c.isalpha()):
            if self.pending:
                raise ValueError(f"operator U+{ord(self.pending):04X} before a character without case")
            self.in_word = self.all_caps = False
            return c
        self.all_caps = self.pending == ALLCAPS or (self.in_word and self.all_caps)
        upper = self.all_caps or self.pending in (TITLE, CAPNEXT)
        self.pending, self.in_word = "", True
        return c.upper() if upper else c


# ----------------------------------------------------------------------------------------------------
# tokenizer
#
# Tokenizers and the bytes they charge: Byte264, and SentencePiece BPE as the challenge trains it.
#
# Shapes: N tokens of a document or stream, V vocabulary.
#
# `encode` returns the ids of one document without BOS and, beside each id, how many bytes of the original text
# it stands for. Their sum is the text's UTF-8 length (SentencePiece first trims blanks at both ends).


BOS_ID = 1  # every document is [BOS] + tokens, without EOS
SPACE = "\u2581"  # SentencePiece's mark for a blank
_OPERATOR = re.compile(f"([{OPERATORS}])")


class ByteTable(NamedTuple):
    """Bytes of a token without a sidecar, by id [V]: base, and one for `lead` unless after a boundary."""

    base: np.ndarray
    lead: np.ndarray
    boundary: np.ndarray


def bytes_by_table(ids_N: np.ndarray, table: ByteTable) -> np.ndarray:
    """bytes(y | x) = base[y] + (lead[y] and not boundary[x]) for each token y after its predecessor x."""
    after_boundary_N = np.concatenate(([True], table.boundary[ids_N[:-1]]))
    return table.base[ids_N] + (table.lead[ids_N] & ~after_boundary_N)


class Byte264:
    """The first 264 ids of the CaseOps SentencePiece model: 4 specials, 4 case operators, 256 bytes."""

    vocab_size = 264
    first_operator, first_byte = 4, 8

    def __init__(self, caseops: bool):
        self.caseops = caseops

    def encode(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        if not self.caseops:
            return self._bytes(text)
        parts = []
        escaped = False
        for piece in _OPERATOR.split(caseops_encode(text)):
            if piece not in OPERATORS:
                parts.append(self._bytes(piece))
            elif piece:  # an operator stands for no byte of the text, unless ESC says that it is text
                own_bytes = len(piece.encode()) if escaped else 0
                parts.append((np.array([self._operator_id(piece)]), np.array([own_bytes])))
                escaped = piece == ESC and not escaped
        ids, budgets = zip(*parts, strict=True) if parts else ((), ())
        return np.concatenate((*ids, [])).astype(np.uint16), np.concatenate((*budgets, [])).astype(np.uint16)

    def decode(self, ids_N: Iterable[int]) -> str:
        """The text of one document; ValueError on a special id or on what no text encodes to."""
        encoded = bytearray()
        for i in map(int, ids_N):
            if i < self.first_operator:
                raise ValueError(f"id {i} is a special token, not text")
            encoded += bytes([i - self.first_byte]) if i >= self.first_byte else OPERATORS[i - 4].encode()
        text = encoded.decode()
        return caseops_decode(text) if self.caseops else text

    def byte_table(self) -> ByteTable:
        """Exact without CaseOps; with it, bytes depend on the state of the decoder and come from `encode`."""
        is_byte_V = np.arange(self.vocab_size) >= self.first_byte
        never_V = np.zeros(self.vocab_size, dtype=bool)
        return ByteTable(is_byte_V.astype(np.int64), never_V, ~is_byte_V)

    def _operator_id(self, operator: str) -> int:
        return self.first_operator + OPERATORS.index(operator)

    def _bytes(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        raw_N = np.frombuffer(text.encode(), dtype=np.uint8).astype(np.uint16)
        return raw_N + self.first_byte, np.ones(len(raw_N), dtype=np.uint16)


class SentencePieceTokenizer:
    """A trained model file; ValueError if it cannot count leading blanks (issue #897 of the challenge)."""

    def __init__(self, model_file: Path, caseops: bool):
        from sentencepiece import SentencePieceProcessor

        self.caseops = caseops
        self.model = SentencePieceProcessor(model_file=str(model_file))
        self.vocab_size = self.model.vocab_size()
        if self.model.piece_to_id(SPACE) == self.model.unk_id():
            raise ValueError(
                f"{model_file}: U+2581 is no piece, so every stray blank would count as three bytes"
            )

    def encode(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        if not self.caseops:
            ids_N = np.array([BOS_ID, *self.model.encode(text)])
            return ids_N[1:].astype(np.uint16), bytes_by_table(ids_N, self.byte_table())[1:].astype(np.uint16)
        # Pieces are normalised (NFKC), their spans are not: the spans, decoded, are the original text.
        encoded = caseops_encode(text)
        mapping = self.model.encode_as_offset_mapping(encoded)
        decoder = CaseDecoder()
        budget = [len(decoder.feed(encoded[a:b]).encode()) for a, b in mapping["offsets"]]
        return np.array(mapping["ids"], np.uint16), np.array(budget, np.uint16)

    def byte_table(self) -> ByteTable:
        """The challenge's table: UTF-8 length of a piece, its leading blank counted apart."""
        V, m = self.vocab_size, self.model
        base_V, lead_V, boundary_V = np.zeros(V, np.int64), np.zeros(V, bool), np.zeros(V, bool)
        for i in range(V):
            piece = m.id_to_piece(i)
            if m.is_control(i) or m.is_unknown(i) or m.is_unused(i):
                boundary_V[i] = True
            elif m.is_byte(i):
                base_V[i] = 1
            else:
                lead_V[i] = piece.startswith(SPACE)
                base_V[i] = len(piece.removeprefix(SPACE).encode())
        return ByteTable(base_V, lead_V, boundary_V)


def train_sentencepiece(texts: Iterable[str], vocab_size: int, model_file: Path, caseops: bool) -> None:
    """BPE with the challenge's settings; the case operators become ids 4 to 7 (#1729)."""
    from sentencepiece import SentencePieceTrainer

    SentencePieceTrainer.train(
        sentence_iterator=iter(caseops_encode(t) if caseops else t for t in texts),
        model_prefix=str(model_file.with_suffix("")),
        model_type="bpe",
        vocab_size=vocab_size,
        character_coverage=0.999,
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="nmt_nfkc",
        add_dummy_prefix=False,
        pad_id=0,
        bos_id=BOS_ID,
        eos_id=2,
        unk_id=3,
        hard_vocab_limit=False,
        user_defined_symbols=list(OPERATORS) if caseops else [],
        minloglevel=2,
    )


# ----------------------------------------------------------------------------------------------------
# attention
#
# Causal attention inside the segments of a packed buffer, the rotary positions of those segments, and XSA.
#
# Shapes: T packed tokens, S segments, L longest segment, H query heads, K key/value heads, d head dim,
# R rotary dims / 2. A buffer holds documents, rows or windows one after the other; `Segments` says where each
# starts, and nothing ever attends, or counts positions, across a boundary.
#
# `attend_loop` is the definition; every other backend is tested against it:
#     sdpa                  any device: segments padded to (S, L), where causality alone hides the padding
#     varlen                torch.nn.attention.varlen (CUDA, half precision)
#     flash_attn            flash-attn 2 (CUDA, half precision)
#     flash_attn_interface  flash-attn 3 (Hopper): what the records ran


@dataclass(frozen=True)
class Segments:
    """Boundaries of a packed buffer: int32 [0, ..., T], non-decreasing, no piece longer than max_len.

    Repeated boundaries at the end are empty segments, which let a compiled graph see few lengths.
    """

    cu_seqlens: Tensor
    max_len: int

    @staticmethod
    def rows(n_rows: int, T: int, device: torch.device | str = "cpu") -> Segments:
        """n_rows rows of T tokens each, one after the other."""
        return Segments(torch.arange(0, n_rows * T + 1, T, dtype=torch.int32, device=device), T)

    @staticmethod
    def from_bos(ids_T: Tensor, bos_id: int, max_len: int, pad_to: int = 1) -> Segments:
        """A segment per document, cut every max_len tokens; pad_to rounds the number of boundaries up."""
        T = ids_T.numel()
        heads = [0, *(ids_T == bos_id).nonzero().flatten().tolist(), T]
        starts = [t for a, b in pairwise(heads) for t in range(a, b, max_len)]
        padding = [T] * (-(len(starts) + 1) % pad_to)
        cu_seqlens = torch.tensor([*starts, T, *padding], dtype=torch.int32, device=ids_T.device)
        return Segments(cu_seqlens, max_len)

    def to(self, device: torch.device | str) -> Segments:
        return Segments(self.cu_seqlens.to(device, non_blocking=True), self.max_len)

    def locate(self, T: int) -> tuple[Tensor, Tensor]:
        """Segment number and position inside it, for each of T packed tokens."""
        t_T = torch.arange(T, device=self.cu_seqlens.device, dtype=torch.int32)
        segment_T = torch.searchsorted(self.cu_seqlens[1:], t_T, right=True)
        return segment_T, t_T - self.cu_seqlens[segment_T]


def attention(q_THd: Tensor, k_TKd: Tensor, v_TKd: Tensor, segments: Segments, backend: str) -> Tensor:
    """softmax(q k^T / sqrt(d)) v over earlier tokens of the same segment; H/K heads share K and V."""
    if backend == "auto":
        backend = pick_backend(q_THd.device.type, q_THd.dtype)
    if backend == "loop":
        return attend_loop(q_THd, k_TKd, v_TKd, segments)
    if backend == "sdpa":
        return attend_sdpa(q_THd, k_TKd, v_TKd, segments)
    if backend == "varlen":
        return attend_varlen(q_THd, k_TKd, v_TKd, segments)
    if backend == "flash_attn":
        return attend_flash_attn(q_THd, k_TKd, v_TKd, segments)
    if backend == "flash_attn_interface":
        return attend_flash_attn_interface(q_THd, k_TKd, v_TKd, segments)
    raise ValueError(f"unknown attention backend {backend!r}")


@cache
def pick_backend(device_type: str, dtype: torch.dtype) -> str:
    """The fastest backend this machine can run: the records' own on Hopper, SDPA without a GPU."""
    if device_type != "cuda" or dtype not in (torch.float16, torch.bfloat16):
        return "sdpa"
    hopper = torch.cuda.get_device_capability()[0] == 9
    if hopper and importlib.util.find_spec("flash_attn_interface"):
        return "flash_attn_interface"
    if importlib.util.find_spec("flash_attn"):
        return "flash_attn"
    return "varlen" if importlib.util.find_spec("torch.nn.attention.varlen") else "sdpa"


def attend_loop(q_THd: Tensor, k_TKd: Tensor, v_TKd: Tensor, segments: Segments) -> Tensor:
    """The definition: one causal attention per segment."""
    group = q_THd.shape[1] // k_TKd.shape[1]
    bounds = segments.cu_seqlens.tolist()
    out = []
    for a, b in pairwise(bounds):
        if a == b:
            continue
        q_HLd = q_THd[a:b].transpose(0, 1)
        k_HLd = k_TKd[a:b].repeat_interleave(group, 1).transpose(0, 1)
        v_HLd = v_TKd[a:b].repeat_interleave(group, 1).transpose(0, 1)
        score_HLL = q_HLd @ k_HLd.transpose(1, 2) / q_THd.shape[2] ** 0.5
        future_LL = torch.ones(b - a, b - a, dtype=torch.bool, device=q_THd.device).triu(1)
        weight_HLL = score_HLL.masked_fill(future_LL, float("-inf")).softmax(-1)
        out.append((weight_HLL @ v_HLd).transpose(0, 1))
    return torch.cat(out)


def attend_sdpa(q_THd: Tensor, k_TKd: Tensor, v_TKd: Tensor, segments: Segments) -> Tensor:
    T, S, L = q_THd.shape[0], segments.cu_seqlens.numel() - 1, segments.max_len
    packed = (q_THd, k_TKd, v_TKd)
    full = S * L == T  # no piece exceeds L, so every segment is exactly L long and padding is a reshape
    if full:
        q, k, v = (x.view(S, L, *x.shape[1:]) for x in packed)
    else:
        # Padding lies after the tokens of its segment: the causal mask alone keeps it from every real query.
        segment_T, position_T = segments.locate(T)
        q, k, v = (x.new_zeros(S, L, *x.shape[1:]).index_put((segment_T, position_T), x) for x in packed)
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    y_SLHd = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2)
    return y_SLHd.reshape(q_THd.shape) if full else y_SLHd[segment_T, position_T]


def attend_varlen(q_THd: Tensor, k_TKd: Tensor, v_TKd: Tensor, segments: Segments) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    cu, longest = segments.cu_seqlens, segments.max_len
    causal = (-1, 0)  # all keys before the query, none after: this API's way of saying causal
    gqa = q_THd.shape[1] != k_TKd.shape[1]
    return varlen_attn(q_THd, k_TKd, v_TKd, cu, cu, longest, longest, window_size=causal, enable_gqa=gqa)


def attend_flash_attn(q_THd: Tensor, k_TKd: Tensor, v_TKd: Tensor, segments: Segments) -> Tensor:
    from flash_attn import flash_attn_varlen_func

    cu, longest = segments.cu_seqlens, segments.max_len
    return flash_attn_varlen_func(q_THd, k_TKd, v_TKd, cu, cu, longest, longest, causal=True)


def attend_flash_attn_interface(q_THd: Tensor, k_TKd: Tensor, v_TKd: Tensor, segments: Segments) -> Tensor:
    from flash_attn_interface import flash_attn_varlen_func

    cu, longest = segments.cu_seqlens, segments.max_len
    out = flash_attn_varlen_func(q_THd, k_TKd, v_TKd, cu, cu, longest, longest, causal=True)
    return out[0] if isinstance(out, tuple) else out  # some releases return (y, log-sum-exp)


def rotary_table(position_T: Tensor, rotary_dims: int, base: float) -> tuple[Tensor, Tensor]:
    """cos and sin of position * base^(-2j/rotary_dims), j = 0..R-1, as [T, 1, R] to broadcast over heads."""
    j_R = torch.arange(0, rotary_dims, 2, dtype=torch.float32, device=position_T.device)
    angle_TR = position_T.float()[:, None] * base ** (-j_R / rotary_dims)
    return angle_TR.cos()[:, None], angle_TR.sin()[:, None]


def rotate(x_THd: Tensor, cos_T1R: Tensor, sin_T1R: Tensor) -> Tensor:
    """(x1, x2) -> (x1 cos + x2 sin, -x1 sin + x2 cos) on the first 2R dims, dim j paired with j + R."""
    R = cos_T1R.shape[-1]
    x1, x2, rest = x_THd[..., :R], x_THd[..., R : 2 * R], x_THd[..., 2 * R :]
    return torch.cat((x1 * cos_T1R + x2 * sin_T1R, x2 * cos_T1R - x1 * sin_T1R, rest), -1)


def exclude_self(y_THd: Tensor, v_TKd: Tensor) -> Tensor:
    """XSA: y - (y . v^) v^ with v^ = v/|v| of the same position: nothing is added along its own value."""
    y_TKGd = y_THd.unflatten(1, (v_TKd.shape[1], -1))
    v_TK1d = F.normalize(v_TKd, dim=-1).unsqueeze(2)
    return (y_TKGd - (y_TKGd * v_TK1d).sum(-1, keepdim=True) * v_TK1d).flatten(1, 2)


# ----------------------------------------------------------------------------------------------------
# kernels
#
# Triton kernels of the two hot spots, for half precision on CUDA.
#
# The eager forms in losses.py and layers.py are their definition, and what runs everywhere else.
#
# Shapes: T packed tokens, V vocabulary, D model dim, F hidden dim of the MLP; M, N, K of one matrix product.


try:
    import triton
    import triton.language as tl
except ImportError:  # CPU builds of torch come without it
    triton = None

if triton is not None:

    @triton.jit
    def _nll_forward(z_ptr, target_ptr, loss_ptr, lse_ptr, cap, V, BLOCK: tl.constexpr):
        # u = 2c sigmoid(2z/c) = c + c tanh(z/c): the soft cap plus a constant, which softmax does not see.
        # One row per program: running maximum m and sum s of exp(u - m) over blocks of the vocabulary.
        t = tl.program_id(0).to(tl.int64)
        m = float("-inf")
        s = 0.0
        for start in range(0, V, BLOCK):
            v = start + tl.arange(0, BLOCK)
            z = tl.load(z_ptr + t * V + v, mask=v < V, other=0.0).to(tl.float32)
            u = tl.where(v < V, 2 * cap * tl.sigmoid(2 * z / cap), float("-inf"))
            m_next = tl.maximum(m, tl.max(u, 0))
            s = s * tl.exp(m - m_next) + tl.sum(tl.exp(u - m_next), 0)
            m = m_next
        lse = m + tl.log(s)
        z_target = tl.load(z_ptr + t * V + tl.load(target_ptr + t)).to(tl.float32)
        tl.store(lse_ptr + t, lse)
        tl.store(loss_ptr + t, lse - 2 * cap * tl.sigmoid(2 * z_target / cap))

    @triton.jit
    def _nll_backward(z_ptr, target_ptr, lse_ptr, dloss_ptr, dz_ptr, cap, V, BLOCK: tl.constexpr):
        # dz = dloss (softmax(u) - [v = target]) du/dz,  du/dz = 4 sigma (1 - sigma)
        t = tl.program_id(0).to(tl.int64)
        v = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
        z = tl.load(z_ptr + t * V + v, mask=v < V, other=0.0).to(tl.float32)
        sigma = tl.sigmoid(2 * z / cap)
        p = tl.exp(2 * cap * sigma - tl.load(lse_ptr + t))
        p = tl.where(v == tl.load(target_ptr + t), p - 1.0, p)
        dz = tl.load(dloss_ptr + t) * p * 4 * sigma * (1 - sigma)
        tl.store(dz_ptr + t * V + v, dz.to(dz_ptr.dtype.element_ty), mask=v < V)

    @triton.jit
    def _matmul_phi(
        a_ptr, b_ptr, p_ptr, out_ptr, M, N, K, b_row, b_column,
        FORWARD: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr,
    ):  # fmt: skip
        # FORWARD: p = a b, out = phi(p).  Else: out = (a b) phi'(p).  a [M, K], b [K, N] by strides.
        # Programs walk GROUP row blocks down before the next column block, so b stays in the L2 cache.
        row_blocks, column_blocks = tl.cdiv(M, BM), tl.cdiv(N, BN)
        pid = tl.program_id(0)
        first = pid // (GROUP * column_blocks) * GROUP
        height = min(row_blocks - first, GROUP)
        row_block = first + pid % (GROUP * column_blocks) % height
        column_block = pid % (GROUP * column_blocks) // height
        m = (row_block * BM + tl.arange(0, BM)).to(tl.int64)[:, None]
        n = (column_block * BN + tl.arange(0, BN))[None, :]
        acc = tl.zeros((BM, BN), dtype=tl.float32)
        for start in range(0, K, BK):
            k = start + tl.arange(0, BK)
            a = tl.load(a_ptr + m * K + k[None, :], mask=(m < M) & (k[None, :] < K), other=0.0)
            b = tl.load(b_ptr + k[:, None] * b_row + n * b_column, mask=(k[:, None] < K) & (n < N), other=0.0)
            acc = tl.dot(a, b, acc)
        inside = (m < M) & (n < N)
        dtype = out_ptr.dtype.element_ty
        if FORWARD:
            p = acc.to(dtype)  # rounded first, as the eager form does
            tl.store(p_ptr + m * N + n, p, mask=inside)
            p = p.to(tl.float32)
            leaky = tl.where(p > 0, p, 0.5 * p)
            out = leaky * leaky
        else:
            p = tl.load(p_ptr + m * N + n, mask=inside, other=0.0).to(tl.float32)
            out = acc * tl.where(p > 0, 2 * p, 0.5 * p)
        tl.store(out_ptr + m * N + n, out.to(dtype), mask=inside)


def triton_runs_on(x: Tensor) -> bool:
    """Whether the kernels serve this tensor; the reference numerics (fp32) stay eager."""
    return triton is not None and x.is_cuda and x.dtype in (torch.bfloat16, torch.float16)


class _SoftcapNll(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z_TV: Tensor, targets_T: Tensor, cap: float) -> Tensor:
        z_TV = z_TV.contiguous()
        T, V = z_TV.shape
        loss_T, lse_T = (torch.empty(T, dtype=torch.float32, device=z_TV.device) for _ in range(2))
        _nll_forward[(T,)](z_TV, targets_T, loss_T, lse_T, cap, V, BLOCK=1024)
        ctx.save_for_backward(z_TV, targets_T, lse_T)
        ctx.cap = cap
        return loss_T

    @staticmethod
    def backward(ctx, dloss_T: Tensor) -> tuple[Tensor, None, None]:
        z_TV, targets_T, lse_T = ctx.saved_tensors
        T, V = z_TV.shape
        dz_TV = torch.empty_like(z_TV)
        grid = (T, triton.cdiv(V, 1024))
        _nll_backward[grid](z_TV, targets_T, lse_T, dloss_T.contiguous(), dz_TV, ctx.cap, V, BLOCK=1024)
        return dz_TV, None, None


def fused_softcap_nll(z_TV: Tensor, targets_T: Tensor, cap: float) -> Tensor:
    """losses.softcapped_nll in one read of the logits forward and one backward (#1787)."""
    return _SoftcapNll.apply(z_TV, targets_T, cap)


class _LeakyRelu2Mlp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, n_TD: Tensor, up_FD: Tensor, down_DF: Tensor) -> Tensor:
        n_TD = n_TD.contiguous()
        p_TF = n_TD.new_empty(n_TD.shape[0], up_FD.shape[0])
        hidden_TF = _run_matmul_phi(n_TD, up_FD.T, p_TF, forward=True)
        ctx.save_for_backward(n_TD, up_FD, down_DF, p_TF, hidden_TF)
        return hidden_TF @ down_DF.T

    @staticmethod
    def backward(ctx, dy_TD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        n_TD, up_FD, down_DF, p_TF, hidden_TF = ctx.saved_tensors
        dp_TF = _run_matmul_phi(dy_TD.contiguous(), down_DF, p_TF, forward=False)
        return dp_TF @ up_FD, dp_TF.T @ n_TD, dy_TD.T @ hidden_TF


def fused_leaky_relu2_mlp(n_TD: Tensor, up_FD: Tensor, down_DF: Tensor) -> Tensor:
    """LeakyReLU_0.5(n Wu^T)^2 Wd^T with the activation inside the matrix products (#1530)."""
    return _LeakyRelu2Mlp.apply(n_TD, up_FD, down_DF)


def _run_matmul_phi(a_MK: Tensor, b_KN: Tensor, p_MN: Tensor, forward: bool) -> Tensor:
    (M, K), N = a_MK.shape, b_KN.shape[1]
    out_MN = a_MK.new_empty(M, N)
    BM, BN, BK = 128, 128, 64
    grid = (triton.cdiv(M, BM) * triton.cdiv(N, BN),)
    _matmul_phi[grid](
        a_MK, b_KN, p_MN, out_MN, M, N, K, b_KN.stride(0), b_KN.stride(1),
        FORWARD=forward, BM=BM, BN=BN, BK=BK, GROUP=8, num_warps=8, num_stages=3,
    )  # fmt: skip
    return out_MN


# ----------------------------------------------------------------------------------------------------
# losses
#
# Cross-entropy of soft-capped logits.
#
# Shapes: T packed tokens, V vocabulary.


def softcap(z_TV: Tensor, cap: float) -> Tensor:
    """c tanh(z / c) in fp32 (Gemma 2, arXiv:2408.00118)."""
    return cap * torch.tanh(z_TV.float() / cap)


def softcapped_nll(z_TV: Tensor, targets_T: Tensor, cap: float, fused: bool) -> Tensor:
    """-log softmax(softcap(z))[target] per token, fp32 nats; `fused` is the same sum in one pass over z."""
    if fused and triton_runs_on(z_TV):
        return fused_softcap_nll(z_TV, targets_T, cap)
    return F.cross_entropy(softcap(z_TV, cap), targets_T, reduction="none")


# ----------------------------------------------------------------------------------------------------
# layers
#
# The small pieces of a block: norm, activation, gates.
#
# Shapes: T packed tokens, D model dim, H heads, d head dim, F hidden dim of the MLP, W gate window.


def rms(x: Tensor) -> Tensor:
    """x / sqrt(mean(x^2) + eps) over the last axis, without a weight; eps is the dtype's own."""
    return F.rms_norm(x, (x.shape[-1],))


def mlp_activation(p_TF: Tensor, kind: str) -> Tensor:
    """phi(p) = LeakyReLU_0.5(p)^2 (#549), or relu(p)^2 (naive, arXiv:2109.08668)."""
    if kind == "leaky_relu2":
        return F.leaky_relu(p_TF, 0.5).square()
    if kind == "relu2":
        return F.relu(p_TF).square()
    raise ValueError(f"unknown activation {kind!r}")


def smear(e_TD: Tensor, ids_T: Tensor, position_T: Tensor, w_1W: Tensor, lam: Tensor, bos_id: int) -> Tensor:
    """x_t = e_t + lambda * sigmoid(w . e_t[:W]) * e_{t-1}, unless t starts a segment or a document.

    #1667. Without the BOS mask the last token of a document leaks into the next one (found in #1797).
    """
    gate_T1 = lam * torch.sigmoid(F.linear(e_TD[:, : w_1W.shape[1]], w_1W))
    keep_T1 = ((position_T > 0) & (ids_T != bos_id))[:, None]
    previous_TD = torch.cat((torch.zeros_like(e_TD[:1]), e_TD[:-1]))
    return e_TD + gate_T1 * keep_T1 * previous_TD


def sparse_gate(y_THd: Tensor, n_TD: Tensor, w_HW: Tensor, scale: float) -> Tensor:
    """y_h <- sigmoid(scale * w_h . n[:W]) * y_h (#1787); 1/2 at initialisation."""
    gate_TH = torch.sigmoid(scale * F.linear(n_TD[:, : w_HW.shape[1]].contiguous(), w_HW))
    return y_THd * gate_TH[..., None]


# ----------------------------------------------------------------------------------------------------
# model
#
# The model: one forward for training, calibration, evaluation and test-time training.
#
# Shapes: T packed tokens, D model dim, V vocabulary, L layers, H heads, K key/value heads, d head dim,
# F hidden dim of the MLP, W gate window, S skips.
#
# `Adapters` and `Recorder` act inside this one path, so nothing that trains at test time and nothing that
# measures can drift from it (in #2143 and #1787 a second, hand-copied forward did).


class Recorder(Protocol):
    """Sees the input of every linear map under the map's name, once per pass through the map."""

    def record(self, name: str, x_TC: Tensor) -> None: ...


class Adapters(Protocol):
    """Adds delta(site, slot, x) to what a site makes of x: q k v o mlp per executed layer, and lm_head."""

    def delta(self, site: str, slot: int, x_TD: Tensor) -> Tensor | None: ...


def executed_layers(cfg: ModelCfg, looping: bool) -> tuple[list[int], list[int]]:
    """The layers in order of execution, split in an encoder (pushes skips) and a decoder (pops them)."""
    layers = list(range(cfg.num_layers))
    if looping and cfg.num_loops:
        first, after = cfg.loop_start, cfg.loop_end + 1
        layers = layers[:first] + layers[first:after] * (1 + cfg.num_loops) + layers[after:]
    return layers[: len(layers) // 2], layers[len(layers) // 2 :]


class Stream(NamedTuple):
    """What every layer of one forward shares."""

    x0: Tensor  # [T, D], the normed embedding
    cos: Tensor  # [T, 1, R]
    sin: Tensor
    segments: Segments
    adapters: Adapters | None
    recorder: Recorder | None


class Weights(NamedTuple):
    """Parameters in the compute dtype, one entry per layer."""

    q: tuple[Tensor, ...]
    k: tuple[Tensor, ...]
    v: tuple[Tensor, ...]
    o: tuple[Tensor, ...]
    up: tuple[Tensor, ...]
    down: tuple[Tensor, ...]
    q_gain: tuple[Tensor, ...]
    attn_scale: tuple[Tensor, ...]
    mlp_scale: tuple[Tensor, ...]
    resid_mix: tuple[Tensor, ...]
    attn_gate: tuple[Tensor, ...]


class GPT(nn.Module):
    def __init__(self, cfg: ModelCfg):
        super().__init__()
        L, D, H = cfg.num_layers, cfg.model_dim, cfg.num_heads
        kv_dim, mlp_dim = cfg.num_kv_heads * (D // H), int(cfg.mlp_mult * D)
        self.cfg = cfg
        self.looping = False
        self.backend = cfg.attention_backend
        self.dtype = getattr(torch, cfg.compute_dtype)
        self.two_lane = cfg.parallel_kind == "two_lane"
        self.one_stream = cfg.parallel_kind == "one_stream"

        self.tok_emb = nn.Embedding(cfg.vocab_size, D)  # also the output head
        # The matrices of all layers in four banks: Muon orthogonalises a bank in one batch and shards it.
        self.qo_bank = nn.Parameter(torch.empty(2 * L, D, D))  # Wq of all layers, then Wo
        self.kv_bank = nn.Parameter(torch.empty(2 * L, kv_dim, D))  # Wk, then Wv
        self.up_bank = nn.Parameter(torch.empty(L, mlp_dim, D))
        self.down_bank = nn.Parameter(torch.empty(L, D, mlp_dim))

        self.q_gain = nn.Parameter(torch.full((L, H), cfg.qk_gain_init))
        self.attn_scale = nn.Parameter(torch.ones(L, D))
        self.mlp_scale = nn.Parameter(torch.ones(L, D))
        self.resid_mix = nn.Parameter(torch.tensor([1.0, 0.0])[None, :, None].repeat(L, 1, D))
        if cfg.sparse_attn_gate_enabled:
            self.attn_gate_w = nn.Parameter(torch.zeros(L, H, cfg.gate_window))
        encoder, decoder = executed_layers(cfg, looping=True)
        n_skips = min(len(encoder), len(decoder))  # rows belong to decoder positions, not to layers
        self.skip_weights = nn.Parameter(torch.ones(n_skips, D))
        if cfg.skip_gates_enabled:
            self.skip_gates = nn.Parameter(torch.zeros(n_skips, D))
        if self.two_lane:
            self.parallel_post_lambdas = nn.Parameter(torch.ones(L, 2, 2))  # [layer, attn or mlp, lane]
            self.parallel_resid_lambdas = nn.Parameter(torch.full((L, 2), 1.1))  # [layer, lane]; 1.1: #1529
        if cfg.smear_gate_enabled:
            self.smear_gate = nn.Linear(cfg.gate_window, 1, bias=False)
            self.smear_lambda = nn.Parameter(torch.zeros(1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Orthogonal inputs, zero outputs: every block starts as the identity."""
        nn.init.normal_(self.tok_emb.weight, std=self.cfg.tied_embed_init_std)
        L = self.cfg.num_layers
        for W_OI in (*self.qo_bank[:L], *self.kv_bank, *self.up_bank):
            nn.init.orthogonal_(W_OI)
        nn.init.zeros_(self.qo_bank[L:])
        nn.init.zeros_(self.down_bank)
        if self.cfg.smear_gate_enabled:
            nn.init.zeros_(self.smear_gate.weight)

    def set_looping(self, looping: bool) -> None:
        self.looping = looping

    def nll(
        self,
        ids_T: Tensor,
        targets_T: Tensor,
        segments: Segments,
        adapters: Adapters | None = None,
        recorder: Recorder | None = None,
    ) -> Tensor:
        """Loss of every token in nats, fp32 [T]."""
        h_TD = self.forward_hidden(ids_T, segments, adapters, recorder)
        z_TV = self._raw_logits(h_TD, adapters)
        return softcapped_nll(z_TV, targets_T, self.cfg.logit_softcap, self.cfg.fused_ce_enabled)

    def logits(self, h_TD: Tensor, adapters: Adapters | None = None) -> Tensor:
        """Soft-capped logits, fp32 [T, V]."""
        return softcap(self._raw_logits(h_TD, adapters), self.cfg.logit_softcap)

    def forward_hidden(
        self,
        ids_T: Tensor,
        segments: Segments,
        adapters: Adapters | None = None,
        recorder: Recorder | None = None,
    ) -> Tensor:
        """The normed last hidden state [T, D] of a packed buffer."""
        w = self._weights()
        _, position_T = segments.locate(ids_T.numel())
        x_TD = self._embed(ids_T, position_T)
        rotary_dims = self.cfg.rope_dims or self.cfg.model_dim // self.cfg.num_heads
        cos, sin = rotary_table(position_T, rotary_dims, self.cfg.rope_base)
        stream = Stream(x_TD, cos.to(self.dtype), sin.to(self.dtype), segments, adapters, recorder)
        encoder, decoder = executed_layers(self.cfg, self.looping)

        skips = []
        for slot, i in enumerate(encoder):
            x_TD = self._block(w, i, slot, x_TD, stream)
            skips.append(x_TD)

        lane1_TD = None  # the second residual stream, once two-lane layers have begun
        for p, i in enumerate(decoder):
            if skips and p < len(self.skip_weights):
                x_TD = self._merge_skip(p, x_TD, skips.pop())
            if self.two_lane and i >= self.cfg.parallel_start_layer:
                lane1_TD = x_TD if lane1_TD is None else lane1_TD
                x_TD, lane1_TD = self._two_lane_block(w, i, len(encoder) + p, x_TD, lane1_TD, stream)
            else:
                x_TD = self._block(w, i, len(encoder) + p, x_TD, stream)
        if lane1_TD is not None:
            x_TD = (x_TD + lane1_TD) / 2
        h_TD = rms(x_TD)
        if recorder is not None:
            recorder.record("tok_emb.weight", h_TD)
        return h_TD

    def _weights(self) -> Weights:
        """Cast once and split once: the backward of a bank is then one stack, not a sum over its slices."""
        L = self.cfg.num_layers
        qo, kv = self.qo_bank.to(self.dtype).unbind(0), self.kv_bank.to(self.dtype).unbind(0)
        gate = self.attn_gate_w.to(self.dtype).unbind(0) if self.cfg.sparse_attn_gate_enabled else ()
        rest = (self.up_bank, self.down_bank, self.q_gain, self.attn_scale, self.mlp_scale, self.resid_mix)
        return Weights(
            qo[:L], kv[:L], kv[L:], qo[L:], *(bank.to(self.dtype).unbind(0) for bank in rest), attn_gate=gate
        )

    def _embed(self, ids_T: Tensor, position_T: Tensor) -> Tensor:
        e_TD = self.tok_emb(ids_T).to(self.dtype)
        if self.cfg.smear_gate_enabled:
            w_1W, lam = self.smear_gate.weight.to(self.dtype), self.smear_lambda.to(self.dtype)
            e_TD = smear(e_TD, ids_T, position_T, w_1W, lam, self.cfg.bos_id)
        return rms(e_TD)

    def _block(self, w: Weights, i: int, slot: int, x_TD: Tensor, stream: Stream) -> Tensor:
        # u = a x + b x0;  h = u + alpha Attn(RMS(u) s);  x' = h + beta MLP(RMS(h) s)
        a_D, b_D = w.resid_mix[i]
        u_TD = a_D * x_TD + b_D * stream.x0
        attn_TD = w.attn_scale[i] * self._attn(w, i, slot, self._norm(u_TD, i), stream)
        h_TD = u_TD + attn_TD
        # One stream (#1412, after GPT-J): the MLP reads u as well, and both are added to it.
        mlp_in_TD = u_TD if self.one_stream and i >= self.cfg.parallel_start_layer else h_TD
        return h_TD + w.mlp_scale[i] * self._mlp(w, i, slot, self._norm(mlp_in_TD, i), stream)

    def _two_lane_block(
        self, w: Weights, i: int, slot: int, lane0_TD: Tensor, lane1_TD: Tensor, stream: Stream
    ) -> tuple[Tensor, Tensor]:
        # #1529: A = alpha Attn(RMS(a lane0 + b x0) s), M = beta MLP(RMS(lane1) s),
        # lane_j' = r_j lane_j + P[attn, j] A + P[mlp, j] M
        a_D, b_D = w.resid_mix[i]
        u_TD = a_D * lane0_TD + b_D * stream.x0
        A_TD = w.attn_scale[i] * self._attn(w, i, slot, self._norm(u_TD, i), stream)
        M_TD = w.mlp_scale[i] * self._mlp(w, i, slot, self._norm(lane1_TD, i), stream)
        r, P = self.parallel_resid_lambdas[i].to(self.dtype), self.parallel_post_lambdas[i].to(self.dtype)
        return (
            r[0] * lane0_TD + P[0, 0] * A_TD + P[1, 0] * M_TD,
            r[1] * lane1_TD + P[0, 1] * A_TD + P[1, 1] * M_TD,
        )

    def _attn(self, w: Weights, i: int, slot: int, n_TD: Tensor, stream: Stream) -> Tensor:
        cfg, name = self.cfg, f"blocks.{i}.attn"
        q_TD, k_TC, v_TC = F.linear(n_TD, w.q[i]), F.linear(n_TD, w.k[i]), F.linear(n_TD, w.v[i])
        if stream.recorder is not None:
            for part in ("c_q", "c_k", "c_v"):
                stream.recorder.record(f"{name}.{part}.weight", n_TD)
        q_TD = _adapted(q_TD, "q", slot, n_TD, stream)
        k_TC = _adapted(k_TC, "k", slot, n_TD, stream)
        v_TC = _adapted(v_TC, "v", slot, n_TD, stream)

        q_THd = rotate(rms(q_TD.unflatten(1, (cfg.num_heads, -1))), stream.cos, stream.sin)
        k_TKd = rotate(rms(k_TC.unflatten(1, (cfg.num_kv_heads, -1))), stream.cos, stream.sin)
        v_TKd = v_TC.unflatten(1, (cfg.num_kv_heads, -1))
        q_THd = q_THd * w.q_gain[i][:, None]
        y_THd = attention(q_THd, k_TKd, v_TKd, stream.segments, self.backend)
        if i >= cfg.num_layers - cfg.xsa_last_n:
            y_THd = exclude_self(y_THd, v_TKd)
        if cfg.sparse_attn_gate_enabled:
            y_THd = sparse_gate(y_THd, n_TD, w.attn_gate[i], cfg.sparse_attn_gate_scale)
        y_TD = y_THd.flatten(1)
        if stream.recorder is not None:
            stream.recorder.record(f"{name}.proj.weight", y_TD)
        return _adapted(F.linear(y_TD, w.o[i]), "o", slot, n_TD, stream)

    def _mlp(self, w: Weights, i: int, slot: int, n_TD: Tensor, stream: Stream) -> Tensor:
        if self._fuses_mlp(n_TD, stream.recorder):
            out_TD = fused_leaky_relu2_mlp(n_TD, w.up[i], w.down[i])
        else:
            hidden_TF = mlp_activation(F.linear(n_TD, w.up[i]), self.cfg.mlp_act)
            out_TD = F.linear(hidden_TF, w.down[i])
            if stream.recorder is not None:
                stream.recorder.record(f"blocks.{i}.mlp.fc.weight", n_TD)
                stream.recorder.record(f"blocks.{i}.mlp.proj.weight", hidden_TF)
        return _adapted(out_TD, "mlp", slot, n_TD, stream)

    def _fuses_mlp(self, n_TD: Tensor, recorder: Recorder | None) -> bool:
        leaky = self.cfg.mlp_act == "leaky_relu2"
        return self.cfg.fused_ce_enabled and leaky and recorder is None and triton_runs_on(n_TD)

    def _merge_skip(self, p: int, x_TD: Tensor, skip_TD: Tensor) -> Tensor:
        # sigma(G) x + (1 - sigma(G)) W skip; the naive baseline adds W skip without a gate
        skip_TD = self.skip_weights[p].to(self.dtype) * skip_TD
        if not self.cfg.skip_gates_enabled:
            return x_TD + skip_TD
        return torch.lerp(skip_TD, x_TD, torch.sigmoid(self.skip_gates[p].to(self.dtype)))

    def _norm(self, x_TD: Tensor, i: int) -> Tensor:
        return rms(x_TD) / (i + 1) ** 0.5 if self.cfg.ln_scale else rms(x_TD)

    def _raw_logits(self, h_TD: Tensor, adapters: Adapters | None) -> Tensor:
        z_TV = F.linear(h_TD, self.tok_emb.weight.to(self.dtype))
        extra_TV = None if adapters is None else adapters.delta("lm_head", 0, h_TD)
        return z_TV if extra_TV is None else z_TV + extra_TV


def _adapted(out: Tensor, site: str, slot: int, x_TD: Tensor, stream: Stream) -> Tensor:
    extra = None if stream.adapters is None else stream.adapters.delta(site, slot, x_TD)
    return out if extra is None else out + extra


# Stacked parameters and the names of their parts per layer, which artifact, quantiser and recorder use.
STACKED = {
    "qo_bank": ("attn.c_q.weight", "attn.proj.weight"),
    "kv_bank": ("attn.c_k.weight", "attn.c_v.weight"),
    "up_bank": ("mlp.fc.weight",),
    "down_bank": ("mlp.proj.weight",),
    "q_gain": ("attn.q_gain",),
    "attn_gate_w": ("attn.attn_gate_w",),
    "attn_scale": ("attn_scale",),
    "mlp_scale": ("mlp_scale",),
    "resid_mix": ("resid_mix",),
}


def unbank(model: GPT) -> dict[str, Tensor]:
    """Every parameter under its per-layer name, e.g. blocks.3.attn.c_q.weight, as detached views."""
    L = model.cfg.num_layers
    flat = {}
    for name, parameter in model.named_parameters():
        if name not in STACKED:
            flat[name] = parameter.detach()
            continue
        for part, suffix in enumerate(STACKED[name]):
            for i in range(L):
                flat[f"blocks.{i}.{suffix}"] = parameter.detach()[part * L + i]
    return flat


@torch.no_grad()
def rebank(model: GPT, flat: dict[str, Tensor]) -> None:
    """Copy per-layer tensors into the model, undoing `unbank`; ValueError if names or shapes differ."""
    views = unbank(model)
    if flat.keys() != views.keys():
        raise ValueError(f"names differ: {', '.join(sorted(flat.keys() ^ views.keys()))}")
    for name, view in views.items():
        if view.shape != flat[name].shape:
            raise ValueError(
                f"{name}: shape {tuple(flat[name].shape)} where the model has {tuple(view.shape)}"
            )
        view.copy_(flat[name])


# ----------------------------------------------------------------------------------------------------
# data
#
# Shards on disk, the validation stream with its bytes, and the training loaders.
#
# Shapes: N tokens of a stream, T packed tokens of a micro-batch, V vocabulary.
#
# A shard is 256 little-endian int32 (magic, version, token count, zeros) followed by uint16 tokens. Documents
# are [BOS] + tokens, one after the other, and may straddle shards: BOS is the only separator. A CaseOps
# validation shard has a sidecar of the same layout that holds, for each token, its original bytes.


SHARD_MAGIC, SHARD_VERSION, HEADER_INTS = 20240520, 1, 256  # data/README.md of the challenge
HEADER_BYTES = 4 * HEADER_INTS


def write_shard(path: Path, tokens_N: np.ndarray) -> None:
    header = np.zeros(HEADER_INTS, dtype="<i4")
    header[:3] = SHARD_MAGIC, SHARD_VERSION, len(tokens_N)
    path.write_bytes(header.tobytes() + tokens_N.astype("<u2").tobytes())


def read_shard(path: Path) -> np.ndarray:
    """The shard's tokens, uint16 [N], mapped from the file; ValueError if header and size disagree."""
    header = np.fromfile(path, dtype="<i4", count=HEADER_INTS)
    if len(header) < HEADER_INTS or tuple(header[:2]) != (SHARD_MAGIC, SHARD_VERSION):
        raise ValueError(f"{path}: not a shard of version {SHARD_VERSION}")
    n_tokens = int(header[2])
    if path.stat().st_size != HEADER_BYTES + 2 * n_tokens:
        raise ValueError(f"{path}: header says {n_tokens} tokens, the file holds another number")
    return np.memmap(path, dtype="<u2", mode="r", offset=HEADER_BYTES, shape=(n_tokens,))


@dataclass(frozen=True)
class Data:
    """What a run reads: training shards, and the validation stream with the bytes charged to each token."""

    train_files: tuple[Path, ...]
    val_ids: Tensor  # int64 [N + 1]: N targets, N a multiple of eval_seq_len
    val_bytes: Tensor  # int64 [N + 1]


def load_data(cfg: Cfg) -> Data:
    """Open the shards in cfg.data.data_path; ValueError unless validation holds val_docs documents."""
    folder = Path(cfg.data.data_path)
    train_files = tuple(sorted(folder.glob("fineweb_train_*.bin")))
    val_files = [f for f in sorted(folder.glob("fineweb_val_*.bin")) if "_bytes_" not in f.name]
    if not train_files or not val_files:
        raise FileNotFoundError(
            f"{folder} lacks fineweb_train_*.bin or fineweb_val_*.bin; run the data command"
        )
    ids_N = np.concatenate([read_shard(f) for f in val_files])
    n_docs = int((ids_N == BOS_ID).sum())
    if n_docs != cfg.data.val_docs:
        # A smaller split leaves the remaining validation documents in the training shards (issue #2127).
        raise ValueError(f"validation holds {n_docs} documents where val_docs={cfg.data.val_docs}")
    bytes_N = validation_bytes(cfg, folder, ids_N)
    kept = (len(ids_N) - 1) // cfg.eval.eval_seq_len * cfg.eval.eval_seq_len + 1
    val_ids, val_bytes = (torch.from_numpy(a[:kept].astype(np.int64)) for a in (ids_N, bytes_N))
    return Data(train_files, val_ids, val_bytes)


def validation_bytes(cfg: Cfg, folder: Path, ids_N: np.ndarray) -> np.ndarray:
    """Bytes of each validation token: from the sidecar under CaseOps, else from the tokenizer's table."""
    if cfg.data.caseops_enabled:
        sidecars = sorted(folder.glob("fineweb_val_bytes_*.bin"))
        bytes_N = np.concatenate([read_shard(f) for f in sidecars]) if sidecars else np.empty(0)
        if len(bytes_N) != len(ids_N):
            raise ValueError(
                f"{folder}: {len(ids_N)} validation tokens, {len(bytes_N)} entries in the sidecar"
            )
        return bytes_N
    return bytes_by_table(ids_N, open_tokenizer(cfg.data, folder).byte_table())


def open_tokenizer(cfg: DataCfg, folder: Path) -> Byte264 | SentencePieceTokenizer:
    if cfg.tokenizer == "byte264":
        return Byte264(cfg.caseops_enabled)
    if cfg.tokenizer == "sentencepiece":
        return SentencePieceTokenizer(folder / cfg.tokenizer_model, cfg.caseops_enabled)
    raise ValueError(f"unknown tokenizer {cfg.tokenizer!r}")


class Batch(NamedTuple):
    ids: Tensor  # int64 [T]
    targets: Tensor  # int64 [T]
    segments: Segments

    def to(self, device: torch.device) -> Batch:
        if device.type != "cuda":
            return self
        ids, targets = (t.pin_memory().to(device, non_blocking=True) for t in (self.ids, self.targets))
        return Batch(ids, targets, self.segments.to(device))


class SequentialLoader:
    """Contiguous tokens, file after file: packed documents (#1530), or dense rows across them (naive).

    All ranks share one cursor; each step takes one span of T tokens and a target per rank. A tail too short
    for all ranks is dropped, and after the last file comes the first.
    """

    def __init__(
        self,
        files: tuple[Path, ...],
        seq_len: int,
        T: int,
        rank: int,
        world: int,
        documents: bool,
        pad_to: int,
    ):
        self.files, self.seq_len, self.T, self.rank, self.world = files, seq_len, T, rank, world
        self.documents, self.pad_to = documents, pad_to
        self.file = -1
        self._open_next()

    def next_batch(self) -> Batch:
        span = self.T + 1
        for _ in self.files:
            if self.cursor + self.world * span <= len(self.tokens_N):
                break
            self._open_next()
        else:
            raise ValueError(f"no training shard holds {self.world} x {span} tokens")
        start = self.cursor + self.rank * span
        self.cursor += self.world * span
        ids = torch.from_numpy(self.tokens_N[start : start + span].astype(np.int64))
        return Batch(ids[:-1], ids[1:], self._segments(ids[:-1]))

    def _segments(self, ids_T: Tensor) -> Segments:
        if self.documents:
            return Segments.from_bos(ids_T, BOS_ID, self.seq_len, self.pad_to)
        return Segments.rows(self.T // self.seq_len, self.seq_len)

    def _open_next(self) -> None:
        self.file = (self.file + 1) % len(self.files)
        self.tokens_N = read_shard(self.files[self.file])
        self.cursor = 0
        if self.documents:
            is_bos_N = self.tokens_N == BOS_ID
            if not is_bos_N.any():
                raise ValueError(f"{self.files[self.file]} holds no BOS: its documents cannot be told apart")
            self.cursor = int(is_bos_N.argmax())


class ShuffledLoader:
    """Windows of seq_len in random order, documents ignored (#1394); also GPTQ's calibration data in #1855.

    Rank r owns files r, r + world, ...; each row comes from a shard drawn by its unused windows.
    """

    def __init__(self, files: tuple[Path, ...], seq_len: int, T: int, rank: int, world: int):
        if len(files) < world:
            raise ValueError(f"{len(files)} training shards for {world} ranks: each rank needs its own")
        self.shards = [read_shard(f) for f in files[rank::world]]
        self.seq_len, self.rows = seq_len, T // seq_len
        self.rng = np.random.Generator(np.random.PCG64(rank))
        self.starts: list[list[int]] = [[] for _ in self.shards]

    def next_batch(self) -> Batch:
        windows = np.stack([self._window() for _ in range(self.rows)]).astype(np.int64)
        ids, targets = torch.from_numpy(windows[:, :-1].ravel()), torch.from_numpy(windows[:, 1:].ravel())
        return Batch(ids, targets, Segments.rows(self.rows, self.seq_len))

    def _window(self) -> np.ndarray:
        if not any(self.starts):
            self.starts = [self._draw_starts(len(shard)) for shard in self.shards]
        left = np.array([len(starts) for starts in self.starts], dtype=np.float64)
        shard = int(self.rng.choice(len(left), p=left / left.sum()))
        start = self.starts[shard].pop()
        return self.shards[shard][start : start + self.seq_len + 1]

    def _draw_starts(self, n_tokens: int) -> list[int]:
        if n_tokens <= self.seq_len:
            raise ValueError(f"a shard of {n_tokens} tokens holds no window of {self.seq_len} and a target")
        phase = int(self.rng.integers(min(self.seq_len, n_tokens - self.seq_len)))
        n_windows = (n_tokens - 1 - phase) // self.seq_len
        return list(phase + self.seq_len * self.rng.permutation(n_windows))


Loader = SequentialLoader | ShuffledLoader


def make_loader(cfg: Cfg, files: tuple[Path, ...], rank: int, world: int) -> Loader:
    """The training loader of a preset, giving micro-batches of train_batch_tokens / micro_batches tokens."""
    seq_len, T = cfg.train.train_seq_len, cfg.train.train_batch_tokens // cfg.train.micro_batches
    if cfg.train.loader == "shuffled":
        return ShuffledLoader(files, seq_len, T, rank, world)
    if cfg.train.loader not in ("packed", "stream"):
        raise ValueError(f"unknown loader {cfg.train.loader!r}")
    pad_to = 64 if cfg.train.compile else 1  # few lengths of cu_seqlens mean few compiled graphs (#1530)
    return SequentialLoader(files, seq_len, T, rank, world, cfg.train.loader == "packed", pad_to)


class Prefetcher:
    """Keeps two batches ahead of the training step, on a thread of its own (#1530)."""

    def __init__(self, loader: Loader, device: torch.device, depth: int = 2):
        self.loader, self.device = loader, device
        self.thread = ThreadPoolExecutor(1)
        self.ahead = deque(self.thread.submit(self._load) for _ in range(depth))

    def next_batch(self) -> Batch:
        self.ahead.append(self.thread.submit(self._load))
        return self.ahead.popleft().result()

    def close(self) -> None:
        self.thread.shutdown(cancel_futures=True)

    def _load(self) -> Batch:
        return self.loader.next_batch().to(self.device)


# ----------------------------------------------------------------------------------------------------
# evaluate
#
# Bits per byte, and the two evaluations that learn nothing: whole windows and sliding windows.
#
#     bpb = (sum of nats / ln 2) / (sum of original bytes),  over every target of the validation stream once
#
# Nats per token depend on the tokenizer; the bytes of the text do not: only bits per byte can be compared.
# Position t of the stream predicts token t+1: a stream of N+1 tokens has the positions 0..N-1, and its first
# token is never a target. A BOS target counts in the loss and carries 0 bytes.
#
# Shapes: N positions, T packed tokens of one forward, n positions scored by it.


class Window(NamedTuple):
    """Positions start..end-1 are read, first_scored..end-1 are scored."""

    start: int
    first_scored: int
    end: int


class ScoreOrderError(RuntimeError):
    """A position was scored twice, learned from before it was scored, or never scored."""


@dataclass(frozen=True)
class Score:
    """val_loss in nats per token, val_bpb in bits per byte."""

    val_loss: float
    val_bpb: float
    tokens: int
    bytes: int


class Scoreboard:
    """Sums of nats and bytes, and one bit per position: scored or not.

    Everything that scores goes through `add`, everything that learns through `require_scored`: a position
    can be scored only once, and nothing can be learned from it before. Ranks score apart; `share` tells each
    what the others have scored, `score` adds up.
    """

    def __init__(self, target_bytes_N: Tensor, device: torch.device | str = "cpu", ranks: Ranks = ALONE):
        self.target_bytes_N = target_bytes_N
        self.ranks = ranks
        self.scored_N = torch.zeros(len(target_bytes_N), dtype=torch.bool)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=device)  # adding does not synchronise
        self.byte_sum = 0
        self.token_count = 0

    def add(self, positions_n: Tensor, loss_n: Tensor) -> None:
        """Score these positions with these losses (nats)."""
        if self.scored_N[positions_n].any():
            raise ScoreOrderError("a position would be scored twice")
        if not len(positions_n.unique()) == len(positions_n) == len(loss_n):
            raise ScoreOrderError("positions of one batch repeat, or do not match its losses")
        self.scored_N[positions_n] = True
        self.loss_sum += loss_n.detach().double().sum()
        self.byte_sum += int(self.target_bytes_N[positions_n].sum())
        self.token_count += len(loss_n)
        if self.ranks.rank == 0:
            tick("scored positions", self.token_count, len(self.scored_N) // self.ranks.world)

    def require_scored(self, positions_n: Tensor) -> None:
        """Refuse to learn from targets that have not been scored."""
        if not self.scored_N[positions_n].all():
            raise ScoreOrderError("learning from a position before it was scored")

    def share(self, lo: int, hi: int) -> None:
        """Make every rank know which of the positions lo..hi-1 any rank has scored."""
        if self.ranks.world > 1:
            scorers_n = self.scored_N[lo:hi].to(self.loss_sum.device, torch.int32)
            self.scored_N[lo:hi] = sum_over_ranks(scorers_n, self.ranks).bool().cpu()

    def score(self) -> Score:
        """The result over all ranks; every position must have been scored exactly once."""
        N = len(self.scored_N)
        self.share(0, N)
        counts = torch.tensor([self.byte_sum, self.token_count], device=self.loss_sum.device)
        byte_sum, token_count = sum_over_ranks(counts, self.ranks).tolist()
        loss_sum = float(sum_over_ranks(self.loss_sum, self.ranks))
        if not self.scored_N.all() or token_count != N:
            missing = N - int(self.scored_N.sum())
            raise ScoreOrderError(
                f"{missing} of {N} positions were never scored, {token_count} scores were added"
            )
        if byte_sum == 0:
            raise ValueError("the scored targets carry no bytes")
        val_loss = loss_sum / token_count
        val_bpb = loss_sum / math.log(2.0) / byte_sum
        return Score(val_loss, val_bpb, token_count, byte_sum)


def pack_rows(
    val_tokens: Tensor, rows: Sequence[Tensor], bos_id: int | None, device: torch.device
) -> tuple[Tensor, Tensor, Segments]:
    """Inputs and targets of rows of positions, side by side; a segment starts at each row and at each BOS."""
    positions_T = torch.cat(list(rows))
    ids_T, targets_T = val_tokens[positions_T].long(), val_tokens[positions_T + 1].long()
    starts_T = torch.zeros(len(ids_T), dtype=torch.bool)
    starts_T[torch.tensor([0, *(len(row) for row in rows[:-1])]).cumsum(0)] = True
    if bos_id is not None:
        starts_T |= ids_T == bos_id
    cu_seqlens = torch.cat([starts_T.nonzero().flatten(), torch.tensor([len(ids_T)])]).int()
    longest = int(cu_seqlens.diff().max())
    return ids_T.to(device), targets_T.to(device), Segments(cu_seqlens.to(device), longest)


@torch.no_grad()
def evaluate_plain(
    model: GPT, val_tokens: Tensor, target_bytes_N: Tensor, cfg: EvalCfg, ranks: Ranks = ALONE
) -> Score:
    """Windows of eval_seq_len that do not overlap: every position is scored by the window it lies in."""
    model.eval()
    board = Scoreboard(target_bytes_N, device_of(model), ranks)
    bos_id = model.cfg.bos_id if cfg.eval_documents else None
    N, T = len(target_bytes_N), cfg.eval_seq_len
    batch_tokens = max(1, cfg.val_batch_tokens // (ranks.world * T)) * T
    for lo in range(ranks.rank * batch_tokens, N, ranks.world * batch_tokens):
        hi = min(lo + batch_tokens, N)
        rows = torch.arange(lo, hi).split(T)
        ids_T, targets_T, segments = pack_rows(val_tokens, rows, bos_id, device_of(model))
        loss_T = model.nll(ids_T, targets_T, segments)
        board.add(torch.arange(lo, hi), loss_T)
    return board.score()


def sliding_windows(N: int, T: int, stride: int) -> list[Window]:
    """Windows of T positions, `stride` apart, that score each of N positions exactly once.

    The first window scores all it covers, each later one only what the one before did not reach.
    """
    starts = [0, *range(stride, N - (T - stride), stride)]
    return [Window(ws, ws if ws == 0 else ws + T - stride, min(ws + T, N)) for ws in starts]


@torch.no_grad()
def score_windows(
    model: GPT, val_tokens: Tensor, windows: Sequence[Window], board: Scoreboard, cfg: EvalCfg
) -> None:
    """Score the new positions of sliding windows, eval_batch_seqs windows per forward and rank."""
    model.eval()
    rank, world = board.ranks
    bos_id = model.cfg.bos_id if cfg.eval_documents else None
    for i in range(rank * cfg.eval_batch_seqs, len(windows), world * cfg.eval_batch_seqs):
        batch = windows[i : i + cfg.eval_batch_seqs]
        rows = [torch.arange(w.start, w.end) for w in batch]
        new_T = torch.cat([row >= w.first_scored for row, w in zip(rows, batch, strict=True)])
        ids_T, targets_T, segments = pack_rows(val_tokens, rows, bos_id, device_of(model))
        loss_T = model.nll(ids_T, targets_T, segments)
        board.add(torch.cat(rows)[new_T], loss_T[new_T.to(loss_T.device)])


def evaluate_sliding(
    model: GPT, val_tokens: Tensor, target_bytes_N: Tensor, cfg: EvalCfg, ranks: Ranks = ALONE
) -> Score:
    """Overlapping windows, eval_stride apart: all but the first positions see at least T - stride back."""
    board = Scoreboard(target_bytes_N, device_of(model), ranks)
    windows = sliding_windows(len(target_bytes_N), cfg.eval_seq_len, cfg.eval_stride)
    score_windows(model, val_tokens, windows, board, cfg)
    return board.score()


def device_of(model: GPT) -> torch.device:
    return model.tok_emb.weight.device


# ----------------------------------------------------------------------------------------------------
# muon
#
# Muon (Jordan et al. 2024) on banks of matrices: momentum, row normalisation, Newton-Schulz, sharded.
#
# Shapes: B matrices of a bank, each R rows by C columns; b = ceil(B / ranks), one rank's share of a bank.


# (a, b, c) of X <- a X + (b A + c A^2) X per step.
NEWTON_SCHULZ = {
    # Polar Express (arXiv:2505.16932), tuned for exactly five steps: singular values in [1e-3, 1] land in
    # [0.859, 1.141]. First used in #1344.
    "polar_express": (
        (8.156554524902461, -22.48329292557795, 15.878769915207462),
        (4.042929935166739, -2.808917465908714, 0.5000178451051316),
        (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
        (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
        (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
    ),
    # Keller Jordan's original tuple: [1e-2, 1] lands in [0.682, 1.134].
    "classic": ((3.4445, -4.7750, 2.0315),) * 5,
}


def newton_schulz(G_BRC: Tensor, coefficients: str, steps: int, dtype: torch.dtype) -> Tensor:
    """U V^T of each matrix G = U S V^T, approximately; the matrix products run in `dtype`."""
    X = G_BRC.to(dtype)
    wide = X.shape[-2] <= X.shape[-1]
    X = X if wide else X.mT
    X = X / (X.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for a, b, c in NEWTON_SCHULZ[coefficients][:steps]:
        A = X @ X.mT
        X = torch.baddbmm(X, torch.baddbmm(A, A, A, beta=b, alpha=c), X, beta=a)
    return X if wide else X.mT


def normalize_rows(G_BRC: Tensor) -> Tensor:
    """MuonEq-R (#1217): every row of the update enters Newton-Schulz with length one."""
    return G_BRC / G_BRC.norm(dim=-1, keepdim=True).clamp_min(1e-7)


class Muon:
    """One optimiser step over all banks; each rank orthogonalises its own slice of every bank.

    The momentum lives here, outside any optimiser state dict: `reset` clears it after the warm-up (in the
    records' multi-GPU runs it survives, refspec 8.16).
    """

    def __init__(
        self,
        banks: Iterable[torch.nn.Parameter],
        coefficients: str,
        steps: int,
        row_normalize: bool,
        dtype: torch.dtype,
        ranks: Ranks,
    ):
        self.banks = sorted(banks, key=lambda bank: bank.numel(), reverse=True)  # largest message first
        self.coefficients, self.steps, self.row_normalize = coefficients, steps, row_normalize
        self.dtype, self.ranks = dtype, ranks
        self.momenta = [torch.zeros_like(self._slice(bank), dtype=dtype) for bank in self.banks]

    def reset(self) -> None:
        for m_bRC in self.momenta:
            m_bRC.zero_()

    def reduce(self) -> list[Tensor]:
        """This rank's slice of every bank's gradient, averaged over the ranks, in the order of `banks`."""
        if self.ranks.world == 1:
            return [bank.grad.to(self.dtype) for bank in self.banks]
        slices = [torch.empty_like(m_bRC) for m_bRC in self.momenta]
        messages = [
            dist.reduce_scatter_tensor(g_bRC, self._padded(bank.grad.to(self.dtype)), async_op=True)
            for bank, g_bRC in zip(self.banks, slices, strict=True)
        ]
        for message in messages:
            message.wait()
        return [g_bRC / self.ranks.world for g_bRC in slices]

    @torch.no_grad()
    def step(self, grads: list[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        pending = None  # a bank whose update is still on its way while the next one is orthogonalised
        for bank, g_bRC, m_bRC in zip(self.banks, grads, self.momenta, strict=True):
            # m <- mu m + g;  u = g + mu m (Nesterov)
            m_bRC.mul_(momentum).add_(g_bRC)
            u_bRC = g_bRC + momentum * m_bRC
            if self.row_normalize:
                u_bRC = normalize_rows(u_bRC)
            u_bRC = newton_schulz(u_bRC, self.coefficients, self.steps, self.dtype)
            arriving = self._gather(u_bRC)
            if pending is not None:
                self._apply(*pending, lr, weight_decay)
            pending = (bank, *arriving)
        if pending is not None:
            self._apply(*pending, lr, weight_decay)

    def _gather(self, u_bRC: Tensor) -> tuple[list[Tensor], dist.Work | None]:
        if self.ranks.world == 1:
            return [u_bRC], None
        parts = [torch.empty_like(u_bRC) for _ in range(self.ranks.world)]
        return parts, dist.all_gather(parts, u_bRC.contiguous(), async_op=True)

    def _apply(
        self, bank: Tensor, parts: list[Tensor], message: dist.Work | None, lr: float, weight_decay: float
    ) -> None:
        if message is not None:
            message.wait()
        U_BRC = torch.cat(parts)[: len(bank)] if message is not None else parts[0]
        # W <- (1 - lr wd) W - lr sqrt(max(1, R/C)) U
        R, C = bank.shape[-2:]
        bank.mul_(1 - lr * weight_decay).add_(U_BRC, alpha=-lr * max(1, R / C) ** 0.5)

    def _padded(self, G_BRC: Tensor) -> Tensor:
        missing = -len(G_BRC) % self.ranks.world
        return torch.cat((G_BRC, G_BRC.new_zeros(missing, *G_BRC.shape[1:])))

    def _slice(self, bank: Tensor) -> Tensor:
        b = -(-len(bank) // self.ranks.world)
        return bank.detach().new_empty(b, *bank.shape[1:])


# ----------------------------------------------------------------------------------------------------
# optim
#
# Which parameter goes to which optimiser, the schedules of a run, and the moving average of the weights.


BANKS = ("qo_bank", "kv_bank", "up_bank", "down_bank")


def lr_multiplier(cfg: TrainCfg, frac: float, step: int) -> float:
    """1 until the last part w of the budget, then max((1 - frac) / w, min_lr); there is no lr warm-up.

    The naive baseline counts w in steps; their share of the budget is estimated from the mean step so far.
    """
    w = cfg.warmdown_iters * frac / max(step, 1) if cfg.warmdown_iters else cfg.warmdown_frac
    return 1.0 if frac < 1 - w or w == 0 else max((1 - frac) / w, cfg.min_lr)


def muon_momentum(cfg: OptCfg, step: int) -> float:
    """Linear from muon_momentum_warmup_start to muon_momentum over the first steps."""
    part = min(step / max(cfg.muon_momentum_warmup_steps, 1), 1.0)
    return (1 - part) * cfg.muon_momentum_warmup_start + part * cfg.muon_momentum


class Optimizers:
    """Muon for the four banks, AdamW for the tied embedding and for every scalar, gain and gate."""

    def __init__(self, model: GPT, cfg: OptCfg, ranks: Ranks):
        self.cfg, self.ranks = cfg, ranks
        named = dict(model.named_parameters())
        banks = [named.pop(name) for name in BANKS]
        self.muon = Muon(
            banks,
            cfg.muon_coefficients,
            cfg.muon_backend_steps,
            cfg.muon_row_normalize,
            model.dtype,  # bf16 in the records; fp32 where the model computes in fp32
            ranks,
        )
        embedding = named.pop("tok_emb.weight")
        self.small = [embedding, *named.values()]
        groups = [
            {"params": [embedding], "base_lr": cfg.tied_embed_lr, "weight_decay": cfg.embed_wd},
            {"params": list(named.values()), "base_lr": cfg.scalar_lr, "weight_decay": cfg.adam_wd},
        ]
        cuda = embedding.device.type == "cuda"
        self.adam = torch.optim.AdamW(
            groups, lr=0.0, betas=(cfg.beta1, cfg.beta2), eps=cfg.adam_eps, fused=cuda or None
        )

    @torch.no_grad()
    def step(self, lr_mult: float, step: int) -> None:
        """Average over ranks, clip the global norm, update. The records clip per rank, before the average."""
        bank_grads = self.muon.reduce()
        # A part that cfg leaves unused has no gradient.
        small_grads = [p.grad for p in self.small if p.grad is not None]
        mean_over_ranks(small_grads, self.ranks)
        if self.cfg.grad_clip_norm:
            clip = self._clip_factor(bank_grads, small_grads)
            for g in (*bank_grads, *small_grads):
                g.mul_(clip)
        for group in self.adam.param_groups:
            group["lr"] = group["base_lr"] * lr_mult
        self.adam.step()
        lr = self.cfg.matrix_lr * lr_mult
        self.muon.step(bank_grads, lr, muon_momentum(self.cfg, step), self.cfg.muon_wd)

    def zero_grad(self) -> None:
        for p in (*self.muon.banks, *self.small):
            p.grad = None

    def reset(self) -> None:
        """Forget every step taken."""
        self.muon.reset()
        self.adam.state.clear()

    def _clip_factor(self, bank_grads: list[Tensor], small_grads: list[Tensor]) -> Tensor:
        # min(1, clip / ||g||) over all parameters; each rank holds its own slice of the banks' gradients
        squares = sum_over_ranks(
            torch.stack([g.float().square().sum() for g in bank_grads]).sum(), self.ranks
        )
        squares = squares + torch.stack([g.float().square().sum() for g in small_grads]).sum()
        return (self.cfg.grad_clip_norm / (squares.sqrt() + 1e-6)).clamp_max(1.0)


class Ema:
    """e <- d e + (1 - d) p over every parameter, in fp32, from the initial weights, never bias-corrected."""

    def __init__(self, model: GPT, decay: float):
        self.decay = decay
        self.parameters = list(model.parameters())
        self.average = [p.detach().float().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self) -> None:
        for e, p in zip(self.average, self.parameters, strict=True):
            e.lerp_(p.float(), 1 - self.decay)

    @torch.no_grad()
    def copy_to(self, model: GPT) -> None:
        for e, p in zip(self.average, model.parameters(), strict=True):
            p.copy_(e)


# ----------------------------------------------------------------------------------------------------
# train
#
# The training run: warm-up, then steps against the clock, in the log dialect of #1394 and its successors.


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


# ----------------------------------------------------------------------------------------------------
# hessian
#
# Hessians of every quantised linear map, from the inputs that the one forward function hands to a recorder.
#
#     H = (1 / batches) * sum over batches, tokens and loop passes of  x x^T     (GPTQ, arXiv:2210.17323)
#
# Training tokens only. Under depth recurrence a looped layer is recorded once per pass, because all passes
# share its weights.
#
# Shapes: T packed tokens, C input features of a map.


class HessianRecorder:
    """Accumulates x^T x in fp32 under the un-banked name of each linear map."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self._last_x: Tensor | None = None
        self._last_xx: Tensor | None = None

    def record(self, name: str, x_TC: Tensor) -> None:
        """Add one input; q, k and v read the same tensor in a row, so its product is formed once."""
        if x_TC is not self._last_x:
            x32_TC = x_TC.detach().float().reshape(-1, x_TC.shape[-1])
            self._last_x, self._last_xx = x_TC, x32_TC.T @ x32_TC
        assert self._last_xx is not None
        if name in self.sums:
            self.sums[name] += self._last_xx
        else:
            self.sums[name] = self._last_xx.clone()

    def mean(self, batches: int) -> dict[str, Tensor]:
        return {name: xx_CC / batches for name, xx_CC in self.sums.items()}


@torch.no_grad()
def collect_hessians(model: GPT, train_batches: Iterable[tuple[Tensor, Segments]]) -> dict[str, Tensor]:
    """Return name -> H_CC over (ids_T, segments) batches of TRAINING tokens."""
    model.eval()
    recorder = HessianRecorder()
    batches = 0
    for ids_T, segments in train_batches:
        model.forward_hidden(ids_T, segments, recorder=recorder)
        batches += 1
    if batches == 0:
        raise ValueError("calibration needs at least one batch of training tokens")
    return recorder.mean(batches)


# ----------------------------------------------------------------------------------------------------
# gptq
#
# GPTQ with SDClip scales: rounding that pays for each column's error with the columns still to come.
#
#     minimise  tr(E H E^T),  E = W - s q,   one column at a time                       (GPTQ, arXiv:2210.17323)
#     U = upper Cholesky factor of H^-1:   H^-1 = U^T U
#     q_j = clamp(round(w_j / s), -Q, Q);  e = (w_j - s q_j) / U_jj;  W_{:,j+1:} -= e U_{j,j+1:}
#
# Shapes: R rows (outputs), C columns (inputs), B columns of one block. Q = 2^(bits-1) - 1, symmetric range.
# The linear algebra runs in float64: both factorisations below then give the same integers.


SMALLEST_FP16 = 2.0**-24  # the record floors at 1e-10, which fp16 rounds to 0: a zero row would divide by it


def integer_range(bits: int) -> int:
    """Largest magnitude Q of a symmetric integer grid."""
    return (1 << (bits - 1)) - 1


def sdclip_scale(W_RC: Tensor, bits: int, k: float) -> Tensor:
    """One fp16 step per row: s_r = k * std(W_r) / Q, unbiased std, no search (#1394)."""
    s_R = k * W_RC.double().std(dim=1) / integer_range(bits)
    return s_R.clamp_min(SMALLEST_FP16).half()


def round_to_grid(W_RC: Tensor, s_R: Tensor, bits: int) -> Tensor:
    """Round to nearest: q = clamp(round(W / s), -Q, Q) as int8 [R, C]."""
    Q = integer_range(bits)
    return (W_RC.double() / s_R.double()[:, None]).round().clamp(-Q, Q).to(torch.int8)


def dequantize_rows(q_RC: Tensor, s_R: Tensor) -> Tensor:
    """s q in fp32 [R, C]."""
    return q_RC.float() * s_R.float()[:, None]


def h_norm_error(W_RC: Tensor, W_hat_RC: Tensor, H_CC: Tensor) -> float:
    """tr(E H E^T): the squared output error of the map on the inputs behind H."""
    E_RC = (W_RC - W_hat_RC).double()
    return float(((E_RC @ H_CC.double()) * E_RC).sum())


def inverse_factor(H_CC: Tensor, reverse: bool) -> Tensor:
    """Upper U with H^-1 = U^T U. `reverse`: with J the reversal, L = chol(J H J), U = J L^-1 J (#1938)."""
    if reverse:
        L_CC = torch.linalg.cholesky(H_CC.flip(0, 1))
        eye_CC = torch.eye(len(H_CC), dtype=H_CC.dtype, device=H_CC.device)
        return torch.linalg.solve_triangular(L_CC, eye_CC, upper=False).flip(0, 1)
    H_inv_CC = torch.cholesky_inverse(torch.linalg.cholesky(H_CC))
    return torch.linalg.cholesky(H_inv_CC, upper=True)


def gptq(
    W_RC: Tensor,
    H_CC: Tensor,
    s_R: Tensor,
    bits: int,
    block: int = 128,
    damp: float = 0.01,
    reverse: bool = True,
) -> Tensor:
    """Quantise W [R, C] against the Hessian H [C, C] with fixed row scales; returns int8 q [R, C]."""
    W_RC, H_CC = W_RC.double().clone(), H_CC.double().clone()
    dead_C = H_CC.diagonal() == 0  # inputs that never fired: their weights change nothing
    H_CC.diagonal()[dead_C] = 1.0
    W_RC[:, dead_C] = 0.0
    H_CC.diagonal().add_(damp * H_CC.diagonal().mean())
    # Loudest inputs first: their errors have the most columns left to be repaid with.
    order_C = H_CC.diagonal().argsort(descending=True, stable=True)
    U_CC = inverse_factor(H_CC[order_C][:, order_C], reverse)
    q_RC = quantize_columns(W_RC[:, order_C], U_CC, s_R.double(), integer_range(bits), block)
    return q_RC[:, order_C.argsort()].to(torch.int8)


def quantize_columns(W_RC: Tensor, U_CC: Tensor, s_R: Tensor, Q: int, block: int) -> Tensor:
    """The column loop; far columns are corrected by one matrix product per block. Consumes W."""
    C = W_RC.shape[1]
    q_RC = torch.zeros_like(W_RC)
    for lo in range(0, C, block):
        hi = min(lo + block, C)
        W_RB, U_BB = W_RC[:, lo:hi].clone(), U_CC[lo:hi, lo:hi]
        err_RB = torch.zeros_like(W_RB)
        for j in range(hi - lo):
            q_R = (W_RB[:, j] / s_R).round().clamp(-Q, Q)
            e_R = (W_RB[:, j] - q_R * s_R) / U_BB[j, j]
            W_RB[:, j:] -= e_R[:, None] * U_BB[j, j:]
            q_RC[:, lo + j], err_RB[:, j] = q_R, e_R
        W_RC[:, hi:] -= err_RB @ U_CC[lo:hi, hi:]
    return q_RC


def hadamard(C: int) -> Tensor:
    """Sylvester's matrix over sqrt(C): symmetric, orthogonal, its own inverse. C is a power of two."""
    if C & (C - 1):
        raise ValueError(f"a Sylvester-Hadamard matrix needs a power of two, not {C}")
    S_CC = torch.ones(1, 1, dtype=torch.float64)
    while len(S_CC) < C:
        S_CC = torch.cat([torch.cat([S_CC, S_CC], 1), torch.cat([S_CC, -S_CC], 1)], 0)
    return S_CC / math.sqrt(C)


# ----------------------------------------------------------------------------------------------------
# lqer
#
# LQER: a quantised low-rank correction of the quantisation error (arXiv:2402.02446; form of #1797).
#
#     E = W - s q ~ (U_K S_K)(V_K^T) = A B,      on load  W = s q + (s_A A)(s_B B)
#
# Shapes: R rows, C columns, K rank, G groups of B. Factors are held as int8; entropy coding does the packing.


ASYM_A_RANGE = (-2, 1)  # two bits, one scale max|A| / 1.5 (#1797)
ASYM_B_RANGE = (-8, 7)  # four bits, one scale max|group| / 7.5 per group


def low_rank_factors(E_RC: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Best rank-K factors of E in the Frobenius norm: A = U_K S_K [R, K], B = V_K^T [K, C]."""
    U_RC, S_C, Vt_CC = torch.linalg.svd(E_RC.double(), full_matrices=False)
    return U_RC[:, :rank] * S_C[:rank], Vt_CC[:rank]


def quantize_groups(X_GN: Tensor, halfway: float, lo: int, hi: int) -> tuple[Tensor, Tensor]:
    """Per row: fp16 scale max|x| / halfway, integers round-clamped to [lo, hi]."""
    scale_G = (X_GN.abs().amax(dim=1) / halfway).clamp_min(2.0**-24).half()
    q_GN = (X_GN / scale_G.double()[:, None]).round().clamp(lo, hi).to(torch.int8)
    return q_GN, scale_G


def lqer_asymmetric(E_RC: Tensor, rank: int, group: int) -> dict[str, Tensor]:
    """2-bit A with one scale, 4-bit B with a scale per `group` entries of the flattened matrix."""
    A_RK, B_KC = low_rank_factors(E_RC, rank)
    if B_KC.numel() % group:
        raise ValueError(f"B has {B_KC.numel()} entries, not a multiple of the group {group}")
    qA_1N, sA_1 = quantize_groups(A_RK.reshape(1, -1), 1.5, *ASYM_A_RANGE)
    qB_GN, sB_G = quantize_groups(B_KC.reshape(-1, group), 7.5, *ASYM_B_RANGE)
    return {"A": qA_1N.reshape(A_RK.shape), "sA": sA_1, "B": qB_GN.reshape(B_KC.shape), "sB": sB_G}


def lqer_symmetric(E_RC: Tensor, rank: int, bits: int) -> dict[str, Tensor]:
    """Fallback when B does not divide into groups: one scale per row of each factor, integers in +-Q."""
    Q = (1 << (bits - 1)) - 1
    A_RK, B_KC = low_rank_factors(E_RC, rank)
    qA_RK, sA_R = quantize_groups(A_RK, Q, -Q, Q)
    qB_KC, sB_K = quantize_groups(B_KC, Q, -Q, Q)
    return {"A": qA_RK, "sA": sA_R, "B": qB_KC, "sB": sB_K}


def lqer_correction(factors: dict[str, Tensor]) -> Tensor:
    """(s_A A)(s_B B) in fp32 [R, C]; the number of scales tells whether they are per matrix, row or group."""
    A_RK, B_KC = factors["A"].float(), factors["B"].float()
    A_RK = (A_RK.reshape(factors["sA"].numel(), -1) * factors["sA"].float()[:, None]).reshape(A_RK.shape)
    B_KC = (B_KC.reshape(factors["sB"].numel(), -1) * factors["sB"].float()[:, None]).reshape(B_KC.shape)
    return A_RK @ B_KC


def worst_tensors(errors: dict[str, Tensor], top_k: int) -> list[str]:
    """The top_k names by ||E||_F, largest first."""
    norms = {name: float(E_RC.norm()) for name, E_RC in errors.items()}
    return sorted(norms, key=lambda name: (-norms[name], name))[:top_k]


# ----------------------------------------------------------------------------------------------------
# quantize
#
# Which tensor is quantised how, and back: un-banked state -> int8 tensors, meta strings -> un-banked state.
#
#     embedding, attention, MLP matrices    GPTQ int5..int7, SDClip factor k per class; LQER for the worst few
#     attention gates                       int8 rows, s = max|w| / 127 (#1736)
#     everything up to `passthrough_numel`  fp16
#     scheme "int8_quantile" (naive)        int8 rows clipped at the 99.99984 % quantile; small tensors fp32
#
# Shapes: R rows, C columns.


NAIVE_QUANTILE = 0.9999984  # train_gpt.py at the head of the challenge
EMBEDDING = "tok_emb.weight"
LQER_SUFFIXES = {"A": ".lqA", "sA": ".lqAs", "B": ".lqB", "sB": ".lqBs"}  # the asymmetric form appends "_a"

Quantised = tuple[dict[str, Tensor], dict[str, str]]  # tensors, meta string per original name


def quantize_state(state: dict[str, Tensor], hessians: dict[str, Tensor], cfg: QuantCfg) -> Quantised:
    """Quantise an un-banked state; `hessians` is keyed by the same names as the matrices."""
    tensors: dict[str, Tensor] = {}
    meta: dict[str, str] = {}
    errors: dict[str, Tensor] = {}
    for name, W in state.items():
        W = W.detach().cpu()
        kind = tensor_kind(name, W, cfg)
        if kind == "matrix":
            H_CC = hessians[name].cpu() if cfg.quant_scheme == "gptq" else None
            q_RC, s_R, errors[name], meta[name] = quantize_matrix(name, W.float(), H_CC, cfg)
            tensors[name + ".q"], tensors[name + ".scale"] = q_RC, s_R
        elif kind == "gate":
            s_R = (W.float().abs().amax(dim=1) / 127).clamp_min(2.0**-24).half()
            tensors[name + ".gq"], tensors[name + ".gs"] = round_to_grid(W, s_R, 8), s_R
            meta[name] = "gate_int8_row"
        else:
            tensors[name] = W if kind == "exact" else W.half()
            meta[name] = f"passthrough ({str(tensors[name].dtype).removeprefix('torch.')})"
    if cfg.lqer_enabled:
        for name in worst_tensors(errors, cfg.lqer_top_k):
            meta[name] += add_lqer(tensors, name, errors[name], cfg)
    return tensors, meta


def tensor_kind(name: str, W: Tensor, cfg: QuantCfg) -> str:
    """ "matrix", "gate", "half" or "exact"."""
    if not W.is_floating_point():
        return "exact"
    if cfg.gated_attn_quant_gate and name.endswith("attn_gate_w") and 32 <= W.numel() <= 8192:
        return "gate"
    if W.ndim == 2 and W.numel() > cfg.passthrough_numel:
        return "matrix"
    return "half" if cfg.quant_scheme == "gptq" else "exact"


def matrix_grid(name: str, cfg: QuantCfg) -> tuple[int, float]:
    """Bits and clip factor k of one matrix."""
    if name == EMBEDDING:
        return cfg.embed_bits, cfg.embed_clip_sigmas
    if ".mlp." in name:
        bits = cfg.matrix_bits_mlp_fc if ".fc." in name else 0
        return bits or cfg.matrix_bits, cfg.mlp_clip_sigmas or cfg.matrix_clip_sigmas
    if ".attn." in name:
        bits = cfg.matrix_bits_kv if ".c_k." in name or ".c_v." in name else 0
        return bits or cfg.matrix_bits, cfg.attn_clip_sigmas or cfg.matrix_clip_sigmas
    return cfg.matrix_bits, cfg.matrix_clip_sigmas


def quantize_matrix(
    name: str, W_RC: Tensor, H_CC: Tensor | None, cfg: QuantCfg
) -> tuple[Tensor, Tensor, Tensor, str]:
    """Integers, row scales, error W - s q (in the rotated space where one is used) and the meta string."""
    if H_CC is None:
        s_R = (quantile_clip(W_RC) / 127).clamp_min(1 / 127).half()
        q_RC = round_to_grid(W_RC, s_R, 8)
        return q_RC, s_R, W_RC - dequantize_rows(q_RC, s_R), "int8_quantile"
    bits, k = matrix_grid(name, cfg)
    note = f"gptq (int{bits})"
    if cfg.hadamard_rotate and name != EMBEDDING:
        Q_CC = hadamard(W_RC.shape[1])
        W_RC, H_CC = (W_RC.double() @ Q_CC).float(), Q_CC @ H_CC.double() @ Q_CC  # W Q^T and Q H Q^T, Q = Q^T
        note += "+hadamard"
    s_R = sdclip_scale(W_RC, bits, k)
    q_RC = gptq(W_RC, H_CC, s_R, bits, cfg.gptq_block_size, cfg.gptq_damp)
    return q_RC, s_R, W_RC - dequantize_rows(q_RC, s_R), note


def quantile_clip(W_RC: Tensor) -> Tensor:
    """Per row, the NAIVE_QUANTILE quantile of |w| (linear interpolation)."""
    return torch.quantile(W_RC.abs(), NAIVE_QUANTILE, dim=1)


def add_lqer(tensors: dict[str, Tensor], name: str, E_RC: Tensor, cfg: QuantCfg) -> str:
    """Store the low-rank factors of one error; returns what to append to the meta string."""
    asymmetric = cfg.lqer_asym_enabled and (cfg.lqer_rank * E_RC.shape[1]) % cfg.lqer_asym_group == 0
    if asymmetric:
        factors = lqer_asymmetric(E_RC, cfg.lqer_rank, cfg.lqer_asym_group)
    else:
        factors = lqer_symmetric(E_RC, cfg.lqer_rank, cfg.lqer_factor_bits)
    for part, suffix in LQER_SUFFIXES.items():
        tensors[name + suffix + ("_a" if asymmetric else "")] = factors[part]
    return "+lqer_asym" if asymmetric else "+lqer"


def dequantize_state(tensors: dict[str, Tensor], meta: dict[str, str]) -> dict[str, Tensor]:
    """The un-banked state in fp32: W = (s q + (s_A A)(s_B B)) Q, each part where the meta string names it."""
    return {name: dequantize_tensor(tensors, name, note) for name, note in meta.items()}


def dequantize_tensor(tensors: dict[str, Tensor], name: str, note: str) -> Tensor:
    if note.startswith("passthrough"):
        W = tensors[name]
        return W.float() if W.is_floating_point() else W
    if note == "gate_int8_row":
        return dequantize_rows(tensors[name + ".gq"], tensors[name + ".gs"])
    W_RC = dequantize_rows(tensors[name + ".q"], tensors[name + ".scale"])
    if "+lqer" in note:
        end = "_a" if "+lqer_asym" in note else ""
        factors = {part: tensors[name + suffix + end] for part, suffix in LQER_SUFFIXES.items()}
        W_RC += lqer_correction(factors)
    if "+hadamard" in note:
        W_RC = (W_RC.double() @ hadamard(W_RC.shape[1])).float()
    return W_RC


# ----------------------------------------------------------------------------------------------------
# codecs
#
# Byte compressors, each with the number that tags it in a container, and the stride-2 byte shuffle.
#
# `lrzip` is the external program used by #1855 (ZPAQ); it is looked for on PATH and never installed from here.


CODEC_TAGS = {"raw": 0, "zlib": 1, "lzma": 2, "brotli": 3, "lrzip": 4}
CODEC_NAMES = {tag: name for name, tag in CODEC_TAGS.items()}


def compress(data: bytes, codec: str) -> bytes:
    """Compress at the codec's strongest setting (zlib 9, lzma 9e, brotli 11 / lgwin 24, lrzip -z -L 9)."""
    if codec == "raw":
        return data
    if codec == "zlib":
        return zlib.compress(data, 9)
    if codec == "lzma":
        return lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
    if codec == "brotli":
        return brotli.compress(data, quality=11, lgwin=24)
    if codec == "lrzip":
        return run_lrzip(data, ["-z", "-L", "9"], "stream", "stream.lrz")
    raise ValueError(f"unknown codec {codec!r}; known: {', '.join(CODEC_TAGS)}")


def decompress(data: bytes, codec: str) -> bytes:
    """Invert `compress`."""
    if codec == "raw":
        return data
    if codec == "zlib":
        return zlib.decompress(data)
    if codec == "lzma":
        return lzma.decompress(data)
    if codec == "brotli":
        return brotli.decompress(data)
    if codec == "lrzip":
        return run_lrzip(data, ["-d"], "stream.lrz", "stream")
    raise ValueError(f"unknown codec {codec!r}; known: {', '.join(CODEC_TAGS)}")


def run_lrzip(data: bytes, flags: list[str], source: str, target: str) -> bytes:
    """Run lrzip from file to file in a fresh folder (its pipes buffer through temporary files anyway)."""
    program = shutil.which("lrzip")
    if program is None:
        raise FileNotFoundError("the lrzip codec needs the program lrzip on PATH (packages: lrzip)")
    if not data:
        return b""  # lrzip refuses empty input
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, source).write_bytes(data)
        subprocess.run([program, "-q", "-f", *flags, source], cwd=folder, check=True, capture_output=True)
        return Path(folder, target).read_bytes()


def byte_shuffle(data: bytes, stride: int) -> bytes:
    """All bytes at offset 0 mod stride, then 1 mod stride, ...: high bytes of fp16 lie together (#1394)."""
    return b"".join(data[start::stride] for start in range(stride))


def byte_unshuffle(data: bytes, stride: int) -> bytes:
    """Invert `byte_shuffle`."""
    out = bytearray(len(data))
    position = 0
    for start in range(stride):
        length = len(range(start, len(data), stride))
        out[start::stride] = data[position : position + length]
        position += length
    return bytes(out)


def pack_script(source: str, codec: str) -> bytes:
    """The source as a script that unpacks and runs itself: what the records count as code.

    The source also goes into linecache, where Triton and torch.compile look for it.
    """
    if codec not in ("brotli", "lzma", "zlib"):
        raise ValueError(f"no Python module decodes {codec!r}")
    payload = base64.b85encode(compress(source.encode(), codec)).decode()
    return (
        f"import base64,linecache,{codec}\n"
        f's={codec}.decompress(base64.b85decode("{payload}")).decode()\n'
        'linecache.cache["train_gpt_unpacked.py"]=(len(s),None,s.splitlines(True),"train_gpt_unpacked.py")\n'
        'exec(compile(s,"train_gpt_unpacked.py","exec"))\n'
    ).encode()


# ----------------------------------------------------------------------------------------------------
# artifact
#
# The artifact: quantised tensors in a container without pickle, every stream tagged with its codec.
#
#     file   = "GREF" | u8 version | u32 n | n x (u8 codec, u8 shuffle stride, u32 length) | n streams
#     stream 0 = JSON header: layout, meta strings, [name, dtype, shape] in stream order
#
# `flat`      stream 1: all int8 values; stream 2: everything else, byte-shuffled by 2 (as #1394's BSHF)
# `pergroup`  streams 1-7: one per kind of matrix, layers ascending, each matrix transposed; in the three
#             largest kinds rows are first put in an order of similarity (#1855); stream 8: everything else;
#             stream 9: the orders.


MAGIC, VERSION = b"GREF", 1
GROUPS = (  # order and hot set of #1855's COMPRESSOR=pergroup
    "tok_emb.weight.q",
    "attn.c_k.weight.q",
    "attn.c_q.weight.q",
    "attn.c_v.weight.q",
    "attn.proj.weight.q",
    "mlp.fc.weight.q",
    "mlp.proj.weight.q",
)
HOT_GROUPS = ("tok_emb.weight.q", "attn.c_q.weight.q", "mlp.fc.weight.q")
DTYPES = {str(t): t for t in (torch.int8, torch.float16, torch.bfloat16, torch.float32, torch.int64)}
CAP_BYTES = 16_000_000  # decimal, README of the challenge

Streams = list[tuple[bytes, str, int]]  # (content, codec, shuffle stride)
Table = list[tuple[str, torch.dtype, tuple[int, ...]]]  # (name, dtype, shape)


def pack_artifact(tensors: dict[str, Tensor], meta: dict[str, str], codec: str, layout: str) -> bytes:
    """Serialise tensors and their meta strings; `codec` compresses weights, brotli the small streams."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    if layout == "flat":
        names, streams = flat_streams(tensors, codec)
    elif layout == "pergroup":
        names, streams = grouped_streams(tensors, codec)
    else:
        raise ValueError(f"unknown layout {layout!r}; known: flat, pergroup")
    table = [[name, str(tensors[name].dtype), list(tensors[name].shape)] for name in names]
    header = json.dumps({"layout": layout, "meta": meta, "tensors": table}, separators=(",", ":")).encode()
    return join_streams([(header, "brotli", 1), *streams])


def unpack_artifact(blob: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Invert `pack_artifact`, exactly."""
    header_bytes, *streams = split_streams(blob)
    header = json.loads(header_bytes)
    table = [(name, DTYPES[dtype], tuple(shape)) for name, dtype, shape in header["tensors"]]
    tensors = read_flat(table, streams) if header["layout"] == "flat" else read_grouped(table, streams)
    return tensors, header["meta"]


def join_streams(streams: Streams) -> bytes:
    heads, bodies = [], []
    for content, codec, stride in streams:
        bodies.append(compress(byte_shuffle(content, stride), codec))
        heads.append(struct.pack("<BBI", CODEC_TAGS[codec], stride, len(bodies[-1])))
    return MAGIC + struct.pack("<BI", VERSION, len(streams)) + b"".join(heads) + b"".join(bodies)


def split_streams(blob: bytes) -> list[bytes]:
    if blob[:4] != MAGIC or blob[4] != VERSION:
        raise ValueError(f"not a golf_ref artifact of version {VERSION}: starts with {blob[:5]!r}")
    (n_streams,) = struct.unpack_from("<I", blob, 5)
    position = 9 + 6 * n_streams
    streams = []
    for i in range(n_streams):
        tag, stride, length = struct.unpack_from("<BBI", blob, 9 + 6 * i)
        content = decompress(blob[position : position + length], CODEC_NAMES[tag])
        streams.append(byte_unshuffle(content, stride))
        position += length
    return streams


# ---------------------------------------------------------------------------------------------------
# flat


def flat_streams(tensors: dict[str, Tensor], codec: str) -> tuple[list[str], Streams]:
    int8_names = [name for name, tensor in tensors.items() if tensor.dtype == torch.int8]
    other_names = [name for name in tensors if name not in int8_names]
    int8_bytes = b"".join(tensor_bytes(tensors[name]) for name in int8_names)
    other_bytes = b"".join(tensor_bytes(tensors[name]) for name in other_names)
    return int8_names + other_names, [(int8_bytes, codec, 1), (other_bytes, codec, 2)]


def read_flat(table: Table, streams: list[bytes]) -> dict[str, Tensor]:
    offsets = [0, 0]
    tensors = {}
    for name, dtype, shape in table:
        stream = 0 if dtype == torch.int8 else 1
        tensors[name], offsets[stream] = read_tensor(streams[stream], offsets[stream], dtype, shape)
    return tensors


# ---------------------------------------------------------------------------------------------------
# per group


def grouped_streams(tensors: dict[str, Tensor], codec: str) -> tuple[list[str], Streams]:
    names: list[str] = []
    streams: Streams = []
    order_bytes = b""
    for group in GROUPS:
        members = group_members(list(tensors), group)
        group_bytes = b""
        for name in members:
            q_RC = tensors[name]
            if group in HOT_GROUPS:
                order_R = similarity_order(q_RC)
                order_bytes += order_R.numpy().astype("<u2").tobytes()
                q_RC = q_RC[order_R]
            group_bytes += tensor_bytes(q_RC.T.contiguous())
        names += members
        streams.append((group_bytes, codec, 1))
    rest = [name for name in tensors if name not in names]
    streams.append((b"".join(tensor_bytes(tensors[name]) for name in rest), "brotli", 1))
    streams.append((order_bytes, "brotli", 1))
    return names + rest, streams


def read_grouped(table: Table, streams: list[bytes]) -> dict[str, Tensor]:
    rest_bytes, order_bytes = streams[len(GROUPS) :]
    group_offsets, rest_offset, order_offset = [0] * len(GROUPS), 0, 0
    tensors = {}
    for name, dtype, shape in table:
        group = next((i for i, group in enumerate(GROUPS) if name.endswith(group)), None)
        if group is None:
            tensors[name], rest_offset = read_tensor(rest_bytes, rest_offset, dtype, shape)
            continue
        rows, columns = shape
        q_CR, group_offsets[group] = read_tensor(streams[group], group_offsets[group], dtype, (columns, rows))
        q_RC = q_CR.T.contiguous()
        if GROUPS[group] in HOT_GROUPS:
            order_R, order_offset = read_tensor(order_bytes, order_offset, torch.uint16, (rows,))
            q_RC = q_RC[order_R.long().argsort()]
        tensors[name] = q_RC
    return tensors


def group_members(names: list[str], group: str) -> list[str]:
    """Names of one kind of matrix, layers ascending (blocks.2 before blocks.10)."""
    members = [name for name in names if name.endswith(group)]
    return sorted(members, key=lambda name: [int(part) for part in name.split(".") if part.isdigit()])


def similarity_order(q_RC: Tensor) -> Tensor:
    """Greedy chain from row 0: always the unused row nearest in L1. Returns int64 [R], R < 65,536."""
    distance_RR = torch.cdist(q_RC.float(), q_RC.float(), p=1.0)  # integers below 2^24: exact in fp32
    distance_RR[:, 0] = math.inf
    order = [0]
    while len(order) < len(q_RC):
        order.append(int(distance_RR[order[-1]].argmin()))
        distance_RR[:, order[-1]] = math.inf
    return torch.tensor(order)


# ---------------------------------------------------------------------------------------------------
# bytes of one tensor; sizes


def tensor_bytes(tensor: Tensor) -> bytes:
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def read_tensor(data: bytes, offset: int, dtype: torch.dtype, shape: tuple[int, ...]) -> tuple[Tensor, int]:
    """One tensor from `offset`, and the offset behind it. Copies, so the result owns aligned memory."""
    end = offset + math.prod(shape) * dtype.itemsize
    if end > len(data):
        raise ValueError(f"artifact truncated: {end} bytes wanted, {len(data)} present")
    if end == offset:
        return torch.empty(shape, dtype=dtype), end
    return torch.frombuffer(bytearray(data[offset:end]), dtype=dtype).reshape(shape), end


def check_cap(model_bytes: int, code_bytes: int, cap: int = CAP_BYTES) -> int:
    """Total submission size in bytes; raises ValueError above the cap."""
    total = model_bytes + code_bytes
    if total > cap:
        raise ValueError(f"submission of {total} bytes is {total - cap} over the cap of {cap}")
    return total


# ----------------------------------------------------------------------------------------------------
# ttt_sgd
#
# Test-time training of all weights by SGD on tokens that have been scored (#461, #549, #1413, #1493).
#
#     for each chunk c of the stream:  1. score it with the weights as they are
#                                      2. learn from it: ttt_epochs passes, lr_c = lr/2 (1 + cos(pi c / (n-1)))
#
# The last chunk is scored and not learned from. The optimiser lives through all chunks.
#
# Shapes: N positions, C positions of a chunk, T positions of a row.


def evaluate_sgd_ttt(
    model: GPT,
    val_tokens: Tensor,
    target_bytes_N: Tensor,
    eval_cfg: EvalCfg,
    cfg: TTTCfg,
    ranks: Ranks = ALONE,
) -> Score:
    """Sliding-window score of the stream, chunk by chunk, learning from each chunk after it was scored."""
    N, T, C = len(target_bytes_N), eval_cfg.eval_seq_len, cfg.ttt_chunk_tokens
    if T % eval_cfg.eval_stride or C % T:
        raise ValueError(f"stride {eval_cfg.eval_stride} must divide window {T}, and it the chunk {C}")
    board = Scoreboard(target_bytes_N, device_of(model), ranks)
    bos_id = model.cfg.bos_id if eval_cfg.eval_documents else None
    n_chunks = math.ceil(N / C)
    chunk_windows: list[list[Window]] = [[] for _ in range(n_chunks)]
    for window in sliding_windows(N, T, eval_cfg.eval_stride):
        chunk_windows[window.first_scored // C].append(window)

    model.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg.ttt_lr, momentum=cfg.ttt_momentum)
    for c in range(n_chunks):
        score_windows(model, val_tokens, chunk_windows[c], board, eval_cfg)
        if c == n_chunks - 1:
            break
        board.share(c * C, (c + 1) * C)
        set_lr(optimizer, cosine_lr(cfg.ttt_lr, c, n_chunks))
        rows = torch.arange(c * C, (c + 1) * C).split(T)
        for _ in range(cfg.ttt_epochs):
            for i in range(0, len(rows), cfg.ttt_batch_seqs):
                batch = rows[i : i + cfg.ttt_batch_seqs]
                sgd_step(model, optimizer, val_tokens, batch, board, bos_id, cfg.ttt_grad_clip)
    return board.score()


def sgd_step(
    model: GPT,
    optimizer: torch.optim.Optimizer,
    val_tokens: Tensor,
    rows: tuple[Tensor, ...],
    board: Scoreboard,
    bos_id: int | None,
    grad_clip: float,
) -> None:
    """One step on the mean loss of rows of scored positions, global norm clipped; ranks share the rows."""
    board.require_scored(torch.cat(rows))
    model.train()
    optimizer.zero_grad()
    rank, world = board.ranks
    if rows[rank::world]:
        ids_T, targets_T, segments = pack_rows(val_tokens, rows[rank::world], bos_id, device_of(model))
        loss_T = model.nll(ids_T, targets_T, segments)
        # The mean over ranks of world/n * (own sum) is the mean over all n positions of the batch.
        (loss_T.sum() * world / sum(len(row) for row in rows)).backward()
    if world > 1:
        for parameter in model.parameters():
            if parameter.grad is None:  # this rank had no row
                parameter.grad = torch.zeros_like(parameter)
        mean_over_ranks([p.grad for p in model.parameters() if p.grad is not None], board.ranks)
    nn.utils.clip_grad_norm_(model.parameters(), grad_clip)
    optimizer.step()


def global_sgd(
    model: GPT, val_tokens: Tensor, positions: Tensor, board: Scoreboard, cfg: TTTCfg, seq_len: int
) -> None:
    """One phase of #1610: SGD with a fresh optimiser on scored documents, their positions laid end to end.

    Chunks of global_ttt_chunk_tokens in order, the last one skipped; lr falls along the chunks by a cosine.
    """
    chunks = positions.split(cfg.global_ttt_chunk_tokens)
    model.requires_grad_(True)
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg.global_ttt_lr, momentum=cfg.global_ttt_momentum)
    for c in range(len(chunks) - 1):
        set_lr(optimizer, cosine_lr(cfg.global_ttt_lr, c, len(chunks)))
        rows = chunks[c][: len(chunks[c]) // seq_len * seq_len].split(seq_len)
        for _ in range(cfg.global_ttt_epochs):
            for i in range(0, len(rows), cfg.global_ttt_batch_seqs):
                batch, clip = rows[i : i + cfg.global_ttt_batch_seqs], cfg.global_ttt_grad_clip
                sgd_step(model, optimizer, val_tokens, batch, board, model.cfg.bos_id, clip)


def cosine_lr(lr: float, c: int, n_chunks: int) -> float:
    """lr at chunk 0, falling to 0 at chunk n_chunks - 1."""
    return lr / 2 * (1 + math.cos(math.pi * c / max(1, n_chunks - 1)))


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr


# ----------------------------------------------------------------------------------------------------
# ttt_lora
#
# Test-time training of a low-rank adapter per document, scored first, with optional pauses for global SGD.
#
#     y = W x + (alpha / rank) B A x,   A ~ U(+-1/sqrt(in)), B = 0 at the start of every document        (#1530)
#     sites per executed layer (each pass through a looped layer has its own adapter):
#         q, k, v read the attention input; o reads it too and adds to the attention's output;
#         mlp reads the MLP input and adds to its output; one lm_head adapter adds to the logits
#
#     for each group of documents of similar length, longest first:
#         for each chunk of the documents, in order:
#             1. one forward of the windows that end with this chunk; its losses of the chunk are scored
#             2. rows that still have a later chunk take one AdamW step on those same losses
#
# Phases (#1610, #1626): once p/P of `prefix` documents are scored, the base model itself is trained on scored
# documents, then the queue goes on with fresh adapters. The records' ranks raced for groups, which made their
# results irreproducible; here rank r takes the groups r, r + world, ... and a pause comes after the round of
# `world` groups that crosses the boundary.
#
# Shapes: N positions, b documents of a group, L positions of their windows, D width of a site, r rank.


class Document(NamedTuple):
    """Positions start..end-1: they predict the document's tokens and the BOS that follows it."""

    start: int
    end: int


class Group(NamedTuple):
    """Documents that are adapted side by side; `number` counts from the shortest group."""

    number: int
    documents: list[Document]


class BatchedLora(nn.Module):
    """One adapter per document and site, seen by the model as `adapters`."""

    def __init__(
        self, cfg: ModelCfg, slots: int, documents: int, rank: int, alpha: float, generator: torch.Generator
    ):
        super().__init__()
        D = cfg.model_dim
        kv_dim = cfg.num_kv_heads * (D // cfg.num_heads)
        widths = {"q": (D, D), "k": (D, kv_dim), "v": (D, kv_dim), "o": (D, D), "mlp": (D, D)}
        shapes = {f"{site}_{slot}": w for site, w in widths.items() for slot in range(slots)}
        shapes["lm_head_0"] = (D, cfg.vocab_size)
        self.documents = documents
        self.scale = alpha / rank
        self.generator = generator
        self.A = nn.ParameterDict({k: torch.empty(documents, rank, i) for k, (i, _) in shapes.items()})
        self.B = nn.ParameterDict({k: torch.empty(documents, o, rank) for k, (_, o) in shapes.items()})
        self.restart(redraw_a=True)

    @torch.no_grad()
    def restart(self, redraw_a: bool) -> None:
        """Forget: B = 0. A is drawn anew, or kept as a warm start (#1767)."""
        for B in self.B.values():
            B.zero_()
        if redraw_a:
            for A in self.A.values():
                bound = 1 / math.sqrt(A.shape[-1])
                drawn = torch.empty(A.shape).uniform_(-bound, bound, generator=self.generator)
                A.copy_(drawn)

    def delta(self, site: str, slot: int, x_TD: Tensor) -> Tensor:
        key = f"{site}_{slot}"
        x_bLD = x_TD.view(self.documents, -1, x_TD.shape[-1])
        A_brD, B_bOr = self.A[key].to(x_TD.dtype), self.B[key].to(x_TD.dtype)
        delta_bLO = x_bLD @ A_brD.transpose(1, 2) @ B_bOr.transpose(1, 2)
        return (self.scale * delta_bLO).flatten(0, 1)


def split_documents(val_tokens: Tensor, bos_id: int) -> list[Document]:
    """The documents of a stream; together their positions are 0..N-1. The stream must start with BOS."""
    if len(val_tokens) == 0 or int(val_tokens[0]) != bos_id:
        raise ValueError(f"the stream does not start with BOS ({bos_id}): documents cannot be told apart")
    N = len(val_tokens) - 1
    starts = (val_tokens[:N] == bos_id).nonzero().flatten().tolist()
    return [Document(a, b) for a, b in zip(starts, [*starts[1:], N], strict=True)]


def group_documents(documents: list[Document], size: int) -> list[Group]:
    """Groups of `size` documents of similar length, in the order of the queue: longest group first."""
    by_length = sorted(documents, key=lambda d: (d.end - d.start, d.start))
    groups = [Group(i // size, by_length[i : i + size]) for i in range(0, len(by_length), size)]
    return groups[::-1]


def evaluate_lora_ttt(
    model: GPT,
    val_tokens: Tensor,
    target_bytes_N: Tensor,
    cfg: TTTCfg,
    phases: int,
    seed: int,
    log: RunLog,
    ranks: Ranks = ALONE,
) -> Score:
    """Document LoRA over the stream, with `phases` pauses for global SGD; ttt_lora_rank 0 = no adapters."""
    board = Scoreboard(target_bytes_N, device_of(model), ranks)
    queue = group_documents(split_documents(val_tokens, model.cfg.bos_id), cfg.ttt_batch_size)
    prefix = min(cfg.phased_ttt_prefix_docs, sum(len(group.documents) for group in queue))
    boundaries = [prefix * (p + 1) // phases for p in range(phases)]
    log.line(f"ttt_lora: groups:{len(queue)} num_phases:{phases} boundaries:{boundaries}")
    generator = torch.Generator().manual_seed(seed + ranks.rank)
    lora: BatchedLora | None = None
    scored_groups: list[Group] = []
    documents_scored = 0
    for i in range(0, len(queue), ranks.world):
        model.requires_grad_(False)
        model.eval()
        for group in queue[i + ranks.rank : i + ranks.rank + 1]:  # none on the last ranks of the last round
            lora = adapter_for(group, lora, model, cfg, generator)
            score_group(model, lora, group.documents, val_tokens, board, cfg)
        scored_groups += queue[i : i + ranks.world]
        documents_scored += sum(len(group.documents) for group in queue[i : i + ranks.world])
        more = i + ranks.world < len(queue)
        if more and boundaries and documents_scored >= boundaries[0]:
            board.share(0, len(target_bytes_N))
            chosen = shortest_scored(scored_groups, boundaries.pop(0))
            phase = f"{phases - len(boundaries)}/{phases}"
            log.line(f"ttpp: phase:{phase} pd:{documents_scored} gd:{len(chosen)}")
            positions = torch.cat([torch.arange(d.start, d.end) for d in chosen])
            global_sgd(model, val_tokens, positions, board, cfg, cfg.ttt_eval_seq_len)
            lora = None  # drops a warm A: it was fitted to the base model of before
    return board.score()


def shortest_scored(scored_groups: list[Group], count: int) -> list[Document]:
    """The first `count` scored documents by group number: what #1626 takes, the shortest of those scored."""
    documents = [d for group in sorted(scored_groups) for d in group.documents]
    return documents[:count]


def adapter_for(
    group: Group, lora: BatchedLora | None, model: GPT, cfg: TTTCfg, generator: torch.Generator
) -> BatchedLora | None:
    """The adapter of the last group, restarted; a new one where there is none of this size."""
    if cfg.ttt_lora_rank == 0:
        return None
    if lora is not None and lora.documents == len(group.documents):
        lora.restart(redraw_a=not cfg.ttt_warm_start_a)
        return lora
    encoder, decoder = executed_layers(model.cfg, model.looping)
    slots = len(encoder) + len(decoder)
    rank, alpha = cfg.ttt_lora_rank, cfg.ttt_lora_alpha
    lora = BatchedLora(model.cfg, slots, len(group.documents), rank, alpha, generator)
    return lora.to(device_of(model))


def score_group(
    model: GPT,
    lora: BatchedLora | None,
    documents: list[Document],
    val_tokens: Tensor,
    board: Scoreboard,
    cfg: TTTCfg,
) -> None:
    """Score the documents chunk by chunk; the adapter learns from a chunk after its losses were added."""
    longest = max(d.end - d.start for d in documents)
    optimizer = None if lora is None else lora_optimizer(lora, cfg)
    for chunk_start in range(0, longest, cfg.ttt_chunk_size):
        ids_bL, targets_bL, positions_bL, scored_bL, later_b = chunk_windows(
            documents, val_tokens, chunk_start, cfg
        )
        b, L = ids_bL.shape
        segments = Segments.rows(b, L, device_of(model))
        ids_T, targets_T = ids_bL.flatten().to(device_of(model)), targets_bL.flatten().to(device_of(model))
        with torch.set_grad_enabled(lora is not None):
            loss_bL = model.nll(ids_T, targets_T, segments, adapters=lora).view(b, L)
        board.add(positions_bL[scored_bL], loss_bL.detach()[scored_bL.to(loss_bL.device)])
        if optimizer is None or not later_b.any():
            continue
        learned_bL = scored_bL & later_b[:, None]
        board.require_scored(positions_bL[learned_bL])
        # sum over documents with a later chunk of their mean loss on this chunk
        loss = loss_bL[learned_bL.to(loss_bL.device)].sum() / cfg.ttt_chunk_size
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def chunk_windows(
    documents: list[Document], val_tokens: Tensor, chunk_start: int, cfg: TTTCfg
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The window of each document that ends with its chunk, as rows padded with token 0.

    Returns ids, targets and positions [b, L], which of them lie in the chunk [b, L], and which documents have
    a later chunk [b]. A document that has ended has an empty row. Padding follows the window, where causal
    attention hides it from every real token.
    """
    lengths = [d.end - d.start for d in documents]
    chunk_end = chunk_start + cfg.ttt_chunk_size
    ends = [min(chunk_end, length) if chunk_start < length else 0 for length in lengths]
    starts = [max(0, end - cfg.ttt_eval_seq_len) for end in ends]
    b, L = len(documents), max(end - start for start, end in zip(starts, ends, strict=True))
    positions_bL = torch.zeros(b, L, dtype=torch.long)
    real_bL = torch.zeros(b, L, dtype=torch.bool)
    scored_bL = torch.zeros(b, L, dtype=torch.bool)
    for i, (document, start, end) in enumerate(zip(documents, starts, ends, strict=True)):
        positions_bL[i, : end - start] = torch.arange(document.start + start, document.start + end)
        real_bL[i, : end - start] = True
        scored_bL[i, chunk_start - start : end - start] = True
    ids_bL = torch.where(real_bL, val_tokens[positions_bL].long(), 0)
    targets_bL = torch.where(real_bL, val_tokens[positions_bL + 1].long(), 0)
    later_b = torch.tensor([chunk_end < length for length in lengths])
    return ids_bL, targets_bL, positions_bL, scored_bL, later_b


def lora_optimizer(lora: BatchedLora, cfg: TTTCfg) -> torch.optim.Optimizer:
    """A new AdamW per group: moments and step counters start at zero with every document."""
    return torch.optim.AdamW(
        lora.parameters(),
        lr=cfg.ttt_lora_lr,
        betas=(cfg.ttt_beta1, cfg.ttt_beta2),
        eps=cfg.ttt_eps,
        weight_decay=cfg.ttt_weight_decay,
    )


# ----------------------------------------------------------------------------------------------------
# pipeline
#
# One run from shards to a score: train, EMA, GPTQ + LQER, compress, reload, evaluate, adapt at test time.
#
# Training data is read until the artifact is written and not after it. What is evaluated is the artifact as
# read back from its file, once more for each adaptation: none starts from weights another one has adapted.
# Log lines are in the dialect of #1394 and its successors.


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


def main() -> None:
    """Train, quantise, evaluate; writes the log, the artifact and a report into the current folder."""
    cfg = Cfg()
    one_thread_on_cpu()
    ranks, device = join_ranks()
    log = RunLog(Path(f"train_seed{cfg.train.seed}.log"), rank=ranks.rank)
    data = load_data(cfg)
    ttt_kinds = (cfg.ttt.ttt_kind,) if cfg.ttt.ttt_enabled else ()
    script = Path(__file__).read_text(encoding="utf-8")
    run_record(cfg, data, Path("."), script, ttt_kinds, ranks, device, log)
    leave_ranks(ranks)


if __name__ == "__main__":
    main()
