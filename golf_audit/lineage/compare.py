"""Child and parent, both audited, held against each other. Pure: nothing is looked up here."""

from __future__ import annotations

from golf_audit.lineage.code import difference, match
from golf_audit.lineage.findings import Sides, gone, kinships
from golf_audit.lineage.model import Comparison, Figure, Parent
from golf_audit.lineage.settings import differences
from golf_audit.model import Head, Report, Where
from golf_audit.outcome import verdict
from golf_audit.submission import Submission


def compare(
    ours: Submission, report: Report, theirs: Submission, parents: Report, how: str, where: Where | None
) -> Comparison:
    """What differs. `how` and `where` say why this one is taken for the parent."""
    code = match(ours, theirs)
    settings = differences(ours.config, theirs.config)
    sides = Sides(ours, theirs, report, parents, code, settings, name_of(theirs.head))
    return Comparison(
        Parent(theirs.head, parents.claim, verdict(parents), how, where),
        kinships(sides),
        gone(sides),
        settings,
        _figures(ours, theirs),
        difference(ours, theirs, code),
    )


def name_of(head: Head) -> str:
    """#1493, or the folder's own name."""
    return f"#{head.pr}" if head.pr is not None else head.folder.rstrip("/").rsplit("/", 1)[-1]


def _figures(ours: Submission, theirs: Submission) -> dict[str, Figure]:
    """Claimed val_bpb, and the artifact's bytes as claimed, else as the supporting logs print them."""
    return {
        "val_bpb": Figure(_bpb(ours), _bpb(theirs)),
        "bytes_total": Figure(_bytes(ours), _bytes(theirs)),
    }


def _bpb(submission: Submission) -> float | None:
    claim = submission.claims.bpb
    return claim.value if claim is not None else submission.support.value


def _bytes(submission: Submission) -> float | None:
    claim = submission.claims.bytes_total
    if claim is not None:
        return claim.value
    logged = [run.total_bytes for run in submission.support.runs if run.total_bytes is not None]
    return max(logged, default=None)
