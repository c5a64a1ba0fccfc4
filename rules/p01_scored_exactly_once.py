"""The reported number scores each validation token exactly once.

Law    One left-to-right pass; rescoring with a filled cache or adapted weights was ruled out
       (organiser on #846 and others, 2026-03-27, in #677; #991).
Look   Count the scores of each position behind the reported number. Missing less than one
       evaluation sequence per rank at the end, or repeats inside the last window (#549 family), is
       noted in windows.
Blind  Diagnostic evaluations before the reported one are normal and do not count.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="P01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
