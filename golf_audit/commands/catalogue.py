"""`golf-audit rules` and `schema`: what is judged, and the form of what is printed."""

from __future__ import annotations

import click

from golf_audit.commands.options import write
from golf_audit.errors import AuditError


@click.command()
@click.argument("rule_id", required=False)
def rules(rule_id: str | None) -> None:
    """The catalogue, or one rule: law, how it is looked for, what it cannot see, examples."""
    from golf_audit import registry
    from golf_audit.report import catalogue

    if rule_id is None:
        write(catalogue.table(registry.rules()), None)
        return
    for rule in registry.pick([rule_id]):
        write(catalogue.page(rule), None)


@click.command()
@click.argument("name", required=False)
def schema(name: str | None) -> None:
    """Print a JSON Schema: submission, report, timeline, ledger."""
    from golf_audit.schema import names, schema_text

    if name is None:
        click.echo("\n".join(names()))
        return
    if name not in names():
        raise AuditError(f"no schema {name!r}; there are {', '.join(names())}")
    write(schema_text(name), None)
