"""Texts that CPython accepts and LibCST does not, rewritten so that every offset stays where it was.

LibCST gives up after about 3,000 adjacent literals (#2012 spells 1.4 MB of data as 11,577). The quotes and
blanks between two of them become fillers of the same length, which the lowering drops from the value.
"""

from __future__ import annotations

import re

FILLER = "\ufdd0"  # a code point that Unicode reserves for internal use
_RUN = re.compile(r'(?<![\w"])(?:"[^"\\\n]*"[ \t]*\n[ \t]*){1000,}"[^"\\\n]*"')
_SEAM = re.compile(r'"[ \t]*\n[ \t]*"')


def join_adjacent(text: str) -> str | None:
    """The text with long runs of adjacent literals joined; None when there are none."""
    if FILLER in text:
        return None
    joined = _RUN.sub(lambda run: _SEAM.sub(lambda seam: FILLER * len(seam[0]), run[0]), text)
    return joined if joined != text else None
