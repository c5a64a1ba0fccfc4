"""parse(text): one text, one answer, never an exception for bad content."""

from __future__ import annotations

import ast
import struct
from dataclasses import dataclass
from functools import lru_cache

from golf_audit.parsing import wire
from golf_audit.parsing.client import POOL, WorkerLostError

TEXT_CAP = 6 * 2**20
"""Characters of one text that are parsed; the largest real script has 1.6 million."""
_PROBLEM = 2


@dataclass(frozen=True)
class Parsed:
    """The tree of a text, or the reason (a sentence) and the 1-based line why there is none.

    Nodes carry lineno, col_offset, end_lineno and end_col_offset as `ast.parse` gives them, except that
    columns count characters, not UTF-8 bytes, and that parts of f-strings have exact positions."""

    tree: ast.Module | None
    problem: str = ""
    line: int | None = None


def set_deadline(seconds: float | None) -> None:
    """Seconds that the parser may take for one text; None for the default, which grows with the text."""
    POOL.deadline = seconds


@lru_cache(maxsize=8)
def parse(text: str) -> Parsed:
    """Parse Python source with LibCST in the worker process; the trees of the last few texts are kept."""
    if len(text) > TEXT_CAP:
        return Parsed(None, f"{len(text):,} characters, more than the {TEXT_CAP:,} that are parsed")
    if "\0" in text:
        return Parsed(None, "not Python: it holds a NUL character", text.count("\n", 0, text.index("\0")) + 1)
    if "\r" in text:  # as CPython reads it; lines and columns stay what they were
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    try:
        kind, body = POOL.ask(text.encode("utf-8", "surrogatepass"))
        if kind == _PROBLEM:
            return Parsed(
                None, body[4:].decode("utf-8", "replace"), struct.unpack_from("<I", body)[0] or None
            )
        return Parsed(wire.decode(body))
    except WorkerLostError as death:
        return Parsed(None, f"could not be parsed: {death.why}")
    except (wire.UnreadableError, struct.error) as error:
        return Parsed(None, f"could not be parsed: the answer of the parser is malformed ({error})")
