"""A rerun reproduces the claim.

Law    Results must be reproducible; what cannot be reproduced can be disqualified (README, FAQ).
Look   Claimed seeds against rerun seeds: Welch and equivalence tests from a ledger of real runs. On
       other hardware or data than the rule's it is a note, never a confirmation.
Blind  Needs eight H100s; nothing is inferred from the logs here.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="S03",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="X",
    check=awaits(Awaits.RERUN),
)
