"""`golf-audit ledger verify`: was the record of reruns altered?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from golf_audit.commands.options import write


@click.group()
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
    write(ledgerpage.verification(found, head), None)
    sys.exit(0 if ledgerpage.sound(found, head) else 1)
