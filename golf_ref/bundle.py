"""A complete record folder around the one-file script: README.md, submission.json, logs, requirements.txt.

Every figure in it is read from the logs of runs of that script, none is passed in by hand.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from importlib.metadata import packages_distributions, version
from pathlib import Path

from golf_ref.codecs import pack_script
from golf_ref.config import Cfg
from golf_ref.onefile import make_script
from golf_ref.pipeline import TTT_TAGS

SCRIPT = "train_gpt.py"


@dataclass(frozen=True)
class Author:
    """Who submits, and under which title."""

    name: str
    github_id: str
    title: str
    blurb: str


@dataclass(frozen=True)
class Run:
    """What one log says about its run: losses in nats per token, bits per byte, bytes, seconds."""

    log: str
    seed: int
    val_loss: float
    val_bpb: float
    model_bytes: int
    code_bytes: int
    eval_seconds: float
    train_line: str


def claimed_tag(cfg: Cfg) -> str:
    """The evaluation whose score is claimed: fixed by the configuration, before any score is known."""
    if cfg.ttt.ttt_enabled:
        return TTT_TAGS[cfg.ttt.ttt_kind]
    return "quantized_sliding_window" if cfg.eval.sliding_window_enabled else "quantized"


def run_script(folder: Path, seed: int, data_path: Path) -> Path:
    """Run a copy of the folder's script once, as a participant would, and keep its log in the folder."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(folder / SCRIPT, scratch)
        # A relative path, so that the log's settings do not name this machine's folders.
        Path(scratch, "data").symlink_to(data_path.resolve(), target_is_directory=True)
        environ = {**os.environ, "SEED": str(seed), "DATA_PATH": "data"}
        subprocess.run([sys.executable, SCRIPT], cwd=scratch, env=environ, check=True)
        return Path(shutil.copy(Path(scratch, f"train_seed{seed}.log"), folder))


def read_run(cfg: Cfg, log: Path) -> Run:
    """The claimed line, the sizes and the seed of a log; ValueError names what is missing."""
    text = log.read_text(encoding="utf-8")

    def last(pattern: str) -> re.Match[str]:
        found = list(re.finditer(pattern, text, re.MULTILINE))
        if not found:
            raise ValueError(f"{log.name}: no line matches {pattern}")
        return found[-1]

    score = last(rf"^{claimed_tag(cfg)} val_loss:([\d.]+) val_bpb:([\d.]+) eval_time:(\d+)ms$")
    return Run(
        log=log.name,
        seed=int(last(r"^  seed: (\d+)$")[1]),
        val_loss=float(score[1]),
        val_bpb=float(score[2]),
        model_bytes=int(last(r"^Serialized model quantized\+\w+: (\d+) bytes$")[1]),
        code_bytes=int(last(r"^Code size \(compressed\): (\d+) bytes$")[1]),
        eval_seconds=int(score[3]) / 1000,
        train_line=last(r"^\d+/\d+ train_loss: .*$")[0],
    )


def write_script(cfg: Cfg, folder: Path, packed: bool) -> Path:
    """train_gpt.py and requirements.txt: what a run needs."""
    folder.mkdir(parents=True, exist_ok=True)
    script = make_script(cfg)
    (folder / "requirements.txt").write_text(requirements(script), encoding="utf-8")
    path = folder / SCRIPT
    path.write_bytes(pack_script(script, "brotli") if packed else script.encode())
    return path


def write_papers(cfg: Cfg, folder: Path, logs: list[Path], author: Author) -> dict[str, object]:
    """submission.json and README.md from the logs; returns the former."""
    runs = sorted((read_run(cfg, log) for log in logs), key=lambda run: run.seed)
    if len({run.seed for run in runs}) != len(runs):
        raise ValueError("two logs of one seed: which run is the claim?")
    submission = submission_fields(cfg, runs, author)
    text = json.dumps(submission, indent=2) + "\n"
    (folder / "submission.json").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(readme(cfg, runs, author, folder), encoding="utf-8")
    return submission


