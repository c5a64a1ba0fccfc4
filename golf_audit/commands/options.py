"""What several commands take and do alike: name submissions, a ledger, a date; write a page."""

from __future__ import annotations

import datetime as dt
import functools
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from golf_audit.errors import AuditError

if TYPE_CHECKING:
    from golf_audit.ledger import Ledger
    from golf_audit.submission import Submission

TOOL_FAILED = 4
NOTHING = "no submission in this pull request"

Command = Callable[..., None]


@dataclass(frozen=True)
class Source:
    """Where submissions come from when no folder is named: `--repo CLONE` with `--pr N` or `--ref REF`."""

    repo: Path | None
    pr: int | None
    ref: str | None

    @property
    def one(self) -> bool:
        """True when a pull request or a ref is named."""
        return self.pr is not None or self.ref is not None

    def named(self, folder: Path | None) -> str:
        """How a command names the same submissions again."""
        if self.repo is None:
            return shlex.quote(str(folder))
        one = f"--pr {self.pr}" if self.pr is not None else f"--ref {shlex.quote(str(self.ref))}"
        return f"--repo {shlex.quote(str(self.repo))} {one}"

    def load(self, folders: Sequence[Path], parent: bool = False) -> tuple[Submission, ...]:
        """The submissions that are named. With a parent, folders may go with a clone: it lies in it."""
        from golf_audit.load import load_folder, load_pull_request, load_ref

        if self.repo is None or (folders and parent):
            if self.one:
                raise click.UsageError("--pr and --ref need --repo CLONE, and stand in the place of folders")
            if not folders:
                raise click.UsageError("name a submission FOLDER, or --repo CLONE with --pr N or --ref REF")
            return tuple(load_folder(folder) for folder in folders)
        if folders:
            raise click.UsageError("give folders or --repo, not both")
        if (self.pr is None) == (self.ref is None):
            raise click.UsageError("--repo needs one of --pr N and --ref REF")
        if self.pr is not None:
            return load_pull_request(self.repo, self.pr)
        return load_ref(self.repo, str(self.ref))


def from_clone(function: Command) -> Command:
    """Adds --repo, --pr and --ref; the command takes them as `source`."""

    @click.option("--repo", type=click.Path(path_type=Path), help="A git clone; no work tree is needed.")
    @click.option("--pr", type=click.IntRange(min=1), help="The pull request to read from --repo.")
    @click.option("--ref", help="A commit, branch or ref to read from --repo.")
    @functools.wraps(function)
    def command(*, repo: Path | None, pr: int | None, ref: str | None, **rest: Any) -> None:
        function(source=Source(repo, pr, ref), **rest)

    return command


def _day(_: click.Context, __: click.Parameter, value: str | None) -> dt.date | None:
    if value is None:
        return None
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a date like 2026-04-28") from None


judged_as_of = click.option("--as-of", callback=_day, metavar="DATE", help="Judge by the law of this day.")

with_ledger = click.option(
    "--ledger",
    "ledger_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A ledger of reruns; its logs lie beside it.",
)


def read_book(path: Path | None) -> Ledger | None:
    """The ledger of reruns, with a line on standard error for everything that is wrong with it."""
    if path is None:
        return None
    from golf_audit.ledger import read_ledger
    from golf_audit.report.escape import terminal

    found = read_ledger(path)
    for problem in found.problems:
        click.echo(terminal(f"{path}:{problem.line}: {problem.says}"), err=True)
    return found


def write(text: str, output: Path | None) -> None:
    """Print, or write to a file. Names with undecodable bytes must not break either."""
    if output is not None:
        try:
            output.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise AuditError(f"cannot write {output}: {error.strerror}") from error
        return
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    click.echo(text, nl=not text.endswith("\n"))
