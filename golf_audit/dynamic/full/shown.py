"""What an instrumented run shows of the claimed number: targets counted how often, and learned from when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golf_audit.dynamic.full.account import NEVER, Account
from golf_audit.dynamic.full.sums import Found, Made, claimed

SPANS = 20
"""Spans that an entry of the ledger lists of each kind."""
_HEADER = 256
_BOS = 1

Bools = NDArray[np.bool_]


def shown(account: Account, tag: str, data: Path) -> dict[str, Any]:
    """The ledger's entry of kind "positions", without the run that it belongs to."""
    found = claimed(account, tag)
    whole = account.ranks[0].whole
    missing = _unheard(account) or ("" if whole is not None else "no tensor held the validation stream")
    if found is None:
        missing = missing or (f"no {tag} line was printed" if tag else "no result was printed")
    bare = {
        "ranks": len(account.ranks),
        "targets": max(whole.tokens - 1, 0) if whole is not None else 0,
        "folder": whole.folder[:300] if whole is not None else "",
        "tag": found.name[:200] if found is not None else tag[:200],
        "text": found.text[:300] if found is not None else "",
        "places": [f"{name}:{line}"[:300] for name, line in account.places],
        "notes": list(account.notes),
    }
    why = missing or (found.why if found is not None else "")
    made = found.made if found is not None else None
    if why or made is None or whole is None:
        return {**bare, "attested": False, "why": why[:300], **_counted(None, account, data)}
    return {**bare, "attested": True, "why": "", **_counted(made, account, data / whole.folder)}


def _unheard(account: Account) -> str:
    """Why the ranks' word is not complete; empty when it is."""
    for number, rank in enumerate(account.ranks):
        if rank.bad:
            return rank.bad
        if not rank.began:
            return f"rank {number} never spoke: the script was not started as planned"
        if rank.ended is None:
            return f"rank {number} ended without a last message"
    return ""


def _counted(made: Made | None, account: Account, data: Path) -> dict[str, Any]:
    """Counts and spans; zeros without a number that was seen."""
    none = _spans(np.zeros(0, dtype=np.bool_))
    if made is None:
        kinds = dict.fromkeys(("missing", "repeated", "late"), none)
        return {"rows": 0, "window": 0, "exempt": 0, "scratch": 0, **kinds}
    size = len(account.learned)
    times, epoch, late = np.zeros(size, np.int64), np.full(size, NEVER, np.int32), np.zeros(size, np.bool_)
    for first, length, often, when, after in made.runs.tolist():
        part = slice(first, first + length)
        times[part] += often
        np.minimum(epoch[part], when, out=epoch[part])
        late[part] |= bool(after)
    late |= (times > 0) & (account.learned < epoch)  # on another rank, before a collective
    free = _free(data, size)
    inside = np.arange(size) > 0
    return {
        "rows": made.rows,
        "window": made.window,
        "missing": _spans((times == 0) & inside),
        "repeated": _spans(times > 1),
        "late": _spans(late & ~free),
        "exempt": int((late & free).sum()),
        "scratch": int((late & ~free & ~account.kept).sum()),
    }


def _free(data: Path, size: int) -> Bools:
    """Targets that count no bytes: by the sidecar, else the first token of each document."""
    sidecars = sorted(data.glob("fineweb_val_bytes_*.bin"))
    files = sidecars or sorted(p for p in data.glob("fineweb_val_*.bin") if "bytes" not in p.name)
    values = np.concatenate([_tokens(path) for path in files]) if files else np.zeros(0, dtype=np.uint16)
    free = np.zeros(size, dtype=np.bool_)
    given = values[:size] == (0 if sidecars else _BOS)
    free[: len(given)] = given
    return free


def _tokens(path: Path) -> NDArray[np.uint16]:
    count = int(np.fromfile(path, dtype="<i4", count=_HEADER)[2])
    return np.fromfile(path, dtype="<u2", offset=4 * _HEADER, count=count)


def _spans(where: Bools) -> dict[str, Any]:
    """How many, and the first of them as half-open spans."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], where, [False])).astype(np.int8)))
    spans = edges.reshape(-1, 2)[:SPANS].tolist()
    return {"count": int(where.sum()), "spans": spans}


__all__ = ["Found", "shown"]
