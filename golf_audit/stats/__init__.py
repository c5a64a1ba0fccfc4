"""Significance, reproduction and units, as the organisers compute them. Pure: numbers in, numbers out.

significance   a claim against the record before it: one-sided Welch tests, and the units of a step
difference     rerun against claim: paired, Welch and one-sample differences, intervals, equivalence
reproduction   the decision on a claim from its reruns, and how many seeds it would take
printed        figures that somebody printed, against those that the values give
"""

from golf_audit.stats.difference import LEVEL, Difference, Interval, against_value, paired, unpaired
from golf_audit.stats.printed import Misprint, Printed, misprints
from golf_audit.stats.reproduction import Claimed, Comparison, Outcome, compare
from golf_audit.stats.significance import (
    PRACTICE_P,
    README_NATS,
    README_P,
    Improvement,
    Sample,
    Welch,
    improvement,
    sample,
    welch,
)

__all__ = [
    "LEVEL",
    "PRACTICE_P",
    "README_NATS",
    "README_P",
    "Claimed",
    "Comparison",
    "Difference",
    "Improvement",
    "Interval",
    "Misprint",
    "Outcome",
    "Printed",
    "Sample",
    "Welch",
    "against_value",
    "compare",
    "improvement",
    "misprints",
    "paired",
    "sample",
    "unpaired",
    "welch",
]
