"""What a script carries and launches, found without executing it.

`peel` follows constants through the script (machine.py), then looks at the literals it did not meet
(embedded.py), so that a payload is a text, described data or a named gap, never a silent one."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from golf_audit.model import Fault, Where
from golf_audit.parsing import flatten
from golf_audit.peel.effects import static_imports
from golf_audit.peel.embedded import Payload, describe, embedded
from golf_audit.peel.machine import Machine
from golf_audit.peel.values import Known
from golf_audit.peel.world import Executed, Launched, OutOfBoundsError, World, Written

__all__ = ["Executed", "Payload", "Peeled", "Surroundings", "peel"]


@dataclass(frozen=True)
class Surroundings:
    """What a layer finds when it runs: the folder, sys.path (POSIX, relative to it) and files that an outer
    layer wrote. `mentioned` tells whether another file of the folder holds a name."""

    read: Callable[[str], bytes | None]
    mentioned: Callable[[str], bool] = lambda name: True
    search: Sequence[str] = ("",)
    files: Mapping[str, Known] = field(default_factory=dict)


@dataclass(frozen=True)
class Peeled:
    """Texts that are executed, files of the folder that are launched, data that is carried.

    `faults` are literals that stay closed, `gaps` calls that execute something nobody could follow; `search`
    and `files` are what code that runs later finds."""

    executed: tuple[Executed, ...]
    launched: tuple[str, ...]
    payloads: tuple[Payload, ...]
    faults: tuple[Fault, ...]
    gaps: tuple[Fault, ...]
    search: tuple[str, ...]
    files: Mapping[str, Known]


def peel(file: str, tree: ast.Module, locate: Callable[[ast.AST], Where], around: Surroundings) -> Peeled:
    """Peel one layer of a file of the folder; `locate` gives the position of a node of its tree."""
    nodes = flatten(tree)
    world = World(around.read, locate, list(around.search), dict(around.files))
    faults, gaps = [], []
    steps: tuple[Callable[[], None], ...] = (
        lambda: Machine(file, nodes, world, around.mentioned).run(tree),
        lambda: static_imports(world, nodes, posixpath.dirname(file)),
    )
    for step in steps:
        try:
            step()
        except (OutOfBoundsError, RecursionError):
            gaps.append(Fault("too long or too deep to follow which texts it executes", locate(tree)))
    executed = tuple(r for r in world.results if isinstance(r, Executed))
    run = {item.text for item in executed}
    payloads = [
        payload
        for payload in (
            describe(r.where, r.content, r.how, r.path) for r in world.results if isinstance(r, Written)
        )
        if payload.text not in run
    ]
    for found in embedded(nodes, world.met, locate):
        if isinstance(found, Payload):
            payloads.append(found)
        else:
            faults.append(Fault(found.why, found.where))
    gaps += [Fault(gap.why, gap.where) for gap in world.unsettled()]
    launched = dict.fromkeys(r.path for r in world.results if isinstance(r, Launched) and r.path != file)
    return Peeled(
        executed=executed,
        launched=tuple(launched),
        payloads=tuple(payloads),
        faults=tuple(faults),
        gaps=tuple(gaps),
        search=tuple(world.search),
        files=world.left_behind(),
    )
