"""One Python file -> Module: peel it layer by layer, within caps."""

from __future__ import annotations

import ast
from collections import deque
from dataclasses import dataclass, field, replace

from golf_audit.filetree import File
from golf_audit.model import Fault, Where
from golf_audit.peel import Executed, Payload, Surroundings, peel
from golf_audit.source.layers import Layer, Module

DEPTH_CAP = 8
"""Shims inside shims; no real script has more than one."""
LAYER_CAP = 64
"""Layers of one file; the largest real bundle has 8."""
TEXT_CAP = 32 * 2**20
"""Characters of all layers of one file."""


@dataclass
class Reading:
    """A Module while it is made."""

    file: str
    layers: list[Layer] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    gaps: list[Fault] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)
    launched: dict[str, None] = field(default_factory=dict)
    search: tuple[str, ...] = ()


def read_module(file: File, around: Surroundings, before: Reading | None = None) -> Reading:
    """Peel a file whose bytes were read. `before` is an earlier reading, whose outer layer need not be parsed
    again."""
    assert file.text is not None
    reading = Reading(file.path, search=tuple(around.search))
    if file.text.lossy:
        reading.faults.append(Fault("not valid UTF-8, read with replacement characters", Where(file.path)))
    reading.layers.append(before.layers[0] if before else Layer(file.path, 0, file.text.text))
    waiting = deque([(reading.layers[0], around, 0)])
    while waiting:
        layer, surroundings, depth = waiting.popleft()
        for inner, inherited in _open(reading, layer, surroundings):
            if depth + 1 >= DEPTH_CAP:
                reading.faults.append(Fault(f"packed more than {DEPTH_CAP} times, not unpacked", layer.at(1)))
            else:
                waiting.append((inner, inherited, depth + 1))
    return reading


def as_module(reading: Reading) -> Module:
    """The finished Module."""
    faults = tuple(dict.fromkeys(reading.faults))
    run = {layer.text for layer in reading.layers}
    payloads = tuple(p for p in dict.fromkeys(reading.payloads) if not p.text or p.text not in run)
    return Module(reading.file, tuple(reading.layers), faults, payloads, tuple(dict.fromkeys(reading.gaps)))


def _open(reading: Reading, layer: Layer, around: Surroundings) -> list[tuple[Layer, Surroundings]]:
    """Peel one layer; the new layers inside it with what they will find."""
    tree = layer.parsed.tree
    if tree is None:
        where = layer.at(layer.parsed.line) if layer.parsed.line else layer.where(ast.Module([], []))
        reading.faults.append(Fault(layer.parsed.problem, where))
        return []
    if not tree.body and layer.file.rsplit("/", 1)[-1] == "train_gpt.py":
        reading.faults.append(Fault("empty: it holds no statement", Where(layer.file)))
    peeled = peel(layer.file, tree, layer.where, around)
    reading.faults += peeled.faults
    reading.gaps += peeled.gaps
    reading.payloads += peeled.payloads
    reading.launched.update(dict.fromkeys(peeled.launched))
    reading.search = tuple(dict.fromkeys((*reading.search, *peeled.search)))
    inherited = replace(around, search=peeled.search, files=peeled.files)
    added = [_add(reading, layer, item) for item in peeled.executed]
    return [(inner, inherited) for inner in added if inner is not None]


def _add(reading: Reading, layer: Layer, item: Executed) -> Layer | None:
    """A new layer, unless the file has it already or a cap is reached."""
    if any(old.text == item.text and old.name == item.name for old in reading.layers):
        return None
    if (
        len(reading.layers) >= LAYER_CAP
        or sum(len(x.text) for x in reading.layers) + len(item.text) > TEXT_CAP
    ):
        reading.faults.append(
            Fault("too many or too long texts inside, the rest was not unpacked", item.where)
        )
        return None
    how = ", ".join(item.how) if item.how else "plain text"
    added = Layer(reading.file, len(reading.layers), item.text, how, item.where, item.name, layer.index)
    reading.layers.append(added)
    return added
