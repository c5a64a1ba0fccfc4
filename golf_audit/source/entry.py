"""Which script a run starts with: train_gpt.py, or what stands for it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from golf_audit.filetree import FileTree
from golf_audit.source.layers import Module
from golf_audit.text import lines

_COMMAND = re.compile(r"\b(?:torchrun|python3?)\b[^\n;|&]{0,400}?([\w./-]{1,200}\.py)\b")
_SCRIPTS = (".sh", ".md", ".txt")


def find_entry(modules: Mapping[str, Module], tree: FileTree) -> str | None:
    """Path of the entry script; None when nothing in the folder can be one."""
    candidates = {path: module for path, module in modules.items() if not _empty(module)}
    if "train_gpt.py" in candidates:
        return "train_gpt.py"
    nested = [p for p in candidates if p.rsplit("/", 1)[-1] == "train_gpt.py"]
    named = [p for p in candidates if p.rsplit("/", 1)[-1].startswith("train_gpt")]
    commanded = [p for p in commanded_scripts(tree) if p in candidates]
    for choice in (
        _least_nested(nested),
        next((p for p in commanded if p in named), None),
        _least_nested(named),
    ):
        if choice is not None:
            return choice
    if commanded:
        return commanded[0]
    if len(candidates) == 1:
        return next(iter(candidates))
    return "train_gpt.py" if "train_gpt.py" in modules else None


def _empty(module: Module) -> bool:
    tree = module.layers[0].parsed.tree
    return tree is not None and not tree.body


def _least_nested(paths: list[str]) -> str | None:
    return min(paths, key=lambda p: (p.count("/"), len(p), p), default=None)


def commanded_scripts(tree: FileTree) -> list[str]:
    """Scripts of the folder that a README or shell script starts, in the order of the text."""
    found: dict[str, None] = {}
    for file in sorted(tree.matching(*_SCRIPTS), key=lambda f: (_SCRIPTS.index(f.suffix), f.path)):
        if file.text is None or (file.suffix == ".txt" and "readme" not in file.name.lower()):
            continue
        joined = re.sub(r"\\[ \t]*\r?\n", " ", file.text.text)
        for _, line in lines(joined):
            for match in _COMMAND.finditer(line):
                path = _inside(match[1], tree)
                if path is not None:
                    found[path] = None
    return list(found)


def _inside(written: str, tree: FileTree) -> str | None:
    """The file of the folder that a path in a command means; many commands run from the repository's root."""
    parts = written.removeprefix("./").split("/")
    for start in range(len(parts)):
        path = "/".join(parts[start:])
        if tree.get(path) is not None:
            return path
    return None
