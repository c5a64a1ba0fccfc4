"""The golf-audit command: read arguments, call one function, print, pick the exit code.

Exit codes: 0 nothing failed, nothing open; 1 a D or I rule failed; 2 usage; 3 no fail, but a D rule that
reading can decide is open; 4 the tool itself failed. Imports wait inside the commands, so that
--help is quick.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from golf_audit import __version__
from golf_audit.errors import AuditError, InternalError
from golf_audit.gate.command import gate, pre_commit

if TYPE_CHECKING:
    from golf_audit.ledger import Ledger
    from golf_audit.submission import Submission

FORMATS = ("text", "json", "markdown", "sarif", "github", "html")
TOOL_FAILED = 4


class Commands(click.Group):
    """Turns our own exceptions into one clear line and the documented exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        from golf_audit.report.escape import terminal

        try:
            return super().invoke(ctx)
        except AuditError as error:
            for line in error.details:
                click.echo(terminal(line), err=True)
            raise click.ClickException(terminal(str(error))) from error
        except InternalError as error:
            click.echo(f"golf-audit failed: {terminal(str(error))}", err=True)
            sys.exit(TOOL_FAILED)


click.ClickException.exit_code = 2  # usage and unusable input are the same to a script: exit 2


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="golf-audit")
def cli() -> None:
    """Evidence about parameter-golf submissions: what was scored, what was adapted on, and in which order.

    \b
    golf-audit check FOLDER                   before you open a pull request
    golf-audit check --repo CLONE --pr 1958   straight from a git clone
    golf-audit rules T01                      the law, how it is looked for, what it cannot see
    """


def _day(_: click.Context, __: click.Parameter, value: str | None) -> dt.date | None:
    if value is None:
        return None
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a date like 2026-04-28") from None


def _load(
    folders: Sequence[Path], repo: Path | None, pr: int | None, ref: str | None, parent: bool = False
) -> tuple[Submission, ...]:
    """The submissions that are named. With a parent, folders may go with a clone: the parent lies in it."""
    from golf_audit.load import load_folder, load_pull_request, load_ref

    if repo is None or (folders and parent):
        if pr is not None or ref is not None:
            raise click.UsageError("--pr and --ref need --repo CLONE, and stand in the place of folders")
        if not folders:
            raise click.UsageError("name a submission FOLDER, or --repo CLONE with --pr N or --ref REF")
        return tuple(load_folder(folder) for folder in folders)
    if folders:
        raise click.UsageError("give folders or --repo, not both")
    if (pr is None) == (ref is None):
        raise click.UsageError("--repo needs one of --pr N and --ref REF")
    return load_pull_request(repo, pr) if pr is not None else load_ref(repo, str(ref))


def _write(text: str, output: Path | None) -> None:
    """Print, or write to a file. Names with undecodable bytes must not break either."""
    if output is not None:
        try:
            output.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise AuditError(f"cannot write {output}: {error.strerror}") from error
        return
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    click.echo(text, nl=not text.endswith("\n"))


_source_options = (
    click.option("--repo", type=click.Path(path_type=Path), help="A git clone; no work tree is needed."),
    click.option("--pr", type=click.IntRange(min=1), help="The pull request to read from --repo."),
    click.option("--ref", help="A commit, branch or ref to read from --repo."),
    click.option("--as-of", callback=_day, metavar="DATE", help="Judge by the law of this day."),
)


_ledger_option = click.option(
    "--ledger",
    "ledger_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A ledger of reruns; its logs lie beside it.",
)


def _read_ledger(path: Path | None) -> Ledger | None:
    """The ledger of reruns, with a line on standard error for everything that is wrong with it."""
    if path is None:
        return None
    from golf_audit.ledger import read_ledger
    from golf_audit.report.escape import terminal

    found = read_ledger(path)
    for problem in found.problems:
        click.echo(terminal(f"{path}:{problem.line}: {problem.says}"), err=True)
    return found


Function = TypeVar("Function", bound=Callable[..., Any])


