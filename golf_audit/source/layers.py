"""A Python file as layers: layer 0 is the file, the others are the sources packed inside it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from golf_audit.model import Fault, Where
from golf_audit.parsing import Parsed, parse

QUOTE_CAP = 200
"""Characters of a source line that a position quotes."""


@dataclass(frozen=True)
class Layer:
    """One Python text of a file. `payload` is the place of its packed form in the layer around it.

    `how` says how it was unpacked ("base85, lzma raw, exec"); `name` is the module it becomes, "" for the
    program itself."""

    file: str
    index: int
    text: str
    how: str = ""
    payload: Where | None = None
    name: str = ""

    @cached_property
    def parsed(self) -> Parsed:
        """The tree, parsed on first use."""
        return parse(self.text)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """Physical lines as Python counts them; line n is `lines[n - 1]`."""
        return tuple(self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))

    def at(self, line: int, column: int | None = None) -> Where:
        """The position of a 1-based line and column, with that line quoted."""
        found = self.lines[line - 1] if 1 <= line <= len(self.lines) else ""
        return Where(self.file, line, column, self.index, quote=_excerpt(found, column))

    def where(self, node: ast.AST) -> Where:
        """The position of a node of this layer's tree; of the whole layer for a node without one."""
        line = getattr(node, "lineno", None)
        if line is None:
            return Where(self.file, layer=self.index)
        return self.at(line, getattr(node, "col_offset", 0) + 1)


def _excerpt(line: str, column: int | None) -> str:
    """At most QUOTE_CAP characters of a line, around the column: minified sources have lines of 4,500."""
    if len(line.strip()) <= QUOTE_CAP:
        return line.strip()
    start = max(0, (column or 1) - 1 - QUOTE_CAP // 4)
    return line[start : start + QUOTE_CAP].strip()


@dataclass(frozen=True)
class Module:
    """A Python file with all its layers, outermost first, and what in it could not be unpacked or parsed."""

    file: str
    layers: tuple[Layer, ...]
    faults: tuple[Fault, ...] = ()

    @cached_property
    def program(self) -> Layer:
        """The innermost layer that is executed as this file; layer 0 for a plain script."""
        return [layer for layer in self.layers if not layer.name][-1]


@dataclass(frozen=True)
class Sources:
    """Every Python file of a submission. `entry` is the script a run starts with (None: there is none);
    `launched[file]` are the files of the folder that `file` imports, executes or starts, directly."""

    modules: Mapping[str, Module]
    entry: str | None = None
    launched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def entry_module(self) -> Module | None:
        """The module of the entry script."""
        return self.modules.get(self.entry) if self.entry is not None else None

    @cached_property
    def executed(self) -> tuple[str, ...]:
        """Every file that a run of the entry reaches, the entry first."""
        reached: dict[str, None] = {}
        waiting = [self.entry] if self.entry is not None else []
        while waiting:
            file = waiting.pop(0)
            if file in reached:
                continue
            reached[file] = None
            waiting.extend(self.launched.get(file, ()))
        return tuple(reached)
