"""Where a submission runs: an empty house without a door (DESIGN section 9), built by bubblewrap.

No network, no capabilities, no further namespaces, a new session, a cleared environment, closed descriptors.
There is /usr, the Python environment, this package and the submission, all read only; temp, /dev/shm and the
run folder are memory of a fixed size. As root the run first becomes an unprivileged user, because a limit on
processes does not bind root; root alone can reach a Python environment below /root, so its folders are
mounted where that user finds them, in a mount namespace that ends with the run.
"""

from __future__ import annotations

import functools
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from golf_audit.dynamic.contract import Places
from golf_audit.dynamic.seccomp import filter_for
from golf_audit.errors import InternalError
from golf_audit.scratch import scratch

INSIDE = Places("/golf/submission", "/golf/data", "/golf/run")
TOOL = "/golf/tool/golf_audit"
JOB = "/golf/job.json"
NOBODY = 65534
UID = 1000  # who the submission believes to be
OLDEST = (0, 8)
"""bubblewrap 0.8 can end the making of user namespaces inside."""
PYTHON = os.path.abspath(sys.executable)
"""The interpreter of every run, as found inside: there `../.venv/bin/python` has no folder to go up from."""
UNSAFE = "--unsafe-no-sandbox runs the submission with all your rights instead"


class SandboxUnavailable(InternalError):
    """No sandbox can be built here; the message holds the fix."""


@dataclass(frozen=True)
class Limits:
    """What a run may take. Memory is the resident memory of all its processes together."""

    memory: int = 4 << 30
    processes: int = 128
    threads: int = 1024
    temp: int = 512 << 20
    shared: int = 256 << 20
    work: int = 1 << 30
    output: int = 64 << 20  # bytes written to stdout and stderr together
    patience: float = 4.0  # seconds of wall clock for a second of CPU time that the job allows
    files: int = 1024  # open in one process
    locked: int | None = 8 << 20  # bytes kept from being swapped; None: as this process may


@dataclass(frozen=True)
class Bind:
    """A folder or file of the host that the run sees read only, at `inside`."""

    host: Path
    inside: str


@dataclass(frozen=True)
class Descriptors:
    """What bubblewrap inherits: the filter's text, where it reports the process it starts, the job's text."""

    filter: int
    status: int | None = None
    job: int | None = None


USUAL = {"/workspace/parameter-golf": INSIDE.work, "/workspace/data": f"{INSIDE.work}/data"}
"""Absolute places that scripts name, since they were written on rented machines laid out like this."""


def text_file(data: bytes) -> int:
    """A descriptor from which these bytes can be read; the caller closes it."""
    descriptor = os.memfd_create("golf-audit")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(data)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def stage_parent() -> str | None:
    """A folder for `stage` that the user a run becomes can enter; None: the usual one for temporary files."""
    if os.geteuid() != 0:
        return None
    for name in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/run"):
        place = Path(name).resolve()
        if place.is_dir() and all(p.stat().st_mode & 0o001 for p in (place, *place.parents)):
            return name
    raise SandboxUnavailable("no folder for temporary files that every user may enter; set TMPDIR to one")


def require_sandbox() -> None:
    """Raises SandboxUnavailable with the fix unless a program really runs in the sandbox here."""
    problem = _problem()
    if problem:
        raise SandboxUnavailable(f"{problem}\n({UNSAFE}; it is refused when CI=true)")


def command(
    inside: Sequence[str],
    binds: Sequence[Bind],
    environ: Mapping[str, str],
    limits: Limits,
    *,
    stage: Path,
    fds: Descriptors,
    devices: Sequence[str] = (),
    network: bool = False,
) -> list[str]:
    """The whole command line. `stage` is an empty folder of ours, open to all, for root's mounts. With
    `devices` also /sys, from which NCCL reads how GPUs are connected; `network`: the machine's own."""
    needed = [*_system(), *binds, *([Bind(Path("/sys"), "/sys")] if devices else [])]
    ways = _ways(devices, network=network)
    if os.geteuid() != 0:
        return _bubblewrap(inside, needed, environ, limits, fds, ways)
    staged = [Bind(stage / str(i), bind.inside) for i, bind in enumerate(needed)]
    inner = _bubblewrap(inside, staged, environ, limits, fds, ways)
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *inner]
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", _staging(needed, stage, drop)]


