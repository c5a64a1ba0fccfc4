"""What the lowering raises inside the worker; the border turns it into `Parsed.problem`."""

from __future__ import annotations


class NotPythonError(Exception):
    """A text that CPython would refuse although LibCST's grammar accepts it. `line` is 1-based."""

    def __init__(self, says: str, line: int | None = None) -> None:
        super().__init__(says)
        self.says = says
        self.line = line


class TooDeepError(Exception):
    """Nesting beyond the cap, which no consumer of the tree has to survive."""


class AstrayError(Exception):
    """The cursor and the concrete tree disagree about the text: a defect of the lowering, not of the text."""
