"""The one place where findings become verdicts.

`decide` is pure: a rule, what it had to say, and the date whose law applies. Nothing else judges.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from golf_audit.model import (
    Assessment,
    Certainty,
    Crash,
    Finding,
    Report,
    Rule,
    Ruling,
    Unmet,
    Verdict,
)
from golf_audit.submission import Case


def decide(rule: Rule, assessment: Assessment, as_of: dt.date) -> tuple[Verdict, str]:
    """The verdict on one rule and its reason in a sentence (DESIGN section 4).

    Worst evidence first: shown and settled, shown and disputed, likely, missing, and only then a pass."""
    if assessment.not_applicable:
        return Verdict.NOT_APPLICABLE, assessment.not_applicable
    shown = [f for f in assessment.findings if f.certainty is Certainty.SHOWN or f.proof]
    settled = [f for f in shown if f.law.settles(as_of)]
    if settled:
        return Verdict.FAIL, _summary(settled)
    if shown:
        return Verdict.NEEDS_RULING, _summary(shown)
    likely = [f for f in assessment.findings if f.certainty is Certainty.LIKELY]
    if likely:
        return Verdict.UNDETERMINED, _summary(likely)
    if assessment.unmet:
        return Verdict.UNDETERMINED, _missing(assessment.unmet)
    if not assessment.basis:
        return Verdict.UNDETERMINED, f"{rule.id} named nothing that its pass would rest on"
    return Verdict.PASS, assessment.basis[0].says


def rank(finding: Finding, as_of: dt.date) -> tuple[int, bool]:
    """Sort key: the finding that decides comes first."""
    order = {Certainty.SHOWN: 0, Certainty.LIKELY: 1, Certainty.HINT: 2}
    return (0 if finding.proof else order[finding.certainty], not finding.law.settles(as_of))


def audit(case: Case, rules: Sequence[Rule], *, restricted: bool = False) -> Report:
    """Ask every rule. A rule that raises is reported as a crash (exit code 4) and does not stop the rest."""
    rulings: list[Ruling] = []
    crashes: list[Crash] = []
    for rule in rules:
        try:
            rulings.append(_rule_on(case, rule))
        except Exception as error:  # noqa: BLE001 - a crashed rule is data for the report, never silent
            crashes.append(Crash(rule.id, f"{type(error).__name__}: {error}"))
    submission = case.submission
    return Report(
        head=submission.head,
        track=submission.track,
        as_of=case.as_of,
        claim=submission.support.claim_in_words,
        rulings=tuple(rulings),
        configuration=tuple(submission.config.settings.values()),
        crashes=tuple(crashes),
        restricted_to=tuple(rule.id for rule in rules) if restricted else (),
    )


def _rule_on(case: Case, rule: Rule) -> Ruling:
    if case.submission.track not in rule.tracks:
        assessment = Assessment(not_applicable=f"does not bind the {case.submission.track.value} track")
    else:
        assessment = rule.check(case)
    verdict, reason = decide(rule, assessment, case.as_of)
    ordered = tuple(sorted(assessment.findings, key=lambda f: rank(f, case.as_of)))
    return Ruling(
        rule,
        verdict,
        reason,
        Assessment(ordered, assessment.unmet, assessment.notes, assessment.basis, assessment.not_applicable),
    )


def _summary(findings: Sequence[Finding]) -> str:
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return findings[0].message + more


def _missing(unmet: Sequence[Unmet]) -> str:
    return "; ".join(dict.fromkeys(u.missing for u in unmet))
