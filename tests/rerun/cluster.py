"""A real Slurm on loopback: munged, slurmctld and slurmd with a configuration of their own, ended afterwards.

Nothing of an installed cluster is touched: keys, sockets, state and logs lie in one temporary folder, and
SLURM_CONF points there. The node declares eight GPUs without devices.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel")
_CONF = """ClusterName=golf
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={at}/munge.socket
CredType=cred/munge
StateSaveLocation={at}/state
SlurmdSpoolDir={at}/spool
SlurmctldPidFile={at}/slurmctld.pid
SlurmdPidFile={at}/slurmd.pid
SlurmctldLogFile={at}/slurmctld.log
SlurmdLogFile={at}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
GresTypes=gpu
MinJobAge=600
KillWait=3
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} Gres=gpu:8 State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
"""


@dataclass(frozen=True)
class Cluster:
    """A running cluster; `environ` is what its clients need."""

    at: Path
    environ: dict[str, str]

    def ask(self, *command: str) -> str:
        """What a Slurm client prints."""
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, check=True)
        return done.stdout


def missing() -> list[str]:
    """Programs of Debian's slurm-wlm and munge that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


@contextlib.contextmanager
def cluster(at: Path) -> Iterator[Cluster]:
    """Start it below `at`, wait until the node takes jobs, and end every process of it."""
    at.chmod(0o755)
    host = socket.gethostname().split(".")[0]
    for name in ("state", "spool"):
        (at / name).mkdir()
    key = at / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    conf = at / "slurm.conf"
    ports = {"controller": _free_port(), "node": _free_port()}
    conf.write_text(_CONF.format(host=host, at=at, cpus=os.cpu_count(), **ports))
    for number in range(8):  # slurmd wants a file for each; these stand for no device
        (at / f"gpu{number}").touch()
    (at / "gres.conf").write_text(f"NodeName={host} Name=gpu File={at}/gpu[0-7]\n")
    environ = {**{k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}}
    environ |= {"SLURM_CONF": str(conf)}
    munge = [f"--{n}-file={at}/munge.{n}" for n in ("key", "pid", "log", "seed")]
    daemons = (
        ["munged", "--foreground", "--force", f"--socket={at}/munge.socket", *munge],
        ["slurmctld", "-D", "-c", "-f", str(conf)],
        ["slurmd", "-D", "-c", "-f", str(conf), "-N", host],
    )
    running: list[subprocess.Popen[bytes]] = []
    try:
        for line in daemons:
            with (at / f"{line[0]}.out").open("wb") as out:
                running.append(subprocess.Popen(line, env=environ, stdout=out, stderr=out))
            time.sleep(1.0)
        found = Cluster(at, environ)
        _wait(found, running)
        yield found
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(["scancel", "-u", "root"], env=environ, capture_output=True, check=False)
        for process in reversed(running):
            process.terminate()
        for process in running:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=20)


def _wait(found: Cluster, running: list[subprocess.Popen[bytes]]) -> None:
    """Until the node is idle; what the daemons wrote is in the error otherwise."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and all(process.poll() is None for process in running):
        done = subprocess.run(
            ["sinfo", "-h", "-o", "%T"], env=found.environ, capture_output=True, text=True, check=False
        )
        if done.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    told = "\n".join(
        f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in found.at.glob("*.out")
    )
    raise RuntimeError(f"the cluster did not come up:\n{told}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
