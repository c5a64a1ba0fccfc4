"""What the log of a run says, read like any log of a submission: the line that counts, times, sizes.

A log is what the submission says about itself. It decides a score only because nobody else can know it; how
it ended and how long it took is what we saw.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from golf_audit.filetree import File
from golf_audit.rerun.launch import Ended
from golf_audit.text import decode, lines
from golf_audit.trainlog import Final, Run, read_log

TAIL = 1 << 16
_ROUNDED = 0.51e-4
_ERROR = re.compile(r"\b[A-Za-z_][\w.]{0,60}(?:Error|Exception|Interrupt): .{1,300}")


def read_output(log: Path) -> tuple[Run, ...]:
    """The runs that an output holds; none when there is no file."""
    try:
        data = log.read_bytes()
    except OSError:
        return ()
    return read_log(File(log.name, len(data), data)).runs


def latest(log: Path) -> Run | None:
    """The last run of the end of an output, for telling progress."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL))
            data = file.read(TAIL)
    except OSError:
        return None
    runs = read_log(File(log.name, len(data), data)).runs
    return runs[-1] if runs else None


def claimed_line(runs: tuple[Run, ...], tag: str) -> tuple[Run, Final] | None:
    """The last result of that name after quantisation; without a name, the last result at all.

    Where the claim's logs name the line, no other one stands in for it."""
    found = [(run, final) for run in runs for final in run.finals if final.stage == "post"]
    named = [pair for pair in found if pair[1].name == tag] if tag else found
    if not named:
        return None
    last = named[-1]
    twins = [
        pair for pair in named if abs(pair[1].bpb - last[1].bpb) <= _ROUNDED
    ]  # printed with fewer digits
    return max(reversed(twins), key=lambda pair: min(pair[1].decimals, 8))


def body(
    ended: Ended, start: int, seed: int, log: Path, base: Path, tag: str, environment: int | None
) -> dict[str, Any]:
    """The ledger's entry of kind "end". A run that finished without the claimed line has no score."""
    runs = read_output(log)
    pair = claimed_line(runs, tag)
    reason = ended.reason
    if ended.how == "finished" and pair is None:
        reason = f"its log prints no {tag} line" if tag else "its log prints no result after quantisation"
    run, final = pair if pair is not None else (runs[-1] if runs else None, None)
    if ended.how == "failed":
        reason += _error_line(log)
    evaluation = run.seconds_of(final) if run is not None and final is not None else None
    train = run.train_seconds if run is not None else None
    return {
        "start": start,
        "seed": seed,
        "ending": ended.how,
        "reason": reason[:600],
        "wall_s": round(ended.wall_s, 3),
        "environment": environment,
        "log": _fingerprint(log, base),
        "score": _score(final),
        "train_s": train.value if train is not None else None,
        "eval_s": evaluation.seconds if evaluation is not None else None,
        "steps": run.steps.step if run is not None and run.steps is not None else None,
        "bytes_total": run.total_bytes if run is not None else None,
        "val_tokens": run.val_tokens.value if run is not None and run.val_tokens is not None else None,
    }


def _error_line(log: Path) -> str:
    """The first error that the end of an output names: where several ranks fail, the others follow it."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            text = decode(file.read(TAIL)).text
    except OSError:
        return ""
    for _, line in lines(text):
        match = _ERROR.search(line)
        if match is not None:
            return f": {match[0][:200]}"
    return ""


def _score(final: Final | None) -> dict[str, Any] | None:
    return None if final is None else {"tag": final.name[:200], "bpb": final.bpb, "loss": final.loss}


def _fingerprint(log: Path, base: Path) -> dict[str, Any] | None:
    """The log by its name beside the ledger, its sha256 and size; None without a file."""
    if not log.is_file():
        return None
    data = log.read_bytes()
    return {
        "file": log.relative_to(base).as_posix(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
    }
