"""Calls with an effect: what they execute, launch, read or write, by the name Python knows them by."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from golf_audit.parsing import flatten
from golf_audit.peel.values import Code, Known, ModuleObject, Name, OpenFile, Partial, PathValue, Spec
from golf_audit.peel.world import World, module_name

Args = list[Known | None]
Keywords = Mapping[str, Known | None]

_TEMPORARY = "/tmp/made-at-run-time"


def _argument(args: Args, keywords: Keywords, position: int, name: str) -> Known | None:
    if position < len(args):
        return args[position]
    return keywords.get(name)


def path_of(value: Known | None) -> str | None:
    """The path that a value names."""
    if value is None:
        return None
    if isinstance(value.value, PathValue):
        return value.value.text
    if isinstance(value.value, OpenFile):
        return value.value.path
    return value.value if isinstance(value.value, str) and len(value.value) < 1000 else None


def _execute(world: World, node: ast.Call, args: Args, keywords: Keywords) -> None:
    if args or keywords:
        world.execute(args[0] if args else None, node, module_name(_argument(args, keywords, 1, "globals")))


def _compile(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known:
    return Known(Code(_argument(args, keywords, 0, "source")))


def _run_path(world: World, node: ast.Call, args: Args, keywords: Keywords) -> None:
    world.launch(path_of(_argument(args, keywords, 0, "path_name")), node)


def _run_module(world: World, node: ast.Call, args: Args, keywords: Keywords) -> None:
    name = path_of(_argument(args, keywords, 0, "mod_name"))
    if name is None:
        world.launch(None, node)
    else:
        import_module(world, name, node)


def _import(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known | None:
    name = path_of(_argument(args, keywords, 0, "name"))
    if name is None:
        return None
    import_module(world, name, node)
    return Known(Name(name))


def import_module(world: World, name: str, node: ast.AST) -> bool:
    """Note the file that an import by this name loads; False when neither folder nor script has one."""
    for folder in world.search:
        base = posixpath.join(folder, name.replace(".", "/"))
        for path in (f"{base}.py", f"{base}/__init__.py"):
            if world.exists(path):
                world.launch(path, node, name)
                return True
    return False


def static_imports(world: World, nodes: Iterable[ast.AST], package: str) -> None:
    """Note what the import statements of a script load. `package` is the folder of the script."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                _import_with_parents(world, alias.name, node)
        elif isinstance(node, ast.ImportFrom):
            above = package
            for _ in range(node.level - 1):
                above = posixpath.dirname(above)
            searched = world.search
            if node.level:
                world.search = [above]
            if node.module:
                _import_with_parents(world, node.module, node)
            for alias in node.names:
                import_module(world, f"{node.module}.{alias.name}" if node.module else alias.name, node)
            world.search = searched


