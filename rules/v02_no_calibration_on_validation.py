"""No calibration on validation tokens.

Law    Calibrating the quantiser on validation tokens breaks the order of prediction (organiser on
       #728, 2026-03-28).
Look   Which stream feeds Hessians, clip ranges, temperatures and other statistics. Training data or
       self-generated text passes here; when it runs is A03's.
Blind  Statistics collected by native code.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="V02",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
