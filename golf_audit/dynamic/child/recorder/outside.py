"""What a run does outside of tensors: files, programs, the network, lines of output.

Audit hooks see every way of opening and starting, and cannot be taken off again.
"""

from __future__ import annotations

import builtins
import hashlib
import io
import ipaddress
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from golf_audit.dynamic.child.context import Context, bounded, replace
from golf_audit.dynamic.messages import HERE, Network, Print, Read, Subprocess, Write

LINES = 20_000
"""Lines of output that are sent."""
LARGEST = 256 << 20
"""A written file above this size is not read again for its digest."""
LONG_TEXT = 8_000
"""A longer text in one print is a listing of source code."""
_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")


class Outside:
    """Sends messages about files, programs, connections and output."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.data = os.path.realpath(context.job.data) + "/"
        self.work = os.path.realpath(context.job.work) + "/"
        self.given = {os.path.join(here, name) for here, _, names in os.walk(self.work) for name in names}
        self.written: dict[str, None] = {}
        self.on_artifact: Callable[[], None] = lambda: None
        self._seen: set[tuple[str, str]] = set()
        self._busy = False
        self._lines = 0
        self._last = ""

    def install(self) -> None:
        """Watch from now on."""
        sys.addaudithook(self._audit)
        real = builtins.print
        out = Lines(sys.stdout, self.line)
        replace(sys, stdout=out)

        def printing(
            *values: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
        ) -> None:
            real(*values, sep=sep, end=end, file=file, flush=flush)
            if file is not None and file is not sys.stdout and file is not sys.stderr:
                text = (" " if sep is None else sep).join(map(str, values))
                if len(text) < LONG_TEXT:
                    for line in text.splitlines():
                        self.line(line)

        builtins.print = printing

    def line(self, text: str) -> None:
        """One line of output or of a log file."""
        if text.strip() and text != self._last and self._lines < LINES:
            self._lines += 1
            self._last = text  # scripts print to the screen and then the same to a log file
            self.context.send(Print(text=bounded(text), site=self.context.site()))

    def scored(self) -> None:
        """A score was told: what is read after it is told again."""
        self._seen.clear()

    def finish(self) -> None:
        """Tell what was written, as it is at the end."""
        self._busy = True
        try:
            for path in self.written:
                self._wrote(path)
        finally:
            self._busy = False

    def _wrote(self, path: str) -> None:
        try:
            size = os.stat(path).st_size
            digest = ""
            if size <= LARGEST:
                with io.FileIO(path) as file:
                    digest = hashlib.sha256(file.readall()).hexdigest()[:16]
        except OSError:
            return
        self.context.send(Write(path=bounded(self._short(path)), size=size, digest=digest))

    def _audit(self, event: str, args: Any) -> None:
        if self._busy or event not in _WATCHED:
            return
        self._busy = True
        try:
            if event == "open":
                self._opened(*args)
            elif event == "subprocess.Popen":
                argv = args[1] if isinstance(args[1], (list, tuple)) else (args[1],)
                self.context.send(
                    Subprocess(
                        argv=tuple(
                            bounded(os.fsdecode(a) if isinstance(a, (bytes, str)) else str(a), 200)
                            for a in argv[:20]
                        ),
                        site=self.context.site(),
                    )
                )
            elif event == "os.system":
                self.context.send(
                    Subprocess(argv=(bounded(os.fsdecode(args[0]), 200),), site=self.context.site())
                )
            else:
                whom = asked(event, args)
                if whom:
                    self.context.send(Network(what=bounded(f"{event} {whom}", 300), site=self.context.site()))
        finally:
            self._busy = False

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        if not isinstance(path, (str, bytes)):
            return
        full = os.path.realpath(os.fsdecode(path))
        if not full.startswith((self.data, self.work)):
            return
        if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self.written[full] = None
            return
        stream = self.stream_of(full)
        site = self.context.site()
        if stream == "artifact":
            self._seen.clear()
            self._wrote(full)
            self.on_artifact()
        if (full, str(site)) not in self._seen and not full.endswith((".py", ".pyc")):
            self._seen.add((full, str(site)))
            self.context.send(Read(path=bounded(self._short(full)), stream=stream, site=site))

    def stream_of(self, path: str) -> str:
        """train, val, val_bytes, artifact (not there when the run began, and no text), other."""
        name = os.path.basename(path)
        if path.startswith(self.data) and name.endswith(".bin"):
            return "train" if "_train_" in name else "val_bytes" if "_bytes_" in name else "val"
        ours = path.startswith(self.work) and path not in self.given and not path.endswith(_TEXTS)
        return "artifact" if ours else "other"

    def _short(self, path: str) -> str:
        for prefix, name in ((self.data, "data/"), (self.work, "")):
            if path.startswith(prefix):
                return name + path[len(prefix) :]
        return path


def asked(event: str, args: Any) -> str:
    """Whom a call asks; empty for the connect of a datagram socket, which sends nothing: scripts ask for
    their own address so."""
    if event in ("socket.connect", "socket.sendto"):
        asking, address = args[0], args[1]
        if not isinstance(address, tuple):
            return HERE  # a socket in the file system
        if event == "socket.connect" and asking.type == socket.SOCK_DGRAM:
            return ""
    else:
        address = args
    host = address[0].decode("latin-1") if isinstance(address[0], bytes) else str(address[0] or "")
    if _own(host):
        return HERE  # without the port, which differs from run to run
    port = address[1] if len(address) > 1 else None
    return f"{host}:{port}" if port else host


def _own(host: str) -> bool:
    """True for this machine's names and its loopback addresses."""
    if host in ("", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


_TEXTS = (".py", ".pyc", ".txt", ".log", ".md")
_WATCHED = frozenset(("open", "subprocess.Popen", "os.system", *_NETWORK))


class Lines:
    """Standard output that also hands over each complete line."""

    def __init__(self, real: Any, take: Any) -> None:
        self._real, self._take, self._rest = real, take, ""

    def write(self, text: str) -> int:
        """Write, and hand over what is complete."""
        self._real.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        if len(text) < LONG_TEXT:
            for line in lines:
                self._take(line)
        return len(text)

    def flush(self) -> None:
        """Flush the real output."""
        self._real.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