def _with(options: Sequence[Callable[[Function], Function]]) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@cli.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path), metavar="FOLDER...")
@_with(_source_options)
@_ledger_option
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
    repo: Path | None,
    pr: int | None,
    ref: str | None,
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
    """Audit submission folders and print a verdict per rule, with evidence to open."""
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
    submissions = _load(folders, repo, pr, ref, parent is not None)
    book = _read_ledger(ledger_path)
    cases = checking.cases(submissions, as_of, book, traces, dynamic)
    reports = checking.reports(cases, rules, restricted=bool(rule_ids), figures=form in DRAWN)
    if parent is not None:
        from golf_audit.lineage import with_lineage

        reports = with_lineage(cases, reports, rules, parent, repo)
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
    _write(page, output)
    code = exit_code(reports, strict=strict, require_run=require_run)
    if book is not None and book.problems and code != TOOL_FAILED:
        code = 1  # an altered ledger is nobody's evidence
    sys.exit(code if not exit_zero or code == TOOL_FAILED else 0)


@cli.command()
@click.argument("source", type=click.Path(path_type=Path), required=False, metavar="[FOLDER|REPORT.json]")
@_with(_source_options)
@_ledger_option
@click.option("--trace", "traces", multiple=True, type=click.Path(path_type=Path), help="What `trace` wrote.")
@click.option(
    *("--output", "-o"),
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("golf-audit-report.html"),
    show_default=True,
)
def report(
    source: Path | None,
    repo: Path | None,
    pr: int | None,
    ref: str | None,
    as_of: dt.date | None,
    ledger_path: Path | None,
    traces: tuple[Path, ...],
    output: Path,
) -> None:
    """One HTML page for a reviewer: of a folder, which is checked, or of a JSON report of `check`.

    The page is one file, loads nothing and runs nothing but its own script."""
    from golf_audit import checking, registry
    from golf_audit.report import page
    from golf_audit.report.escape import terminal

    if source is not None and source.is_file():
        if any((repo, as_of, ledger_path, traces)):
            raise click.UsageError(
                "a JSON report stands as it is: --trace, --ledger, --as-of need the FOLDER"
            )
        _write(page.render_documents(page.read(source)), output)
    else:
        submissions = _load((source,) if source else (), repo, pr, ref)
        cases = checking.cases(submissions, as_of, _read_ledger(ledger_path), traces)
        _write(page.render(checking.reports(cases, registry.rules(), figures=True)), output)
    click.echo(f"written to {terminal(str(output))}")


