"""Attacks on the sandbox, each made as root and as an ordinary user; nothing of them may be left afterwards.

Without bubblewrap these tests fail and say how to install it: a sandbox that was not tested is none.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from golf_audit.dynamic.sandbox import require_sandbox

DRIVER = Path(__file__).with_name("driver.py")
ORDINARY = 54321
PRELUDE = """
import os, sys, socket, subprocess, time
sys.path.insert(0, "/golf/tool")
from golf_audit.dynamic.job import Job
from golf_audit.dynamic.messages import End, Print, Start
from golf_audit.dynamic.wire import Sender
job = Job.from_json(open(sys.argv[1]).read())
sender = Sender(job.message_fd)
sender.send(Start(python="3", torch="none", targets=0))
def say(text):
    sender.send(Print(text=str(text)))
def outcome(name, attempt):
    try:
        say(f"{name}: done {attempt()!r}"[:500])
    except BaseException as error:
        say(f"{name}: {type(error).__name__} {error}"[:500])
say(os.readlink("/proc/self/ns/pid"))
"""
CLOSE = """
sender.send(End(how="ok"))
"""


@dataclass(frozen=True)
class Answer:
    """What the run of an attack came to."""

    ending: str
    reason: str
    said: tuple[str, ...]
    messages: int
    tail: str
    seconds: float
    peak: int
    processes: int

    def of(self, name: str) -> str:
        """What the attempt of that name came to."""
        found = [line.partition(": ")[2] for line in self.said if line.startswith(f"{name}: ")]
        assert len(found) == 1, self
        return found[0]


Attack = Callable[..., Answer]


@pytest.fixture(scope="session", autouse=True)
def _sandbox() -> None:
    if sys.platform != "linux":
        pytest.skip("trace is for Linux: its sandbox is made of Linux namespaces")
    require_sandbox()


@pytest.fixture(params=["root", "ordinary"] if os.geteuid() == 0 else ["ordinary"])
def attack(request: pytest.FixtureRequest, tmp_path: Path) -> Attack:
    """Run code in the sandbox as that user and check that nothing is left of it."""
    open_to_all = tmp_path
    while open_to_all != open_to_all.parent and os.geteuid() == 0:
        if not open_to_all.stat().st_mode & 0o001:
            open_to_all.chmod(open_to_all.stat().st_mode | 0o011)
        open_to_all = open_to_all.parent
    return lambda code, **how: _attack(request.param, tmp_path, code, **how)


def _attack(
    user: str, folder: Path, code: str, *, seconds: float = 20.0, close: bool = True, **limits: int
) -> Answer:
    submission, data, temp = folder / "submission", folder / "data", folder / "temp"
    for made in (submission, data, temp):
        made.mkdir()
        made.chmod(0o755)
    (data / "val.bin").write_bytes(b"tokens")
    text = PRELUDE + textwrap.dedent(code) + (CLOSE if close else "")
    (submission / "attack.py").write_text(text, encoding="utf-8")
    before = _files(folder)
    line = [sys.executable, str(DRIVER), str(submission), str(data), str(seconds), json.dumps(limits), "{}"]
    if user == "ordinary" and os.geteuid() == 0:
        os.chown(temp, ORDINARY, ORDINARY)
        line = _as_ordinary(line)
    environ = {**os.environ, "TMPDIR": str(temp), "SECRET_TOKEN": "swordfish", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        line, capture_output=True, text=True, env=environ, timeout=seconds + 60, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    raw = json.loads(done.stdout)
    answer = Answer(**{**raw, "said": tuple(raw["said"])})
    assert answer.said, f"the attack did not begin: {answer}"
    assert _living(answer.said[0]) == [], "processes of the run are left"
    assert list(temp.iterdir()) == [], "files of the run are left"
    assert _files(folder) == before, "the run changed files outside its folder"
    return answer


def _as_ordinary(line: list[str]) -> list[str]:
    """The same command as another user, who finds Python and this checkout where they are: a folder above
    them that only root may enter is covered, in a mount namespace of its own."""
    needed = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), DRIVER.parents[2]}
    closed = {place: first for place in needed if (first := _closed(place)) is not None}
    script = ["mount -t tmpfs golf-audit /mnt"]
    for number, place in enumerate(closed):
        script += [f"mkdir /mnt/{number}", f"mount --rbind {shlex.quote(str(place))} /mnt/{number}"]
    script += [
        f"mount -t tmpfs -o mode=755 golf-audit {shlex.quote(str(first))}" for first in {*closed.values()}
    ]
    for number, place in enumerate(closed):
        script += [
            f"mkdir -p {shlex.quote(str(place))}",
            f"mount --rbind /mnt/{number} {shlex.quote(str(place))}",
        ]
    drop = ["setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups", *line]
    return [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-ec",
        "\n".join([*script, f"exec {shlex.join(drop)}"]),
    ]


def _closed(place: Path) -> Path | None:
    """The outermost folder above a place that not everybody may enter."""
    return next((p for p in reversed(place.parents) if not p.stat().st_mode & 0o001), None)


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in sorted(folder.rglob("*"))
    }


def _living(namespace: str) -> list[int]:
    """Processes in a PID namespace, those that only wait to be reaped not counted."""
    assert namespace.startswith("pid:["), namespace
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                inside = os.readlink(f"/proc/{entry.name}/ns/pid") == namespace
                state = Path(f"/proc/{entry.name}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if inside and state not in "ZX":
                found.append(int(entry.name))
    return found
