"""`validate`: check the configuration without asking any provider."""

import json
from pathlib import Path

import click

from exporter import config
from exporter.cli.options import config_file_option, explained, option, printing, warn
from exporter.config import json_schema
from exporter.schema.durations import text as duration_text
from exporter.schema.problems import together


@click.command("validate")
@config_file_option
@option("--schema", is_flag=True, help="Print the JSON Schema of the file instead.")
@option("--no-secrets", is_flag=True, help="Do not check whether files and variables hold a secret.")
def command(config_file: Path, schema: bool, no_secrets: bool) -> None:  # noqa: FBT001 - click passes it
    """Check the configuration, its secrets and own definitions, without asking any provider."""
    with printing(1):
        if schema:
            click.echo(json.dumps(json_schema.schema(), indent=2))
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