def submission_fields(cfg: Cfg, runs: list[Run], author: Author) -> dict[str, object]:
    """The keys of the challenge's examples; the claim is the mean over the seeds, sizes are the largest."""
    bpbs = [run.val_bpb for run in runs]
    spread = {"val_bpb_std": round(statistics.stdev(bpbs), 8)} if len(runs) > 1 else {}
    return {
        "author": author.name,
        "github_id": author.github_id,
        "name": author.title,
        "blurb": author.blurb,
        "date": date.today().isoformat(),
        "track": "non_record_16mb",
        "val_loss": round(statistics.mean(run.val_loss for run in runs), 8),
        "val_bpb": round(statistics.mean(bpbs), 8),
        **spread,
        "bytes_total": max(run.model_bytes + run.code_bytes for run in runs),
        "bytes_code": max(run.code_bytes for run in runs),
        "seeds": [run.seed for run in runs],
        "seed_results": {
            str(run.seed): {
                "val_loss": run.val_loss,
                "val_bpb": run.val_bpb,
                "artifact_bytes": run.model_bytes + run.code_bytes,
                "eval_time_s": run.eval_seconds,
            }
            for run in runs
        },
    }


def readme(cfg: Cfg, runs: list[Run], author: Author, folder: Path) -> str:
    """How to run it, what came out and how each number was counted."""
    rows = "\n".join(
        f"| {run.seed} | {run.val_loss:.8f} | {run.val_bpb:.8f} | {run.model_bytes:,} | {run.code_bytes:,} "
        f"| {run.model_bytes + run.code_bytes:,} | {run.eval_seconds:.1f} | `{run.log}` |"
        for run in runs
    )
    tag, seeds = claimed_tag(cfg), ", ".join(str(run.seed) for run in runs)
    mean = statistics.mean(run.val_bpb for run in runs)
    shipped = (folder / SCRIPT).stat().st_size
    model_bytes, code_bytes = max(run.model_bytes for run in runs), max(run.code_bytes for run in runs)
    sidecar = ", with the byte sidecar `fineweb_val_bytes_*.bin`" if cfg.data.caseops_enabled else ""
    return f"""# {author.title}

{author.blurb}

**val_bpb {mean:.8f}**, mean of the line `{tag}` of each log; seeds: {seeds}.

| seed | val_loss | val_bpb | model bytes | code bytes | total bytes | evaluation s | log |
|---|---|---|---|---|---|---|---|
{rows}

## Run

```bash
pip install -r requirements.txt
SEED={runs[0].seed} DATA_PATH=./data python {SCRIPT}
```

`DATA_PATH` holds `fineweb_train_*.bin` and `fineweb_val_*.bin`{sidecar}.
Every setting is an environment variable; the defaults in the script are the configuration of the logs.

## Size

Model and packed code: at most {model_bytes + code_bytes:,} bytes. Model and `{SCRIPT}` as it lies here
({shipped:,} bytes): {model_bytes + shipped:,} bytes. The cap is 16,000,000 bytes.

## How the score is made

- Each validation position is scored exactly once: `Scoreboard` raises if one would be scored twice, left out,
  or learned from before it was scored.
- Calibration reads training shards, before the artifact is written; nothing reads them afterwards.
- The claimed line is fixed by the configuration (`{tag}`); the other evaluations are diagnostics.
- Bits per byte divide by the original bytes of the scored targets.
"""


def requirements(script: str) -> str:
    """Third-party packages that the script imports, pinned to what is installed here; others as a comment."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(script)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.split(".")[0])
    installed = packages_distributions()
    lines = []
    for name in sorted(imported - set(sys.stdlib_module_names)):
        if name in installed:
            package = installed[name][0]
            lines.append(f"{package}=={version(package).split('+')[0]}")
        else:
            lines.append(f"# optional, where a CUDA device can use it: {name}")
    return "\n".join(lines) + "\n"
