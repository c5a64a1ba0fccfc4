"""Which token stream a file holds, told by its name."""

from __future__ import annotations

import re

from golf_audit.timeline import Stream

_VAL = re.compile(r"(?<![a-z])val(?![a-tv-z])|valid", re.IGNORECASE)

_TRAIN = re.compile(r"train", re.IGNORECASE)

_TOKENS = re.compile(r"\.bin|\.npy|fineweb|shard|tokens", re.IGNORECASE)


def stream_of(text: str) -> Stream | None:
    """The token stream behind a file name or pattern; None for files that hold no tokens."""
    name = (
        text.rsplit("/", 1)[-1]
        if _VAL.search(text.rsplit("/", 1)[-1]) or _TRAIN.search(text.rsplit("/", 1)[-1])
        else text
    )
    if not _TOKENS.search(text):
        return None
    if _VAL.search(name):
        return (
            Stream.VAL_BYTES
            if re.search(r"byte", name, re.IGNORECASE) and "byte260" not in name.lower()
            else Stream.VAL
        )
    return Stream.TRAIN if _TRAIN.search(name) else None
