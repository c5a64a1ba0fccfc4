"""No network during training or evaluation; system dependencies are declared.

Law    No external downloads or network calls during evaluation (README, restrictions on evaluation,
       since 2026-03-18).
Look   Downloads and sockets reachable after training starts. A documented install (lrzip) passes;
       fetching a kernel from a hub needs a ruling.
Blind  Libraries that call home by themselves.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="N01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
