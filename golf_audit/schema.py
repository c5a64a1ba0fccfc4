"""The JSON Schemas of this package: load one by name, and say in a sentence what a document does wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from golf_audit.errors import AuditError
from golf_audit.jsontext import Document, step

if TYPE_CHECKING:
    from jsonschema import ValidationError

_SUFFIX = ".schema.json"
_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "an object",
}


@dataclass(frozen=True)
class SchemaProblem:
    """One thing wrong with a document, at a position. `required`: without it the document cannot be used."""

    pointer: str
    line: int
    column: int
    message: str
    required: bool = False


def names() -> tuple[str, ...]:
    """Every schema by its short name: "report", "submission" ..."""
    folder = resources.files("golf_audit.schemas")
    return tuple(sorted(f.name.removesuffix(_SUFFIX) for f in folder.iterdir() if f.name.endswith(_SUFFIX)))


def schema_text(name: str) -> str:
    """The schema as it lies in the package. Raises AuditError for an unknown name."""
    if name not in names():
        raise AuditError(f"no schema {name}; there are {', '.join(names())}")
    return resources.files("golf_audit.schemas").joinpath(name + _SUFFIX).read_text(encoding="utf-8")


@cache
def load(name: str) -> dict[str, Any]:
    """The schema as data. Raises AuditError for an unknown name."""
    loaded: dict[str, Any] = json.loads(schema_text(name))
    return loaded


def problems(name: str, document: Document) -> tuple[SchemaProblem, ...]:
    """Where a document departs from a schema, in document order. None is `required`: that is for code."""
    return tuple(sorted(_problems(name, document), key=lambda p: (p.line, p.column, p.message)))


def _problems(name: str, document: Document) -> Iterator[SchemaProblem]:
    from jsonschema import Draft202012Validator  # imported here: 80 ms that --help should not pay

    for error in Draft202012Validator(load(name)).iter_errors(document.value):
        pointer = ""
        for key in error.absolute_path:
            pointer = step(pointer, key)
        place = document.at(pointer)
        yield SchemaProblem(pointer, place.line, place.column, sentence(pointer, error))


def sentence(pointer: str, error: ValidationError) -> str:
    """What a person would say: the name, what stands there, and what was expected."""
    name = pointer.lstrip("/").replace("/", ".") or "the document"
    shown = json.dumps(error.instance, ensure_ascii=False)
    shown = shown if len(shown) <= 40 else shown[:37] + "..."
    expected = error.schema.get("description") if isinstance(error.schema, dict) else None
    if error.validator == "type":
        allowed: Any = error.validator_value
        wanted = [allowed] if isinstance(allowed, str) else list(allowed)
        words = " or ".join(_WORDS.get(w, w) for w in wanted if w != "null")
        return f"{name} is {shown}; {words} is expected"
    if error.validator == "minLength":
        return f"{name} is empty"
    if error.validator == "required":
        return f"{name}: {error.message}"
    return f"{name} is {shown}; {expected}" if expected else f"{name}: {error.message[:160]}"
