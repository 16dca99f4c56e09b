"""What several commands share: how flags are spelt, what they take, how a mistake is told and how a command ends."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from exporter import log
from exporter.schema.durations import parse as parse_duration
from exporter.schema.durations import text as duration_text
from exporter.schema.problems import MAX_TOLD, ConfigurationError

UNKNOWN = 3
"""Exit status of a monitoring plugin that could not find out."""

_DAY = 86400.0
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


class Duration(click.ParamType):  # type: ignore[type-arg] # generic in its stubs alone
    """A duration as Prometheus writes it, or a number of seconds, at least `least` seconds long and at most a day."""

    name = "duration"

    def __init__(self, least: float = 0.0) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds; raise `click.BadParameter` for anything else."""
        try:
            plain = isinstance(value, float) or _SECONDS.fullmatch(value)
            seconds = float(value) if plain else parse_duration(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)
        if not self._least <= seconds <= _DAY:
            self.fail(f"{value!r} must be at least {duration_text(self._least)} and at most 1d", param, ctx)
        return seconds


class CheckCommand(click.Command):
    """A command whose wrong use is "unknown", as monitoring plugins say it; click's own 2 would be "critical"."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the arguments."""
        try:
            return super().make_context(*args, **extra)
        except click.UsageError as error:
            error.exit_code = UNKNOWN  # type: ignore[misc] # meant to be set, says its documentation
            raise


def option(flag: str, **settings: Any) -> Callable[[Any], Any]:
    """Declare a flag spelt as other Prometheus programs spell theirs, with its environment variable."""
    name = flag.partition("/")[0].removeprefix("--").replace(".", "_").replace("-", "_")
    settings.setdefault("show_default", True)
    return click.option(flag, name, envvar=f"PREPAID_EXPORTER_{name.upper()}", show_envvar=True, **settings)


FILE = click.Path(path_type=Path, readable=False)
"""A file whose reader says itself what is wrong with it: the parser would speak of its rights alone."""

config_file_option = option("--config.file", type=FILE, default="prepaid.yml", help="Configuration to read.")
log_level_option = option(
    "--log.level", type=click.Choice(log.LEVELS), default="info", help="Lowest level to log."
)
log_format_option = option(
    "--log.format", type=click.Choice(log.FORMATS), default="logfmt", help="Format of a line."
)


@contextmanager
def explained(status: int) -> Iterator[None]:
    """Turn an operator's mistakes (`ConfigurationError`) into messages and an exit status."""
    try:
        yield
    except ConfigurationError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        count = len(error.problems)
        click.echo(f"{count} problem{'' if count == 1 else 's'}", err=True)
        sys.exit(status)


def warn(messages: Sequence[str]) -> None:
    """Write what may be wrong to standard error, a line each, and no more lines than somebody reads."""
    for message in messages[:MAX_TOLD]:
        click.echo(f"warning: {message}", err=True)
    if len(messages) > MAX_TOLD:
        click.echo(f"warning: {len(messages) - MAX_TOLD} more accounts like these", err=True)


@contextmanager
def printing(status: int) -> Iterator[None]:
    """End with `status` and one line when a person interrupts the command, or what it prints has nowhere to go."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        # Where the shell closed it, Python has no standard output.
        if sys.stdout is None:
            raise OSError(0, "it is closed")  # noqa: TRY301 - told as every other such case
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        message = "interrupted"
    except OSError as error:
        message = f"standard output cannot be written: {error.strerror}"
    else:
        return
    with suppress(OSError):
        click.echo(message, err=True)
    end(status)


def end(status: int) -> NoReturn:
    """End the process at once: calls to providers may still be under way in threads, and nobody waits for them."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError):
            stream.flush()
    os._exit(status)
