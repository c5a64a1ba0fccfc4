"""The reported number is computed from scores.

Law    The claim is the bits per byte of the validation split (README, how scoring works).
Look   Trace the printed number back through accumulators to the losses that feed it. A number that
       no score feeds fails when shown.
Blind  Numbers that leave the process and come back (files, subprocesses) are followed only as far
       as they can be read.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="P03",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
