"""The bytes of an artifact, and every way of counting them by name.

    logged      the total that the log prints (or its model plus its code)
    committed   the logged model plus the entry script as it lies in the folder
    wide        the smaller of both plus the sibling files that the script executes

The weights themselves are almost never handed in, so the log is the only witness of the model's size.
"""

from __future__ import annotations

from dataclasses import dataclass

from golf_audit.packages import executed_layers
from golf_audit.source import Sources
from golf_audit.submission import Submission
from golf_audit.trainlog import Run

CAP = 16_000_000
"""Bytes, decimal (README)."""
NATIVE = (".c", ".h", ".cc", ".cpp", ".cu", ".cuh", ".rs", ".so")
_SLACK = 16  # bytes; 2,690 of 2,711 logs that print model, code and total add up exactly
_SAME = 0.98  # a logged code size this close to the executed files' sum already counts them all


@dataclass(frozen=True)
class Count:
    """The artifact of one run, in bytes. None: the log does not print what this way of counting needs."""

    run: Run
    model: int | None
    code: int | None  # as logged
    script: int | None  # the entry script as committed
    siblings: int  # the other files that it executes

    @property
    def logged(self) -> int | None:
        return self.run.total_bytes

    @property
    def codeless(self) -> bool:
        """True when the logged total is the model's size: it counts no code at all."""
        return self.run.total_size is not None and self.model == self.run.total_size.bytes and bool(self.code)

    @property
    def odd_sum(self) -> bool:
        """True when no model plus code that the log prints is its total, nor the model alone."""
        total = self.run.total_size
        models = [size.bytes for size in self.run.sizes if size.what == "model"]
        codes = [size.bytes for size in self.run.sizes if size.what == "code"]
        if total is None or not models or not codes or self.codeless:
            return False
        return all(abs(total.bytes - model - code) > _SLACK for model in models for code in codes)

    @property
    def committed(self) -> int | None:
        return None if self.model is None or self.script is None else self.model + self.script

    @property
    def wide(self) -> int | None:
        """The least that a count with every executed file comes to."""
        everything = (self.script or 0) + self.siblings
        counted = self.code is not None and self.code >= _SAME * everything
        ways = [
            None if self.logged is None else self.logged + (0 if counted else self.siblings),
            None if self.committed is None else self.committed + self.siblings,
        ]
        return min((way for way in ways if way is not None), default=None)


def count(submission: Submission, run: Run) -> Count:
    """Every count of the artifact that this run wrote."""
    sources = submission.sources
    entry = submission.tree.get(sources.entry) if sources.entry is not None else None
    code = run.code_size.bytes if run.code_size is not None else None
    model = run.model_size.bytes if run.model_size is not None else None
    if model is None and run.total_size is not None and code is not None:
        model = run.total_size.bytes - code
    aside = sum(submission.tree.files[path].size or 0 for path in siblings(submission))
    return Count(run, model, code, entry.size if entry is not None else None, aside)


def siblings(submission: Submission) -> tuple[str, ...]:
    """Files beside the entry script that a run executes: what it imports or starts, native code it names."""
    sources = submission.sources
    launched = [path for path in sources.executed if path != sources.entry]
    native = [file.path for file in submission.tree.matching(*NATIVE) if _named(file.name, sources)]
    return tuple(dict.fromkeys((*launched, *native)))


def _named(name: str, sources: Sources) -> bool:
    return any(name in layer.text for layer in executed_layers(sources))
