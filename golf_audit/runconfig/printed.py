"""Settings that a run prints in passing: `train_seq_len:1024 iterations:20000`, `ttt: epochs=3 lr=0.002`.

Only names that the code takes are believed, only numbers and booleans, and only where every occurrence in the
run says the same: a learning rate that moves is not a setting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from golf_audit.model import Where
from golf_audit.runconfig.literals import same
from golf_audit.trainlog import Run

_PRINTED = re.compile(
    r"(?<![\w.\-/])([A-Za-z_]\w{1,59})[:=]([-+]?[\d.][\d._]{0,30}(?:e[-+]?\d{1,3})?|True|False)(?=[\s,;|]|$)"
)
_PROGRESS = re.compile(r"\s*(?:\[\w+\]:?\s*)?(?:step|iter|warmup_step|epoch|chunk)?[:=\s]*\d+/\d+")
_SOURCE = re.compile(r"\w\(|[\"'{}#]|\s=\s|,\s*$")
"""Marks of a line of Python: many logs carry a copy of the script."""


def printed(
    numbered: Iterable[tuple[int, str]], run: Run, known: Callable[[str], bool]
) -> dict[str, tuple[str, Where]]:
    """Spelling -> (value, position) of every setting that a run prints, once or consistently.

    `numbered` are the lines of the run's file (`text.lines`)."""
    found: dict[str, tuple[str, Where]] = {}
    contradicted: set[str] = set()
    copied = range(run.dump.first_line, run.dump.last_line + 1) if run.dump else range(0)
    for number, line in numbered:
        if not run.first_line <= number <= run.last_line or number in copied:
            continue
        if (":" not in line and "=" not in line) or _PROGRESS.match(line) or _SOURCE.search(line):
            continue
        for name, value in _PRINTED.findall(line):
            if not known(name):
                continue
            if name not in found:
                found[name] = (value, Where(run.file, number, quote=line.strip()[:200]))
            elif not same(found[name][0], value):
                contradicted.add(name)
    return {name: reading for name, reading in found.items() if name not in contradicted}
