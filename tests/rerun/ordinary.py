"""A command as an ordinary user, from a test that runs as root.

In a mount namespace of its own: where a folder that the interpreter needs lies below one that only root may
enter, an open one stands in its place, as on a machine where Python is everybody's.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

UID = 12_345
ROOT = Path(__file__).parents[2]


def _closed(path: Path) -> Path | None:
    """The first folder on the way to `path` that only root may enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def _opening(stage: Path) -> list[str]:
    """Shell lines after which the interpreter, its packages and the checkout can be entered."""
    needed = {Path(p).resolve() for p in (sys.prefix, sys.base_prefix, ROOT)}
    shut = {path: folder for path in sorted(needed) if (folder := _closed(path)) is not None}
    lines = []
    for number, path in enumerate(shut):
        (stage / str(number)).mkdir(exist_ok=True)
        lines += [f"mount --bind {shlex.quote(str(path))} {stage / str(number)}"]
    for folder in sorted(set(shut.values())):
        lines += [f"mount -t tmpfs -o mode=755 none {shlex.quote(str(folder))}"]
    for number, path in enumerate(shut):
        at = shlex.quote(str(path))
        lines += [f"mkdir -p {at}", f"mount --bind {stage / str(number)} {at}"]
    return lines


def run(home: Path, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the ordinary user, in its home, which is made theirs."""
    stage = home.with_name(f"{home.name}-stage")
    stage.mkdir(exist_ok=True)
    for path in (home, *home.rglob("*")):
        os.chown(path, UID, UID)
    user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env", "-i"]
    own = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ}
    named = [f"{name}={value}" for name, value in own.items()]
    script = "\n".join([*_opening(stage), f"exec {shlex.join([*user, *named, *command])}"])
    line = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script]
    return subprocess.run(line, cwd=home, capture_output=True, text=True, timeout=580, check=False)
