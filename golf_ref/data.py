"""Shards on disk, the validation stream with its bytes, and the training loaders.

Shapes: N tokens of a stream, T packed tokens of a micro-batch, V vocabulary.

A shard is 256 little-endian int32 (magic, version, token count, zeros) followed by uint16 tokens. Documents
are [BOS] + tokens, one after the other, and may straddle shards: BOS is the only separator. A CaseOps
validation shard has a sidecar of the same layout that holds, for each token, its original bytes.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from golf_ref.attention import Segments
from golf_ref.config import Cfg, DataCfg
from golf_ref.tokenizer import BOS_ID, Byte264, SentencePieceTokenizer, bytes_by_table

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
