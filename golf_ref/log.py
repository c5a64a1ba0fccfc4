"""Where a run writes: its log file, the screen, a progress bar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


class RunLog:
    """Lines of a run in order, echoed and appended to a file as they come; silent on every rank but 0."""

    def __init__(self, path: Path | None = None, echo: bool = True, rank: int = 0):
        self.lines: list[str] = []
        self.path, self.echo, self.rank = path, echo, rank
        if path is not None and rank == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("", encoding="utf-8")

    def line(self, text: str) -> None:
        if self.rank:
            return
        self.lines.append(text)
        if self.echo:
            print(text, flush=True)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                print(text, file=file)


def progress(items: Iterable[Item], total: int | None, what: str) -> Iterator[Item]:
    """The items, with a bar on standard error where that is a terminal."""
    console = Console(stderr=True)
    yield from track(
        items, what, total=total, console=console, transient=True, disable=not console.is_terminal
    )
