"""The code around every position that a report names, of the right layer, with lines that can be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from golf_audit.figures.model import Excerpt
from golf_audit.model import Where
from golf_audit.submission import Submission

AROUND = 4
"""Lines shown before and after a position of a text."""
AROUND_LOG = 1
"""The same in a log, whose lines stand alone."""
LINES = 1_500
"""Lines over all excerpts of a report."""
LINE_CAP = 240
"""Characters of a line; of a longer one those around the first position in it are kept."""

Place = tuple[str, int]
"""A file and a layer of it."""


def excerpts(submission: Submission, positions: Iterable[Where]) -> tuple[Excerpt, ...]:
    """Excerpts by file, layer and line. Positions in what was not read give none."""
    wanted: dict[Place, dict[int, int]] = {}
    payload_line: dict[Place, int | None] = {}
    for where in positions:
        if where.line is not None:
            wanted.setdefault((where.file, where.layer), {}).setdefault(where.line, where.column or 1)
            payload_line.setdefault((where.file, where.layer), where.payload_line)
    found = (
        Excerpt(file, layer, payload_line[file, layer], how, first, lines)
        for (file, layer), columns in sorted(wanted.items())
        for how, first, lines in _of(submission, file, layer, columns)
    )
    return tuple(_within(found))


def _within(found: Iterable[Excerpt]) -> Iterator[Excerpt]:
    room = LINES
    for excerpt in found:
        room -= len(excerpt.lines)
        if room < 0:
            return
        yield excerpt


def _of(
    submission: Submission, file: str, layer: int, columns: dict[int, int]
) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    text, how = _text(submission, file, layer)
    if text is None:
        return
    around = AROUND_LOG if file.endswith((".log", ".txt", ".out", ".json")) else AROUND
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for first, last in _stretches(sorted(n for n in columns if n <= len(lines)), around, len(lines)):
        shown = enumerate(lines[first - 1 : last], start=first)
        yield how, first, tuple(_cut(line, columns.get(number, 1)) for number, line in shown)


def _text(submission: Submission, file: str, layer: int) -> tuple[str | None, str]:
    module = submission.sources.modules.get(file)
    if module is not None:
        return (
            (module.layers[layer].text, module.layers[layer].how)
            if layer < len(module.layers)
            else (None, "")
        )
    found = submission.tree.get(file) if layer == 0 else None
    return (found.text.text if found is not None and found.text is not None else None), ""


def _stretches(numbers: list[int], around: int, end: int) -> Iterator[tuple[int, int]]:
    """First and last lines, both counted; stretches that touch are one."""
    made: list[tuple[int, int]] = []
    for number in numbers:
        first, last = max(1, number - around), min(end, number + around)
        if made and first <= made[-1][1] + 1:
            made[-1] = (made[-1][0], last)
        else:
            made.append((first, last))
    yield from made


def _cut(line: str, column: int) -> str:
    if len(line) <= LINE_CAP:
        return line.rstrip()
    start = max(0, min(column - 1 - LINE_CAP // 4, len(line) - LINE_CAP))
    head = "... " if start else ""
    tail = " ..." if start + LINE_CAP < len(line) else ""
    return f"{head}{line[start : start + LINE_CAP].strip()}{tail}"
