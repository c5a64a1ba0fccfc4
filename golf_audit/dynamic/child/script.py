"""Executes the submission's text as the program: Python 3.12 syntax, packed layers, class attributes."""

from __future__ import annotations

import ast
import builtins
import linecache
import os
import sys
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from golf_audit.dynamic.child.context import Context, replace
from golf_audit.dynamic.job import Value
from golf_audit.parsing import parse

_REAL_COMPILE = builtins.compile
_REAL_EXEC = builtins.exec


def compiled(source: Any, name: str, mode: str = "exec", *args: Any, **options: Any) -> Any:
    """compile(), which also takes syntax of later Pythons: f-strings with their own quotes inside."""
    try:
        return _REAL_COMPILE(source, name, mode, *args, **options)
    except SyntaxError:
        if mode != "exec" or not isinstance(source, (str, bytes)):
            raise
        text = source.decode("utf-8") if isinstance(source, bytes) else source
        tree = parse(text).tree
        if tree is None:
            raise
        options.pop("flags", None)
        return _REAL_COMPILE(_plain(tree), name, mode, dont_inherit=True)


def _plain(tree: ast.Module) -> ast.Module:
    """A tree that this Python compiles: positions complete, nothing it does not know."""
    return ast.fix_missing_locations(tree)


class Layers:
    """Names the texts that a script unpacks and executes, so that positions in them can be told."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.count = 0

    def execute(self, source: Any, space: Any = None, local: Any = None, /, **options: Any) -> None:
        """exec(): text is compiled under the name of its layer."""
        frame = sys._getframe(1)
        if space is None:
            space, local = frame.f_globals, frame.f_locals if local is None else local
        if isinstance(source, (str, bytes, bytearray)) and self._own(frame.f_code.co_filename):
            self.count += 1
            text = bytes(source).decode("utf-8") if not isinstance(source, str) else source
            source = remembered(text, f"<layer {self.count}>")
        elif isinstance(source, (str, bytes, bytearray)):
            source = compiled(source if isinstance(source, str) else bytes(source), "<string>")
        if local is None:
            _REAL_EXEC(source, space, **options)
        else:
            _REAL_EXEC(source, space, local, **options)

    def _own(self, name: str) -> bool:
        return self.context.file(name) is not None

    def compile(self, source: Any, name: Any, mode: str, *args: Any, **options: Any) -> Any:
        """compile(): the text of a script is named as a layer."""
        if (
            isinstance(source, (str, bytes))
            and mode == "exec"
            and self._own(sys._getframe(1).f_code.co_filename)
        ):
            self.count += 1
            text = source.decode("utf-8") if isinstance(source, bytes) else source
            return remembered(text, f"<layer {self.count}>")
        return compiled(source, name, mode, *args, **options)


def remembered(text: str, name: str) -> CodeType:
    """Compile a text that inspect.getsource and tracebacks can read again."""
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    code: CodeType = compiled(text, name)
    return code


class _Loader(SourceFileLoader):
    """Imports sibling modules with the same compiler."""

    def source_to_code(self, data: Any, path: Any, *, _optimization: int = -1) -> CodeType:  # type: ignore[override]
        code: CodeType = compiled(data, str(path), "exec", dont_inherit=True)
        return code


def overriding(values: Mapping[str, Value]) -> None:
    """Give class attributes other values when their class is made: "Hyperparameters.dim"."""
    if not values:
        return
    wanted: dict[str, dict[str, Value]] = {}
    for name, value in values.items():
        holder, _, attribute = name.rpartition(".")
        wanted.setdefault(holder, {})[attribute] = value
    real = builtins.__build_class__

    def build(function: Any, name: str, *bases: Any, **options: Any) -> Any:
        chosen = wanted.get(name)
        if not chosen:
            return real(function, name, *bases, **options)

        def metaclass(own: str, parents: Any, space: dict[str, Any], **more: Any) -> Any:
            space.update({key: value for key, value in chosen.items() if key in space})
            return (type(parents[0]) if parents else type)(own, parents, space, **more)

        if "metaclass" in options:
            return real(function, name, *bases, **options)
        return real(function, name, *bases, metaclass=metaclass, **options)

    replace(builtins, __build_class__=build)


def install(context: Context) -> None:
    """Replace compile, exec and the loader of source files."""
    layers = Layers(context)
    replace(builtins, compile=layers.compile, exec=layers.execute)
    replace(SourceFileLoader, source_to_code=_Loader.source_to_code)
    overriding(context.job.overrides)


def execute(path: str, argv: tuple[str, ...]) -> None:
    """Run a script as the program. What it raises comes out."""
    with open(path, "rb") as file:
        text = file.read()
    main = ModuleType("__main__")
    main.__dict__.update(__file__=path, __builtins__=builtins, __cached__=None)
    sys.modules["__main__"] = main
    sys.argv = [path, *argv]
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    _REAL_EXEC(compiled(text, path), main.__dict__)