def _import_with_parents(world: World, name: str, node: ast.AST) -> None:
    """`import a.b.c` runs a/__init__.py and a/b/__init__.py first."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        import_module(world, ".".join(parts[:length]), node)


def _spec(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known | None:
    name = path_of(_argument(args, keywords, 0, "name")) or ""
    return Known(Spec(name, path_of(_argument(args, keywords, 1, "location"))))


def _source_loader(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known | None:
    name = path_of(_argument(args, keywords, 0, "fullname")) or ""
    return Known(Spec(name, path_of(_argument(args, keywords, 1, "path"))))


def _load_source(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known:
    name = path_of(_argument(args, keywords, 0, "name")) or ""
    world.launch(path_of(_argument(args, keywords, 1, "pathname")), node, "" if name == "__main__" else name)
    return Known(ModuleObject(name))


def _module_from_spec(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known | None:
    value = args[0].value if args and args[0] is not None else None
    return Known(ModuleObject(value.name)) if isinstance(value, Spec) else None


def _module_type(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known:
    return Known(ModuleObject(path_of(_argument(args, keywords, 0, "name")) or "a module made at run time"))


def _command(world: World, node: ast.Call, args: Args, keywords: Keywords) -> None:
    words: Args = []
    for value in [*args, *(keywords[k] for k in ("args",) if k in keywords)]:
        if value is not None and isinstance(value.value, (list, tuple)):
            words += [value.become(item) for item in value.value]
        elif value is not None and isinstance(value.value, Partial):
            words += value.value.items
        elif value is not None and isinstance(value.value, str):
            words += [Known(word) for word in value.value[:10_000].split()]
        else:
            words.append(value)
    folder = path_of(keywords["cwd"]) if "cwd" in keywords else ""
    world.start(words, node, folder)


def _search(world: World, node: ast.Call, args: Args, keywords: Keywords) -> None:
    """sys.path.append(folder) or sys.path.insert(0, folder)."""
    path = path_of(args[-1]) if args else None
    if path is not None and path not in world.search:
        world.search.insert(0 if len(args) == 2 else len(world.search), path)


def _open(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known | None:
    path = path_of(_argument(args, keywords, 0, "file"))
    return _opened(world, path, _argument(args, keywords, 1, "mode"))


def _opened(world: World, path: str | None, mode: Known | None) -> Known | None:
    text = mode.value if mode is not None and isinstance(mode.value, str) else "r"
    if path is None:
        return None
    if "w" in text:
        world.truncate(path)
    return Known(OpenFile(path, "b" in text, any(c in text for c in "wax+")))


def _exists(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known | None:
    path = path_of(args[0] if args else None)
    found = world.exists(path) if path is not None else None
    return None if found is None else Known(found)


def _temporary_folder(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known:
    return Known(f"{_TEMPORARY}/{node.lineno}-{node.col_offset}")


def _temporary_path(node: ast.Call, keywords: Keywords) -> str:
    suffix = keywords.get("suffix")
    end = suffix.value if suffix is not None and isinstance(suffix.value, str) else ""
    return f"{_TEMPORARY}/{node.lineno}-{node.col_offset}/file{end}"


def _temporary_file(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known:
    return Known(OpenFile(_temporary_path(node, keywords), True, True))


def _temporary_descriptor(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known:
    path = _temporary_path(node, keywords)
    return Known((OpenFile(path, True, True), path))


def _descriptor(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known | None:
    return args[0] if args and args[0] is not None and isinstance(args[0].value, OpenFile) else None


def _descriptor_write(world: World, node: ast.Call, args: Args, keywords: Keywords) -> None:
    path = path_of(args[0]) if len(args) == 2 else None
    if path is not None:
        world.write(path, args[1], node)


def _working_folder(world: World, node: ast.Call, args: Args, keywords: Keywords) -> Known:
    return Known(".")


CALLS: dict[str, Callable[[World, ast.Call, Args, Keywords], Known | None]] = {
    "builtins.__import__": _import,
    "builtins.compile": _compile,
    "builtins.eval": _execute,
    "builtins.exec": _execute,
    "builtins.open": _open,
    "codecs.open": _open,
    "imp.load_source": _load_source,
    "importlib.import_module": _import,
    "importlib.machinery.SourceFileLoader": _source_loader,
    "importlib.util.module_from_spec": _module_from_spec,
    "importlib.util.spec_from_file_location": _spec,
    "io.open": _open,
    "os.execl": _command,
    "os.execv": _command,
    "os.execve": _command,
    "os.execvp": _command,
    "os.fdopen": _descriptor,
    "os.getcwd": _working_folder,
    "os.path.exists": _exists,
    "os.path.isfile": _exists,
    "os.popen": _command,
    "os.system": _command,
    "os.write": _descriptor_write,
    "runpy.run_module": _run_module,
    "runpy.run_path": _run_path,
    "subprocess.Popen": _command,
    "subprocess.call": _command,
    "subprocess.check_call": _command,
    "subprocess.check_output": _command,
    "subprocess.getoutput": _command,
    "subprocess.getstatusoutput": _command,
    "subprocess.run": _command,
    "sys.path.append": _search,
    "sys.path.insert": _search,
    "tempfile.NamedTemporaryFile": _temporary_file,
    "tempfile.TemporaryDirectory": _temporary_folder,
    "tempfile.gettempdir": _temporary_folder,
    "tempfile.mkdtemp": _temporary_folder,
    "tempfile.mkstemp": _temporary_descriptor,
    "types.FunctionType": _execute,
    "types.ModuleType": _module_type,
}

_WORDS = frozenset(
    {name.rsplit(".", 1)[-1] for name in CALLS}
    | {"decompress", "exec_module", "load_module", "write_text", "write_bytes", "fromhex", "unhexlify"}
    | {"getattr", "b85decode", "b64decode", "a85decode", "b32decode", "b16decode", "loads"}
)


def attribute(value: Any, name: str) -> Known | None:
    """file.name of an open file."""
    if isinstance(value, OpenFile) and name == "name":
        return Known(value.path)
    return None


def method(
    world: World, node: ast.Call, holder: Known, name: str, args: Args, keywords: Keywords
) -> tuple[bool, Known | None]:
    """(is it a method with an effect, its value)."""
    value = holder.value
    if isinstance(value, OpenFile):
        return True, _file_method(world, node, value, name, args)
    if isinstance(value, Spec) and name in ("exec_module", "load_module"):
        given = args[0].value if args and args[0] is not None else None
        chosen = given.name if isinstance(given, ModuleObject) else value.name
        world.launch(value.path, node, "" if chosen == "__main__" else chosen)
        return True, Known(ModuleObject(chosen))
    if isinstance(value, PathValue):
        return _path_method(world, node, value, name, args, keywords)
    return False, None


def _file_method(world: World, node: ast.Call, file: OpenFile, name: str, args: Args) -> Known | None:
    if name == "read" and not args:
        return world.content(file.path, file.binary)
    if name == "write" and file.writing and len(args) == 1:
        world.write(file.path, args[0], node)
    if name == "__enter__":
        return Known(file)
    return None


def _path_method(
    world: World, node: ast.Call, path: PathValue, name: str, args: Args, keywords: Keywords
) -> tuple[bool, Known | None]:
    if name in ("read_text", "read_bytes"):
        return True, world.content(path.text, name == "read_bytes")
    if name in ("write_text", "write_bytes"):
        world.truncate(path.text)
        world.write(path.text, _argument(args, keywords, 0, "data"), node)
        return True, None
    if name == "open":
        return True, _opened(world, path.text, _argument(args, keywords, 0, "mode"))
    if name in ("exists", "is_file"):
        found = world.exists(path.text)
        return True, None if found is None else Known(found)
    return False, None


def interesting_functions(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """Names of functions that mention something of this file, under any alias, or one that does."""
    mentions: dict[str, set[str]] = {}
    words = set(_WORDS)
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            words.update(a.asname for a in node.names if a.asname and a.name.rsplit(".", 1)[-1] in words)
        elif isinstance(node, ast.Assign) and _mentioned([node.value]) & words and len(node.targets) == 1:
            words |= _mentioned(node.targets)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            mentions.setdefault(node.name, set()).update(_mentioned(flatten(node)))
    found: set[str] = set()
    while more := {name for name, said in mentions.items() if name not in found and said & (words | found)}:
        found |= more
    return frozenset(found)


def _mentioned(nodes: Iterable[ast.AST]) -> set[str]:
    """Names and attributes among these nodes (not inside them)."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Name) and node.id != "getattr":
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            found.update(_attribute_name(word) for word in node.args[1:2])
    return found


def _attribute_name(word: ast.expr) -> str:
    """The attribute that getattr() asks for; "getattr" for one that is put together on the spot."""
    if isinstance(word, ast.Constant):
        return str(word.value)[:100]
    return "" if isinstance(word, (ast.Name, ast.Attribute, ast.Subscript)) else "getattr"
