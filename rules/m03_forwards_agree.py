"""With adapters at zero, training forward and test-time forward agree.

Law    No law: a sanity check that saved submissions from themselves (pitfalls of #2143 and #1787).
Look   The run compares the first document's losses in the adapted evaluation, before anything adapts, with
       those of the plain evaluation that is printed before it.
Blind  Scripts that print no plain evaluation of the same weights, and whatever the first document does not
       show.
"""

from golf_audit.awaiting import awaits
from golf_audit.joining import adapts, joined
from golf_audit.law import FORWARDS
from golf_audit.model import Assessment, Awaits, Rule, Severity
from golf_audit.submission import Case


def check(case: Case) -> Assessment:
    if case.observation is not None and case.observation.ending == "ok" and not adapts(case.observation):
        return Assessment(not_applicable="nothing adapts on validation tokens in the run in miniature")
    return joined(case, "M03", awaits(Awaits.TRACE)(case), FORWARDS)


RULE = Rule(
    id="M03",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="X",
    check=check,
)
