"""`providers`: list the built-in providers, or show one."""

import sys
from typing import NoReturn

import click

from exporter import providers
from exporter.cli import catalogue, report
from exporter.cli.options import printing
from exporter.schema.validation import did_you_mean


@click.command("providers")
@click.argument("name", required=False)
@click.option(
    "--search",
    metavar="TEXT",
    help="List those alone whose name, title, category, other names or currency hold each of these words.",
)
def command(name: str | None, search: str | None) -> None:
    """List the built-in providers, or show one with the fields that it needs.

    NAME is the provider's name, or another one that it is known by.
    """
    if name is not None and search is not None:
        raise click.UsageError("give a NAME or --search, not both")
    with printing(1):
        if name is None:
            _list(search)
        else:
            _show(name)


def _list(search: str | None) -> None:
    listed = [providers.built_in(one) for one in providers.names()]
    if search is not None and not (listed := catalogue.found(search, listed)):
        _fail(f"no built-in provider has {search!r} in its name, title, category, other names or currency")
    console = report.console(sys.stdout)
    console.print(catalogue.table(listed, short=console.is_terminal))
    if console.is_terminal:
        console.print("\n`prepaid-exporter providers NAME` shows one whole, with an account to start from.")


def _show(name: str) -> None:
    known = name if name in providers.names() else providers.alias(name)
    if known is None:
        _fail(f"no provider {name!r} is built in{did_you_mean(name, providers.names())}")
    click.echo(catalogue.sheet(providers.built_in(known)))


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(1)
