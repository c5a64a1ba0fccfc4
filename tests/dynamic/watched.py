"""The recorder in our own process, around code that tests write: no submission, no stand-in."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from golf_audit.dynamic.child.context import Context
from golf_audit.dynamic.child.mode import Everything
from golf_audit.dynamic.child.recorder import Recorder
from golf_audit.dynamic.job import Job
from golf_audit.dynamic.messages import Message, Score, Sink, expand
from golf_audit.dynamic.miniature import Shape
from golf_audit.dynamic.miniature import tokens as streams

M = TypeVar("M", bound=Message)
STREAM = streams.validation(Shape())


class Watched:
    """What the recorder said."""

    def __init__(self, folder: Path) -> None:
        self.told: list[Message] = []
        path = folder / "val.bin"
        path.write_bytes(bytes(1024) + struct.pack(f"<{len(STREAM)}H", *STREAM))
        job = Job("t.py", str(folder), str(folder), str(folder), str(path), 1024, 60.0, device="cuda")
        self.recorder = Recorder(Context(job, self.told.append))

    @contextmanager
    def watching(self) -> Iterator[None]:
        with Everything(self.recorder.context, self.recorder):
            yield

    def of(self, kind: type[M]) -> list[M]:
        return [m for m in self.told if isinstance(m, kind)]

    def behind(self, sink: Sink) -> tuple[list[int], float]:
        """Positions behind a number, sorted with repeats, and the mean of their recorded losses."""
        scores = self.of(Score)
        positions: list[int] = []
        losses: list[float] = []
        for event, first, length, times in sink.rows:
            positions += expand(scores[event].positions)[first : first + length] * times
            losses += list(scores[event].losses[first : first + length]) * times
        return sorted(positions), sum(losses) / len(losses)


def tensor(first: int, count: int) -> Any:
    """Validation tokens from a position on."""
    import torch

    return torch.tensor(STREAM[first : first + count])
