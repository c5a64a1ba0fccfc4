"""Many pull requests of one clone: audited in parallel, resumable, with a summary of what was found."""

from golf_audit.sweep.run import Target, sweep

__all__ = ["Target", "sweep"]
