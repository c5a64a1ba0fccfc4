"""What a ledger says of one submission: its runs, where they took place, and how they compare with the claim.

view         entries as typed runs; which of them are runs of this program in this configuration
place        hardware and data of a run, and whether they are the rule's
comparison   the claim against the finished runs
instrumented the positions behind the claimed number, as an instrumented run shows them
"""

from golf_audit.reruns.comparison import Reproduction, reproduction
from golf_audit.reruns.instrumented import Positions, instrumented
from golf_audit.reruns.place import Place, logs_measured, measured, on_the_split, place_of
from golf_audit.reruns.view import (
    Rerun,
    Reruns,
    claimed_tag,
    logged_runs,
    program_files,
    program_fingerprint,
    reruns_of,
)

__all__ = [
    "Place",
    "Positions",
    "Reproduction",
    "Rerun",
    "Reruns",
    "claimed_tag",
    "instrumented",
    "logged_runs",
    "logs_measured",
    "measured",
    "on_the_split",
    "place_of",
    "program_files",
    "program_fingerprint",
    "reproduction",
    "reruns_of",
]
