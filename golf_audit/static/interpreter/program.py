"""The whole program: its files, its imports, and one run from the entry point."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass

from golf_audit.runconfig import RunConfig
from golf_audit.source import Layer, Sources
from golf_audit.static.interpreter.calls import Calls
from golf_audit.static.interpreter.classes import Classes
from golf_audit.static.interpreter.expressions import Expressions
from golf_audit.static.interpreter.library import Library
from golf_audit.static.interpreter.methods import Methods
from golf_audit.static.interpreter.state import DeadPathError, Frame, OutOfBudgetError, ProgramEndError
from golf_audit.static.interpreter.statements import Statements
from golf_audit.static.values import Env, Lib, Obj, Space, Unk, Value

RECURSION_LIMIT = 12_000
"""Python frames: one expression of a program takes a handful of ours."""


@dataclass
class Unit:
    """One file (or peeled layer) and its names."""

    layer: Layer
    env: Env


class Interpreter(Expressions, Statements, Calls, Classes, Methods, Library):
    """One abstract run of a submission."""

    def __init__(
        self, sources: Sources, config: RunConfig, main: Layer | None, forced: dict[int, bool] | None = None
    ) -> None:
        super().__init__()
        self.sources = sources
        self.main = main
        self.config = config
        self.forced = forced or {}
        self.environ = Obj(None, "environ")
        self.units: dict[str, Unit] = {}
        self.spaces: dict[str, Space] = {}
        self.stopped = ""
        self.fatal: ast.Raise | None = None  # the statement that ended the last path

    def run(self) -> None:
        """Interpret from the first line of the program to its end."""
        main = self.main
        if main is None or main.parsed.tree is None:
            self.stopped = "the program could not be parsed" if main is not None else "there is no program"
            return
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
        try:
            self._execute(main, "__main__")
        except ProgramEndError:
            return
        except DeadPathError:
            self.fatal = self.raised
            self.stopped = "every path that was followed ends in an exception before the end of the program"
        except OutOfBudgetError:
            self.stopped = f"more than {self.steps - 1:,} steps"
        except RecursionError:
            self.stopped = "nested too deep to follow"
        finally:
            sys.setrecursionlimit(limit)

    def _execute(self, layer: Layer, name: str) -> Env:
        env = Env(None)
        env.vars = {"__name__": name, "__file__": f"/submission/{layer.file}"}
        unit = Unit(layer, env)
        self.units[name] = unit
        self.frames.append(Frame(env, unit))
        try:
            if layer.parsed.tree is not None:
                self.block(layer.parsed.tree.body)
        finally:
            self.frames.pop()
        return env

    def _local(self, name: str) -> Layer | None:
        """The file or packed module of the submission with this name."""
        path = name.replace(".", "/")
        main = self.main
        here = main.file.rpartition("/")[0] if main is not None else ""
        for prefix in dict.fromkeys((f"{here}/" if here else "", "")):
            for candidate in (f"{prefix}{path}.py", f"{prefix}{path}/__init__.py"):
                if candidate in self.sources.modules:
                    return self.sources.modules[candidate].program
        for module in self.sources.modules.values():
            for layer in module.layers:
                if layer.name == name:
                    return layer
        found = [p for p in self.sources.modules if p.endswith(f"/{path}.py")]
        return self.sources.modules[found[0]].program if len(found) == 1 else None

    def import_module(self, name: str, *, whole: bool, node: ast.AST) -> Value:
        """`import name` (as ...): a module of the folder, else a library."""
        space = self._space(name)
        if space is not None:
            return space
        return Lib(name if whole else name.split(".")[0])

    def _space(self, name: str) -> Space | None:
        if name in self.spaces:
            return self.spaces[name]
        layer = self._local(name)
        main = self.main
        if layer is None or (main is not None and layer.file == main.file and layer.index == main.index):
            return None
        self.spaces[name] = Space(name, Env(None))
        live, self.live = self.live, []
        try:
            self.spaces[name].env = self._execute(layer, name)
        finally:
            self.live = live
        return self.spaces[name]

    def import_name(self, module: str, name: str, node: ast.AST) -> Value:
        """`from module import name`."""
        if module == "__future__":
            return None
        space = self._space(module)
        if space is None:
            inner = self._space(f"{module}.{name}" if module else name)
            if inner is not None:
                return inner
            return self.library_attribute(Lib(module), name) if name != "*" else None
        if name == "*":
            return space.env.vars
        found = space.env.vars.get(name)
        if found is None and name not in space.env.vars:
            inner = self._space(f"{module}.{name}")
            return inner if inner is not None else Unk()
        return found
