"""Every format of `golf-audit check` by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from golf_audit.model import Report
from golf_audit.report import github, jsonreport, markdown, page, sarif, text

DRAWN = ("json", "html")
"""Those that hold what a page draws: a page can be made of an old JSON report."""


def render(reports: Sequence[Report], form: str, *, require_run: bool, **words: Any) -> str:
    """The reports in a format; `words` (verbose, color ...) are for people at a terminal."""
    if form == "text":
        return text.render(reports, require_run=require_run, **words)
    renderers: dict[str, Callable[..., str]] = {
        "json": jsonreport.render,
        "markdown": markdown.render,
        "sarif": sarif.render,
        "github": github.render,
        "html": page.render,
    }
    return renderers[form](reports, require_run=require_run)
