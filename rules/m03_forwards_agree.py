"""With adapters at zero, training forward and test-time forward agree.

Law    No law: a sanity check that saved submissions from themselves (pitfalls of #2143 and #1787).
Look   The run compares both forwards with zero adapters.
Blind  Scripts with a single forward have nothing to compare.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="M03",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="X",
    check=awaits(Awaits.TRACE),
)
