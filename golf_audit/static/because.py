"""Which settings opened the way to an event: the switches in the tests around it and the calls to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from golf_audit.model import Evidence, Kind, Where
from golf_audit.runconfig import Origin, Setting
from golf_audit.source import Sources
from golf_audit.static.witness import holds
from golf_audit.submission import Case
from golf_audit.timeline import Event

_KINDS = {Origin.README: Kind.README, Origin.LOG: Kind.LOG, Origin.CODE: Kind.SOURCE}
_PROCESS = frozenset({"RANK", "LOCAL_RANK", "WORLD_SIZE"})
"""Set by the launcher for every run: they open no way."""
_WITNESSES = 2


def because(case: Case, event: Event) -> list[Evidence]:
    """The settings that the tests around an event read, each where it was set."""
    found: dict[str, Setting] = {}
    for where in (event.where, *(call.where for call in reversed(event.path))):
        for test in _tests_around(case.submission.sources, where):
            for name in _names(test):
                setting = case.submission.config.setting(name)
                if setting is not None and setting.name.upper() not in _PROCESS:
                    found.setdefault(setting.name, setting)
    return [evidence for setting in found.values() for evidence in _evidence(setting)]


def kind_of(setting: Setting) -> Kind:
    """Where a setting was read, as a kind of evidence."""
    return _KINDS.get(setting.origin, Kind.FILE)


def _tests_around(sources: Sources, where: Where) -> Iterator[ast.expr]:
    """The tests of the `if` statements that hold a line in one of their branches, innermost last."""
    module = sources.modules.get(where.file)
    tree = module.layers[where.layer].parsed.tree if module and where.layer < len(module.layers) else None
    if tree is None or where.line is None:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and any(holds(branch, where.line) for branch in (node.body, node.orelse)):
            yield node.test


def _names(test: ast.expr) -> Iterator[str]:
    for node in ast.walk(test):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isupper():
            yield node.value  # os.environ.get("TTT_ENABLED")


def _evidence(setting: Setting) -> Iterator[Evidence]:
    default = setting.default
    differs = default is not None and default.value != setting.value
    says = f"because {setting.name}={setting.value}"
    says += f" (default in code: {default.value})" if default is not None and differs else ""
    yield Evidence(kind_of(setting), says, setting.where)
    for where in setting.witnesses[1:_WITNESSES]:
        yield Evidence(Kind.FILE, f"{setting.name}={setting.value} stands here too", where)
