"""git as a reader of objects, with nothing of the clone able to run (DESIGN section 9).

A clone is hostile input: its config, hooks and attributes can name programs. So git never works *in* the
clone. It works in an empty repository of our own, in a temporary folder, whose only link to the clone is the
object store. The clone's own config is in force for looking up refs alone, which starts no program. That also
answers git's ownership check (safe.directory), which guards against the config that is not used here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from golf_audit import scratch
from golf_audit.errors import CloneError

TIMEOUT = 120.0
"""Seconds that one git command may take; the slowest on the real clone takes 0.2."""

# Second line of defence, for the one command that runs with the clone's own config.
_OVERRIDES = (
    "core.fsmonitor=false",
    "core.commitGraph=false",  # a forged commit-graph could rewrite history
    "protocol.allow=never",
    "credential.helper=",
)


@dataclass(frozen=True)
class ObjectInfo:
    """Kind and size in bytes of an object; a missing one has neither."""

    kind: str
    size: int


def find_git_folder(path: Path) -> Path:
    """The git folder of a bare clone, of a work tree, or behind a worktree's `.git` file."""
    try:
        return _find_git_folder(path)
    except OSError as error:
        raise CloneError(f"{path}: not readable: {error.strerror}") from None


def _find_git_folder(path: Path) -> Path:
    if not path.exists():
        raise CloneError(f"{path}: no such folder")
    if not path.is_dir():
        raise CloneError(f"{path}: a file, not a clone")
    inner = path / ".git"
    if inner.is_file():
        with inner.open("rb") as stream:
            pointer = os.fsdecode(stream.read(4096)).strip()
        if not pointer.startswith("gitdir: "):
            raise CloneError(f"{path}: its .git file names no git folder")
        inner = path / pointer.removeprefix("gitdir: ")
    for folder in (inner, path):
        if (folder / "HEAD").is_file() and (
            (folder / "objects").is_dir() or (folder / "commondir").is_file()
        ):
            return folder.resolve()
    raise CloneError(f"{path}: not a git clone; name the folder that holds .git, or a bare clone itself")