def _staging(needed: Sequence[Bind], stage: Path, then: Sequence[str]) -> str:
    """The script that mounts what is needed below `stage` and goes on as somebody else."""
    lines = [f"mount -t tmpfs -o mode=711,size=1m golf-audit {shlex.quote(str(stage))}"]
    for index, bind in enumerate(needed):
        target = shlex.quote(str(stage / str(index)))
        make = "mkdir" if bind.host.is_dir() else "touch"
        lines += [f"{make} {target}", f"mount --rbind {shlex.quote(str(bind.host))} {target}"]
    return "\n".join([*lines, f"exec {shlex.join(then)}"])


@dataclass(frozen=True)
class _Ways:
    """Options that open a way out: namespaces that are the run's own, and devices of the machine."""

    namespaces: tuple[str, ...]
    devices: tuple[str, ...]


def _ways(devices: Sequence[str], *, network: bool) -> _Ways:
    own = ("user", "ipc", "pid", *(() if network else ("net",)), "uts", "cgroup-try")
    nodes = tuple(part for device in devices for part in ("--dev-bind", device, device))
    return _Ways(tuple(f"--unshare-{name}" for name in own), nodes)


def _bubblewrap(
    inside: Sequence[str],
    binds: Sequence[Bind],
    environ: Mapping[str, str],
    limits: Limits,
    fds: Descriptors,
    ways: _Ways,
) -> list[str]:
    line = ["bwrap", *ways.namespaces, "--disable-userns", "--assert-userns-disabled", "--die-with-parent"]
    line += ["--new-session", "--cap-drop", "ALL", "--clearenv", "--hostname", "golf"]
    line += ["--uid", str(UID), "--gid", str(UID), "--seccomp", str(fds.filter)]
    if fds.status is not None:
        line += ["--json-status-fd", str(fds.status)]
    line += ["--size", str(limits.temp), "--tmpfs", "/tmp"]  # first: an environment may lie below it
    for bind in binds:
        line += ["--ro-bind", str(bind.host), bind.inside]
    for link in _links():
        line += ["--symlink", os.readlink(link), str(link)]
    for name, target in USUAL.items():
        line += ["--symlink", target, name]
    line += ["--proc", "/proc", "--dev", "/dev"]
    line += ways.devices
    for size, place in ((limits.shared, "/dev/shm"), (limits.work, INSIDE.work)):
        line += ["--size", str(size), "--tmpfs", place]
    if fds.job is not None:
        line += ["--ro-bind-data", str(fds.job), JOB]
    line += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", INSIDE.work]
    for name, value in sorted(environ.items()):
        line += ["--setenv", name, value]
    return [*line, "prlimit", *_resource_limits(limits), *inside]


def _resource_limits(limits: Limits) -> list[str]:
    """Per process, inside the namespace: the second fence behind the watch. Nobody but root may ask for more
    than its own hard limit."""
    locked = [] if limits.locked is None else [f"--memlock={_most(resource.RLIMIT_MEMLOCK, limits.locked)}"]
    return [
        f"--nproc={_most(resource.RLIMIT_NPROC, limits.threads)}",
        f"--fsize={_most(resource.RLIMIT_FSIZE, limits.work)}",
        f"--nofile={_most(resource.RLIMIT_NOFILE, limits.files)}",
        "--core=0",
        *locked,
        "--msgqueue=65536",
        "--",
    ]


def _most(kind: int, wanted: int) -> int:
    """A limit, or this process's hard one where that is lower."""
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def _system() -> list[Bind]:
    """What every program needs: libraries, the Python environment, this package."""
    places = [Path("/usr"), *(p for p in _roots() if p.is_dir() and not p.is_symlink())]
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix):
        place = Path(os.path.abspath(prefix))
        if not any(place == p or p in place.parents for p in places):
            places.append(place)
    files = [p for p in (Path("/etc/ld.so.cache"), Path("/etc/alternatives")) if p.exists()]
    binds = [Bind(p, str(p)) for p in (*places, *files)]
    return [*binds, Bind(Path(__file__).resolve().parents[1], TOOL)]


