"""What `check` prints for Nagios, Icinga and their like: a line with performance data, then a line for each wallet.

As the Monitoring Plugins Development Guidelines have it, https://www.monitoring-plugins.org/doc/guidelines.html.
"""

from collections.abc import Iterator, Mapping, Sequence

from exporter.cli.options import UNKNOWN
from exporter.cli.report import Row
from exporter.model import Level
from exporter.scrape.states import URGENT
from exporter.scrape.thresholds import effective_thresholds

TIMEOUT = 8.0
"""Seconds for everything where nobody says otherwise: NRPE gives a plugin ten."""

_STATUS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_NAMED = 3
"""Most wallets and accounts that the first line names; all are in the lines below."""


def output(rows: Sequence[Row], status: int) -> str:
    """Return what the plugin prints of these rows and its exit status."""
    rows = sorted(rows, key=lambda row: URGENT.index(row.state))
    bad = [row for row in rows if row.state != "ok"]
    fine = len(rows) - len(bad)
    words = [_words(row) for row in bad[:_NAMED]]
    words += [f"{len(bad) - _NAMED} more"] if len(bad) > _NAMED else []
    words += [f"{fine} fine"] if fine or not bad else []
    data = " ".join(_performance(rows))
    lines = [_line(status, ", ".join(words)) + (f" | {data}" if data else "")]
    return "\n".join([*lines, *(f"{row.state}: {_words(row)}" for row in rows)])


def unknown(message: str) -> str:
    """Return what the plugin prints where nobody could be asked."""
    first, *more = message.splitlines()
    return "\n".join([_line(UNKNOWN, _plain(first)), *map(_plain, more)])


def _line(status: int, text: str) -> str:
    return f"PREPAID {_STATUS[status]}: {text}"


def _words(row: Row) -> str:
    return _plain(f"{_name(row)} {row.amount} {row.unit}".rstrip() + (f" ({row.text})" if row.text else ""))


def _name(row: Row) -> str:
    account = row.reading.account.name
    return f"{account}/{row.wallet.id}" if row.wallet else account


def _plain(text: str) -> str:
    # Nagios takes the text after a bar for performance data.
    return text.replace("|", "/")


def _performance(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.wallet and row.wallet.balance is not None:
            levels = effective_thresholds(row.reading.account, row.wallet)
            unit = row.wallet.currency if row.wallet.currency.isalpha() else ""
            limits = ";".join(_range(levels, level) for level in (Level.WARNING, Level.CRITICAL))
            yield f"'{_label(row)}'={row.wallet.balance:f}{unit};{limits}".rstrip(";")


def _label(row: Row) -> str:
    # A label can hold neither of these characters, nor a bar.
    return _plain(_name(row)).translate({ord("'"): "_", ord("="): "_"})


def _range(levels: Mapping[Level, object], level: Level) -> str:
    """Write a threshold as the range that is fine: from it upwards."""
    return f"{levels[level]:f}:" if level in levels else ""
