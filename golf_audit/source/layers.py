"""A Python file as layers: layer 0 is the file, the others are the sources packed inside it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from golf_audit.model import Fault, Where
from golf_audit.parsing import Parsed, flatten, parse
from golf_audit.peel import Payload

QUOTE_CAP = 200
"""Characters of a source line that a position quotes."""
LAUNCHER_CAP = 4_000
"""Characters of code in a script that only hands over to another; a real training script has 20,000."""


@dataclass(frozen=True)
class Layer:
    """One Python text of a file. `payload` is the place of its packed form in the layer around it (`outer`).

    `how` says how it was unpacked ("base85, lzma raw"); `name` is the module it becomes, "" for code that
    runs as the program itself."""

    file: str
    index: int
    text: str
    how: str = ""
    payload: Where | None = None
    name: str = ""
    outer: int | None = None

    @cached_property
    def parsed(self) -> Parsed:
        """The tree, parsed on first use."""
        return parse(self.text)

    @cached_property
    def own_length(self) -> int:
        """Characters of the text without its long literals: what is left of a packed script is its shim."""
        tree = self.parsed.tree
        if tree is None:
            return len(self.text)
        literals = (n.value for n in flatten(tree) if isinstance(n, ast.Constant))
        return len(self.text) - sum(len(v) for v in literals if isinstance(v, (str, bytes)) and len(v) >= 400)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """Physical lines as Python counts them; line n is `lines[n - 1]`."""
        return tuple(self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))

    def at(self, line: int, column: int | None = None) -> Where:
        """The position of a 1-based line and column, with that line quoted."""
        found = self.lines[line - 1] if 1 <= line <= len(self.lines) else ""
        quote = _excerpt(found, column)
        return Where(self.file, line, column, self.index, quote=quote, payload_line=self._payload_line)

    @property
    def _payload_line(self) -> int | None:
        """The line of the file itself that holds this layer."""
        if self.payload is None:
            return None
        return self.payload.payload_line if self.payload.layer else self.payload.line

    def where(self, node: ast.AST) -> Where:
        """The position of a node of this layer's tree; of the whole layer for a node without one."""
        line = getattr(node, "lineno", None)
        if line is None:
            return Where(self.file, layer=self.index, payload_line=self._payload_line)
        return self.at(line, getattr(node, "col_offset", 0) + 1)


def _excerpt(line: str, column: int | None) -> str:
    """At most QUOTE_CAP characters of a line, around the column: minified sources have lines of 4,500."""
    if len(line.strip()) <= QUOTE_CAP:
        return line.strip()
    start = max(0, (column or 1) - 1 - QUOTE_CAP // 4)
    return line[start : start + QUOTE_CAP].strip()


@dataclass(frozen=True)
class Module:
    """A Python file with all its layers, outermost first; every layer is executed, the outer ones too.

    `payloads` are what else its literals carry: C sources, data, files that it writes. `faults` name what
    could not be unpacked or parsed, `gaps` calls that execute something nobody could follow."""

    file: str
    layers: tuple[Layer, ...]
    faults: tuple[Fault, ...] = ()
    payloads: tuple[Payload, ...] = ()
    gaps: tuple[Fault, ...] = ()

    def named(self, name: str) -> Layer | None:
        """The layer that code of this file finds when it imports a module by this name."""
        return next((layer for layer in self.layers if layer.name == name), None)

    @cached_property
    def program(self) -> Layer:
        """The innermost layer that is executed as this file; layer 0 for a plain script.

        A readable script that also executes a small text of its own stays the program."""
        layer = self.layers[0]
        while True:
            inside = [other for other in self.layers if other.outer == layer.index and not other.name]
            main = max(inside, key=lambda other: len(other.text), default=None)
            if main is None or len(main.text) < layer.own_length:
                return layer
            layer = main


@dataclass(frozen=True)
class Sources:
    """Every Python file of a submission. `entry` is the script a run starts with (None: there is none);
    `launched[file]` are the files of the folder that `file` imports, executes or starts, directly. They need
    not be Python (#119 starts a compiled program). `faults` are those of all files, and the gaps of the files
    that a run executes."""

    modules: Mapping[str, Module]
    entry: str | None = None
    launched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def entry_module(self) -> Module | None:
        """The module of the entry script."""
        return self.modules.get(self.entry) if self.entry is not None else None

    @cached_property
    def main(self) -> Layer | None:
        """The layer that does the work of the run: the entry's program, or the longest text that it executes
        when the entry is a mere launcher of a few lines."""
        if self.entry_module is None:
            return None
        program = self.entry_module.program
        if program.own_length > LAUNCHER_CAP:
            return program
        modules = [self.modules[file] for file in self.executed if file in self.modules]
        layers = [layer for module in modules for layer in module.layers]
        return max([program, *layers], key=lambda layer: layer.own_length)

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
