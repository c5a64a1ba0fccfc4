"""`golf-audit report`: the page a reviewer opens."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from golf_audit.commands.options import Source, from_clone, judged_as_of, read_book, with_ledger, write


@click.command()
@click.argument("subject", type=click.Path(path_type=Path), required=False, metavar="[FOLDER|REPORT.json]")
@from_clone
@judged_as_of
@with_ledger
@click.option("--trace", "traces", multiple=True, type=click.Path(path_type=Path), help="What `trace` wrote.")
@click.option(
    *("--output", "-o"),
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("golf-audit-report.html"),
    show_default=True,
)
def report(
    subject: Path | None,
    source: Source,
    as_of: dt.date | None,
    ledger_path: Path | None,
    traces: tuple[Path, ...],
    output: Path,
) -> None:
    """One HTML page for a reviewer: of a folder, which is checked, or of a JSON report of `check`.

    The page is one file, loads nothing and runs nothing but its own script."""
    from golf_audit import checking, registry
    from golf_audit.report import page, readback
    from golf_audit.report.escape import terminal

    if subject is not None and subject.is_file():
        if any((source.repo, as_of, ledger_path, traces)):
            raise click.UsageError(
                "a JSON report stands as it is: --trace, --ledger, --as-of need the FOLDER"
            )
        write(page.render_documents(readback.read(subject)), output)
    else:
        submissions = source.load((subject,) if subject else ())
        cases = checking.cases(submissions, as_of, read_book(ledger_path), traces)
        write(page.render(checking.reports(cases, registry.rules(), figures=True)), output)
    click.echo(f"written to {terminal(str(output))}")
