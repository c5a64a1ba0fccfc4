"""Where does an inherited finding come from? The line of parents is followed as long as each has it from
the next.

Only plain words make a step (base_pr, "built on"): reading every submission that an ancestor credits would
take minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from golf_audit.lineage.code import match
from golf_audit.lineage.compare import name_of
from golf_audit.lineage.findings import Sides, kinships
from golf_audit.lineage.model import Comparison, Kinship, Origin, State
from golf_audit.lineage.settings import differences
from golf_audit.model import Head, Report
from golf_audit.submission import Submission

STEPS_CAP = 5
"""Ancestors beyond the parent that are audited."""

Step = Callable[[Submission], Submission | None]
"""The parent that a submission names; None where it names none that can be read."""


@dataclass(frozen=True)
class _Generation:
    submission: Submission
    report: Report


def origins(
    comparison: Comparison,
    parent: Submission,
    report: Report,
    step: Step,
    judge: Callable[[Submission, Sequence[str]], Report],
) -> tuple[Origin, ...]:
    """One Origin for each rule with an inherited finding. `judge` audits an ancestor by some rules only."""
    open_rules = inherited(comparison.findings)
    found: dict[str, Origin] = {}
    here = _Generation(parent, report)
    through: list[Head] = []
    seen = {parent.head.fingerprint}
    while open_rules:
        elder = step(here.submission) if len(through) < STEPS_CAP else None
        if elder is None or elder.head.fingerprint in seen:
            found |= {rule: _origin(rule, here, through, ends=False) for rule in open_rules}
            break
        seen.add(elder.head.fingerprint)
        above = _Generation(elder, judge(elder, open_rules))
        handed_down = [rule for rule in open_rules if rule in inherited(_between(here, above))]
        found |= {
            rule: _origin(rule, here, through, ends=True) for rule in open_rules if rule not in handed_down
        }
        open_rules = handed_down
        through.append(here.submission.head)
        here = above
    return tuple(found[rule] for rule in sorted(found))


def inherited(findings: Sequence[Kinship]) -> list[str]:
    """The rules that have an inherited finding, each once; not those that merely lack the same."""
    found = (k for k in findings if k.state is State.INHERITED and k.index is not None)
    return list(dict.fromkeys(k.rule for k in found))


def _origin(rule: str, eldest: _Generation, through: Sequence[Head], *, ends: bool) -> Origin:
    return Origin(rule, eldest.submission.head, tuple(through), ends)


def _between(ours: _Generation, theirs: _Generation) -> Sequence[Kinship]:
    mine, other = ours.submission, theirs.submission
    settings = differences(mine.config, other.config)
    sides = Sides(mine, other, ours.report, theirs.report, match(mine, other), settings, name_of(other.head))
    return kinships(sides)
