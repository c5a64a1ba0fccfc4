"""FileTree -> Sources: every Python file peeled, the entry, and what launches what."""

from __future__ import annotations

import posixpath
from collections.abc import Callable

from golf_audit.filetree import FileTree
from golf_audit.model import Fault, Where
from golf_audit.peel import Surroundings
from golf_audit.source.entry import find_entry
from golf_audit.source.layers import Sources
from golf_audit.source.module import Reading, as_module, read_module

_ROUNDS = 4  # a launcher's sys.path reaches what its launched files launch; real chains are two long


def read_sources(tree: FileTree) -> Sources:
    """Read every Python file of a submission. Bad content leaves a Fault."""
    readings = _read_all(tree)
    modules = {path: as_module(reading) for path, reading in readings.items()}
    entry = find_entry(modules, tree)
    launched = {path: tuple(reading.launched) for path, reading in readings.items()}
    faults = [fault for module in modules.values() for fault in module.faults]
    if entry is None:
        faults.append(Fault("no train_gpt.py and no script that stands for it", Where(".")))
    executed = Sources(modules, entry, launched).executed
    faults += [gap for path in executed if path in modules for gap in modules[path].gaps]
    return Sources(modules, entry, launched, tuple(faults))


def _read_all(tree: FileTree) -> dict[str, Reading]:
    """Read each file with its own folder on sys.path, then again with the folders that its launchers add."""
    paths = [f.path for f in tree.matching(".py") if f.text is not None]
    search: dict[str, tuple[str, ...]] = {path: (posixpath.dirname(path),) for path in paths}
    readings: dict[str, Reading] = {}
    stale = paths
    for _ in range(_ROUNDS):
        for path in stale:
            around = Surroundings(_reader(tree), _mentions(tree, path), search[path])
            readings[path] = read_module(tree.files[path], around, readings.get(path))
        wider = {path: _inherited(path, readings, search) for path in paths}
        stale = [path for path in paths if wider[path] != search[path]]
        search = wider
    return readings


def _inherited(
    path: str, readings: dict[str, Reading], search: dict[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """sys.path of a file: its own, and what the files that launch it have set up by then."""
    found = dict.fromkeys(search[path])
    for other, reading in readings.items():
        if path in reading.launched and other != path:
            found.update(dict.fromkeys(reading.search))
    return tuple(found)


def _reader(tree: FileTree) -> Callable[[str], bytes | None]:
    def read(path: str) -> bytes | None:
        found = tree.get(path)
        return found.data if found is not None else None

    return read


def _mentions(tree: FileTree, own: str) -> Callable[[str], bool]:
    others = [f.text.text for f in tree.matching(".py") if f.text is not None and f.path != own]

    def mentioned(name: str) -> bool:
        return any(name in text for text in others)

    return mentioned
