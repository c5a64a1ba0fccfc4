"""`golf-audit rerun`: real seeds, each an entry of a ledger."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Literal

import click

from golf_audit.commands.options import Source, from_clone, judged_as_of, write


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@from_clone
@judged_as_of
@click.option("--seeds", metavar="N,N,...", help="Default: the claimed seeds.")
@click.option("--launcher", type=click.Choice(("local", "slurm")), default="local", show_default=True)
@click.option(
    "--ledger",
    "ledger_path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("golf-audit-rerun.jsonl"),
    show_default=True,
    help="Where every run is recorded; seeds that it holds a score of are kept.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    show_default=True,
    help="The folder that the run sees as ./data.",
)
@click.option("--nproc-per-node", "processes", type=click.IntRange(1, 64), help="Default: as in the claim.")
@click.option(
    "--instrument",
    is_flag=True,
    help="A slower run of the first seed that follows every position; never a timed one.",
)
@click.option("--no-install", is_flag=True, help="Take this environment's packages as they are.")
@click.option("--dry-run", is_flag=True, help="Print the plan, run nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--unsafe-no-sandbox", "unsafe", is_flag=True, help="Run it with all your rights.")
def rerun(
    folder: Path | None,
    source: Source,
    as_of: dt.date | None,
    seeds: str | None,
    launcher: Literal["local", "slurm"],
    ledger_path: Path,
    data: Path,
    processes: int | None,
    instrument: bool,
    no_install: bool,
    dry_run: bool,
    yes: bool,
    unsafe: bool,
) -> None:
    """Run a submission's seeds for real, keep them in a ledger, and hold the claim against them.

    Exit codes: 0 reproduced, 1 not reproduced, 3 undetermined, 4 a run could not be made."""
    from golf_audit.rerun.command import Request, rerun_submission

    submissions = source.load((folder,) if folder else ())
    if len(submissions) != 1:
        raise click.UsageError(f"rerun takes one submission, here are {len(submissions)}: name its FOLDER")
    request = Request(
        *(submissions[0], as_of, _numbers(seeds), launcher, ledger_path, data, processes, unsafe),
        instrument=instrument,
        install=not no_install,
    )

    def agree(page: str) -> bool:
        write(page, None)
        if dry_run or yes:
            return yes and not dry_run
        try:
            return click.confirm("run it?", err=True)
        except click.Abort:
            return False

    def tell(line: str) -> None:
        click.echo(line, err=True)

    result = rerun_submission(request, agree, tell, dry_run)
    write(result.page, None)
    sys.exit(result.code)


def _numbers(text: str | None) -> tuple[int, ...]:
    """ "42,314" -> (42, 314)."""
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of seeds like 42,314,999") from None
