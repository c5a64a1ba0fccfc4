"""The scored probability belongs to a full normalised distribution.

Law    Hashed caches that mix only the realised token's probability were ruled out (organiser on
       #779 and #982, 2026-03-27); byte mixtures by PPM-D on the record track likewise (organiser on
       #2103, 2026-05-02).
Look   The reported score must come from a softmax over the whole vocabulary, or from a mixture that
       is renormalised. Softcaps, one temperature for all, and closed-form renormalised tilts pass.
       Mixtures normalised over bytes, exact full-vocabulary causal caches and Dirichlet caches need
       a ruling.
Blind  Whether native code normalises is seen by a run only.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="Q01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
