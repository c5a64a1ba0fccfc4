"""The sandbox's command line: the order of mounts, and what opens a way out of it."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from golf_audit.dynamic.sandbox import Descriptors, Limits, command
from golf_audit.dynamic.seccomp import filter_for


def test_an_environment_below_tmp_is_not_hidden_by_the_empty_tmp() -> None:
    line = " ".join(command(["true"], (), {}, Limits(), stage=Path("/stage"), fds=Descriptors(3)))
    assert 0 < line.index("--tmpfs /tmp") < line.index("--ro-bind")


def line_of(devices: tuple[str, ...] = (), *, network: bool = False, limits: Limits | None = None) -> str:
    fds, stage = Descriptors(3), Path("/stage")
    made = command(
        ["true"], (), {}, limits or Limits(), stage=stage, fds=fds, devices=devices, network=network
    )
    return " ".join(made)


def test_an_environment_is_found_by_a_path_that_goes_up(tmp_path: Path) -> None:
    """`../.venv/bin/golf-audit trace`, from a folder that the run does not see."""
    up = os.path.relpath(sys.executable, tmp_path)
    code = "from golf_audit.dynamic.sandbox import require_sandbox; require_sandbox()"
    subprocess.run([f"{tmp_path}/{up}", "-c", code], check=True, cwd=tmp_path, timeout=60)


def test_only_a_run_with_gpus_sees_devices_and_how_they_are_connected() -> None:
    assert "--dev-bind" not in line_of() and " /sys" not in line_of()
    with_gpu = line_of(("/dev/nvidia0", "/dev/nvidiactl"))
    assert "--dev-bind /dev/nvidia0 /dev/nvidia0" in with_gpu and " /sys" in with_gpu
    assert "--dev-bind /sys" not in with_gpu, "to be read"


def test_the_network_is_the_machines_only_where_it_is_asked_for() -> None:
    assert "--unshare-net" in line_of() and "--unshare-net" not in line_of(network=True)
    for name in ("user", "ipc", "pid", "uts"):
        assert f"--unshare-{name}" in line_of(network=True)


def test_no_limit_is_above_the_hard_one_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody but root may raise it: the run would not start."""
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (100, 100))
    line = line_of(limits=Limits(files=65_536))
    assert "--nofile=100" in line and "--nproc=100" in line
    assert "--memlock" not in line_of(limits=Limits(locked=None))


def refused(number: int, *, gpu: bool) -> bool:
    """True when the filter has a line for this system call."""
    code = filter_for("x86_64", gpu=gpu)
    assert code is not None
    return any(value == number for _, _, _, value in struct.iter_unpack("<HBBI", code))


def test_what_a_gpu_changes_in_the_filter() -> None:
    """memfd_create is 319, pidfd_getfd 438, ptrace 101."""
    assert refused(319, gpu=False) and not refused(319, gpu=True)
    assert all(refused(number, gpu=True) for number in (438, 101))
