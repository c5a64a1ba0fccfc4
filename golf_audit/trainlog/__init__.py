"""Training and evaluation logs as typed readings, two dialects and their many relatives.

`read_logs(tree)` gives one Log per file and in it one Run per run of a program."""

from golf_audit.trainlog.dump import source_digest
from golf_audit.trainlog.model import (
    Dump,
    EvalTime,
    Final,
    Log,
    PhaseTime,
    Reading,
    Run,
    Scored,
    Size,
    Steps,
    Stop,
)
from golf_audit.trainlog.read import read_log, read_logs, results_of, seed_from_name

__all__ = [
    "Dump",
    "EvalTime",
    "Final",
    "Log",
    "PhaseTime",
    "Reading",
    "Run",
    "Scored",
    "Size",
    "Steps",
    "Stop",
    "read_log",
    "read_logs",
    "results_of",
    "seed_from_name",
    "source_digest",
]
