"""`providers`: list the built-in providers, or show one."""

import sys
from pathlib import Path
from typing import NoReturn

import click

from exporter import config, providers
from exporter.cli import catalogue, terminal
from exporter.cli.options import config_file_option, explained, option, printing
from exporter.providers import Provider
from exporter.schema.validation import did_you_mean

_MOST_MEANT = 3


@click.command("providers")
@click.argument("name", required=False)
@config_file_option
@option(
    "--search",
    metavar="TEXT",
    help="List only the providers whose name, title, category, other names or currency hold each of these words.",
)
def command(name: str | None, config_file: Path, search: str | None) -> None:
    """List the built-in providers, or show one with the fields that it needs.

    NAME is the provider's name, or another one that it is known by, or that of a definition in the provider_files of
    the configuration, or the path of a definition.
    """
    if name is not None and search is not None:
        raise click.UsageError("give a NAME or --search, not both")
    with printing(1):
        if name is None:
            _list(search)
        else:
            with explained(1):
                click.echo(catalogue.sheet(_known(name, config_file)))


def _list(search: str | None) -> None:
    listed = [providers.built_in(one) for one in providers.names()]
    if search is not None and not (listed := catalogue.found(search, listed)):
        _fail(
            f"no built-in provider has {search!r} in its name, title, category, other names or currency; "
            f"the categories are {', '.join(catalogue.categories())}; "
            "`prepaid-exporter definition new` begins a definition of your own"
        )
    if not sys.stdout.isatty():
        click.echo("\n".join(catalogue.lines(listed)))
        return
    console = terminal.console(sys.stdout)
    console.print(catalogue.table(listed))
    console.print("\n`prepaid-exporter providers NAME` shows one whole, with an account to start from.")


def _known(name: str, config_file: Path) -> Provider:
    """Return a provider by its name, or by the path of its definition; raise `ConfigurationError` for a broken one."""
    if known := name if name in providers.names() else providers.alias(name):
        return providers.built_in(known)
    if name.endswith((".yml", ".yaml")):
        return providers.own(Path(name))
    own: dict[str, Path] = config.own_definitions(config_file) if config_file.exists() else {}
    if name not in own:
        where = f", nor in the provider_files of {config_file}" if own else ""
        near = _called(name) or did_you_mean(name, {*providers.names(), *own}, providers.ALIKE)
        _fail(f"no provider {name!r} is built in{where}{near}")
    return providers.own(own[name])


def _called(name: str) -> str:
    """Return `; did you mean "..."?` for the built-in providers whose title and other names have all these words."""
    found = catalogue.found(name, map(providers.built_in, providers.names()))
    names = [f'"{one.name}"' for one in catalogue.ordered(found)]
    return f"; did you mean {' or '.join(names)}?" if 0 < len(names) <= _MOST_MEANT else ""


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(1)
