"""Stand-ins for what a CPU in a sandbox does not have. Each module replaces one thing and says what it kept.

A module has `install(context)`. Nothing here depends on a submission: a stand-in keeps the documented meaning
of the real thing on one process, or refuses with NotImplementedError, which ends the run with a clear cause.
"""

from __future__ import annotations

from golf_audit.dynamic.child.context import Context
from golf_audit.dynamic.child.shims import (
    attention,
    clock,
    compiling,
    cuda,
    customops,
    devices,
    distributed,
    hub,
    loading,
    parallel,
    precision,
    programs,
    ranks,
    seeds,
    small,
    tritonmodule,
)
from golf_audit.dynamic.child.shims.recurrent import packages as recurrent

ALWAYS = (
    clock,
    programs,
    loading,
    compiling,
    distributed,
    parallel,
    ranks,
    customops,
    attention,
    hub,
    tritonmodule,
    recurrent,
    small,
    seeds,
)
"""Installed on every device."""
ON_CPU = (devices, precision, cuda)
"""What a real GPU makes needless."""


def install(context: Context) -> None:
    """Put every stand-in in place."""
    for module in (*ALWAYS, *(ON_CPU if context.job.device == "cpu" else ())):
        module.install(context)
