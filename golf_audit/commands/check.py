"""`golf-audit check`: a verdict per rule, with evidence to open."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from golf_audit.commands.options import (
    TOOL_FAILED,
    Source,
    from_clone,
    judged_as_of,
    read_book,
    with_ledger,
    write,
)

FORMATS = ("text", "json", "markdown", "sarif", "github", "html")


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="FOLDER...")
@from_clone
@judged_as_of
@with_ledger
@click.option("--trace", "traces", multiple=True, type=click.Path(path_type=Path), help="What `trace` wrote.")
@click.option("--dynamic", is_flag=True, help="Run `trace --probes full` first.")
@click.option("--parent", metavar="FOLDER|PR|auto", help="Inherited or new? `auto`: the base that it names.")
@click.option("--rule", "rule_ids", multiple=True, metavar="ID", help="Only this rule or family; repeatable.")
@click.option("--strict", is_flag=True, help="Exit 1 instead of 3 when something is open.")
@click.option("--exit-zero", is_flag=True, help="Report only: exit 0 unless the tool itself failed.")
@click.option("--require-run", is_flag=True, help="Count rules that only a run can decide as open.")
@click.option("--timeout", type=click.FloatRange(min=1), metavar="S", help="Seconds for parsing one file.")
@click.option("--waivers", type=click.Path(path_type=Path), help="A TOML file of findings that may stand.")
@click.option(
    "--baseline", type=click.Path(path_type=Path), help="An earlier JSON report: print only what changed."
)
@click.option("--verbose", "-v", is_flag=True, help="Also the configuration and what each pass rests on.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
def check(
    folders: tuple[Path, ...],
    source: Source,
    as_of: dt.date | None,
    ledger_path: Path | None,
    traces: tuple[Path, ...],
    dynamic: bool,
    parent: str | None,
    rule_ids: tuple[str, ...],
    strict: bool,
    exit_zero: bool,
    require_run: bool,
    timeout: float | None,
    waivers: Path | None,
    baseline: Path | None,
    verbose: bool,
    form: str,
    output: Path | None,
) -> None:
    """Audit submission folders and print a verdict per rule, with evidence to open.

    Exit codes: 0 nothing failed and nothing is open, 1 a rule failed, 3 a disqualifying rule is open, 4 the
    tool failed, or with --dynamic a submission did not run (the report is printed all the same)."""
    from golf_audit import checking, registry
    from golf_audit.outcome import exit_code
    from golf_audit.report.formats import DRAWN, render

    if strict and exit_zero:
        raise click.UsageError("--strict and --exit-zero contradict each other")
    if traces and dynamic:
        raise click.UsageError("give --trace or --dynamic, not both")
    if baseline is not None and form == "html":
        raise click.UsageError("--baseline prints what changed, and a page shows a report: give one of them")
    if timeout is not None:
        from golf_audit.parsing import set_deadline

        set_deadline(timeout)
    rules = registry.pick(rule_ids)
    submissions = source.load(folders, parent is not None)
    book = read_book(ledger_path)
    cases = checking.cases(submissions, as_of, book, traces, dynamic)
    reports = checking.reports(cases, rules, restricted=bool(rule_ids), figures=form in DRAWN)
    if parent is not None:
        from golf_audit.lineage import with_lineage

        reports = with_lineage(cases, reports, rules, parent, source.repo)
    if waivers is not None:
        from golf_audit.waivers import waived_by_file

        reports = waived_by_file(reports, waivers, folders)
    if baseline is not None:
        from golf_audit.report import changes
        from golf_audit.report.baseline import read_baseline

        page = changes.render(form, read_baseline(baseline), reports, require_run=require_run, strict=strict)
    else:
        color = False if output is not None else None
        words = {"verbose": verbose, "strict": strict, "exit_zero": exit_zero, "color": color}
        page = render(reports, form, require_run=require_run, **words)
    write(page, output)
    code = exit_code(reports, strict=strict, require_run=require_run)
    if book is not None and book.problems and code != TOOL_FAILED:
        code = 1  # an altered ledger is nobody's evidence
    if dynamic and _told_what_did_not_run(checking.not_run(cases)):
        code = TOOL_FAILED
    sys.exit(code if not exit_zero or code == TOOL_FAILED else 0)


def _told_what_did_not_run(submissions: Sequence[str]) -> bool:
    """Say on stderr which runs that were asked for are missing from the report; True where any is."""
    from golf_audit.report.escape import terminal

    for what in submissions:
        click.echo(f"golf-audit: did not run in miniature to its end: {terminal(what)}", err=True)
    return bool(submissions)
