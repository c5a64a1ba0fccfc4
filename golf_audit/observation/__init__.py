"""What a run in miniature showed, as plain data and as a file."""

from golf_audit.observation.document import BadTrace, from_json, read, to_json
from golf_audit.observation.model import (
    WHILE_TRAINING,
    Curve,
    Observation,
    Outcome,
    Result,
    Spans,
    Tried,
    Word,
    count,
)

__all__ = [
    "WHILE_TRAINING",
    "BadTrace",
    "Curve",
    "Observation",
    "Outcome",
    "Result",
    "Spans",
    "Tried",
    "Word",
    "count",
    "from_json",
    "read",
    "to_json",
]
