"""Nothing about the target enters key, gate or mixture before it is scored.

Law    The probability of a token is fixed before the token is seen (README, restrictions on
       evaluation; organiser on #779, #659).
Look   Follow the target ids into lookup keys, gates and mixture weights. Gates over the prefix only
       (#1514, #2135) pass.
Blind  Gates computed in native helpers are named, and left to the run.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="Q02",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
