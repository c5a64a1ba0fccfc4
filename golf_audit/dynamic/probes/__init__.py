"""The probes: which extra runs each asks for, and what they show. QUICK is part of FULL."""

from golf_audit.dynamic.contract import Probe

QUICK: tuple[Probe, ...] = ()
FULL: tuple[Probe, ...] = ()
