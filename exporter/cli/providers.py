"""`providers`: list the built-in providers, or show one."""

import sys

import click

from exporter import providers
from exporter.cli import report
from exporter.cli.options import printing
from exporter.schema.validation import did_you_mean


@click.command("providers")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the built-in providers, or show one with the fields that it needs."""
    known = providers.names()
    if name is not None and name not in known:
        click.echo(f"no provider {name!r} is built in{did_you_mean(name, known)}", err=True)
        sys.exit(1)
    with printing(1):
        if name is None:
            table = report.providers_table([providers.built_in(one) for one in known])
            report.console(sys.stdout).print(table)
        else:
            click.echo(report.provider_sheet(providers.built_in(name)))
