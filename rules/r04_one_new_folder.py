"""The pull request only adds one new folder.

Law    A pull request that only adds a new folder to the appropriate records subfolder (README). The
       accepted ones are not all like that, so this is advice.
Look   The paths of the pull request against its base: everything that is not an addition inside the
       folder under audit. Other submission folders of the same pull request are named.
Blind  What a rebase or a squash has hidden.
"""

from __future__ import annotations

from golf_audit import specimen
from golf_audit.law import ONE_FOLDER
from golf_audit.model import (
    Assessment,
    Certainty,
    Evidence,
    Example,
    Finding,
    Kind,
    Precedent,
    Rule,
    Severity,
    Verdict,
)
from golf_audit.submission import Case, Change

_WORDS = {"A": "adds", "M": "modifies", "D": "deletes"}
_LISTED = 20


def check(case: Case) -> Assessment:
    diff = case.submission.diff
    if diff is None:
        return Assessment(not_applicable="no diff given: audit a pull request with --repo and --pr")
    inside = case.submission.head.folder.rstrip("/") + "/"
    stray = [change for change in diff.changes if change.status != "A" or not change.path.startswith(inside)]
    if not stray:
        basis = Evidence(Kind.GIT, f"{len(diff.changes)} files added in {inside[:-1]}, nothing else touched")
        return Assessment(basis=(basis,))
    others = [folder for folder in diff.folders if folder.rstrip("/") + "/" != inside]
    also = f"; other submission folders: {', '.join(others)}" if others else ""
    finding = Finding(
        f"{len(stray)} change{'s' * (len(stray) != 1)} besides new files in the folder{also}",
        Certainty.SHOWN,
        ONE_FOLDER,
        tuple(_evidence(change) for change in stray[:_LISTED]),
        "leave only the new folder in the pull request",
    )
    return Assessment((finding,))


def _evidence(change: Change) -> Evidence:
    return Evidence(Kind.GIT, f"{_WORDS.get(change.status[:1], change.status)} {change.path}")


RULE = Rule(
    id="R04",
    doc=__doc__,
    severity=Severity.ADVISORY,
    evidence="G",
    check=check,
    cites=(ONE_FOLDER,),
    precedents=(Precedent(1143, "closed", "a second stray folder"),),
    examples=(
        Example(
            "A plain folder has no diff to look at.",
            specimen.folder(specimen.log()),
            Verdict.NOT_APPLICABLE,
            "no diff given",
        ),
    ),
)
