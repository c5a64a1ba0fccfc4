"""What a script does to the world outside its own names: files it writes and reads, texts it executes."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from golf_audit.model import Where
from golf_audit.peel.values import Code, Known, ModuleObject, Name, PathValue
from golf_audit.text import decode

ROOT = "/above/above/above/above/folder/"
"""Where the evaluator believes the folder lies: deep enough for any parents[n] of a real script."""

_RESULT_CAP = 1000
_SOME_TEXT = "executes a text that could not be followed"
_SOME_FILE = "executes a file whose name could not be followed"
_VAGUE = (_SOME_TEXT, _SOME_FILE)


class OutOfBoundsError(Exception):
    """The script is too long to follow, or written to keep us busy."""


@dataclass(frozen=True)
class Executed:
    """A text that is executed: as the module `name`, or as the program itself ("").

    `where` is the literal it was unpacked from, else the call that executes it."""

    text: str
    how: tuple[str, ...]
    where: Where
    name: str = ""


@dataclass(frozen=True)
class Written:
    """A file that the script writes from a constant."""

    path: str
    content: str | bytes
    how: tuple[str, ...]
    where: Where


@dataclass(frozen=True)
class Launched:
    """A file of the folder that is imported, executed or started."""

    path: str


@dataclass(frozen=True)
class Unresolved:
    """A call that executes or unpacks something that could not be followed; `why` is a sentence."""

    why: str
    where: Where
    call: ast.AST
    assumed: bool = False  # met in a function that was entered with made-up, unknown arguments


Result = Executed | Written | Launched | Unresolved


@dataclass
class World:
    """`read` gives the bytes of a file of the folder, None when there is none; `locate` a node's position."""

    read: Callable[[str], bytes | None]
    locate: Callable[[ast.AST], Where]
    search: list[str] = field(default_factory=list)  # folders on sys.path
    files: dict[str, Known] = field(default_factory=dict)  # that the script wrote
    results: list[Result] = field(default_factory=list)
    patched: set[str] = field(default_factory=set)  # dotted names that the script replaces
    settled: set[ast.AST] = field(default_factory=set)  # sinks that were followed at least once
    assuming: bool = False  # inside a function that nobody was seen calling
    met: set[int] = field(default_factory=set)  # ids of literals whose use was followed

    def note(self, result: Result) -> None:
        """Keep a result once."""
        if result not in self.results:
            self.results.append(result)
            if len(self.results) > _RESULT_CAP:
                raise OutOfBoundsError

    def unresolved(self, why: str, call: ast.AST) -> None:
        """Keep what could not be followed."""
        self.met.add(id(call))
        self.note(Unresolved(why, self.locate(call), call, self.assuming))

    def unsettled(self) -> list[Unresolved]:
        """What could not be followed on some way through the script. A way that was only assumed does not
        count where a real one was followed."""
        gaps = [r for r in self.results if isinstance(r, Unresolved)]
        gaps = [r for r in gaps if not r.assumed or r.call not in self.settled]
        named = {r.call for r in gaps if r.why not in _VAGUE}
        return [r for r in gaps if r.why not in _VAGUE or r.call not in named]

    def _place(self, value: Known, node: ast.AST) -> Where:
        if value.where is not None:
            return value.where
        if value.origin is not None:
            self.met.add(id(value.origin))
        return self.locate(value.origin or node)

    def left_behind(self) -> dict[str, Known]:
        """The written files as a layer inside this one finds them."""
        return {
            path: replace(
                known, origin=None, where=known.where or (self.locate(known.origin) if known.origin else None)
            )
            for path, known in self.files.items()
        }

    # -- files ---------------------------------------------------------------------------------------------

    def inside(self, path: str) -> str | None:
        """A path relative to the folder; None when it lies elsewhere."""
        full = posixpath.normpath(posixpath.join(ROOT, path))
        return full[len(ROOT) :] if full.startswith(ROOT) else None

    def _shown(self, path: str) -> str:
        """A path as a report prints it: relative to the folder, if need be with "..", never with our root."""
        full = posixpath.normpath(posixpath.join(ROOT, path))
        return posixpath.relpath(full, ROOT) if full.startswith("/above/") else full

    def content(self, path: str, binary: bool) -> Known | None:
        """What a file holds, when the script wrote it or the folder has it."""
        written = self.files.get(posixpath.normpath(path))
        if written is not None:
            return _as(written, binary)
        local = self.inside(path)
        data = self.read(local) if local else None
        if data is None or local is None:
            return None
        return Known(data if binary else decode(data).text, None, (f"read from {local}",), local)

    def shadows(self, module: str) -> bool:
        """True when a file of the folder, or a written one, stands before a module of Python's."""
        top = module.split(".")[0]
        names = (f"{top}.py", f"{top}/__init__.py")
        return any(self.exists(posixpath.join(folder, name)) for folder in self.search for name in names)

    def exists(self, path: str) -> bool | None:
        """True or False inside the folder, None elsewhere."""
        if posixpath.normpath(path) in self.files:
            return True
        local = self.inside(path)
        return None if local is None else self.read(local) is not None

    def truncate(self, path: str) -> None:
        """Open a file for writing: what it held before is gone."""
        self.files.pop(posixpath.normpath(path), None)

    def write(self, path: str, value: Known | None, node: ast.AST) -> None:
        """Append a constant to a file; something unknown makes the file unknown."""
        at = posixpath.normpath(path)
        if value is None or type(value.value) not in (str, bytes):
            self.files.pop(at, None)
            return
        before = self.files.get(at)
        if before is not None and type(before.value) is type(value.value):
            value = before.become(before.value + value.value, value)
        self.files[at] = value
        if len(value.value) >= 64:
            self.note(Written(self._shown(at), value.value, value.steps, self._place(value, node)))

    # -- sinks ---------------------------------------------------------------------------------------------

    def execute(self, value: Known | None, node: ast.AST, name: str = "") -> None:
        """exec or eval of a text, bytes or code object."""
        if value is not None and isinstance(value.value, Code):
            value = value.value.source
        if value is None or not isinstance(value.value, (str, bytes)):
            self.unresolved(_SOME_TEXT, node)
            return
        self.settled.add(node)
        if value.file:
            self.note(Launched(value.file))
        else:
            text = value.value if isinstance(value.value, str) else decode(value.value).text
            self.note(Executed(text, value.steps, self._place(value, node), name))

    def launch(self, path: str | None, node: ast.AST, name: str = "") -> None:
        """Execution of a file: a written one, one of the folder, or one that is not there."""
        if path is None:
            self.unresolved(_SOME_FILE, node)
            return
        written = self.files.get(posixpath.normpath(path))
        local = self.inside(path)
        if written is not None:
            self.execute(written, node, name)
        elif local is None:
            self.unresolved(f"executes {self._shown(path)}, which is not in the submission's folder", node)
        elif self.read(local) is not None:
            self.settled.add(node)
            self.note(Launched(local))
        else:
            self.unresolved(f"executes {local}, which the folder does not hold", node)

    def start(self, words: list[Known | None], node: ast.AST, folder: str | None) -> None:
        """A command line: the script in it is executed, files of the folder among its words are launched.

        `folder` is the working folder, None when it is not known: then only files that exist count."""
        first = _word(words[0]) if words else ""
        runs = first is None or first.endswith(".py")  # a program that is not known may be an interpreter
        for word in words:
            runs = runs or _is_python(word)
            text = _word(word)
            if text is None or len(text) > 1000:
                continue
            path = posixpath.join(folder or "", text)
            if runs and (text.endswith(".py") or posixpath.normpath(path) in self.files):
                runs = False  # what follows are the script's own arguments
                if folder is not None or self.exists(path):
                    self.launch(path, node)
            elif (local := self.inside(path)) and self.read(local) is not None:
                self.note(Launched(local))


def _is_python(word: Known | None) -> bool:
    if word is None:
        return False
    if isinstance(word.value, Name):
        return word.value.dotted == "sys.executable"
    return isinstance(word.value, str) and posixpath.basename(word.value).startswith(("python", "torchrun"))


def _as(value: Known, binary: bool) -> Known:
    if binary and isinstance(value.value, str):
        return value.become(value.value.encode("utf-8", "surrogatepass"))
    if not binary and isinstance(value.value, bytes):
        return value.become(decode(value.value).text)
    return value


def _word(value: Known | None) -> str | None:
    if value is None:
        return None
    if isinstance(value.value, PathValue):
        return value.value.text
    return value.value if isinstance(value.value, str) else None


def module_name(namespace: Known | None) -> str:
    """The module in whose namespace exec() runs: "" for the program's own or a fresh one."""
    if namespace is not None and isinstance(namespace.value, ModuleObject):
        name = namespace.value.name
        return "" if name == "__main__" else name
    return ""
