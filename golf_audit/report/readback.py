"""A JSON report read back from a file, as a stranger's: held to the schema before anything is made of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from golf_audit.errors import AuditError
from golf_audit.jsontext import Document
from golf_audit.report.jsonreport import SCHEMA, SCHEMA_OF_SEVERAL
from golf_audit.schema import problems

MAX_BYTES = 64 << 20


def read(path: Path, name: str = "") -> list[dict[str, Any]]:
    """The reports of a file, none or several. Raises AuditError with one line that begins with `name`."""
    name = name or str(path)
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise AuditError(f"{name}: no regular file of at most {MAX_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise AuditError(f"cannot read {path}: {error.strerror}") from error
    return parse(text, name)


def parse(text: str, name: str = "the report") -> list[dict[str, Any]]:
    """The reports of a text."""
    try:
        raw = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise AuditError(f"{name}: not JSON ({str(error)[:80]})") from None
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if schema not in (SCHEMA, SCHEMA_OF_SEVERAL):
        raise AuditError(f"{name}: no report of golf-audit check --format json")
    wrong = problems("report", Document(raw, {}))
    if wrong:
        raise AuditError(f"{name}: {wrong[0].message}")
    return list(raw["reports"]) if schema == SCHEMA_OF_SEVERAL else [raw]


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value