def _trace_many(
    folder: Path | None,
    repo: Path | None,
    pr: int | None,
    ref: str | None,
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

    if repo is None or folder is not None or pr is not None or ref is not None:
        raise click.UsageError("--prs takes --repo CLONE, and neither FOLDER nor --pr nor --ref")
    target = output or Path("golf-audit-traces")
    amiss = trace_clone(repo, prs, target, How(probes, device, unsafe), jobs, launcher, dry_run)
    sys.exit(TOOL_FAILED if amiss else 0)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@_with(_source_options[:3])
@click.option("--probes", type=click.Choice(("quick", "full")), default="quick", show_default=True)
@click.option("--device", type=click.Choice(("cpu", "cuda")), default="cpu", show_default=True)
@click.option(
    *("--output", "-o"),
    type=click.Path(path_type=Path),
    help="Default golf-audit-trace.json; with --prs the folder golf-audit-traces.",
)
@click.option("--prs", metavar="N,N-M", help="Many pull requests of --repo; OUTPUT is then a folder.")
@click.option("--jobs", type=click.IntRange(min=1), help="With --prs: processes; with Slurm: jobs.")
@click.option("--launcher", type=click.Choice(("local", "slurm")), default="local", show_default=True)
@click.option("--dry-run", is_flag=True, help="With --prs: print the plan, run nothing.")
@click.option("--unsafe-no-sandbox", "unsafe", is_flag=True, help="Run strangers' code with all your rights.")
def trace(
    folder: Path | None,
    repo: Path | None,
    pr: int | None,
    ref: str | None,
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
        _trace_many(folder, repo, pr, ref, prs, probes, device, output, jobs, launcher, dry_run, unsafe)
        return
    if jobs is not None or launcher != "local" or dry_run:
        raise click.UsageError("--jobs, --launcher and --dry-run go with --prs")
    output = output or Path("golf-audit-trace.json")
    from golf_audit import observation
    from golf_audit.dynamic.command import observe, plan
    from golf_audit.report import traced

    how = plan(probes, device, unsafe)
    submissions = _load((folder,) if folder else (), repo, pr, ref)
    if not submissions:
        click.echo("no submission in this pull request")
    ran = True
    for submission in submissions:
        seen = observe(submission, how)
        several = len(submissions) > 1
        file = output.with_stem(f"{output.stem}-{submission.name}") if several else output
        _write(observation.to_json(seen), file)
        _write(traced.summary(seen, str(file)), None)
        ran = ran and seen.ending == "ok"
    sys.exit(0 if ran else TOOL_FAILED)


@cli.command()
@click.argument("words", nargs=-1, required=True, metavar="[FOLDER] RULE")
@_with(_source_options)
@_ledger_option
def explain(
    words: tuple[str, ...],
    repo: Path | None,
    pr: int | None,
    ref: str | None,
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
    submissions = _load([Path(folder) for folder in folders], repo, pr, ref)
    if not submissions:
        click.echo("no submission in this pull request")
    for submission in submissions:
        case = Case(submission, as_of or submission.date, _read_ledger(ledger_path))
        report = audit(case, rules, restricted=True)
        for rule in rules:
            _write(page.render(report, rule.id), None)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@_with(_source_options[:3])
@click.option("--to", "target", type=click.Path(path_type=Path), required=True, help="Folder for the layers.")
def unpack(folder: Path | None, repo: Path | None, pr: int | None, ref: str | None, target: Path) -> None:
    """Write the layers of packed scripts out as files. Nothing is executed."""
    from golf_audit.report.escape import terminal
    from golf_audit.unpack import write_layers

    submissions = _load((folder,) if folder else (), repo, pr, ref)
    if not submissions:
        click.echo("no submission in this pull request")
    for submission in submissions:
        for line in write_layers(submission.sources, target / submission.name if repo else target):
            click.echo(terminal(str(line)))


@cli.command()
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


@cli.command()
@click.argument("before", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("after", type=click.Path(path_type=Path, dir_okay=False))
def effect(before: Path, after: Path) -> None:
    """What an edit to the tool moves: two sweeps of one clone, BEFORE and AFTER (.jsonl), held together."""
    from golf_audit.sweep import effect as sweeps

    found = sweeps.effect(sweeps.read_sweep(before), sweeps.read_sweep(after))
    _write(sweeps.page(found), None)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@_with(_source_options)
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
    repo: Path | None,
    pr: int | None,
    ref: str | None,
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

    submissions = _load((folder,) if folder else (), repo, pr, ref)
    if len(submissions) != 1:
        raise click.UsageError(f"rerun takes one submission, here are {len(submissions)}: name its FOLDER")
    request = Request(
        *(submissions[0], as_of, _numbers(seeds), launcher, ledger_path, data, processes, unsafe),
        instrument=instrument,
        install=not no_install,
    )

    def agree(page: str) -> bool:
        _write(page, None)
        if dry_run or yes:
            return yes and not dry_run
        try:
            return click.confirm("run it?", err=True)
        except click.Abort:
            return False

    def tell(line: str) -> None:
        click.echo(line, err=True)

    result = rerun_submission(request, agree, tell, dry_run)
    _write(result.page, None)
    sys.exit(result.code)


def _numbers(text: str | None) -> tuple[int, ...]:
    """ "42,314" -> (42, 314)."""
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of seeds like 42,314,999") from None


@cli.group()
def ledger() -> None:
    """The append-only record of reruns."""


@ledger.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--head", metavar="HASH", help="The head that a report printed: finds a cut or rewritten chain."
)
def verify(file: Path, head: str | None) -> None:
    """Check a ledger's chain of hashes: exit 1 when an entry was altered, taken out or added."""
    from golf_audit.ledger import read_ledger
    from golf_audit.report import ledgerpage

    found = read_ledger(file)
    _write(ledgerpage.verification(found, head), None)
    sys.exit(0 if ledgerpage.sound(found, head) else 1)


@cli.command()
@click.argument("rule_id", required=False)
def rules(rule_id: str | None) -> None:
    """The catalogue, or one rule: law, how it is looked for, what it cannot see, examples."""
    from golf_audit import registry
    from golf_audit.report import catalogue

    if rule_id is None:
        _write(catalogue.table(registry.rules()), None)
        return
    for rule in registry.pick([rule_id]):
        _write(catalogue.page(rule), None)


@cli.command()
@click.argument("name", required=False)
def schema(name: str | None) -> None:
    """Print a JSON Schema: submission, report, timeline, ledger."""
    from golf_audit.schema import names, schema_text

    if name is None:
        click.echo("\n".join(names()))
        return
    if name not in names():
        raise AuditError(f"no schema {name!r}; there are {', '.join(names())}")
    _write(schema_text(name), None)


cli.add_command(gate)
cli.add_command(pre_commit)


def main() -> None:
    """Entry point of the console script."""
    cli(prog_name="golf-audit")


if __name__ == "__main__":
    main()
