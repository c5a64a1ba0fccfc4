"""Where a run takes place, as our own process sees it before the run: hardware, software, data.

Nothing here asks the submission. torch is not imported: its version stands in its own files.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import struct
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from golf_audit.ledger import GENESIS
from golf_audit.rerun.packages import installed
from golf_audit.reruns.place import is_validation

HEADER_INTS = 256
MAGIC = 20240520
"""First number of a shard of the challenge; the second is its version, the third its count of tokens."""
SHARD_CAP = 2_000
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Hardware:
    """GPUs by one name (several models: joined by "+"), the driver, the processor, memory in bytes."""

    gpu: str = ""
    gpus: int = 0
    driver: str = ""
    cpu: str = ""
    cores: int = 0
    memory: int = 0


@dataclass(frozen=True)
class Shard:
    """One data file. `tokens` is what its header says; None where no such header fits its size."""

    name: str  # relative to the data folder
    bytes: int
    tokens: int | None
    sha256: str


@dataclass(frozen=True)
class Data:
    """The shards that a run finds. `fingerprint` is over their names and contents."""

    shards: tuple[Shard, ...] = ()

    @property
    def fingerprint(self) -> str:
        if not self.shards:
            return GENESIS
        text = "".join(f"{s.name}\0{s.sha256}\0" for s in self.shards)
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def val_tokens(self) -> int:
        """Tokens of the validation shards, the byte sidecar left out."""
        return sum(shard.tokens or 0 for shard in self.shards if is_validation(shard.name.rsplit("/", 1)[-1]))


def hardware() -> Hardware:
    """This machine."""
    names, driver = _gpus()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:  # a scheduler gave us some of them
        names = names[: len([part for part in visible.split(",") if part.strip()])]
    return Hardware(
        gpu=" + ".join(dict.fromkeys(names))[:200],
        gpus=len(names),
        driver=driver[:60],
        cpu=_cpu()[:200],
        cores=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    )


def _gpus() -> tuple[list[str], str]:
    """Names and driver by nvidia-smi; none without it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return [], ""
    query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=False)
    rows = [line.split(",") for line in done.stdout.splitlines() if "," in line]
    if done.returncode != 0 or not rows:
        return [], ""
    return [row[0].strip() for row in rows], rows[0][1].strip()


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.machine()
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else platform.machine()


def software(sandbox: str) -> dict[str, Any]:
    """Python, torch with its CUDA, every package of this environment, and the sandbox."""
    packages = installed()
    torch = packages.get("torch", "")
    return {
        "python": platform.python_version(),
        "torch": torch[:60],
        "cuda": _cuda()[:60],
        "packages": {name: version[:100] for name, version in list(packages.items())[:2000]},
        "sandbox": sandbox[:60],
    }


def packages_in(folder: Path | None) -> dict[str, str]:
    """Packages that were installed into a folder of their own, with their versions."""
    if folder is None:
        return {}
    found = metadata.distributions(path=[str(folder)])
    return {str(d.metadata["Name"])[:100]: d.version[:100] for d in found if d.metadata["Name"]}


def _cuda() -> str:
    """The CUDA that torch was built for, from torch/version.py; empty for a CPU build or without torch."""
    try:
        files = metadata.files("torch") or []
    except metadata.PackageNotFoundError:
        return ""
    version = next((f for f in files if str(f) == "torch/version.py"), None)
    if version is None:
        return ""
    match = re.search(r"^cuda[^=\n]*=\s*'([\d.]+)'", version.read_text(), re.MULTILINE)
    return match[1] if match else ""


def fingerprint(folder: Path, tell: Callable[[str], None] | None = None) -> Data:
    """Every shard below a data folder, read whole: header, tokens, sha256. Links are followed: data sets are
    often linked. `tell` hears the name of each file."""
    found = []
    for path in sorted(folder.rglob("*.bin"))[:SHARD_CAP]:
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            if tell is not None:
                tell(name)
            found.append(_shard(path, name))
    return Data(tuple(found))


def _shard(path: Path, name: str) -> Shard:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        head = file.read(4 * HEADER_INTS)
        digest.update(head)
        size += len(head)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    tokens = None
    if len(head) == 4 * HEADER_INTS:
        magic, _, count = struct.unpack("<3i", head[:12])
        fits = magic == MAGIC and size == 4 * HEADER_INTS + 2 * count
        tokens = count if fits else None
    return Shard(name[:300], size, tokens, digest.hexdigest())


def body(machine: Hardware, programs: Mapping[str, Any], data: Data) -> dict[str, Any]:
    """The ledger's entry of kind "environment"."""
    return {
        "hardware": asdict(machine),
        "software": dict(programs),
        "data": {
            "fingerprint": data.fingerprint,
            "val_tokens": data.val_tokens,
            "shards": [asdict(shard) for shard in data.shards],
        },
    }
