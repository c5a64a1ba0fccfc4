"""Validation tokens are scored before anything that outlives the scoring call adapts on them.

Law    Test-time training is allowed only on validation tokens that have already been evaluated
       (README, restrictions on evaluation, since 2026-03-20). An organiser applied it to adaptation
       before quantisation as well (#1972, 2026-05-02).
Look   Follow the events behind the reported number: for each score, no parameter, adapter, cache or
       bias that it depends on may have changed as a function of the tokens it scores. Several
       epochs over a chunk that is already scored are legal (#549). Targets that count 0 bytes (the
       next document's BOS) are exempt and noted.
Blind  State that is kept outside the process; native code that the static reading cannot enter.
"""

from golf_audit.awaiting import awaits
from golf_audit.model import Awaits, Rule, Severity

RULE = Rule(
    id="T01",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=awaits(Awaits.NOT_BUILT),
)
