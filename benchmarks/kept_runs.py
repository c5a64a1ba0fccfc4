"""Runs of submissions, kept on disk: a changed attestation, probe, joining or rule needs no new run.

A run is known by its job, by the bytes of its two folders, and by how often the trace has asked for it: a
probe that asks for a run made on another day gets that one, and a control run is never the baseline's copy.
Each file tells which recorder and miniature made it; a run of another recorder is used all the same and
counted in `older`, since making all of them again takes hours, unless it failed. `again` makes a run anew.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tempfile
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from golf_audit.dynamic.contract import Ending, RunResult, Usage
from golf_audit.dynamic.job import Job
from golf_audit.dynamic.messages import Message
from golf_audit.dynamic.run import Hosts, Listener, Way, run
from golf_audit.dynamic.wire import MAX_BYTES, Receiver, Sender

_DYNAMIC = Path(__file__).resolve().parents[1] / "golf_audit" / "dynamic"


_IDLE = ("ranked", "message_fd", "rank_fds")
"""Fields of a job that change nothing in what its run says."""


class NotKept(Exception):
    """The run is not on disk, and no new one may be made."""


@dataclass
class KeptRuns:
    """A runner for trace.Plan. `make`: what is not kept is run; else NotKept is raised."""

    folder: Path
    make: bool = True
    again: bool = False
    older: int = 0  # runs given that another recorder made
    made: int = 0
    usage: list[Usage] = field(default_factory=list)  # of every run given
    engine: str = field(default_factory=lambda: engine())
    _times: dict[str, int] = field(default_factory=dict)

    def begin(self) -> None:
        """Another trace of the same submission: its first run of a kind is again the first."""
        self._times.clear()
        self.usage.clear()

    def __call__(self, job: Job, hosts: Hosts, way: Way, listen: Listener | None = None) -> RunResult:
        key = _key(job, hosts)
        time = self._times[key] = self._times.get(key, 0) + 1  # the control run is the baseline once more
        path = self.folder / f"{key}-{time}.gz"
        kept = _read(path, job) if path.exists() and not self.again else None
        failed = kept is not None and kept[0].ending is not Ending.OK and kept[1] != self.engine
        if kept is not None and not (failed and self.make):
            result, by = kept
            self.older += by != self.engine
        elif not self.make:
            raise NotKept(job.perturbation.name if job.perturbation else "baseline")
        else:
            result = run(job, hosts, way, listen)
            self.made += 1
            _write(path, result, self.engine)
        self.usage.append(result.usage)
        return result


def engine() -> str:
    """What decides what a run says: the recorder and the miniature."""
    digest = hashlib.sha256()
    for part in ("child", "miniature"):
        for path in sorted((_DYNAMIC / part).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _key(job: Job, hosts: Hosts) -> str:
    """What is left at its default is left out: a field that a job gains later changes no key."""
    fallback = {spec.name: _default(spec) for spec in fields(Job)}
    said = {
        name: value for name, value in asdict(job).items() if value != fallback[name] and name not in _IDLE
    }
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for folder in (hosts.submission, hosts.data):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                digest.update(f"\0{path.relative_to(folder)}\0".encode("utf-8", "surrogateescape"))
                digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _default(spec: Field[Any]) -> object:
    return spec.default_factory() if spec.default_factory is not MISSING else spec.default


def _write(path: Path, result: RunResult, by: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {
        "engine": by,
        "ending": result.ending.name,
        "reason": result.reason,
        "tail": result.tail,
        "usage": asdict(result.usage),
    }
    part = path.with_suffix(".part")
    with gzip.open(part, "wb", compresslevel=3) as file:
        file.write(json.dumps(head).encode() + b"\n" + _lines(result.messages))
    os.replace(part, path)


def _lines(messages: tuple[Message, ...]) -> bytes:
    with tempfile.TemporaryFile() as file:
        sender = Sender(file.fileno())
        for message in messages:
            sender.send(replace(message))
        file.seek(0)
        return file.read()


def _read(path: Path, job: Job) -> tuple[RunResult, str]:
    with gzip.open(path, "rb") as file:
        head = json.loads(file.readline())
        lines = file.read(2 * MAX_BYTES)
    receiver = Receiver()
    receiver.feed(lines)
    ending = Ending[head["ending"]]
    usage = Usage(**head["usage"])
    result = RunResult(job, ending, head["reason"], tuple(receiver.messages), head["tail"], usage)
    return result, head["engine"]
