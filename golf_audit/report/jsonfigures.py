"""The figures of a report as plain data (schemas/report.schema.json, $defs/figures)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from golf_audit.figures import Figures
from golf_audit.model import Where
from golf_audit.report import escape

Object = dict[str, Any]


def figures(drawn: Figures, place: Callable[[Where | None], Object]) -> Object:
    """`place` writes a position, as everywhere in the report."""
    return {field.name: _plain(getattr(drawn, field.name), place) for field in fields(drawn)}


def _plain(value: Any, place: Callable[[Where | None], Object]) -> Any:
    """Dataclasses by their fields; a position lies flat among the other keys, as in evidence."""
    if isinstance(value, tuple):
        return [_plain(item, place) for item in value]
    if not hasattr(value, "__dataclass_fields__"):
        return value
    made: Object = {}
    for field in fields(value):
        item = getattr(value, field.name)
        if field.name == "where":
            made.update(place(item))
        elif field.name == "file":
            made["file"] = escape.path(item)
        else:
            made[field.name] = _plain(item, place)
    return made
