"""`check`: ask the providers now."""

import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn

import click

from exporter import config, log
from exporter.cli import nagios, report, terminal
from exporter.cli.options import (
    UNKNOWN,
    CheckCommand,
    Duration,
    config_file_option,
    end,
    explained,
    option,
    printing,
    warn,
)
from exporter.files import raise_file_limit
from exporter.schema.problems import ConfigurationError, together
from exporter.schema.validation import did_you_mean
from exporter.scrape import Reading, Scraper

_LISTED = 20
"""Most accounts that are listed where a name is not known."""


def _families(readings: Sequence[Reading]) -> str:
    from exporter.metrics.exposition import TEXT_0, Page  # noqa: PLC0415 - few ask for it, and it loads slowly

    return Page().render(list(readings), None, TEXT_0).decode()


_FOR_PROGRAMS: Mapping[str, Callable[[Sequence[Reading]], str]] = {
    "json": report.as_json,
    "csv": report.as_csv,
    "prometheus": _families,
}


class _RefusedError(Exception):
    """Nobody can be asked, or what came of it cannot be kept; the text says why."""


@click.command("check", cls=CheckCommand)
@click.argument("account", nargs=-1)
@config_file_option
@option(
    "--provider", multiple=True, help="Ask only the accounts of this provider; may be given several times."
)
@option(
    "--output", type=click.Choice(["table", "nagios", *_FOR_PROGRAMS]), default="table", help="What to print."
)
@option("--exact", is_flag=True, help="Show people every digit of an amount, as programs get it.")
@option("--quiet", is_flag=True, help="Print only errors; the exit status says the rest.")
@option(
    "--timeout",
    type=Duration(0.1),
    help="Time limit for everything; without it 8s for nagios, else as long as the accounts may take.",
)
@option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    help="Also write the families to this file.",
)
def command(  # noqa: PLR0913 - one argument a flag
    account: tuple[str, ...],
    config_file: Path,
    provider: tuple[str, ...],
    output: str,
    exact: bool,  # noqa: FBT001 - click passes it
    quiet: bool,  # noqa: FBT001 - click passes it
    timeout: float | None,
    textfile: Path | None,
) -> NoReturn:
    """Ask the providers now, for all accounts or the named ones.

    Exit status, as monitoring plugins have it: 0 fine, 1 a balance is under its warning threshold,
    2 under its critical one or nothing is left, 3 an account could not be asked. With --textfile it
    is 0 where the file was written, else 3.
    """
    limit = timeout or (nagios.TIMEOUT if output == "nagios" else None)
    latest = limit and time.monotonic() + limit
    raise_file_limit()
    log.configure("error", "logfmt")
    with printing(UNKNOWN), _refusals(output):
        loaded = config.load(config_file)
        names = _chosen({one.name: one.provider.name for one in loaded.accounts}, account, provider)
        if not quiet:
            _warn_of_configuration(loaded, names)
        text = f"asking {len(names)} account{'' if len(names) == 1 else 's'}"
        with nullcontext() if quiet else terminal.progress(text):
            readings = _asked(loaded, names, latest)
        if not quiet:
            _warn_of_notes(readings)
        rows = report.rows(readings, exact=exact)
        status = report.exit_status(rows)
        if textfile:
            _write(textfile, readings)
        if not quiet:
            _print(output, readings, rows, status)
    # Calls that take longer than the time limit are not waited for.
    end(0 if textfile else status)


@contextmanager
def _refusals(output: str) -> Iterator[None]:
    """Print why nobody was asked, where the reader looks for it, and end with the status "unknown"."""
    try:
        yield
    except (ConfigurationError, _RefusedError) as error:
        if output == "nagios":
            _echo_utf_8(nagios.unknown(str(error)))
        elif isinstance(error, ConfigurationError):
            with explained(UNKNOWN):
                raise
        else:
            click.echo(error, err=True)
        end(UNKNOWN)


def _chosen(known: Mapping[str, str], wanted: Sequence[str], providers: Sequence[str]) -> set[str]:
    """Return the accounts to ask. `known` has the provider of each; raise `_RefusedError` for a name that it lacks."""
    refusals = [
        f"no account {name!r} is configured{_hint(name, 'accounts', known)}"
        for name in wanted
        if name not in known
    ]
    refusals += [
        f"no account has the provider {name!r}{_hint(name, 'providers', known.values())}"
        for name in providers
        if name not in known.values()
    ]
    if refusals:
        raise _RefusedError("\n".join(refusals))
    names = {
        name
        for name, provider in known.items()
        if (not wanted or name in wanted) and (not providers or provider in providers)
    }
    if known and not names:
        raise _RefusedError(f"none of these accounts belongs to {' or '.join(providers)}")
    return names


def _hint(name: str, kind: str, known: Collection[str]) -> str:
    there = list(dict.fromkeys(known))
    listed = f"; the {kind} are {', '.join(there[:_LISTED])}{', ...' if len(there) > _LISTED else ''}"
    return did_you_mean(name, there) or (listed if there else "")


def _warn_of_configuration(loaded: config.Config, names: set[str]) -> None:
    for told in (loaded.missing, loaded.doubts):
        warn([together(problems) for name, problems in told.items() if name in names])
    if not loaded.accounts:
        warn([f"{loaded.file}: no account is configured, so no provider is asked"])


def _warn_of_notes(readings: Sequence[Reading]) -> None:
    """Warn of what was odd in good answers: what could not be read, and thresholds that match no wallet."""
    noted = {one.account.name: one.outcome.notes for one in readings if one.outcome}
    warn([f"{name}: {'; '.join(notes)}" for name, notes in noted.items() if notes])


def _asked(loaded: config.Config, names: set[str], latest: float | None) -> list[Reading]:
    """Ask the accounts, until `latest` on the monotonic clock at most."""
    limit = max((one.timeout for one in loaded.accounts if one.name in names), default=0.0) + 1
    if latest is not None:
        limit = min(limit, latest - time.monotonic())
    asked = ThreadPoolExecutor(1).submit(Scraper(loaded).scrape, names, max(limit, 0.0))
    # Python may notice an interrupt only when the wait is over: so the waits are short.
    while not wait([asked], timeout=0.2).done:
        pass
    return asked.result()


def _write(textfile: Path, readings: Sequence[Reading]) -> None:
    try:
        report.replace(textfile, _families(readings))
    except OSError as error:
        raise _RefusedError(f"--textfile: {textfile} cannot be written: {error.strerror}") from None


def _print(output: str, readings: Sequence[Reading], rows: Sequence[report.Row], status: int) -> None:
    if output == "table":
        terminal.console(sys.stdout).print(report.table(rows))
    elif output == "nagios":
        _echo_utf_8(nagios.output(rows, status))
    else:
        _echo_utf_8(_FOR_PROGRAMS[output](readings).rstrip("\n"))


def _echo_utf_8(text: str) -> None:
    """Print what a program reads: in UTF-8, whatever a terminal would speak."""
    click.echo(text.encode(errors="backslashreplace"))
