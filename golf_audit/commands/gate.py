"""`golf-audit gate fetch|audit|comment` and `golf-audit pre-commit`.

Exit codes of `gate audit`: 0 nothing failed (what is open is told), 1 a rule failed, or with --strict
something is open, 2 the waiver file, the event or the repository cannot be used, 4 the tool itself failed
or took too long.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from golf_audit.commands.options import TOOL_FAILED, judged_as_of
from golf_audit.errors import AuditError, InternalError

if TYPE_CHECKING:
    from golf_audit.gate.audit import Judged, Task

UNUSABLE = 2
_TOKEN = "GOLF_AUDIT_TOKEN"
_WITH_SECRETS = ("workflow_run", "pull_request_target", "push", "schedule", "workflow_dispatch")

_file = click.Path(path_type=Path, dir_okay=False)
_folder = click.Path(path_type=Path, file_okay=False)


@click.group()
def gate() -> None:
    """What action.yml runs on a pull request: fetch, audit, comment. See docs/gate.md."""


@gate.command()
@click.option("--event", type=_file, envvar="GITHUB_EVENT_PATH", required=True, help="The event as JSON.")
@click.option("--event-name", envvar="GITHUB_EVENT_NAME", required=True)
@click.option("--server", envvar="GITHUB_SERVER_URL", default="https://github.com", show_default=True)
@click.option("--api", envvar="GITHUB_API_URL", default="https://api.github.com", show_default=True)
@click.option("--to", type=_folder, required=True, help="A new folder: event.json and repo.git.")
def fetch(event: Path, event_name: str, server: str, api: str, to: Path) -> None:
    """The head of the pull request and the base branch, into a bare repository.

    A token for a private repository, and to find the pull request of a workflow_run, is read from
    GOLF_AUDIT_TOKEN."""
    from golf_audit.gate.event import read_event
    from golf_audit.gate.fetch import fetch as fetch_objects
    from golf_audit.gate.fetch import resolve
    from golf_audit.gate.outputs import set_outputs
    from golf_audit.gate.rest import Rest

    token = os.environ.get(_TOKEN, "")
    with _as_annotation():
        told = read_event(event, event_name)
        pr = resolve(told, Rest(api, token))
        if pr is None:
            click.echo("no open pull request has this head now: nothing to audit")
            set_outputs({"number": "", "head": ""})
            return
        to.mkdir(parents=True, exist_ok=True)
        fetch_objects(pr, server, token, to / "repo.git")
        (to / "event.json").write_text(json.dumps(pr.as_event()), encoding="utf-8")
        set_outputs({"number": str(pr.number), "head": pr.head})
        click.echo(f"pull request {pr.number} at {pr.head}")


@gate.command()
@click.option("--repo", type=_folder, required=True, help="A clone; no work tree is needed or looked at.")
@click.option("--event", type=_file, help="The event of a pull request, as GitHub or `gate fetch` wrote it.")
@click.option("--event-name", envvar="GITHUB_EVENT_NAME", default="pull_request", show_default=True)
@click.option("--head", help="Instead of --event: the commit or ref to audit.")
@click.option("--base", help="The commit or ref of the base branch; default the main branch of --repo.")
@click.option("--waivers", default="", metavar="PATH", help="The waiver file, a path on the base branch.")
@click.option("--baseline", type=_file, help="An earlier JSON report: annotate only what is new.")
@judged_as_of
@click.option("--rule", "rules", multiple=True, metavar="ID", help="Only this rule or family; repeatable.")
@click.option(
    "--dynamic", is_flag=True, help="Run each submission in miniature too; not in a job with secrets."
)
@click.option("--strict", is_flag=True, help="Exit 1 also when something is open.")
@click.option("--require-run", is_flag=True, help="Count rules that only a run can decide as open.")
@click.option("--timeout", type=click.IntRange(min=1), default=600, show_default=True, help="Seconds in all.")
@click.option("--output", "-o", type=_folder, default=Path("golf-audit"), show_default=True)
def audit(
    repo: Path,
    event: Path | None,
    event_name: str,
    head: str | None,
    base: str | None,
    waivers: str,
    baseline: Path | None,
    as_of: dt.date | None,
    rules: tuple[str, ...],
    dynamic: bool,
    strict: bool,
    require_run: bool,
    timeout: int,
    output: Path,
) -> None:
    """Audit the folders that a pull request adds: annotations, step summary, report, exit code.

    Exit codes: 0 nothing failed, 1 a rule failed (with --strict: or is open), 2 the waiver file, event or
    repository cannot be used, 4 the tool failed or took too long."""
    from golf_audit.gate.audit import Task
    from golf_audit.gate.event import written_event

    way = _Way(baseline, strict, require_run, output)
    with _as_annotation(way):
        if dynamic and event_name in _WITH_SECRETS:
            raise AuditError(f"--dynamic runs strangers' code: on pull_request only, not on {event_name}")
        if (event is None) == (head is None):
            raise click.UsageError("give --event or --head")
        pr = written_event(event) if event is not None else None
        task = Task(
            repo=repo,
            head=pr.head if pr is not None else str(head),
            base=base,
            pr=pr.number if pr is not None else None,
            waivers=waivers,
            as_of=as_of,
            dynamic=dynamic,
            rules=rules,
        )
        with _within(timeout):
            code = _audited(task, way)
    sys.exit(code)


@gate.command()
@click.option("--event", type=_file, required=True, help="event.json, as `gate fetch` wrote it.")
@click.option("--report", type=_folder, required=True, help="The folder that `gate audit` wrote.")
@click.option("--api", envvar="GITHUB_API_URL", default="https://api.github.com", show_default=True)
@click.option("--bot", default="github-actions[bot]", show_default=True, help="Whose comments are edited.")
@click.option("--comment/--no-comment", "say", default=True, show_default=True)
@click.option("--status", default="", metavar="NAME", help="Also set this commit status on the head.")
@click.option("--link", default="", metavar="URL", help="Where the status leads to.")
def comment(event: Path, report: Path, api: str, bot: str, say: bool, status: str, link: str) -> None:
    """Write the one comment on the pull request, or bring it up to date. The token is GOLF_AUDIT_TOKEN.

    A token that may not write is no failure: the step summary has the report."""
    from golf_audit.gate.comment import publish, set_status
    from golf_audit.gate.event import written_event
    from golf_audit.gate.rest import Rest
    from golf_audit.gate.result import read_files
    from golf_audit.report.escape import terminal
    from golf_audit.report.github import Annotation

    with _as_annotation():
        pr = written_event(event)
        page, result = read_files(report)
        rest = Rest(api, os.environ.get(_TOKEN, ""))
        done = [publish(rest, pr, page, bot, quiet=result.submissions == 0)] if say else []
        if status:
            done.append(set_status(rest, pr, status, result.state, result.says, link))
        for outcome in done:
            if outcome.refused:
                click.echo(str(Annotation("notice", (), "golf-audit", [outcome.says])))
            else:
                click.echo(terminal(outcome.says))


@click.command("pre-commit")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Fail also when something is open.")
def pre_commit(files: tuple[Path, ...], strict: bool) -> None:
    """Check the submission folders that these changed files belong to; for .pre-commit-hooks.yaml.

    Exit codes: 0 nothing failed, 1 a rule failed (with --strict: or is open), 4 the tool failed."""
    from golf_audit import registry
    from golf_audit.audit import audit as judge
    from golf_audit.gate.precommit import folders_of
    from golf_audit.load import load_folder
    from golf_audit.outcome import exit_code
    from golf_audit.report import text
    from golf_audit.submission import Case

    submissions = [load_folder(folder) for folder in folders_of(files, Path())]
    if not submissions:
        return
    reports = [judge(Case(s, s.date), registry.rules()) for s in submissions]
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    click.echo(text.render(reports, strict=strict, open_passes=True), nl=False)
    sys.exit(exit_code(reports, strict=strict, open_passes=True))


# -- the audit, and what is written of it


@dataclass(frozen=True)
class _Way:
    """How to tell of an audit, and where."""

    baseline: Path | None
    strict: bool
    require_run: bool
    output: Path


def _audited(task: Task, way: _Way) -> int:
    from golf_audit.gate.audit import judge
    from golf_audit.gate.page import log, page
    from golf_audit.outcome import exit_code
    from golf_audit.report.baseline import read_baseline

    baseline = read_baseline(way.baseline) if way.baseline is not None else ()
    judged = judge(task)
    code = exit_code(judged.reports, way.strict, way.require_run, open_passes=True)
    told = page(judged, baseline, way.strict, way.require_run)
    _write(way, code, judged, told)
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    click.echo(log(judged, baseline, way.strict, way.require_run), nl=False)
    return code


def _write(way: _Way, code: int, judged: Judged, told: str) -> None:
    from golf_audit import observation
    from golf_audit.gate.outputs import add_summary, set_outputs
    from golf_audit.gate.result import HTML, PAGE, REPORT, SARIF, Result, write_files
    from golf_audit.outcome import verdict
    from golf_audit.report import jsonreport, page, sarif
    from golf_audit.report.sections import counts

    words = [verdict(report, require_run=way.require_run) for report in judged.reports]
    word = min(words, key=("fail", "open", "pass").index, default="pass")
    says = f"{word.upper()}: {counts(judged.reports, way.require_run)}" if words else "no submission"
    files = {
        REPORT: jsonreport.render(judged.reports, require_run=way.require_run),
        SARIF: sarif.render(judged.reports, require_run=way.require_run),
        PAGE: told,
        **({HTML: page.render(judged.reports, require_run=way.require_run)} if judged.has_page else {}),
        **{f"trace-{n}.json": observation.to_json(seen) for n, seen in enumerate(judged.observations, 1)},
    }
    write_files(way.output, files, Result(code, says, len(words)))
    add_summary(told)
    set_outputs(
        {
            "verdict": word,
            "submissions": str(len(words)),
            "exit-code": str(code),
            "report": str(way.output.resolve()),
        }
    )


# -- when there is no audit


class _TooLong(BaseException):
    """Time is up. No Exception: a rule's own failure is caught by the audit, this must not be."""


