"""The validation stream is scored in its official order.

Law    Practice: documents sorted by length with per-document reset were accepted (#77), with shared
       state merged and contested (#1610, #1626, #1736, #1855).
Look   Order of the scored documents, and whether state is shared between them. An order computed
       from losses or targets is P02's.
Blind  Queues shared between processes: the order is decided at run time.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="V06",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
