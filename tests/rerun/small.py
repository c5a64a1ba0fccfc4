"""A submission that runs in a fraction of a second without torch, its data, and ledgers of made-up machines.

Its score is a function of the seed and of NOISE: reruns give the same digits or others, as a test needs.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from golf_audit.load import load_folder
from golf_audit.rerun import environment
from golf_audit.rerun.ledger import LedgerFile
from golf_audit.reruns import program_fingerprint

SEEDS = (42, 314, 999)
RATIO = 1.68845  # val_loss / val_bpb of SP1024
TOKENS = 62_021_846  # of the published validation split in SP1024
SCRIPT = '''"""Prints a score that depends on its seed."""

import os
import random
import time

SEED = int(os.environ.get("SEED", "1337"))
DATA_PATH = os.environ.get("DATA_PATH", "./data")
NOISE = float(os.environ.get("NOISE", "0.0"))
SECONDS = float(os.environ.get("SECONDS", "0.0"))


def score() -> float:
    drawn = random.Random(SEED).gauss(0.0, 0.001) + NOISE * random.SystemRandom().gauss(0.0, 1.0)
    return round(1.2 + drawn, 8)


def main() -> None:
    {first}
    assert os.path.exists(f"{DATA_PATH}/fineweb_val_000000.bin"), os.listdir(".")
    print(f"seed:{SEED} world_size:1")
    print("val_tokens: 62021846")
    print("step:10/20 train_loss:3.1000 train_time:300000ms step_avg:30000.00ms", flush=True)
    time.sleep(SECONDS)
    print("step:20/20 train_loss:2.9000 train_time:599000ms step_avg:30000.00ms")
    print("stopping_early: wallclock_cap train_time:599000ms step:20/20")
    print("Serialized model int8+zlib: 15900000 bytes")
    print("Code size: 2000 bytes")
    print("Total submission size int8+zlib: 15902000 bytes")
    bpb = score()
    print(f"final_int8_zlib_roundtrip val_loss:{bpb * 1.68845:.8f} val_bpb:{bpb:.8f} eval_time:61000ms")
    {last}


if __name__ == "__main__":
    main()
'''


def log(
    seed: int, bpb: float, *, train_ms: int = 599_000, eval_ms: int = 61_000, tokens: int = TOKENS
) -> str:
    """What the script prints."""
    return "\n".join(
        [
            f"seed:{seed} world_size:1",
            f"val_tokens: {TOKENS}",
            "step:10/20 train_loss:3.1000 train_time:300000ms step_avg:30000.00ms",
            f"step:20/20 train_loss:2.9000 train_time:{train_ms}ms step_avg:30000.00ms",
            f"stopping_early: wallclock_cap train_time:{train_ms}ms step:20/20",
            "Serialized model int8+zlib: 15900000 bytes",
            "Code size: 2000 bytes",
            "Total submission size int8+zlib: 15902000 bytes",
            f"final_int8_zlib_roundtrip val_loss:{bpb * RATIO:.8f} val_bpb:{bpb:.8f} eval_time:{eval_ms}ms",
            "",
        ]
    )


def score(seed: int) -> float:
    """The script's score without noise."""
    import random

    return round(1.2 + random.Random(seed).gauss(0.0, 0.001), 8)


def claim(seeds: Mapping[int, float], headline: float | None = None) -> str:
    """submission.json of these seeds."""
    mean = round(sum(seeds.values()) / len(seeds), 8)
    fields = {
        "author": "A. Participant",
        "github_id": "participant",
        "name": "A small one",
        "date": "2026-04-20",
        "val_bpb": mean if headline is None else headline,
        "seeds": list(seeds),
        "seed_results": {str(seed): {"val_bpb": bpb} for seed, bpb in seeds.items()},
    }
    return json.dumps(fields, indent=2)


