"""The worker process seen from our side: started on first use, reused, replaced after death or deadline."""

from __future__ import annotations

import atexit
import contextlib
import importlib.machinery
import os
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO

from golf_audit.errors import InternalError
from golf_audit.parsing import cache

DEADLINE, DEADLINE_PER_MEGABYTE = 60.0, 40.0
"""Seconds for one text. A real script of 160 kB takes 0.4 s; LibCST is quadratic on long sums."""
START_DEADLINE = 60.0
"""Seconds until a new worker answers: it imports LibCST."""
_ANSWER_CAP = 64 * 2**20

_RUN = "import sys; sys.path[:0] = {path!r}; from golf_audit.parsing.worker import main; main()"


class WorkerLostError(Exception):
    """The worker ended, or was ended, before it answered; `why` is a sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def _search_path() -> list[str]:
    """Where the worker finds golf_audit and libcst: their own folders, never the current one."""
    above = str(Path(__file__).resolve().parents[2])
    here = os.path.abspath(os.curdir)
    trusted = [p for p in sys.path if p and os.path.abspath(p) != here]
    found = importlib.machinery.PathFinder.find_spec("libcst", trusted)
    if found is None or found.origin is None:
        raise InternalError("libcst is not installed; install golf-audit with its dependencies")
    return list(dict.fromkeys((str(Path(found.origin).resolve().parents[1]), above)))


class Worker:
    """One process. `ask` is not thread-safe; the caller holds a lock."""

    def __init__(self) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", "-c", _RUN.format(path=_search_path())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        try:
            self._exchange(b"", START_DEADLINE)
        except WorkerLostError as death:
            raise InternalError(f"the parser process does not start: {death.why}") from None

    def ask(self, text: bytes, deadline: float) -> tuple[int, bytes]:
        """(kind, body) of the answer. Raises WorkerLostError; the worker is of no use afterwards."""
        return self._exchange(struct.pack("<Q", len(text)) + text, deadline)

    def _exchange(self, request: bytes, deadline: float) -> tuple[int, bytes]:
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(deadline, end)
        timer.daemon = True
        timer.start()
        try:
            return self._talk(request)
        except (OSError, EOFError):
            why = self._autopsy()
            raise WorkerLostError(f"no answer within {deadline:.0f} s" if late.is_set() else why) from None
        finally:
            timer.cancel()

    def _talk(self, request: bytes) -> tuple[int, bytes]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(request)
        self._process.stdin.flush()
        kind, length = struct.unpack("<BQ", self._read(9))
        if length > _ANSWER_CAP:
            self._process.kill()
            raise EOFError
        return kind, self._read(length)

    def _read(self, length: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(length)
        if len(data) != length:
            raise EOFError
        return data

    @property
    def alive(self) -> bool:
        """False once the process has ended, for example killed by the system while idle."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # a broken pipe: the process at its other end is gone
                    stream.close()
        self._errors.close()

    def _autopsy(self) -> str:
        """Why the process ended, in words; releases everything it held."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # its pipe closed before it ended
            self._process.wait(timeout=5)
        status = self._process.poll()
        self._errors.seek(0)
        said = self._errors.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
        self.close()
        if status is not None and status < 0:
            return f"the parser process died of signal {-status} (nesting too deep, or too much memory)"
        return f"the parser process ended with status {status}" + (f": {said[-1]}" if said else "")


class Pool:
    """At most one worker per process of ours: after a fork the child starts its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._owner = 0
        self.deadline: float | None = None  # seconds; None: by the length of the text

    def ask(self, text: bytes) -> tuple[int, bytes]:
        """(kind, body) of the answer to one text. Raises WorkerLostError when the text killed its worker."""
        answer = cache.get(text)
        if answer is None:
            answer = self._ask_worker(text)
            cache.put(text, *answer)
        return answer

    def _ask_worker(self, text: bytes) -> tuple[int, bytes]:
        deadline = self.deadline
        if deadline is None:
            deadline = DEADLINE + DEADLINE_PER_MEGABYTE * len(text) / 1e6
        with self._lock:
            if self._owner != os.getpid():
                self._worker, self._owner = None, os.getpid()  # it belongs to the process that we came from
            if self._worker is not None and not self._worker.alive:
                self._worker.close()
                self._worker = None
            if self._worker is None:
                self._worker = Worker()
            try:
                return self._worker.ask(text, deadline)
            except WorkerLostError:
                self._worker = None
                raise

    def close(self) -> None:
        """End the worker, when it is ours."""
        with self._lock:
            if self._worker is not None and self._owner == os.getpid():
                self._worker.close()
            self._worker = None


POOL = Pool()
atexit.register(POOL.close)
