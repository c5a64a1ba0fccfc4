"""A token's reported score is its first pass, not a later adaptation epoch.

Law    The score of a token is taken before the model learned from it (README, restrictions on
       evaluation); organiser on #568, 2026-03-24.
Look   Inside a loop of epochs over the same tokens, the score that reaches the reported sum must
       come from the pass before the first step on them. T01 then passes with a note that points
       here.
Blind  Epochs that are unrolled by hand look like separate passes; P01 or T01 then speaks.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="T02",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
