"""No training data is read after the artifact is written.

Law    No access to training data during evaluation unless those bits are paid for inside the
       artifact (README, restrictions on evaluation, since 2026-03-18).
Look   Train shards opened after serialisation on the way to the reported number. Tables inside the
       counted bytes pass.
Blind  Training data copied elsewhere under another name before the artifact is written.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="V03",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
