"""FileTree -> Sources: every Python file peeled, the entry, and what launches what."""

from __future__ import annotations

import posixpath

from golf_audit.filetree import FileTree
from golf_audit.model import Fault, Where
from golf_audit.peel import Surroundings
from golf_audit.source.entry import find_entry
from golf_audit.source.layers import Sources
from golf_audit.source.module import Reading, as_module, read_module


def read_sources(tree: FileTree) -> Sources:
    """Read every Python file of a submission. Bad content leaves a Fault."""
    paths = [f.path for f in tree.matching(".py") if f.text is not None]
    readings = {path: _read(tree, path, ()) for path in paths}
    _reread_with_search_paths(tree, readings)
    modules = {path: as_module(reading) for path, reading in readings.items()}
    faults = [fault for module in modules.values() for fault in module.faults]
    entry = find_entry(modules, tree)
    if entry is None:
        faults.append(Fault("no train_gpt.py and no script that stands for it", Where(".")))
    launched = {path: tuple(reading.launched) for path, reading in readings.items()}
    return Sources(modules, entry, launched, tuple(faults))


def _read(tree: FileTree, path: str, search: tuple[str, ...]) -> Reading:
    file = tree.files[path]

    def read(other: str) -> bytes | None:
        found = tree.get(other)
        return found.data if found is not None else None

    return read_module(file, Surroundings(read, (posixpath.dirname(path), *search)))


def _reread_with_search_paths(tree: FileTree, readings: dict[str, Reading]) -> None:
    """A launcher's sys.path also holds in the files that it launches: read those again with it, once."""
    for path in list(readings):
        extra = tuple(folder for folder in readings[path].search if folder != posixpath.dirname(path))
        if not extra:
            continue
        waiting, seen = list(readings[path].launched), {path}
        while waiting:
            other = waiting.pop()
            if other in seen or other not in readings:
                continue
            seen.add(other)
            readings[other] = _read(tree, other, extra)
            waiting += readings[other].launched
