"""FileTree -> Sources: which files are Python, which one is the entry, which ones it launches."""

from __future__ import annotations

import ast

from golf_audit.filetree import File, FileTree
from golf_audit.model import Fault, Where
from golf_audit.source.layers import Layer, Module, Sources


def read_sources(tree: FileTree) -> Sources:
    """Read every Python file of a submission. Bad content leaves a Fault."""
    modules = {f.path: _read_module(f) for f in tree.matching(".py") if f.text is not None}
    entry = _entry(modules)
    launched = {path: _imported(module, modules) for path, module in modules.items()}
    faults = tuple(fault for module in modules.values() for fault in module.faults)
    return Sources(modules, entry, launched, faults)


def _read_module(file: File) -> Module:
    assert file.text is not None
    layer = Layer(file.path, 0, file.text.text)
    faults = []
    if file.text.lossy:
        faults.append(Fault("not valid UTF-8, read with replacement characters", Where(file.path)))
    if layer.parsed.tree is None:
        faults.append(Fault(layer.parsed.problem, Where(file.path, layer.parsed.line)))
    return Module(file.path, (layer,), tuple(faults))


def _entry(modules: dict[str, Module]) -> str | None:
    """train_gpt.py at the top, else the least nested train_gpt*.py, else the only script."""
    if "train_gpt.py" in modules:
        return "train_gpt.py"
    named = [p for p in modules if p.rsplit("/", 1)[-1].startswith("train_gpt")]
    if named:
        return min(named, key=lambda p: (p.count("/"), len(p), p))
    return next(iter(modules)) if len(modules) == 1 else None


def _imported(module: Module, modules: dict[str, Module]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for layer in module.layers:
        for node in ast.walk(layer.parsed.tree) if layer.parsed.tree else ():
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in names:
                path = name.replace(".", "/") + ".py"
                if path in modules and path != module.file:
                    found[path] = None
    return tuple(found)