def _roots() -> list[Path]:
    return [Path(p) for p in ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")]


def _links() -> list[Path]:
    return [p for p in _roots() if p.is_symlink()]


@functools.cache
def _problem() -> str:
    """Why no sandbox can be built, with the fix; empty when a trial run works."""
    if sys.platform != "linux":
        return "trace needs Linux: its sandbox is made of Linux namespaces"
    missing = [p for p in ("bwrap", "prlimit", "setpriv", "unshare", "mount") if shutil.which(p) is None]
    if "bwrap" in missing:
        return "bubblewrap is missing: apt-get install bubblewrap (Debian, Ubuntu), dnf install bubblewrap"
    if missing:
        return f"{', '.join(missing)} missing: apt-get install util-linux"
    version = _version()
    if version < OLDEST:
        return f"bubblewrap {'.'.join(map(str, version))} is too old: 0.8 or newer is needed"
    if filter_for() is None:
        return "the sandbox is known for x86_64 and aarch64 processors only"
    return _trial()


def _version() -> tuple[int, ...]:
    said = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(n) for n in re.findall(r"\d+", said)[:2])


def _trial() -> str:
    """Run the Python of this environment inside; what it says when it cannot, with the fix."""
    filter_fd = text_file(filter_for() or b"")
    try:
        with scratch("trial", stage_parent()) as stage:
            stage.chmod(0o711)
            say = [PYTHON, "-I", "-c", "print('ready')"]
            paths = {"PATH": "/usr/bin:/bin"}
            line = command(say, (), paths, Limits(), stage=stage, fds=Descriptors(filter_fd))
            done = subprocess.run(
                line,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=60,
                pass_fds=(filter_fd,),
            )
    finally:
        os.close(filter_fd)
    if done.stdout.strip() == "ready":
        return ""
    said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1][:200]
    return f"the sandbox does not start: {said}\n{_fix(said)}"


def _fix(said: str) -> str:
    """What to do about it, by what stands in the way."""
    restricted = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    if restricted.is_file() and restricted.read_text().strip() == "1":
        return (
            "AppArmor denies user namespaces here. Give bwrap a profile that allows them:\n"
            "  printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile bwrap /usr/bin/bwrap "
            "flags=(unconfined) {\\n  userns,\\n}\\n' | sudo tee /etc/apparmor.d/bwrap\n"
            "  sudo apparmor_parser -r /etc/apparmor.d/bwrap"
        )
    clone = Path("/proc/sys/kernel/unprivileged_userns_clone")
    if clone.is_file() and clone.read_text().strip() == "0":
        return "User namespaces are off here: sudo sysctl kernel.unprivileged_userns_clone=1"
    most = Path("/proc/sys/user/max_user_namespaces")
    if most.is_file() and most.read_text().strip() == "0":
        return "User namespaces are off here: sudo sysctl user.max_user_namespaces=10000"
    if "execvp" in said or ("Permission denied" in said and os.geteuid() == 0):
        return f"The Python environment must be readable for every user: chmod -R go+rX {sys.prefix}"
    return (
        "In a container, user namespaces must be allowed: docker run --security-opt seccomp=unconfined "
        "--security-opt apparmor=unconfined (and --cap-add SYS_ADMIN when it runs as root)"
    )


_CUDA = ("nvidia[0-9]*", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
"""What CUDA opens. Left out: nvidia-modeset (displays), nvidia-nvswitchctl and nvidia-caps (for managing the
NVLink fabric and MIG), /dev/infiniband (other machines)."""


def cuda_nodes(place: Path = Path("/dev")) -> tuple[str, ...]:
    """The device files that a CUDA program opens, where there are any."""
    return tuple(sorted(str(path) for pattern in _CUDA for path in place.glob(pattern)))


def cuda_devices(place: Path = Path("/dev")) -> tuple[str, ...]:
    """The same. Raises SandboxUnavailable when there are none."""
    found = cuda_nodes(place)
    if not found:
        raise SandboxUnavailable("--device cuda: no /dev/nvidia* here; --device cpu needs none")
    return found
