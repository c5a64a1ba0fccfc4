"""What a page draws beside the rulings: the order of events, scores, bytes, and the code that is cited.

Nothing here judges. The figures travel in the JSON report, so that a page can be made of the report alone.
"""

from golf_audit.figures.draw import drawn
from golf_audit.figures.model import (
    Count,
    Excerpt,
    Figures,
    Gap,
    Moment,
    Pair,
    Picture,
    Probe,
    Run,
    Score,
    Scores,
    Sizes,
)

__all__ = [
    "Count",
    "Excerpt",
    "Figures",
    "Gap",
    "Moment",
    "Pair",
    "Picture",
    "Probe",
    "Run",
    "Score",
    "Scores",
    "Sizes",
    "drawn",
]
