"""With adapters at zero, training forward and test-time forward agree.

Law    No law: a sanity check that saved submissions from themselves (pitfalls of #2143 and #1787).
Look   The run compares both forwards with zero adapters.
Blind  Scripts with a single forward have nothing to compare.
"""

from golf_audit.awaiting import awaits
from golf_audit.joining import joined
from golf_audit.law import FORWARDS
from golf_audit.model import Assessment, Awaits, Rule, Severity
from golf_audit.submission import Case


def check(case: Case) -> Assessment:
    return joined(case, "M03", awaits(Awaits.TRACE)(case), FORWARDS)


RULE = Rule(
    id="M03",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="X",
    check=check,
)
