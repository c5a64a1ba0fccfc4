"""A violation that is shown of every result which the claim can be is shown of the claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from golf_audit.model import Assessment, Certainty, Evidence, Finding, Kind
from golf_audit.submission import Case

Check = Callable[[Case], Assessment]


def whichever(check: Check) -> Check:
    """The check of a rule, asked again of each result that an untied claim can be."""

    @wraps(check)
    def asked(case: Case) -> Assessment:
        read = check(case)
        results = case.timeline.standing
        if not results or not read.findings or any(_sure(f, case) for f in read.findings):
            return read
        answers = [_shown(check(replace(case, supposed=timeline))) for timeline in results]
        if not all(answers):
            return read
        weakest = min(answers, key=lambda found: any(_sure(f, case) for f in found))
        told = tuple(replace(f, evidence=(*f.evidence, _why(case))) for f in weakest)
        return replace(read, findings=told)

    return asked


def _shown(read: Assessment) -> tuple[Finding, ...]:
    return tuple(f for f in read.findings if f.certainty is Certainty.SHOWN)


def _sure(finding: Finding, case: Case) -> bool:
    return finding.certainty is Certainty.SHOWN and finding.law.settles(case.as_of)


def _why(case: Case) -> Evidence:
    """Why it does not matter which result is claimed."""
    tags = dict.fromkeys(t.reported.tag.strip() for t in case.timeline.standing if t.reported is not None)
    results = ", ".join(f'"{tag}"' for tag in tags)
    says = (
        "no print writes the claimed line; every other result of the program stands in the logs above the "
        f"claim, so that only {results} can be claimed"
    )
    return Evidence(Kind.COMPUTED, says)


__all__ = ["whichever"]
