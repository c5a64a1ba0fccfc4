"""parse(text): one text, one answer, never an exception for bad content.

Interim engine: the interpreter's own `ast` until the LibCST worker lands in the next commits."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Parsed:
    """The tree of a text, or the reason (a sentence) and the 1-based line why there is none."""

    tree: ast.Module | None
    problem: str = ""
    line: int | None = None


@lru_cache(maxsize=8)
def parse(text: str) -> Parsed:
    """Parse Python source. Positions are 1-based lines and 0-based columns in characters of `text`."""
    try:
        return Parsed(ast.parse(text))
    except SyntaxError as error:
        return Parsed(None, f"not valid Python: {error.msg}", error.lineno)
    except (ValueError, RecursionError, MemoryError) as error:
        return Parsed(None, f"not readable as Python: {type(error).__name__}")