def folder(
    at: Path,
    *,
    first: str = "pass",
    last: str = "pass",
    track: str = "track_non_record_16mb",
    shift: float = 0.0,
    settings: str = "",
    requirements: str = "",
    command: str = "python train_gpt.py",
) -> Path:
    """The submission on disk. `first` and `last` are statements of its main; `shift` goes on the claim."""
    made = at / "records" / track / "2026-04-20_Small"
    made.mkdir(parents=True)
    script = SCRIPT.replace("{first}", first).replace("{last}", last)
    (made / "train_gpt.py").write_text(script)
    (made / "README.md").write_text(f"# A small one\n\n    {settings} SEED=42 {command}\n")
    (made / "submission.json").write_text(claim({s: round(score(s) + shift, 8) for s in SEEDS}))
    for seed in SEEDS:
        (made / f"train_seed{seed}.log").write_text(log(seed, score(seed)))
    if requirements:
        (made / "requirements.txt").write_text(requirements)
    return made


def data(at: Path) -> Path:
    """A data folder with one shard of each kind."""
    made = at / "data"
    made.mkdir()
    for name in ("fineweb_train_000000.bin", "fineweb_val_000000.bin"):
        header = struct.pack("<256i", environment.MAGIC, 1, 500, *[0] * 253)
        (made / name).write_bytes(header + struct.pack("<500H", *range(500)))
    return made


def plan_body(submission_folder: Path, processes: int = 8, **changed: Any) -> dict[str, Any]:
    """A plan's entry for a folder."""
    submission = load_folder(submission_folder)
    return {
        "submission": {
            "folder": submission.head.folder,
            "fingerprint": submission.head.fingerprint,
            "program": program_fingerprint(submission),
            "commit": "",
            "pr": None,
            "track": submission.track.value,
        },
        "claim": "",
        "seeds": list(SEEDS),
        "script": "train_gpt.py",
        "argv": [],
        "environ": {},
        "processes": processes,
        "launcher": "local",
        "instrument": False,
        "limit_s": 3300.0,
        "check": {"tool": "0", "verdict": "pass", "failed": [], "open": []},
        "tag": "final_int8_zlib_roundtrip",
        **changed,
    }


def machine_body(gpu: str = "NVIDIA H100 80GB HBM3", gpus: int = 8, tokens: int = TOKENS) -> dict[str, Any]:
    """An environment's entry."""
    machine = environment.Hardware(gpu, gpus, "570.1", "a processor", 208, 1 << 40)
    body = environment.body(machine, environment.software("none"), environment.Data())
    return {**body, "data": {**body["data"], "val_tokens": tokens}}


def end_body(start: int, seed: int, bpb: float | None, where: int, **changed: Any) -> dict[str, Any]:
    """An end's entry."""
    tag = "final_int8_zlib_roundtrip"
    return {
        "start": start,
        "seed": seed,
        "ending": "finished" if bpb is not None else "failed",
        "reason": "it came to its end",
        "wall_s": 700.0,
        "environment": where,
        "log": None,
        "score": None if bpb is None else {"tag": tag, "bpb": bpb, "loss": round(bpb * RATIO, 8)},
        "train_s": 599.0,
        "eval_s": 61.0,
        "steps": 20,
        "bytes_total": 15_902_000,
        "val_tokens": TOKENS,
        **changed,
    }


def ledger_of(
    path: Path,
    submission_folder: Path,
    scores: Mapping[int, float | None],
    *,
    machine: Mapping[str, Any] | None = None,
    logs: Mapping[int, str] | None = None,
    **plan: Any,
) -> LedgerFile:
    """A ledger of finished runs (None: a run that failed), with logs beside it where they are given."""
    import hashlib

    book = LedgerFile(path)
    agreed = book.append("plan", plan_body(submission_folder, **plan))
    where = book.append("environment", machine or machine_body())
    for seed, bpb in scores.items():
        start = book.append(
            "start", {"plan": agreed.n, "environment": where.n, "seed": seed, "attempt": 1, "job": ""}
        )
        reference = None
        if logs and seed in logs:
            name = f"seed{seed}-entry{start.n}.log"
            (path.parent / name).write_text(logs[seed])
            text = logs[seed].encode()
            reference = {"file": name, "sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text)}
        book.append("end", end_body(start.n, seed, bpb, where.n, log=reference))
    return book
