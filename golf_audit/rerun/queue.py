"""Slurm as we use it: submitit hands a job over, scontrol tells its state. Nothing is scheduled here."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from golf_audit.errors import AuditError

OVER = frozenset(
    {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", ""}
)
"""States of a job that does not go on; empty: Slurm knows it no more."""


def require_slurm() -> None:
    """Raises AuditError where nothing can be submitted."""
    if shutil.which("sbatch") is None:
        raise AuditError("no sbatch here: --launcher slurm is for a machine that submits to a Slurm cluster")


def submit(task: Callable[[], None], folder: Path, parameters: Mapping[str, Any]) -> str:
    """Submit one job and return its number. `folder` holds submitit's files; every node must see it.

    The task goes to the node by pickle; its result is never asked for by pickle. Raises AuditError."""
    import submitit

    executor = submitit.SlurmExecutor(folder=folder.resolve())
    executor.update_parameters(**parameters)
    try:
        return str(executor.submit(task).job_id)
    except submitit.core.utils.FailedJobError as error:
        raise AuditError(f"sbatch refused the job: {str(error).strip().splitlines()[-1][:300]}") from error


def script(folder: Path, parameters: Mapping[str, Any]) -> str:
    """The script that submitit would hand to sbatch."""
    from submitit.slurm.slurm import _make_sbatch_string

    made: str = _make_sbatch_string(f"python -u -m submitit.core._submit {folder}", folder, **parameters)
    return made


def state(job: str) -> str:
    """Slurm's word on a job: PENDING, RUNNING, COMPLETED ...; empty when it knows the job no more, "unknown"
    when the controller does not answer."""
    done = subprocess.run(
        ["scontrol", "show", "job", "-o", job], capture_output=True, text=True, timeout=120, check=False
    )
    match = re.search(r"\bJobState=(\w+)", done.stdout)
    if match is None:
        return "" if "Invalid job id" in done.stderr else "unknown"
    return match[1]


def cancel(job: str) -> None:
    """End a job."""
    subprocess.run(["scancel", job], capture_output=True, timeout=120, check=False)
