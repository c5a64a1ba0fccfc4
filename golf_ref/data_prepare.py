"""Text -> shards: the one place where a document is put in the validation or in the training split.

Shapes: N tokens of a document or shard.
"""

from __future__ import annotations

import hashlib
import json
import random
import sysconfig
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from golf_ref.config import Cfg, DataCfg
from golf_ref.data import open_tokenizer, write_shard
from golf_ref.hub import fetch_shards
from golf_ref.log import progress
from golf_ref.tokenizer import BOS_ID, train_sentencepiece

SENTENCEPIECE_DOCS = 100_000  # ours: training documents that a new SentencePiece model sees


def prepare(cfg: Cfg, out_dir: Path) -> dict[str, int]:
    """Fill out_dir with shards, fetched or made from text; returns counts."""
    out_dir.mkdir(parents=True, exist_ok=True)
    if cfg.data.text == "hub":
        return {"files": len(fetch_shards(cfg.data, out_dir))}
    model_file = out_dir / cfg.data.tokenizer_model
    if cfg.data.tokenizer == "sentencepiece" and not model_file.exists():
        # From training documents only: a vocabulary learned on validation text would carry it into the run.
        train_docs = islice(documents(cfg.data), cfg.data.val_docs, cfg.data.val_docs + SENTENCEPIECE_DOCS)
        train_sentencepiece(train_docs, cfg.model.vocab_size, model_file, cfg.data.caseops_enabled)
    return write_splits(cfg, out_dir)


def documents(cfg: DataCfg) -> Iterator[str]:
    """The corpus in its frozen order: first val_docs documents of validation, then training only."""
    source = Path(cfg.text)
    if cfg.text == "stdlib":
        texts = stdlib_documents(cfg)
    elif source.suffix == ".jsonl":
        texts = jsonl_documents(source)
    else:
        texts = (file.read_text(encoding="utf-8") for file in sorted(source.rglob("*.txt")))
    return islice(texts, cfg.max_docs or None)


def jsonl_documents(path: Path) -> Iterator[str]:
    """One {"text": ...} per line, as in the challenge's docs_selected.jsonl."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"]


def stdlib_documents(cfg: DataCfg) -> Iterator[str]:
    """Pieces of the running Python's own sources, shuffled once; no file gives to both splits."""
    root = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"site-packages", "dist-packages", "test", "tests", "__pycache__"}
    files = [f for f in sorted(root.rglob("*.py")) if skipped.isdisjoint(f.relative_to(root).parts)]
    order = random.Random(0)
    order.shuffle(files)
    texts = [text for f in files if (text := f.read_text(encoding="utf-8", errors="replace")).strip()]
    size = cfg.doc_chars or max(map(len, texts))
    pieces = [[text[at : at + size] for at in range(0, len(text), size)] for text in texts]
    yield from (order.choice(of_file) for of_file in pieces[: cfg.val_docs])
    train_pieces = [piece for of_file in pieces[cfg.val_docs :] for piece in of_file]
    order.shuffle(train_pieces)
    yield from train_pieces


def write_splits(cfg: Cfg, out_dir: Path) -> dict[str, int]:
    """Write both splits, the sidecar and split.json; no training document equals a validation one."""
    tokenizer = open_tokenizer(cfg.data, out_dir)
    if tokenizer.vocab_size != cfg.model.vocab_size:
        raise ValueError(f"vocab_size={cfg.model.vocab_size}, the tokenizer has {tokenizer.vocab_size}")
    for stale in out_dir.glob("fineweb_*.bin"):
        stale.unlink()
    val, sidecar, train = (
        ShardWriter(out_dir, prefix, cfg.data.shard_tokens)
        for prefix in ("fineweb_val", "fineweb_val_bytes", "fineweb_train")
    )
    counts = dict.fromkeys(("val_docs", "val_bytes", "train_docs", "train_docs_equal_to_val"), 0)
    val_hashes = set()
    for text in progress(documents(cfg.data), cfg.data.max_docs or None, "tokenise"):
        digest = hashlib.sha256(text.encode()).digest()
        if counts["val_docs"] < cfg.data.val_docs:
            ids_N, bytes_N = tokenizer.encode(text)
            val_hashes.add(digest)
            val.add(ids_N, BOS_ID)
            if cfg.data.caseops_enabled:
                sidecar.add(bytes_N, 0)
            counts["val_docs"] += 1
            counts["val_bytes"] += int(bytes_N.sum())
        elif digest in val_hashes:
            counts["train_docs_equal_to_val"] += 1  # left out of both splits
        else:
            train.add(tokenizer.encode(text)[0], BOS_ID)
            counts["train_docs"] += 1
    if counts["val_docs"] < cfg.data.val_docs or not counts["train_docs"]:
        raise ValueError(
            f"{counts['val_docs']} documents do not fill val_docs={cfg.data.val_docs} and a training split"
        )
    counts |= {"val_tokens": val.close(), "train_tokens": train.close()}
    sidecar.close()
    (out_dir / "split.json").write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    return counts


class ShardWriter:
    """Documents of one split in files of shard_tokens tokens, document after document across files."""

    def __init__(self, folder: Path, prefix: str, shard_tokens: int):
        self.folder, self.prefix, self.shard_tokens = folder, prefix, shard_tokens
        self.parts: list[np.ndarray] = []
        self.buffered = self.written = self.files = 0

    def add(self, values_N: np.ndarray, head: int) -> None:
        """Append one document, `head` standing at the place of its BOS."""
        self.parts += [np.array([head], np.uint16), values_N]
        self.buffered += 1 + len(values_N)
        while self.buffered >= self.shard_tokens:
            self._write(self.shard_tokens)

    def close(self) -> int:
        """Write what is left; returns the number of tokens."""
        if self.buffered:
            self._write(self.buffered)
        return self.written

    def _write(self, n: int) -> None:
        values_N = np.concatenate(self.parts)
        write_shard(self.folder / f"{self.prefix}_{self.files:06d}.bin", values_N[:n])
        self.parts, self.buffered = [values_N[n:]], self.buffered - n
        self.written += n
        self.files += 1
