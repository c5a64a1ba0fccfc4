"""Predictions at t do not depend on tokens after t.

Law    A score is a prediction of the next token from those before it (README, how scoring works;
       condition 1 of #1017).
Look   The run changes later tokens and compares earlier scores. Reading can fail it (non-causal
       flag, un-shifted target), never pass it.
Blind  Dependence below the comparison's tolerance.
"""

from golf_audit.awaiting import awaits
from golf_audit.joining import joined
from golf_audit.law import CAUSAL
from golf_audit.model import Assessment, Awaits, Rule, Severity
from golf_audit.submission import Case

TO_CHANGE = "let a prediction depend on the tokens before it alone: a causal mask, shifted targets"


def check(case: Case) -> Assessment:
    return joined(case, "M01", awaits(Awaits.TRACE)(case), CAUSAL, TO_CHANGE)


RULE = Rule(
    id="M01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="X (T)",
    check=check,
    cites=(CAUSAL,),
)
