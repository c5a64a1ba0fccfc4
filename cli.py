"""The golf-audit command: read arguments, call one function, print, pick the exit code.

Exit codes: 0 nothing failed, nothing open; 1 a D or I rule failed; 2 usage; 3 no fail, but a D rule that
reading can decide is open; 4 the tool itself failed. The commands
lie in golf_audit/commands, a file each.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from golf_audit import __version__
from golf_audit.commands.catalogue import rules, schema
from golf_audit.commands.check import check
from golf_audit.commands.explain import explain
from golf_audit.commands.gate import gate, pre_commit
from golf_audit.commands.ledger import ledger
from golf_audit.commands.options import TOOL_FAILED
from golf_audit.commands.report import report
from golf_audit.commands.rerun import rerun
from golf_audit.commands.sweep import effect, sweep
from golf_audit.commands.trace import trace
from golf_audit.commands.unpack import unpack
from golf_audit.errors import AuditError, InternalError


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


for command in (
    *(check, report, explain, trace, rerun, ledger, sweep, effect, unpack, rules, schema),
    *(gate, pre_commit),
):
    cli.add_command(command)


def main() -> None:
    """Entry point of the console script."""
    cli(prog_name="golf-audit")


if __name__ == "__main__":
    main()
