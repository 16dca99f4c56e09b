"""`validate`: check the configuration, or definitions alone, without asking any provider."""

import json
from pathlib import Path

import click

from exporter import config, providers
from exporter.cli.options import FILE, config_file_option, explained, option, printing, warn
from exporter.config import json_schema
from exporter.schema.durations import text as duration_text
from exporter.schema.problems import ConfigurationError, Problem, together


@click.command("validate")
@click.argument("definitions", metavar="[DEFINITION]...", nargs=-1, type=FILE)
@config_file_option
@option("--schema", is_flag=True, help="Print the JSON Schema of the file instead.")
@option("--no-secrets", is_flag=True, help="Do not check whether files and variables hold a secret.")
def command(
    definitions: tuple[Path, ...],
    config_file: Path,
    schema: bool,  # noqa: FBT001 - click passes it
    no_secrets: bool,  # noqa: FBT001 - click passes it
) -> None:
    """Check the configuration, its secrets and own definitions, without asking any provider.

    With DEFINITION files only these are checked.
    """
    with printing(1):
        if schema:
            click.echo(json.dumps(json_schema.schema(), indent=2))
            return
        if definitions:
            _check(definitions)
            return
        with explained(1):
            loaded = config.load(config_file, secrets_must_be_there=not no_secrets)
        if not no_secrets:
            warn([together(problems) for problems in loaded.doubts.values()])
        for account in loaded.accounts:
            recommended = account.provider.definition.min_interval or 0
            if account.min_interval < recommended:
                has, wants = duration_text(account.min_interval), duration_text(recommended)
                name = account.provider.name
                click.echo(f"note: {account.name}: min_interval is {has}; {name} recommends {wants}")
        count = len(loaded.accounts)
        nothing = "" if count else "; no provider will be asked"
        click.echo(f"{config_file}: {count} account{'' if count == 1 else 's'}, no problems{nothing}")


def _check(files: tuple[Path, ...]) -> None:
    """Check definitions, and print what is wrong with any of them at once."""
    problems = [problem for file in files for problem in _problems(file)]
    with explained(1):
        if problems:
            raise ConfigurationError(problems)
    for file in files:
        click.echo(f"{file}: a definition, no problems")


def _problems(file: Path) -> list[Problem]:
    found = providers.load(file)[1]
    if any(problem.path == "accounts" for problem in found):
        return [Problem(str(file), 0, 0, "", "is a configuration; give it by --config.file")]
    return found
