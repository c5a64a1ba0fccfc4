"""The waiver file: TOML, one [[waiver]] per finding that maintainers let stand (schemas/waivers.schema.json).

    [[waiver]]
    rule = "A04"
    fingerprint = "0123456789abcdef"     # `golf-audit explain` and the JSON report print it
    folder = "records/track_10min_16mb/2026-04-22_Run"
    submission = "f2f5b2ffd84f"          # the state that was looked at; without it, every later one
    reason = "#1972 was timed on another machine"
    who = "a maintainer"
    expires = 2026-12-31

A file with a fault waives nothing: a typing error must not let through what it did not mean.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from golf_audit import schema
from golf_audit.errors import AuditError
from golf_audit.model import Waiver

if TYPE_CHECKING:
    from jsonschema import ValidationError

_ENTRY = re.compile(r"^[ \t]*\[\[[ \t]*waiver[ \t]*\]\]", re.MULTILINE)


class WaiverFileError(AuditError):
    """The file cannot be used; `details` are the reasons."""

    def __init__(self, name: str, faults: tuple[str, ...]) -> None:
        super().__init__(f"{name} has a fault, so no waiver of it is honoured")
        self.details = faults


def read_waivers(data: bytes, name: str) -> tuple[Waiver, ...]:
    """The waivers of a file. Raises WaiverFileError with a line for every fault."""
    try:
        text = data.decode("utf-8")
        told = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WaiverFileError(name, (f"{name}: not TOML: {error}",)) from None
    plain = _plain(told)
    faults = tuple(_faults(plain, text, name))
    if faults:
        raise WaiverFileError(name, faults)
    return tuple(_waiver(entry) for entry in plain.get("waiver", []))


def _plain(value: Any) -> Any:
    """TOML's dates as text, so that one schema describes the file."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, dt.date | dt.time) else value


def _faults(plain: Any, text: str, name: str) -> Iterator[str]:
    from jsonschema import Draft202012Validator  # imported here: 80 ms that other runs need not pay

    lines = [text.count("\n", 0, match.start()) + 1 for match in _ENTRY.finditer(text)]
    validator = Draft202012Validator(schema.load("waivers"))
    for error in sorted(validator.iter_errors(plain), key=lambda e: [str(p) for p in e.absolute_path]):
        _, index, key = [*error.absolute_path, None, None, None][:3]
        where = _place(plain, index, lines, name) if isinstance(index, int) else name
        yield f"{where}: {_sentence(key, error)}"
    entries = plain.get("waiver")
    for index, entry in enumerate(entries) if isinstance(entries, list) else ():
        day = entry.get("expires") if isinstance(entry, dict) else None
        if isinstance(day, str) and not _is_day(day):
            where = _place(plain, index, lines, name)
            yield f"{where}: expires is {day!r}; a day like 2026-12-31 is expected"


def _place(plain: Any, index: int, lines: Sequence[int], name: str) -> str:
    """ "waivers.toml:12: waiver 2 (A04)"."""
    entry = plain["waiver"][index]
    rule = entry.get("rule", "no rule") if isinstance(entry, dict) else "not a table"
    line = f":{lines[index]}" if index < len(lines) else ""
    return f"{name}{line}: waiver {index + 1} ({rule})"


def _sentence(key: object, error: ValidationError) -> str:
    if error.validator == "anyOf":
        return "it names neither a folder nor a submission, so it would hold everywhere"
    return schema.sentence(str(key), error) if key else error.message[:160]


def _is_day(text: str) -> bool:
    try:
        return len(text) == 10 and bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def _waiver(entry: dict[str, Any]) -> Waiver:
    return Waiver(
        rule=entry["rule"],
        fingerprint=entry["fingerprint"],
        reason=entry["reason"],
        who=entry["who"],
        expires=dt.date.fromisoformat(entry["expires"]),
        folder=entry.get("folder", "").strip("/"),
        submission=entry.get("submission", ""),
    )
