"""No mixing across a document boundary where documents are evaluated as independent.

Law    Organiser's audit note on #1797 (2026-04-26) for the previous-token mix without BOS mask;
       disputed in #1988. Needs a ruling at most, and only after that date.
Look   In per-document evaluation, every forward path must mask the previous-token mix at BOS.
       Dense-stream evaluation (baseline, #549, #1019, #1204) is not bound.
Blind  Mixing inside native kernels.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="M02",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
