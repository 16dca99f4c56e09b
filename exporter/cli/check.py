"""`check`: ask the providers now."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import NoReturn

import click

from exporter import config, log
from exporter.cli import report
from exporter.cli.options import UNKNOWN, CheckCommand, config_file_option, explained, option, printing, warn
from exporter.metrics.exposition import TEXT_0, Page
from exporter.schema.problems import together
from exporter.schema.validation import did_you_mean
from exporter.scrape import Reading, Scraper
from exporter.web import process

_LISTED = 20
"""Most accounts that are listed where a name is not known."""


@click.command("check", cls=CheckCommand)
@click.argument("account", nargs=-1)
@config_file_option
@option(
    "--output", type=click.Choice(["table", "json", "prometheus"]), default="table", help="What to print."
)
@option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    help="Also write the families to this file.",
)
def command(account: tuple[str, ...], config_file: Path, output: str, textfile: Path | None) -> NoReturn:
    """Ask the providers now, for all accounts or the named ones.

    Exit status, as monitoring plugins have it: 0 fine, 1 a balance is under its warning threshold,
    2 under its critical one or nothing is left, 3 an account could not be asked.
    """
    process.raise_file_limit()
    log.configure("error", "logfmt")
    with printing(UNKNOWN):
        with explained(UNKNOWN):
            loaded = config.load(config_file)
        names = _chosen(account, [one.name for one in loaded.accounts])
        _warn_of_configuration(loaded, names)
        with report.progress(f"asking {len(names)} account{'' if len(names) == 1 else 's'}"):
            readings = _asked(loaded, names)
        _warn_of_notes(readings)
        families = Page().render(readings, None, TEXT_0).decode()
        if textfile:
            try:
                report.replace(textfile, families)
            except OSError as error:
                _give_up(f"--textfile: {textfile} cannot be written: {error.strerror}")
        if output == "table":
            report.console(sys.stdout).print(report.table(readings))
        else:
            click.echo(report.as_json(readings) if output == "json" else families.rstrip("\n"))
    sys.exit(report.exit_status(readings))


def _chosen(wanted: Sequence[str], known: list[str]) -> set[str]:
    unknown = [name for name in wanted if name not in known]
    if unknown:
        there = f"; the accounts are {', '.join(known[:_LISTED])}{', ...' if len(known) > _LISTED else ''}"
        hints = (did_you_mean(name, known) or (there if known else "") for name in unknown)
        told = (f"no account {name!r} is configured{hint}" for name, hint in zip(unknown, hints, strict=True))
        _give_up("\n".join(told))
    return set(wanted or known)


def _warn_of_configuration(loaded: config.Config, names: set[str]) -> None:
    for told in (loaded.missing, loaded.doubts):
        warn([together(problems) for name, problems in told.items() if name in names])
    if not loaded.accounts:
        warn([f"{loaded.file}: no account is configured, so that nothing is asked"])


def _warn_of_notes(readings: Sequence[Reading]) -> None:
    """Tell what was not as expected in good answers: what could not be read, and thresholds that match no wallet."""
    noted = {one.account.name: one.outcome.notes for one in readings if one.outcome}
    warn([f"{name}: {'; '.join(notes)}" for name, notes in noted.items() if notes])


def _give_up(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(UNKNOWN)


def _asked(loaded: config.Config, names: set[str]) -> list[Reading]:
    longest = max((one.timeout for one in loaded.accounts if one.name in names), default=0.0)
    asked = ThreadPoolExecutor(1).submit(Scraper(loaded).scrape, names, longest + 1)
    # Python notices an interrupt that comes just as a wait begins at the end of that wait only.
    while not wait([asked], timeout=0.2).done:
        pass
    return asked.result()
