"""What the evaluator knows about an expression: a constant and where it came from, or an object it models."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from golf_audit.model import Where

SIZE_CAP = 16 * 2**20
"""Characters or bytes of one value while constants are evaluated."""


@dataclass(frozen=True)
class Known:
    """A value, the literal (its longest) that it was made of, and the decoding steps in between.

    `file` names a file of the folder when the value is exactly that file's content; `where` replaces `origin`
    for what an outer layer left behind."""

    value: Any
    origin: ast.expr | None = None
    steps: tuple[str, ...] = ()
    file: str = ""
    where: Where | None = None

    def become(self, value: Any, *others: Known | None, step: str = "") -> Known:
        """The result of an operation on this value and others."""
        main: Known = self
        for other in others:
            if other is not None and _extent(other.origin) > _extent(main.origin):
                main = other
        return Known(value, main.origin, (*main.steps, step) if step else main.steps, where=main.where)


def _extent(node: ast.expr | None) -> int:
    """Length of a literal; 0 without one."""
    if node is None:
        return 0
    if isinstance(node, ast.Constant):
        return len(node.value) if isinstance(node.value, (str, bytes)) else 1
    return 1


@dataclass(frozen=True)
class Name:
    """A module or one of its members, by its dotted name: `lzma.decompress`."""

    dotted: str


@dataclass(frozen=True)
class PathValue:
    """A pathlib.Path."""

    text: str


@dataclass(frozen=True)
class OpenFile:
    """An open file: its path, and whether it was opened for bytes and for writing."""

    path: str
    binary: bool
    writing: bool


@dataclass
class ModuleObject:
    """A module made at run time, or its namespace."""

    name: str


@dataclass(frozen=True)
class Spec:
    """An importlib spec, or its loader: a module name and the file it is loaded from (None: not known)."""

    name: str
    path: str | None


@dataclass(frozen=True)
class Code:
    """The result of compile()."""

    source: Known | None


@dataclass(frozen=True)
class Function:
    """A function of the script, with the scope that it was defined in."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    scope: Frame = field(compare=False)


@dataclass(frozen=True)
class Partial:
    """A list of which some items are not known: the words of a command."""

    items: tuple[Known | None, ...]


@dataclass
class Frame:
    """Names of one scope over those of the module. A name bound to None is bound to something unknown."""

    names: dict[str, Known | None] = field(default_factory=dict)
    outer: Frame | None = None

    def get(self, name: str) -> tuple[bool, Known | None]:
        """(is it bound here or outside, its value)."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return True, frame.names[name]
            frame = frame.outer
        return False, None

    def change(self, name: str, value: Known | None) -> None:
        """An object was changed in place: its name means something else wherever it is bound."""
        frame: Frame = self
        while name not in frame.names and frame.outer is not None:
            frame = frame.outer
        frame.names[name] = value

    def root(self) -> Frame:
        """The scope of the module."""
        frame = self
        while frame.outer is not None:
            frame = frame.outer
        return frame

    def forget(self) -> None:
        """Something may have changed any name."""
        self.names = dict.fromkeys(self.names)


def small(value: Any) -> bool:
    """True when a value is within the cap."""
    return not isinstance(value, (str, bytes, bytearray, list, tuple)) or len(value) <= SIZE_CAP
