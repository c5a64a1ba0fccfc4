"""A rule's Example as a Submission, the way a loader would hand it in."""

from __future__ import annotations

import datetime as dt

from golf_audit.audit import decide
from golf_audit.filetree import File, FileTree
from golf_audit.model import Assessment, Example, Head, Rule, Track, Verdict
from golf_audit.submission import Case, Diff, Submission

FOLDERS = {
    Track.RECORD: "records/track_10min_16mb/2026-04-20_Example",
    Track.NON_RECORD: "records/track_non_record_16mb/2026-04-20_Example",
    Track.UNKNOWN: "somewhere/Example",
}


def tree_of(files: dict[str, str]) -> FileTree:
    """The files of an example, encoded as UTF-8."""
    return FileTree(
        {path: File(path, len(text.encode()), text.encode()) for path, text in sorted(files.items())}
    )


def submission_of(example: Example, date: dt.date | None = None, diff: Diff | None = None) -> Submission:
    """The submission that an example describes; its date is the example's."""
    tree = tree_of(dict(example.files))
    head = Head(FOLDERS[example.track], tree.fingerprint)
    return Submission(head, example.track, date or example.as_of, tree, diff)


def case_of(example: Example) -> Case:
    return Case(submission_of(example), example.as_of)


def judge(rule: Rule, example: Example) -> tuple[Verdict, str, Assessment]:
    """What the rule says of the example: the verdict, its reason, and everything behind it."""
    case = case_of(example)
    if case.submission.track not in rule.tracks:
        return Verdict.NOT_APPLICABLE, f"does not bind the {example.track.value} track", Assessment()
    assessment = rule.check(case)
    verdict, reason = decide(rule, assessment, example.as_of)
    return verdict, reason, assessment
