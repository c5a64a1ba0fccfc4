"""Compile warm-up leaves no state behind from validation tokens.

Law    Disputed: a record with warm-up on validation tokens and restored state was merged (#1530), a
       successor changed it (#1536).
Look   Optimiser steps on validation tokens before the evaluation timer, and whether their state
       reaches the report. Random tokens pass; a parameter that keeps the change is T01's.
Blind  Kernel autotuning caches.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="V05",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
