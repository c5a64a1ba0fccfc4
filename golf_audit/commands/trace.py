"""`golf-audit trace`: the unmodified submission, run in miniature."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from golf_audit.commands.options import NOTHING, TOOL_FAILED, Source, from_clone, write


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@from_clone
@click.option(
    "--probes",
    type=click.Choice(("quick", "full")),
    default="quick",
    show_default=True,
    help="quick: 3 runs, about a minute; full: 10 to 15, and every question (M01 passes by it alone).",
)
@click.option(
    "--device",
    type=click.Choice(("cpu", "cuda")),
    default="cpu",
    show_default=True,
    help="cuda: with the real kernels in the place of their stand-ins.",
)
@click.option(
    *("--output", "-o"),
    type=click.Path(path_type=Path),
    help="Default golf-audit-trace.json; with --prs the folder golf-audit-traces.",
)
@click.option("--prs", metavar="N,N-M", help="Many pull requests of --repo; OUTPUT is then a folder.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Runs at one time (default: 2, or 1 on one core); with --prs traces, with Slurm jobs.",
)
@click.option("--launcher", type=click.Choice(("local", "slurm")), default="local", show_default=True)
@click.option("--dry-run", is_flag=True, help="With --prs: print the plan, run nothing.")
@click.option("--unsafe-no-sandbox", "unsafe", is_flag=True, help="Run strangers' code with all your rights.")
def trace(
    folder: Path | None,
    source: Source,
    probes: str,
    device: str,
    output: Path | None,
    prs: str | None,
    jobs: int | None,
    launcher: str,
    dry_run: bool,
    unsafe: bool,
) -> None:
    """Run a submission, unmodified, in miniature: what was scored and adapted on, in which order.

    Needs Linux, bubblewrap and the packages of the extra `run`; no GPU. Writes a trace for
    `golf-audit check --trace` and prints what it shows. Exit code 4 when the submission did not run.

    With --prs a file for each submission of these pull requests and a line for each head go into a folder;
    interrupt it and start it again: it resumes."""
    if prs is not None:
        _trace_many(folder, source, prs, probes, device, output, jobs, launcher, dry_run, unsafe)
        return
    if launcher != "local" or dry_run:
        raise click.UsageError("--launcher and --dry-run go with --prs")
    if unsafe and jobs not in (None, 1):
        raise click.UsageError("without a sandbox all runs share their folders: one at a time")
    output = output or Path("golf-audit-trace.json")
    from golf_audit import observation
    from golf_audit.dynamic.command import observe, plan
    from golf_audit.report import traced

    how = plan(probes, device, unsafe, jobs)
    submissions = source.load((folder,) if folder else ())
    if not submissions:
        click.echo(NOTHING)
    ran = True
    for submission in submissions:
        seen = observe(submission, how)
        several = len(submissions) > 1
        file = output.with_stem(f"{output.stem}-{submission.name}") if several else output
        write(observation.to_json(seen), file)
        write(traced.summary(seen, str(file), source.named(folder)), None)
        ran = ran and seen.ending == "ok"
    sys.exit(0 if ran else TOOL_FAILED)


def _trace_many(
    folder: Path | None,
    source: Source,
    prs: str,
    probes: str,
    device: str,
    output: Path | None,
    jobs: int | None,
    launcher: str,
    dry_run: bool,
    unsafe: bool,
) -> None:
    from golf_audit.sweep.traces import How, trace_clone

    if source.repo is None or folder is not None or source.one:
        raise click.UsageError("--prs takes --repo CLONE, and neither FOLDER nor --pr nor --ref")
    target = output or Path("golf-audit-traces")
    amiss = trace_clone(source.repo, prs, target, How(probes, device, unsafe), jobs, launcher, dry_run)
    sys.exit(TOOL_FAILED if amiss else 0)
