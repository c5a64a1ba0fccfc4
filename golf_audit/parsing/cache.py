"""Answers of the parser kept on disk, for those who audit the same texts day after day.

Off unless the environment names a folder: GOLF_AUDIT_CACHE=DIR. An entry is a frame of
golf_audit.parsing.wire, which is read as carefully as one that comes from the worker; whoever can write to
the folder can choose the trees, so it belongs to the person who runs the audit, never to the submission.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

VARIABLE = "GOLF_AUDIT_CACHE"
_SUM = 8
"""Bytes of checksum before each entry: one that a crash or a full disk cut short is no entry."""


def get(text: bytes) -> tuple[int, bytes] | None:
    """(kind, body) of an earlier answer to this text; None when there is no cache or no entry."""
    path = _path(text)
    if path is None:
        return None
    try:
        entry = path.read_bytes()
    except OSError:
        return None
    answer = entry[_SUM:]
    return (answer[0], answer[1:]) if answer and entry[:_SUM] == _checksum(answer) else None


def put(text: bytes, kind: int, body: bytes) -> None:
    """Keep an answer. A folder that cannot be written to costs the speed, not the audit."""
    path = _path(text)
    if path is None:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            answer = bytes([kind]) + body
            stream.write(_checksum(answer) + answer)
        os.replace(name, path)  # two processes may write the same entry: each whole, either wins


def _checksum(answer: bytes) -> bytes:
    return hashlib.blake2b(answer, digest_size=_SUM).digest()


def _path(text: bytes) -> Path | None:
    folder = os.environ.get(VARIABLE)
    if not folder:
        return None
    name = hashlib.sha256(text).hexdigest()
    return Path(folder) / _parser() / name[:2] / name


@cache
def _parser() -> str:
    """Which parser answers: a change to any file of this package starts an empty cache."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
