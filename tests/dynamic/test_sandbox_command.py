"""The order of mounts in the sandbox's command line."""

from __future__ import annotations

from pathlib import Path

from golf_audit.dynamic.sandbox import Descriptors, Limits, command


def test_an_environment_below_tmp_is_not_hidden_by_the_empty_tmp() -> None:
    line = " ".join(command(["true"], (), {}, Limits(), stage=Path("/stage"), fds=Descriptors(3)))
    assert 0 < line.index("--tmpfs /tmp") < line.index("--ro-bind")
