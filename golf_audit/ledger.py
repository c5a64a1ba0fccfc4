"""The ledger of reruns as it is read: a chain of entries, one JSON line each, and what is wrong with it.

Every entry holds the hash of the one before it and its own, over everything else it says. An altered entry
breaks the chain; a cut or rewritten one is found by whoever kept the hash of the last entry (the head), which
every report prints. A ledger may come from anybody: it is bounded, and its fields are checked before use.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from golf_audit.errors import AuditError

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

SCHEMA = "golf-audit/ledger/1"
GENESIS = "0" * 64
"""What the first entry holds in place of the hash of one before it."""
LINE_CAP = 1 << 20
FILE_CAP = 64 << 20
PROBLEM_CAP = 20
"""Problems that are told of one ledger."""
FIELDS = ("schema", "n", "prev", "time", "kind", "body")


class LedgerError(AuditError):
    """The ledger cannot be read or written; the message says what is left of it."""


@dataclass(frozen=True)
class Entry:
    """One line. `n` counts from 0; `body` is as the schema of its kind says."""

    n: int
    prev: str
    time: str
    kind: str
    body: Mapping[str, Any]
    hash: str

    @property
    def line(self) -> bytes:
        """The entry as it lies in the file, with its newline."""
        return canonical({**_unhashed(self), "hash": self.hash}) + b"\n"


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a chain; `line` is 1-based."""

    line: int
    says: str


@dataclass(frozen=True)
class Ledger:
    """A ledger that was read. `entries` end before the first problem; `torn` follows the last newline."""

    name: str
    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()
    torn: bytes = b""
    folder: Path | None = field(default=None, compare=False)

    @property
    def head(self) -> str:
        """The hash of the last entry: whoever keeps it can tell a cut or rewritten ledger."""
        return self.entries[-1].hash if self.entries else GENESIS

    @cached_property
    def by_kind(self) -> Mapping[str, Sequence[Entry]]:
        """Entries by kind, in order."""
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.kind, []).append(entry)
        return found

    def of(self, kind: str) -> Sequence[Entry]:
        return self.by_kind.get(kind, ())

    def since(self, head: str) -> int | None:
        """Entries after the one with that hash; None when none has it: cut, rewritten, or another ledger."""
        hashes = [GENESIS, *(entry.hash for entry in self.entries)]
        return len(hashes) - 1 - hashes.index(head) if head in hashes else None


def canonical(value: object) -> bytes:
    """One spelling for one value: sorted keys, no spaces, ASCII."""
    return json.dumps(
        value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False
    ).encode()


def make_entry(n: int, prev: str, time: str, kind: str, body: Mapping[str, Any]) -> Entry:
    """An entry with its hash."""
    bare = Entry(n, prev, time, kind, body, "")
    return Entry(n, prev, time, kind, body, hashlib.sha256(canonical(_unhashed(bare))).hexdigest())


def _unhashed(entry: Entry) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "n": entry.n,
        "prev": entry.prev,
        "time": entry.time,
        "kind": entry.kind,
        "body": entry.body,
    }


def read_ledger(path: Path) -> Ledger:
    """Read and check a ledger. Raises LedgerError when there is no file to read."""
    return check_chain(_bytes(path), path.name, path.parent)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise LedgerError(f"{path}: not a regular file")
            if status.st_size > FILE_CAP:
                raise LedgerError(f"{path}: larger than {FILE_CAP >> 20} MiB, which no ledger of reruns is")
            return file.read(FILE_CAP + 1)
    except OSError as error:
        raise LedgerError(f"{path}: {error.strerror}") from error


def check_chain(data: bytes, name: str, folder: Path | None = None) -> Ledger:
    """The entries of these bytes, each against its own hash and the one before it.

    After an entry that cannot be trusted none is taken, but all are looked at, to tell what was altered."""
    *lines, torn = data.split(b"\n")
    entries: list[Entry] = []
    problems: list[Problem] = []
    previous: Entry | None = None
    for number, line in enumerate(lines, start=1):
        entry, wrong = parse_line(line)
        problems += [Problem(number, says) for says in wrong]
        if entry is not None:
            problems += [Problem(number, says) for says in _link(entry, previous, number - 1)]
        if entry is not None and not problems:
            entries.append(entry)
        previous = entry or previous
        if len(problems) >= PROBLEM_CAP:
            break
    return Ledger(name, tuple(entries), tuple(problems[:PROBLEM_CAP]), torn, folder)


def parse_line(line: bytes) -> tuple[Entry | None, list[str]]:
    """One line as an entry, with what is wrong about it; None when it is no entry at all."""
    if len(line) > LINE_CAP:
        return None, [f"longer than {LINE_CAP >> 20} MiB"]
    try:
        raw = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None, ["not JSON"]
    if not isinstance(raw, dict) or set(raw) != {*FIELDS, "hash"} or raw["schema"] != SCHEMA:
        return None, [f"not an entry of {SCHEMA}"]
    wrong = _shape(raw)
    if wrong:
        return None, wrong
    entry = Entry(raw["n"], raw["prev"], raw["time"], raw["kind"], raw["body"], raw["hash"])
    try:
        expected = make_entry(entry.n, entry.prev, entry.time, entry.kind, entry.body).hash
    except (ValueError, RecursionError):
        return None, ["cannot be spelled"]
    if expected != entry.hash:
        return entry, [f"entry {entry.n} was altered: its hash is not that of its content"]
    if entry.line != line + b"\n":
        return entry, [f"entry {entry.n} was rewritten: not in the one spelling of its content"]
    return entry, []


def _refuse(name: str) -> float:
    raise ValueError(name)


def _shape(raw: dict[str, Any]) -> list[str]:
    """What the schema says against an entry, at most three sentences."""
    found = []
    for error in _validator().iter_errors(raw):
        pointer = "/".join(str(part) for part in error.absolute_path)
        found.append(f"{pointer or 'the entry'}: {error.message[:160]}")
        if len(found) == 3:
            break
    return found


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # imported here: 80 ms that --help should not pay

    from golf_audit import schema

    return Draft202012Validator(schema.load("ledger"))


def _link(entry: Entry, previous: Entry | None, place: int) -> list[str]:
    wrong = []
    if entry.n != place:
        wrong.append(f"numbered {entry.n} where {place} belongs: entries were taken out or added")
    expected = previous.hash if previous is not None else GENESIS
    if entry.prev != expected:
        wrong.append(f"entry {entry.n} does not follow the one before it")
    return wrong
