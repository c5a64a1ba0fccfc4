"""No validation tokens in the training loader or in the folder's own bytes.

Law    No access to validation data during training; the paid prefix is named and banned (README,
       restrictions on evaluation, since 2026-03-20).
Look   Which files feed the training loop, and what embedded payloads hold. Adaptation by the
       validation stream before quantisation is T01's.
Blind  Data on disk: whether a shard called train holds validation documents is V04's.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="V01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
