"""No choice among scores, temperatures, passes or orders by validation outcome.

Law    A choice made after seeing the validation outcome is not a prediction: organiser on #659 and
       #573.
Look   Find minima over stored scores, `if new < old`, best epochs, grids whose winner is reported,
       orders computed from losses.
Blind  Choices made by hand between runs; tuning constants on validation outcomes (K45) is not
       checked.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="P02",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
