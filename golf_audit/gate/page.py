"""What the gate writes: annotations and the report for the log, one page for the summary and the comment."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from golf_audit.gate.audit import Judged
from golf_audit.report import changes, github, markdown, text
from golf_audit.report.baseline import Object
from golf_audit.report.escape import markdown as prose
from golf_audit.report.github import Annotation

COMMENT_CAP = 65_536
"""Characters of a comment that GitHub takes."""


def log(judged: Judged, baseline: Sequence[Object], strict: bool, require_run: bool) -> str:
    """Annotations first, then the whole report, folded, where no line of it is taken for a command."""
    notes = [str(Annotation("notice", (), "golf-audit: this pull request", [note])) for note in judged.notes]
    words = {"strict": strict, "require_run": require_run, "open_passes": True}
    told = text.render(judged.reports, color=False, **words)
    stop = secrets.token_hex(16)
    folded = f"::group::golf-audit report\n::stop-commands::{stop}\n{told}::{stop}::\n::endgroup::\n"
    if baseline:
        told = changes.render("github", baseline, judged.reports, **words)
    else:
        told = github.render(judged.reports, require_run=require_run)
    return told + "".join(f"{line}\n" for line in notes) + folded


def page(judged: Judged, baseline: Sequence[Object], strict: bool, require_run: bool) -> str:
    """The comment, which is the step summary too: the report's page, and what else changed."""
    whole = markdown.render(judged.reports, require_run=require_run)
    if baseline:
        words = {"strict": strict, "require_run": require_run, "open_passes": True}
        told = changes.render("markdown", baseline, judged.reports, **words)
        whole += f"\n### Since the baseline\n\n{told}"
    if judged.notes:
        whole += "\nThis pull request\n\n" + "".join(f"- {prose(note)}\n" for note in judged.notes)
    return whole


def refusal(reasons: Sequence[str]) -> str:
    """The annotation for an audit that could not be made."""
    return f"{Annotation('error', (), 'golf-audit: not audited', reasons)}\n"


def page_of_refusal(reasons: Sequence[str]) -> str:
    """The page of an audit that could not be made."""
    told = "".join(f"- {prose(reason)}\n" for reason in reasons)
    return f"{markdown.MARKER}\n## golf-audit: not audited\n\n{told}"
