"""`export`: write what belongs to this version beside the program: rules, dashboards, examples and units."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

import exporter
from exporter.cli.options import option, printing

_PARTS = (
    "grafana/rules",
    "grafana/dashboards",
    "grafana/provisioning/dashboards",
    "grafana/provisioning/datasources",
    "grafana/alertmanager",
    "grafana/prometheus",
    "systemd",
)


@click.command("export")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@option("--force", is_flag=True, help="Replace existing files that differ.")
def command(folder: Path, force: bool) -> None:  # noqa: FBT001 - click passes it
    """Write the rules, dashboards, examples and systemd units of this version into a folder."""
    with printing(1):
        files = {folder / name: text for name, text in _shipped()}
        try:
            kept = [file for file, text in files.items() if file.exists() and file.read_text() != text]
            if kept and not force:
                for file in kept:
                    click.echo(f"{file}: exists and differs", err=True)
                click.echo(
                    "nothing is written; choose another folder, or replace them with --force", err=True
                )
                sys.exit(1)
            for file, text in files.items():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
                click.echo(file)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "a file in it is not text"
            click.echo(f"{folder}: cannot be written: {reason}", err=True)
            sys.exit(1)


def _shipped() -> Iterator[tuple[str, str]]:
    """Yield each file's name and text. The wheel has them inside; a checkout has them beside the program."""
    program = Path(exporter.__file__).parent
    inside = program / "shipped"
    source = inside if inside.is_dir() else program.parent
    for part in _PARTS:
        for file in sorted((source / part).glob("[!.]*.*")):
            text = file.read_text(encoding="utf-8")
            # Runbooks change with the alerts: those of this version explain what this version says.
            yield f"{part}/{file.name}", text.replace("/blob/main/", f"/blob/v{exporter.__version__}/")
