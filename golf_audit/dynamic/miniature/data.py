"""The folder that a run finds as `data`: what the challenge's download script leaves, in small.

    datasets/fineweb10B_sp1024/fineweb_{train,val}_*.bin      tokenizers/fineweb_1024_bpe.model

Every usual name leads to the same files. CaseOps has a folder of its own, since its byte sidecar would match
`fineweb_val_*.bin`.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from golf_audit.dynamic.job import Perturbation
from golf_audit.dynamic.miniature import tokens as streams
from golf_audit.dynamic.miniature.tokenizer import tokenizer
from golf_audit.dynamic.miniature.tokens import Shape

MAGIC = 20240520
_HEADER = 256

PLAIN = "datasets/plain"
CASEOPS = "datasets/caseops"
MODEL = "tokenizers/miniature.model"
OTHER = "exchanged"
"""Training shards of other tokens under the same names, for a probe that exchanges them in mid-run."""
_CASEOPS_HOME = "datasets/fineweb10B_sp8192_caseops/datasets"
_CASEOPS_NAME = "fineweb10B_sp8192_lossless_caps_caseops_v1_reserved"
_CASEOPS_MODEL = "fineweb_8192_bpe_lossless_caps_caseops_v1_reserved.model"


@dataclass(frozen=True)
class Folder:
    """A built folder: where the parts lie (relative to it) and the validation tokens."""

    folder: Path
    tokens: tuple[int, ...]
    vocab: int
    plain: str = PLAIN
    caseops: str = CASEOPS
    model: str = MODEL

    @property
    def val_shard(self) -> str:
        """The validation shard, relative to the folder."""
        return f"{PLAIN}/fineweb_val_000000.bin"


def build(
    folder: Path,
    cache: Path,
    shape: Shape | None = None,
    change: Perturbation | None = None,
    *,
    other_train: bool = False,
    names: Iterable[str] = (),
) -> Folder:
    """Write the miniature into an empty folder; `other_train` adds other training shards under OTHER."""
    shape = shape or Shape()
    base = streams.validation(shape)
    shards = [streams.training(shape, n) for n in range(shape.shards)]
    others = [streams.training(shape, shape.shards + n) for n in range(shape.shards)] if other_train else []
    stream = streams.changed(base, change, shape.vocab) if change else base
    streams.check(stream, (*shards, *others))
    for part in (PLAIN, CASEOPS):
        home = folder / part
        home.mkdir(parents=True)
        _write(home / "fineweb_val_000000.bin", stream)
        for n, shard in enumerate(shards):
            _write(home / f"fineweb_train_{n:06d}.bin", shard)
    for n, shard in enumerate(others):
        (folder / OTHER).mkdir(exist_ok=True)
        _write(folder / OTHER / f"fineweb_train_{n:06d}.bin", shard)
    bytes_of = streams.left(streams.sidecar(base, shape.seed), change)
    _write(folder / CASEOPS / "fineweb_val_bytes_000000.bin", bytes_of)
    (folder / "tokenizers").mkdir()
    (folder / MODEL).write_bytes(tokenizer(shape.vocab, cache).read_bytes())
    _usual_names(folder, {1024, 2048, 4096, 8192, shape.vocab})
    _other_names(folder, names)
    return Folder(folder, tuple(stream), shape.vocab)


def _write(path: Path, tokens: Sequence[int]) -> None:
    """One shard: 256 little-endian int32 (magic, version 1, number of tokens), then uint16 tokens."""
    header = struct.pack(f"<{_HEADER}i", MAGIC, 1, len(tokens), *([0] * (_HEADER - 3)))
    path.write_bytes(header + struct.pack(f"<{len(tokens)}H", *tokens))


def _usual_names(folder: Path, vocabularies: Iterable[int]) -> None:
    """Links by which scripts with fixed names find the files."""
    for vocab in sorted(vocabularies):
        _link(folder, f"datasets/fineweb10B_sp{vocab}", PLAIN)
        _link(folder, f"tokenizers/fineweb_{vocab}_bpe.model", MODEL)
    _link(folder, f"datasets/{_CASEOPS_NAME}", CASEOPS)
    _link(folder, f"{_CASEOPS_HOME}/datasets/{_CASEOPS_NAME}", CASEOPS)
    _link(folder, f"{_CASEOPS_HOME}/tokenizers/{_CASEOPS_MODEL}", MODEL)
    _link(folder, f"tokenizers/{_CASEOPS_MODEL}", MODEL)


def _other_names(folder: Path, names: Iterable[str]) -> None:
    """Links for names that a script spells out: the data of "caps" names has a byte sidecar."""
    for name in names:
        if name.endswith(".model"):
            _link(folder, f"tokenizers/{name}", MODEL)
        else:
            _link(folder, f"datasets/{name}", CASEOPS if "caps" in name else PLAIN)


def _link(folder: Path, name: str, target: str) -> None:
    path = folder / name
    if path.exists() or path.is_symlink():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(folder / target, path.parent))
