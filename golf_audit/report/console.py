"""A rich console that prints into a string, and the few shapes that terminal pages share."""

from __future__ import annotations

import io

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from golf_audit.model import Verdict

NARROWEST, WIDEST, UNKNOWN_WIDTH = 60, 120, 100
"""Columns: the layout keeps between the first two; a pipe or a file gets the third."""

STYLE: dict[str | Verdict, str] = {
    "fail": "bold red",
    "open": "bold yellow",
    "pass": "bold green",
    Verdict.FAIL: "bold red",
    Verdict.NEEDS_RULING: "bold yellow",
    Verdict.UNDETERMINED: "bold magenta",
    Verdict.PASS: "bold green",
    Verdict.NOT_APPLICABLE: "bold",
}


def console_for(color: bool | None, width: int | None) -> Console:
    """A console into memory, as wide and colourful as stdout allows (NO_COLOR and FORCE_COLOR too)."""
    stdout = Console()
    columns = width or (stdout.width if stdout.is_terminal else UNKNOWN_WIDTH)
    colorful = stdout.is_terminal and not stdout.no_color if color is None else color
    return Console(
        file=io.StringIO(),
        width=min(max(columns, NARROWEST), WIDEST),
        force_terminal=colorful,
        color_system="standard" if colorful else None,
        no_color=not colorful,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def finished(console: Console) -> str:
    """What was printed, without trailing blanks."""
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip().split("\n")) + "\n"


def apart(left: str, right: str, width: int, style: str = "", right_style: str = "") -> Text:
    """Left and right at the two ends of a line; the right one on its own line where both do not fit."""
    gap = width - cell_len(left) - cell_len(right)
    between = " " * gap if gap >= 2 else "\n" + " " * max(0, width - cell_len(right))
    return Text.assemble((left, style), between, (right, right_style))


def grid(*widths: int | None) -> Table:
    """Columns without borders; None takes what the text needs and folds it under itself."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for width in widths:
        table.add_column(width=width, no_wrap=width is not None, overflow="fold")
    return table


def heading(word: str, ids: str, title: str, style: str) -> Table:
    """The word, the rule and a sentence that wraps under itself; after many rules it starts a line."""
    if len(ids) > 12:
        table = grid(cell_len(word), None)
        table.add_row(Text(word, style=style), Text.assemble((ids, "bold"), "\n", title))
    else:
        table = grid(cell_len(word), cell_len(ids), None)
        table.add_row(Text(word, style=style), Text(ids, style="bold"), Text(title))
    return table
