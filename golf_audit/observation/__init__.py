"""What a run in miniature showed, as plain data and as a file."""

from golf_audit.observation.model import Observation, Outcome, Result, Spans, Tried, Word

__all__ = ["Observation", "Outcome", "Result", "Spans", "Tried", "Word"]
