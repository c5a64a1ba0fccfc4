"""Writing the ledger: append only, one writer at a time, nothing lost when a process dies or a disk is full.

An entry is one write under a lock, then fsync. What a dead writer left behind its last newline is made whole
when it is a whole entry, and cut off otherwise; both are entries themselves. A write that fails is cut off
at once. golf_audit.ledger reads.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from golf_audit.ledger import (
    GENESIS,
    LINE_CAP,
    Entry,
    Ledger,
    LedgerError,
    make_entry,
    parse_line,
    read_ledger,
)

PATIENCE = 60.0
"""Seconds to wait for another writer."""


class LedgerFile:
    """A ledger to append to. `repairs` tells in sentences what an earlier writer had left undone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.repairs: list[str] = []

    def read(self) -> Ledger:
        """What it holds; an empty ledger when there is no file yet. Raises LedgerError."""
        return (
            read_ledger(self.path) if self.path.exists() else Ledger(self.path.name, folder=self.path.parent)
        )

    def append(self, kind: str, body: Mapping[str, Any]) -> Entry:
        """Add one entry and return it once it is on the disk. Raises LedgerError; then nothing was added."""
        with self._opened() as descriptor:
            last = self._last(descriptor)
            entry = make_entry(
                last.n + 1 if last is not None else 0,
                last.hash if last is not None else GENESIS,
                _now(),
                kind,
                body,
            )
            if len(entry.line) > LINE_CAP:
                raise LedgerError(f"{self.path}: an entry of {len(entry.line):,} bytes is refused")
            known, wrong = parse_line(entry.line[:-1])
            if known is None or wrong:
                raise LedgerError(f"{self.path}: not an entry: {'; '.join(wrong)}")
            self._write(descriptor, entry.line)
            return entry

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise LedgerError(f"cannot write the ledger {self.path}: {error.strerror}") from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise LedgerError(f"{self.path}: not a regular file")
            self._lock(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)  # and with it the lock

    def _lock(self, descriptor: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise LedgerError(f"{self.path}: cannot be locked: {error.strerror}") from error
            if time.monotonic() > deadline:
                raise LedgerError(f"{self.path}: another process has held the ledger for {PATIENCE:.0f} s")
            time.sleep(0.02)

    def _last(self, descriptor: int) -> Entry | None:
        """The last entry, after mending what follows the last newline. Raises LedgerError if altered."""
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, 2 * LINE_CAP, max(0, size - 2 * LINE_CAP))
        whole, newline, torn = tail.rpartition(b"\n")
        last = self._trusted(whole.rpartition(b"\n")[2]) if newline else None
        if not torn:
            return last
        entry, wrong = parse_line(torn)
        follows = entry is not None and not wrong and entry.prev == (last.hash if last else GENESIS)
        if follows and entry is not None:
            self._write(descriptor, b"\n")
            self.repairs.append(f"entry {entry.n} lacked its newline and was completed")
            return self._note_repair(descriptor, entry, torn, completed=True)
        os.ftruncate(descriptor, size - len(torn))
        self.repairs.append(f"a torn last line of {len(torn)} bytes was cut off")
        return self._note_repair(descriptor, last, torn, completed=False)

    def _note_repair(self, descriptor: int, last: Entry | None, torn: bytes, *, completed: bool) -> Entry:
        body = {"bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest(), "completed": completed}
        number, before = (last.n + 1, last.hash) if last is not None else (0, GENESIS)
        note = make_entry(number, before, _now(), "repair", body)
        self._write(descriptor, note.line)
        return note

    def _trusted(self, line: bytes) -> Entry:
        entry, wrong = parse_line(line)
        if entry is None or wrong:
            raise LedgerError(f"{self.path}: its last entry is not to be trusted ({'; '.join(wrong)})")
        return entry

    def _write(self, descriptor: int, data: bytes) -> None:
        """All of it on the disk, or none of it in the file."""
        before = os.fstat(descriptor).st_size
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, before)
            raise LedgerError(
                f"the ledger {self.path} cannot be written ({error.strerror}); what it held is not lost"
            ) from error


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