class GitProcess:
    """Runs git on the objects of one clone from a private repository. Close it, or use it in `with`."""

    def __init__(self, path: Path, timeout: float = TIMEOUT) -> None:
        self.path = path
        self.timeout = timeout
        self._git = git_binary()
        self._folder = find_git_folder(path)
        self._private, lock = scratch.make("git")
        self.shallow_border: frozenset[str] = frozenset()  # commits whose parents a shallow clone left out
        self._readers: dict[str, _ObjectReader] = {}
        self._finalizer = weakref.finalize(self, _discard, os.getpid(), (self._private, lock), self._readers)
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise

    def _set_up(self) -> None:
        """Lay out the private repository (gitrepository-layout(5)) in the format of the clone."""
        (self._private / "config-none").touch()
        answer = self.in_clone(
            "rev-parse", "--show-object-format", "--git-path", "objects", "--git-path", "shallow"
        )
        lines = os.fsdecode(answer).splitlines()
        if len(lines) != 3 or lines[0] not in ("sha1", "sha256"):
            raise CloneError(f"{self.path}: git gave no object format; git 2.32 or newer is needed")
        object_format, objects, shallow = lines
        self.objects = (self._folder / objects).resolve()
        version, extension = (
            (0, "") if object_format == "sha1" else (1, "[extensions]\n\tobjectFormat = sha256\n")
        )
        for name in ("refs", "objects"):
            (self._private / name).mkdir()
        (self._private / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
        config = f"[core]\n\trepositoryformatversion = {version}\n\tbare = true\n{extension}"
        (self._private / "config").write_text(config, encoding="ascii")
        border = self._folder / shallow
        if border.is_file():
            shutil.copyfile(border, self._private / "shallow")
            self.shallow_border = frozenset(border.read_text(encoding="ascii", errors="replace").split())

    def run(self, *arguments: str, accept: tuple[int, ...] = (0,)) -> bytes:
        """The output of a git command on the objects alone. Raises CloneError on any other exit code."""
        return self._run(self._environment(self._private, self.objects), arguments, accept)

    def in_clone(self, *arguments: str) -> bytes:
        """The output of a command that needs the clone's refs: rev-parse, symbolic-ref, for-each-ref only."""
        return self._run(self._environment(self._folder, None), arguments, (0,))

    def reader(self, option: str) -> _ObjectReader:
        """The one long-lived `cat-file --batch` (or --batch-check) process of this clone."""
        if option not in self._readers:
            environment = self._environment(self._private, self.objects)
            process = subprocess.Popen(
                self._command("cat-file", option),
                env=environment,
                cwd=self._private,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._readers[option] = _ObjectReader(process, self.timeout)
        return self._readers[option]

    def close(self) -> None:
        """End the reader processes and remove the private repository."""
        self._finalizer()

    def _command(self, *arguments: str) -> list[str]:
        hooks = f"core.hooksPath={self._private / 'no-hooks'}"
        attributes = f"core.attributesFile={self._private / 'config-none'}"
        options = [part for setting in (*_OVERRIDES, hooks, attributes) for part in ("-c", setting)]
        return [self._git, "--no-pager", "--no-replace-objects", *options, *arguments]

    def _environment(self, git_folder: Path, objects: Path | None) -> dict[str, str]:
        """The caller's environment with our git variables only: no config, network, prompt or lock."""
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("GIT_")}
        ours = {
            "GIT_DIR": str(git_folder),
            "HOME": str(self._private),  # git older than 2.32 knows no GIT_CONFIG_GLOBAL
            "XDG_CONFIG_HOME": str(self._private),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(self._private / "config-none"),
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "none",  # unlike protocol.allow, a clone's config cannot override it
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "LC_ALL": "C",
        }
        return kept | ours | ({"GIT_OBJECT_DIRECTORY": str(objects)} if objects else {})

    def _run(self, environment: dict[str, str], arguments: tuple[str, ...], accept: tuple[int, ...]) -> bytes:
        try:
            done = subprocess.run(
                self._command(*arguments),
                env=environment,
                cwd=self._private,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self.timeout,
            )
        except subprocess.TimeoutExpired:
            raise CloneError(f"{self.path}: git {arguments[0]} took over {self.timeout:g} s") from None
        except OSError as error:
            raise CloneError(f"git could not be started: {error.strerror}") from None
        if done.returncode not in accept:
            raise CloneError(f"{self.path}: git {arguments[0]}: {_reason(done.stderr, done.returncode)}")
        return done.stdout


class _ObjectReader:
    """One `git cat-file` process that answers request after request; a watchdog ends one that hangs."""

    def __init__(self, process: subprocess.Popen[bytes], timeout: float) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process = process
        self._timeout = timeout
        self._requests = process.stdin
        self._answers = process.stdout

    def info(self, oid: str) -> ObjectInfo | None:
        """Ask for one object: its header line. None when this clone lacks it."""
        with self._deadline():
            return self._header(oid)

    def content(self, oid: str) -> tuple[ObjectInfo, bytes] | None:
        """Kind, size and bytes of one object (--batch only). None when this clone lacks it."""
        with self._deadline():
            header = self._header(oid)
            if header is None:
                return None
            data = self._answers.read(header.size + 1)  # the answer ends with a line feed
        if len(data) != header.size + 1:
            raise CloneError(f"git stopped while it read object {oid}")
        return header, data[:-1]

    def _header(self, oid: str) -> ObjectInfo | None:
        try:
            self._requests.write(oid.encode("ascii") + b"\n")
            self._requests.flush()
            line = self._answers.readline(4096).decode("ascii", errors="replace").split()
        except OSError:
            line = []
        if line == [oid, "missing"]:
            return None
        if len(line) != 3 or line[0] != oid or not line[2].isdecimal():
            raise CloneError(f"git gave no answer for object {oid}")
        return ObjectInfo(line[1], int(line[2]))

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        watchdog = threading.Timer(self._timeout, self._process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def close(self) -> None:
        """End the process and wait for it."""
        self._process.kill()
        self._process.communicate()


def _discard(owner: int, private: tuple[Path, int], readers: dict[str, _ObjectReader]) -> None:
    if os.getpid() != owner:
        return  # a forked child must not end its parent's git
    for reader in readers.values():
        reader.close()
    readers.clear()
    scratch.remove(*private)  # a leftover temporary folder does not fail an audit


def git_binary() -> str:
    """The git of PATH. Raises CloneError where there is none but one in the current folder."""
    found = shutil.which("git")
    if found is None:
        raise CloneError("git is not installed, or not on PATH; it is needed for --repo")
    if not os.path.isabs(found):  # the current folder: Windows looks there first, and it may be hostile
        raise CloneError(f"{found}: a program of the current folder is not run as git")
    return found


def _reason(stderr: bytes, code: int) -> str:
    """The first line that git complained with, printable."""
    text = stderr.decode("utf-8", errors="replace").strip()
    line = next(iter(text.splitlines()), f"exit code {code}")
    return "".join(c if c.isprintable() else "?" for c in line)[:300]
