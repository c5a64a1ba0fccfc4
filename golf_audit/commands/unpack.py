"""`golf-audit unpack`: the layers of packed scripts, as files."""

from __future__ import annotations

from pathlib import Path

import click

from golf_audit.commands.options import NOTHING, Source, from_clone


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@from_clone
@click.option("--to", "target", type=click.Path(path_type=Path), required=True, help="Folder for the layers.")
def unpack(folder: Path | None, source: Source, target: Path) -> None:
    """Write the layers of packed scripts out as files. Nothing is executed."""
    from golf_audit.report.escape import terminal
    from golf_audit.unpack import write_layers

    submissions = source.load((folder,) if folder else ())
    if not submissions:
        click.echo(NOTHING)
    for submission in submissions:
        for line in write_layers(submission.sources, target / submission.name if source.repo else target):
            click.echo(terminal(str(line)))
