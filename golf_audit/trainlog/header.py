"""The head of a run: seed, machine, versions, data and the settings that it prints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from golf_audit.trainlog.model import Reading
from golf_audit.trainlog.numbers import NUMBER, integer, quote

# `seed = 0` is a line of source code; only the colon form is a reading (formats.md b1).
_SEED = re.compile(r"^seed:\s{0,4}(\d{1,10})\b(?!\s?[/%])", re.IGNORECASE)
_SEED_SHELL = re.compile(r"(?:^|\s)SEED=(\d{1,10})\b")
_WORLD = re.compile(r"(?:^|[\s,|])(?:world[_ ]size|ws)\s{0,2}[:=]\s?(\d{1,5})\b", re.IGNORECASE)
_VAL_TOKENS = re.compile(
    r"^val_loader:\s?(?:shards\s+pattern=\S{1,400}\s+)?tokens:(\d+)|(?:^|\s)val_tokens[:=]\s{0,4}(\d[\d,]*)"
    r"|^validation tokens:\s{0,4}(\d[\d,]*)|^val:\S{1,400}\s+tokens:(\d+)",
    re.IGNORECASE,
)
_SHARDS = re.compile(
    r"(?:^|\s)train_shards[:=]\s{0,4}(\d{1,7})\b|^train:\S{1,80}\s+shards:(\d{1,7})\b"
    r"|^shard_order:ranked (\d{1,7}) shards|shard order: stride across (\d{1,7}) shards",
    re.IGNORECASE,
)
_PARAMS = re.compile(
    r"^(?:model_params|num_params|total[ _]params|params)\s{0,2}[:=]\s{0,4}(\d[\d,_]*)", re.IGNORECASE
)
_CAP = re.compile(
    rf"(?:^|[\s:])(?:max_wallclock_seconds|wallclock budget)\s?[:=]\s?({NUMBER})", re.IGNORECASE
)
_TORCH = re.compile(
    r"^(?:running pytorch|pytorch(?: version)?:|torch(?: version)?[:=]|torch==)\s{0,4}(\d[\w.+\-]{0,40})",
    re.I,
)
_PYTHON = re.compile(r"^(?:running python|python(?: version)?:)\s{0,4}(\d[\w.+\-]{0,40})", re.IGNORECASE)
_SMI_ROW = re.compile(
    r"^\|\s{1,6}(\d{1,3})\s{1,4}((?:NVIDIA|Tesla|AMD|Quadro|GeForce)[A-Za-z0-9 .\-]{1,40}?)"
    r"(?:\s{2,}|\s\.\.\.|\sOn\b|\sOff\b)"
)
_GPU_LINE = re.compile(
    r"(?:^|\s)(?:gpu|gpus|device|hardware|gpu[ _]name|gpu[ _]\d)\s{0,4}[:=]\s{0,4}(?=[^|]{0,12}?"
    r"(?:NVIDIA|H100|H200|A100|B200|RTX|L40|L4\b|A6000|MI\d{3}|Tesla|GeForce|Apple M))([^|=\t]{2,60})",
    re.IGNORECASE,
)
_CRASH = re.compile(
    r"^(Traceback \(most recent|(?:torch\.)?(?:cuda\.)?OutOfMemoryError|\S{0,80}ChildFailedError)"
)
_PATHS = re.compile(
    r"(?:^|\s)(train_files|val_files|tokenizer_path|pattern|train_loader:dataset)\s{0,2}[:=]\s{0,4}(\S{1,400})"
)
_TOKEN = re.compile(r"([A-Za-z_][\w.\-]{0,60})[:=](\S{0,300})")
_BLOCK = re.compile(r"^\s{1,8}([A-Za-z_]\w{0,60}):\s?(.{0,600})$")

Read = Callable[[int, str], tuple[str, Reading[Any]] | None]


def _reader(field: str, pattern: re.Pattern[str], convert: Callable[[str], Any]) -> Read:
    def read(number: int, line: str) -> tuple[str, Reading[Any]] | None:
        match = pattern.search(line)
        if match is None:
            return None
        value = next(group for group in match.groups() if group is not None)
        return field, Reading(convert(value), number, quote(line))

    return read


# (words of which one must occur, reader): most lines of a log cost a few substring tests.
_READERS: tuple[tuple[tuple[str, ...], Read], ...] = (
    (("seed:",), _reader("seed", _SEED, int)),
    (("world", "ws:"), _reader("world_size", _WORLD, int)),
    (("tokens",), _reader("val_tokens", _VAL_TOKENS, integer)),
    (("shards",), _reader("train_shards", _SHARDS, int)),
    (("params",), _reader("params", _PARAMS, integer)),
    (("wallclock",), _reader("wallclock_cap_s", _CAP, float)),
    (("torch",), _reader("torch_version", _TORCH, str)),
    (("python",), _reader("python_version", _PYTHON, str)),
    (("gpu", "hardware", "device"), _reader("gpu", _GPU_LINE, str.strip)),
    (("traceback", "outofmemory", "childfailed"), _reader("crash", _CRASH, str)),
)
_PATH_FIELDS = {
    "train_files": "train_files",
    "train_loader:dataset": "train_files",
    "val_files": "val_files",
    "pattern": "val_files",
    "tokenizer_path": "tokenizer",
}


def header(number: int, line: str, low: str) -> Iterator[tuple[str, Reading[Any]]]:
    """(field of Run, reading) for everything a line says about the run as a whole."""
    for words, read in _READERS:
        if any(word in low for word in words):
            found = read(number, line)
            if found is not None:
                yield found
    if "_files" in low or "pattern=" in low or "tokenizer_path" in low or "train_loader:dataset" in low:
        for key, path in _PATHS.findall(line):
            yield _PATH_FIELDS[key], Reading(path, number, quote(line))


def shell_seed(line: str) -> int | None:
    """The seed of an echoed command, `SEED=42 torchrun ...`: weaker than a printed `seed:42`."""
    match = _SEED_SHELL.search(line) if "SEED=" in line else None
    return int(match[1]) if match else None


def smi_row(line: str) -> tuple[int, str] | None:
    """(index, name) of a row of nvidia-smi."""
    match = _SMI_ROW.match(line) if line.startswith("|") else None
    return (int(match[1]), match[2].strip()) if match else None


def block_setting(number: int, raw: str) -> tuple[str, Reading[str]] | None:
    """A line `  key: value` of the Hyperparameters block."""
    match = _BLOCK.match(raw)
    return (match[1], Reading(match[2].strip(), number, quote(raw))) if match else None


def config_settings(number: int, line: str) -> list[tuple[str, Reading[str]]]:
    """Settings of a line that consists of `key:value` tokens; empty for every other line."""
    tokens = line.split(None, 80) if len(line) < 6000 else []
    found = []
    for position, token in enumerate(tokens):
        match = _TOKEN.fullmatch(token)
        if match is None:
            return []
        if match[2]:
            found.append((match[1], Reading(match[2].rstrip(",;"), number, quote(line))))
        elif position:
            return []  # only the first token may be a bare label
    return found
