"""Texts that CPython accepts and LibCST does not, rewritten so that every offset stays where it was.

- LibCST gives up after about 3,000 adjacent literals (#2012 spells 1.4 MB of data as 11,577). The quotes and
  blanks between two of them become fillers, which the lowering drops from the value.
- It loses the indentation after lines that hold only a backslash (#1887). The backslashes become blanks.
"""

from __future__ import annotations

import re

FILLER = "\ufdd0"  # a code point that Unicode reserves for internal use
_RUN = re.compile(r'(?<![\w"])(?:"[^"\\\n]*"[ \t]*\n[ \t]*){1000,}"[^"\\\n]*"(?!")')
_SEAM = re.compile(r'"[ \t]*\n[ \t]*"')
_CONTINUED = re.compile(r"(?m)(?<!\\\n)^([ \t]*)((?:\\\n[ \t]*)+)(?=[^\s\\])")


def repaired(text: str) -> str | None:
    """A text of equal length that LibCST may accept; None when there is nothing to repair.

    A repair inside a triple-quoted string does no harm: the lowering takes its value from the original."""
    if FILLER in text:
        return None
    joined = _RUN.sub(lambda run: _SEAM.sub(lambda seam: FILLER * len(seam[0]), run[0]), text)
    blank = _CONTINUED.sub(_without_backslashes, joined)
    return blank if blank != text else None


def _without_backslashes(found: re.Match[str]) -> str:
    """CPython indents the statement as its first line; blanks are the same only when the last line agrees."""
    indent, rest = found.groups()
    return found[0].replace("\\", " ") if rest.rpartition("\n")[2] == indent else found[0]
