"""The command line. Every mistake of an operator's ends in a message and an exit status, never in a traceback."""

import gc
import io
import sys
from importlib import import_module

import click

from exporter import __version__

_COMMANDS = {
    "serve": "Listen for scrapes.",
    "check": "Ask the providers now, for all accounts or the named ones.",
    "validate": "Check the configuration without asking any provider.",
    "providers": "List the built-in providers, or show one.",
    "definition": "Begin a provider of one's own, and try it.",
    "export": "Write the rules, dashboards and units of this version into a folder.",
    "demo": "Run the exporter on simulated providers.",
}
"""What the list of commands says of each; the command itself is `command` in the module of its name."""


class _Commands(click.Group):
    """Imports a command only when it is named: each needs other libraries, and some of them load slowly."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of all commands in the order of their use."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the name, the command and its arguments; raise `click.UsageError` for an unknown command."""
        name, _, rest = super().resolve_command(ctx, args)
        # Nothing that is imported is garbage, now or later: to look for some takes time.
        gc.disable()
        try:
            return name, import_module(f"exporter.cli.{name}").command, rest
        finally:
            gc.freeze()
            gc.enable()


@click.command(
    cls=_Commands,
    commands={name: click.Command(name, help=text) for name, text in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="prepaid-exporter", message="%(prog)s %(version)s")
def main() -> None:
    """Tell Prometheus what is left on prepaid accounts."""
    # A letter that the terminal lacks is written as its number; it is no reason to fail.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
