"""`golf-audit explain`: one ruling in full."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from golf_audit.commands.options import (
    NOTHING,
    Source,
    from_clone,
    judged_as_of,
    read_book,
    with_ledger,
    write,
)


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[FOLDER] RULE")
@from_clone
@judged_as_of
@with_ledger
def explain(
    words: tuple[str, ...],
    source: Source,
    as_of: dt.date | None,
    ledger_path: Path | None,
) -> None:
    """One ruling in full: the law, the evidence quoted, precedents, and what would change it."""
    from golf_audit import registry
    from golf_audit.audit import audit
    from golf_audit.report import explain as page
    from golf_audit.submission import Case

    *folders, rule_id = words
    rules = registry.pick([rule_id])
    submissions = source.load([Path(folder) for folder in folders])
    if not submissions:
        click.echo(NOTHING)
    for submission in submissions:
        case = Case(submission, as_of or submission.date, read_book(ledger_path))
        report = audit(case, rules, restricted=True)
        for rule in rules:
            write(page.render(report, rule.id), None)
