"""No optimisation on the region being scored by tensors made per batch and thrown away.

Law    Unwritten: SLOT, context-only SLOT and online logit bias were discussed (#1336, #1240) and
       never ruled; no such record was merged. Needs a ruling at most.
Look   Tensors created inside the scoring loop, optimised on its tokens and discarded. The finding
       says whether other positions' scores change when a target is flipped.
Blind  Masks that separate context from scored positions are compared by the run only.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="Q03",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
