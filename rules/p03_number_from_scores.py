"""The reported number is computed from scores.

Law    The claim is the bits per byte of the validation split (README, how scoring works).
Look   Trace the printed number back through accumulators to the losses that feed it. A number that
       no score feeds fails when shown.
Blind  Numbers that leave the process and come back (files, subprocesses) are followed only as far
       as they can be read.
"""

from golf_audit.joining import joined
from golf_audit.law import COMPUTED
from golf_audit.model import Assessment, Certainty, Evidence, Example, Finding, Kind, Rule, Severity, Verdict
from golf_audit.static.asking import basis, premises
from golf_audit.static.example import files
from golf_audit.submission import Case


def check(case: Case) -> Assessment:
    report = case.timeline.reported
    findings: tuple[Finding, ...] = ()
    if report is not None and report.constant:
        evidence = Evidence(Kind.SOURCE, "the claimed number stands in the code", report.where)
        findings = (
            Finding(
                "the claimed number is printed as a constant: no score feeds it",
                Certainty.SHOWN,
                COMPUTED,
                (evidence,),
                "print what the evaluation computes",
            ),
        )
    return joined(case, "P03", Assessment(findings, premises(case), (), basis(case)), COMPUTED)


RULE = Rule(
    id="P03",
    doc=__doc__,
    severity=Severity.DISQUALIFYING,
    evidence="T X",
    check=check,
    cites=(COMPUTED,),
    examples=(
        Example("The evaluation's number is printed.", files(), Verdict.PASS, "scored here"),
        Example(
            "The number stands in the code.",
            files(
                "",
                **{"{loss:.8f}": "2.79000631", "{bpb:.8f}": "1.08010000", "{spent:.0f}": "412000"},
            ),
            Verdict.FAIL,
            "constant",
        ),
        Example(
            "The number is a variable that holds a constant.",
            files(**{"bpb = loss / 2.58310": "loss, bpb = 2.79000631, 1.08010000"}),
            Verdict.FAIL,
            "constant",
        ),
    ),
)
