"""`golf-audit sweep` and `effect`: every pull request of a clone, and what an edit moves there."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from golf_audit.commands.options import TOOL_FAILED, write


@click.command()
@click.argument("clone", type=click.Path(path_type=Path))
@click.option("--prs", metavar="N,N-M", help="Only these pull requests; default all of the clone.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes; default one per core. With Slurm: jobs.")
@click.option("--launcher", type=click.Choice(("local", "slurm")), default="local", show_default=True)
@click.option("--rule", "rule_ids", multiple=True, metavar="ID", help="Only this rule or family; repeatable.")
@click.option(
    "--format", "form", type=click.Choice(("jsonl", "csv", "html")), default="jsonl", show_default=True
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Default golf-audit-sweep.*"
)
@click.option("--fresh", is_flag=True, help="Audit everything again instead of resuming OUTPUT.")
@click.option("--dry-run", is_flag=True, help="Print the plan, audit nothing.")
def sweep(
    clone: Path,
    prs: str | None,
    jobs: int | None,
    launcher: str,
    rule_ids: tuple[str, ...],
    form: str,
    output: Path | None,
    fresh: bool,
    dry_run: bool,
) -> None:
    """Audit many pull requests of a clone in parallel. Interrupt it and start it again: it resumes.

    Writes one JSON line per pull request (and the table with --format csv or html), and prints a summary."""
    from golf_audit.sweep.command import sweep_clone

    crashed = sweep_clone(clone, prs, jobs, rule_ids, form, output, fresh, launcher, dry_run)
    sys.exit(TOOL_FAILED if crashed else 0)


@click.command()
@click.argument("before", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("after", type=click.Path(path_type=Path, dir_okay=False))
def effect(before: Path, after: Path) -> None:
    """What an edit to the tool moves: two sweeps of one clone, BEFORE and AFTER (.jsonl), held together."""
    from golf_audit.sweep import effect as sweeps

    found = sweeps.effect(sweeps.read_sweep(before), sweeps.read_sweep(after))
    write(sweeps.page(found), None)
