"""The run of one seed on this machine: the program copied into the run folder, its command, its log."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from golf_audit.dynamic.full.account import Account
from golf_audit.dynamic.full.shown import shown
from golf_audit.dynamic.sandbox import INSIDE, TOOL, Bind, Limits, cuda_nodes
from golf_audit.rerun.environment import Hardware
from golf_audit.rerun.launch import MESSAGES, Ended, Hear, Task, Tick, python, run_task, shell
from golf_audit.rerun.plan import Plan

PACKAGES = "/golf/packages"
HOSTS = Path(__file__).parents[1] / "data" / "sandbox_hosts"
OUTPUT_CAP = 16 << 20
"""Bytes that a run may write to its output; the largest real log is 2.2 MB."""
_RECORDER = "dynamic/child/full/start.py"
_FILES_CAP = 4 << 20
# The run's own log files are printed after its output: some scripts tell more there than on the screen.
_SCRIPT = f"""cp -R "$GOLF_SUBMISSION/." . && {{ [ -e data ] || ln -s "$GOLF_DATA" data; }} &&
    touch .golf-start || exit 97
unset GOLF_SUBMISSION
[ -n "$GOLF_MESSAGES" ] || unset GOLF_DATA
"$@" < /dev/null
status=$?
find . -xdev -type f -newer .golf-start \\( -name '*.log' -o -name '*.txt' \\) -size -8192k |
sort | head -n 8 |
while IFS= read -r file; do printf '\\n'; head -c {_FILES_CAP} "$file"; done
exit $status
"""


@dataclass(frozen=True)
class SeedSpec:
    """One run, in plain values: it may be started by another process, on another machine.

    `command` begins with the script or with `-m torch.distributed.run`; the interpreter is the node's own."""

    seed: int
    command: tuple[str, ...]
    environ: Mapping[str, str]
    limit_s: float
    program: str  # folders
    data: str
    packages: str
    sandbox: bool
    tag: str = ""  # the line that counts
    ranks: int = 0  # of an instrumented run; 0: the timed one

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> SeedSpec:
        """The spec that `to_json` wrote, in a file of ours."""
        raw = json.loads(text)
        return cls(**{**raw, "command": tuple(raw["command"])})


def spec_of(
    plan: Plan, seed: int, program: Path, data: Path, packages: Path | None, *, sandbox: bool
) -> SeedSpec:
    """The run of one seed of a plan."""
    return SeedSpec(
        seed=seed,
        command=plan.command(seed, script=_script(plan, sandbox))[1:],
        environ=plan.environ(seed),
        limit_s=plan.limit_s,
        program=str(program.resolve()),
        data=str(data.resolve()),
        packages=str(packages.resolve()) if packages is not None else "",
        sandbox=sandbox,
        tag=plan.tag,
        ranks=plan.processes if plan.instrument else 0,
    )


def _script(plan: Plan, sandbox: bool) -> tuple[str, ...]:
    """The script, or the recorder that runs it as it is."""
    if not plan.instrument:
        return (plan.script,)
    tool = TOOL if sandbox else str(Path(__file__).resolve().parents[1])
    return (f"{tool}/{_RECORDER}", plan.script)


def run_seed(
    spec: SeedSpec, machine: Hardware, log: Path, tick: Tick | None = None
) -> tuple[Ended, dict[str, Any] | None]:
    """Run one seed; its output is in `log` afterwards, whatever happened. Of an instrumented run that came to
    its end also what it shows of the positions behind the claimed number."""
    if not spec.ranks:
        return _run(spec, machine, log, tick), None
    account = Account(spec.ranks)
    ended = _run(spec, machine, log, tick, account.hear)
    return ended, shown(account, spec.tag, Path(spec.data)) if ended.how == "finished" else None


def _run(spec: SeedSpec, machine: Hardware, log: Path, tick: Tick | None, hear: Hear | None = None) -> Ended:
    binds = [Bind(Path(spec.program), INSIDE.submission), Bind(Path(spec.data), INSIDE.data)]
    binds += [Bind(HOSTS, "/etc/hosts")]  # ranks find each other by the name localhost
    binds += [Bind(Path(spec.packages), PACKAGES)] if spec.packages else []
    environ = {**_base(bool(spec.packages)), **spec.environ}
    environ |= {"GOLF_SUBMISSION": INSIDE.submission, "GOLF_DATA": INSIDE.data}
    if spec.ranks:
        environ |= {"GOLF_MESSAGES": MESSAGES}
    task = Task(
        inside=(shell(), "-c", _SCRIPT, "sh", python(), *spec.command),
        binds=tuple(binds),
        environ=environ,
        seconds=spec.limit_s,
        limits=_limits(machine),
        devices=cuda_nodes() if machine.gpus else (),
        ranks=spec.ranks,
    )
    return run_task(task, log, sandbox=spec.sandbox, tick=tick, hear=hear)


def _base(packages: bool) -> dict[str, str]:
    """What every run finds in its environment."""
    path = f"{Path(python()).parent}:/usr/local/cuda/bin:/usr/local/bin:/usr/bin:/bin"
    found = {
        "PATH": path,
        "HOME": "/tmp",
        "USER": "golf",
        "LOGNAME": "golf",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "NCCL_SOCKET_IFNAME": "lo",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if "CUDA_VISIBLE_DEVICES" in os.environ:  # the GPUs that a scheduler gave us
        found["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
    return {**found, "PYTHONPATH": PACKAGES} if packages else found


def _limits(machine: Hardware) -> Limits:
    """Nearly all of the machine: nothing else runs on it. Memory file systems take only what is used."""
    memory = int(0.9 * machine.memory)
    return Limits(
        memory=memory,
        processes=4096,
        threads=65_536,
        temp=memory // 4,
        shared=memory // 4,
        work=memory // 4,
        output=OUTPUT_CAP,
        files=65_536,
        locked=None if machine.gpus else 8 << 20,  # NVIDIA's containers lift it for pinned memory
    )