@contextmanager
def _within(seconds: int) -> Iterator[None]:
    """Ends the block after some time, where the system has alarms."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _TooLong:
        raise InternalError(f"no verdict after {seconds} s (--timeout)") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _as_annotation(way: _Way | None = None) -> Iterator[None]:
    """What stops the gate is an annotation, a summary and a result too, before it is an exit code.

    A fault of the tool must not look like a failed submission: Python's own exit code would be 1."""
    from golf_audit.gate.page import refusal
    from golf_audit.report.escape import terminal

    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except Exception as caught:
        error = caught
        if not isinstance(caught, AuditError | InternalError):
            for line in traceback.format_exc().splitlines():
                click.echo(terminal(line), err=True)
            error = InternalError(f"{type(caught).__name__}: {caught}")
        reasons = [str(error), *getattr(error, "details", ())]
        click.echo(refusal(reasons), nl=False)
        if way is not None:
            _write_refusal(way, UNUSABLE if isinstance(error, AuditError) else TOOL_FAILED, reasons)
        raise error from caught


def _write_refusal(way: _Way, code: int, reasons: list[str]) -> None:
    from golf_audit.gate.outputs import add_summary, set_outputs
    from golf_audit.gate.page import page_of_refusal
    from golf_audit.gate.result import PAGE, Result, write_files
    from golf_audit.report.escape import visible

    result = Result(code, f"not audited: {visible(reasons[0], 120)}", 0)
    write_files(way.output, {PAGE: page_of_refusal(reasons)}, result)
    add_summary(page_of_refusal(reasons))
    set_outputs({"exit-code": str(code), "report": str(way.output.resolve())})
