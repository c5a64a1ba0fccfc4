"""Packages of a stranger: installed inside the sandbox from wheels alone, and taken out of it as data.

The sandbox of this step has the machine's network, and nothing of the submission but the names that
golf_audit.rerun.packages let through. No code of a package runs: a wheel is unpacked, a source distribution
would be built. Later steps see the folder read only and have no network. Our own environment stays as it is.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

from golf_audit.dynamic.sandbox import Bind, Limits
from golf_audit.errors import AuditError
from golf_audit.rerun.launch import Task, python, run_task, shell

SECONDS = 1_800.0
SIZE_CAP = 6 << 30
COUNT_CAP = 200_000
_SCRIPT = 'mkdir packages && "$@" >&2 && exec tar -C packages -cf - .'
_FILES = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/pki", "/etc/pip.conf")
_WHEELS = "/golf/wheels"
_PASSED = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def install(missing: Sequence[str], cache: Path, *, sandbox: bool) -> Path | None:
    """A folder with these packages, kept in `cache` under their names; None when there are none to install.

    The index is that of pip's own settings (PIP_INDEX_URL ...). Raises AuditError with pip's last line."""
    if not missing:
        return None
    if importlib.util.find_spec("pip") is None:
        raise AuditError("this environment has no pip, which installing the submission's packages needs")
    name = hashlib.sha256("\0".join(sorted(missing)).encode()).hexdigest()[:16]
    target = cache / f"packages-{name}"
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    archive = cache / f"packages-{name}.{os.getpid()}.tar"
    try:
        _fetch(missing, archive, sandbox)
        _unpack(archive, target)
    finally:
        archive.unlink(missing_ok=True)
    return target


def _fetch(missing: Sequence[str], archive: Path, sandbox: bool) -> None:
    pip = (
        python(),
        "-I",
        "-m",
        "pip",
        "install",
        "--only-binary=:all:",
        "--target",
        "packages",
        "--no-input",
    )
    quiet = ("--no-cache-dir", "--disable-pip-version-check", "--no-compile", "--no-warn-conflicts")
    inside = (shell(), "-c", _SCRIPT, "sh", *pip, *quiet, "--", *missing)
    binds = [Bind(Path(f).resolve(), f) for f in _FILES if Path(f).exists()]
    environ = _environ()
    wheels = environ.get("PIP_FIND_LINKS", "")
    if wheels and Path(wheels).is_dir():  # a folder of the reviewer's own
        binds.append(Bind(Path(wheels).resolve(), _WHEELS))
        environ["PIP_FIND_LINKS"] = _WHEELS
    limits = Limits(memory=8 << 30, temp=SIZE_CAP, work=2 * SIZE_CAP, output=SIZE_CAP)
    task = Task(inside, tuple(binds), environ, SECONDS, limits, network=True, errors_apart=True)
    ended = run_task(task, archive, sandbox=sandbox)
    if ended.how != "finished":
        said = [line for line in ended.errors.strip().splitlines() if line.strip()] or [ended.reason]
        wanted = next((line for line in reversed(said) if "ERROR" in line), said[-1])
        raise AuditError(f"the submission's packages could not be installed: {wanted[:300]}")


def _environ() -> dict[str, str]:
    """pip's own settings and the way to its index; nothing else of ours."""
    passed = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PIP_") or name.upper() in _PASSED
    }
    return {**passed, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"}


def _unpack(archive: Path, target: Path) -> None:
    """Out of the archive, which is hostile: files and folders only, inside the target, of bounded size."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with tarfile.open(archive, "r:") as tar:
            total = count = 0
            for member in tar:
                count, total = count + 1, total + member.size
                if count > COUNT_CAP or total > SIZE_CAP:
                    raise AuditError("the submission's packages are larger than any package is")
                if member.isfile() or member.isdir():
                    tar.extract(member, part, filter="data")
        part.rename(target)
    except tarfile.TarError as error:
        raise AuditError(f"the submission's packages cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
