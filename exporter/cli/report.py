"""What `check` prints: a table for people, JSON for programs, and its exit status."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.cli.options import UNKNOWN
from exporter.cli.terminal import columns
from exporter.model import Level, Wallet
from exporter.scrape import Reading
from exporter.scrape.amounts import main_amount, shown
from exporter.scrape.states import AccountState, state
from exporter.scrape.thresholds import effective_thresholds, exhausted

if TYPE_CHECKING:
    from rich.table import Table

FINE, WARNING, CRITICAL = 0, 1, 2

_CSV = (
    *("account", "provider", "wallet", "currency", "balance", "state"),
    *(f"{level}_threshold" for level in reversed(Level)),
    *("reason", "detail", "http_status", "last_success_timestamp_seconds"),
)
_COLOURS: Mapping[AccountState, str] = {
    "ok": "green",
    "info": "blue",
    "warning": "yellow",
    "critical": "bold red",
    "down": "magenta",
    "unasked": "magenta",
}


@dataclass(frozen=True)
class Row:
    """A wallet, or an account that has none to show: how urgent it is, and why."""

    reading: Reading
    state: AccountState
    text: str
    wallet: Wallet | None = None
    exact: bool = False

    @property
    def amount(self) -> str:
        """Return the balance, or what stands for it, with the digits that people want to see; empty without one."""
        value, _ = main_amount(self.wallet) if self.wallet else (None, "")
        return "" if value is None else _amount(value, self.unit, exact=self.exact)

    @property
    def unit(self) -> str:
        """Return the currency; empty without a wallet."""
        return self.wallet.currency if self.wallet else ""


def rows(readings: Iterable[Reading], *, exact: bool = False) -> list[Row]:
    """Return a row for each wallet and for each account without any; `exact` shows every digit of amounts."""
    return [row for reading in readings for row in _rows(reading, exact=exact)]


def _rows(reading: Reading, *, exact: bool) -> Iterator[Row]:
    outcome = reading.outcome
    if outcome is None or not outcome.up:
        words = [str(outcome.reason), outcome.detail, outcome.hint] if outcome else []
        yield Row(reading, state(reading), "; ".join(word for word in words if word))
    elif not outcome.wallets:
        yield Row(reading, state(reading), "no wallets")
    else:
        for wallet in outcome.wallets:
            levels = effective_thresholds(reading.account, wallet)
            _, what = main_amount(wallet)
            words = [word for word in (what, "nothing left" if exhausted(wallet) else "") if word]
            words += ["from the provider's cache"] if wallet.cached else []
            words += [
                f"{level} under {_amount(value, wallet.currency, exact=exact)}"
                for level, value in levels.items()
            ]
            yield Row(reading, state(reading, wallet), ", ".join(words), wallet, exact)


def _amount(amount: Decimal, unit: str, *, exact: bool) -> str:
    return f"{amount:f}" if exact else shown(amount, unit)


def exit_status(rows: Iterable[Row]) -> int:
    """Return the status of a monitoring plugin: critical before unknown before warning before fine."""
    states = {row.state for row in rows}
    if "critical" in states:
        return CRITICAL
    if states & {"down", "unasked"}:
        return UNKNOWN
    return WARNING if "warning" in states else FINE


def table(rows: Iterable[Row]) -> "Table":
    """Draw the rows as a table."""
    from rich.text import Text  # noqa: PLC0415

    drawn = columns("STATE", "ACCOUNT", "PROVIDER", "WALLET", "BALANCE", "", "THRESHOLDS OR REASON")
    drawn.columns[4].justify = "right"
    # A number that is cut is another number.
    drawn.columns[4].no_wrap = True
    for row in rows:
        account = row.reading.account
        wallet = row.wallet.id if row.wallet else ""
        cells = (account.name, account.provider.name, wallet, row.amount, row.unit, row.text)
        # Text is taken as it is; in a plain string the library would look for markup.
        drawn.add_row(Text(row.state, style=_COLOURS[row.state]), *map(Text, cells))
    return drawn


def as_csv(readings: Sequence[Reading]) -> str:
    """Write a line for each wallet, and for each account without any, under a line of headings."""
    from exporter.scrape.accounts_json import accounts_as_json  # noqa: PLC0415

    file = io.StringIO()
    writer = csv.DictWriter(file, _CSV, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for entry in accounts_as_json(readings):
        for wallet in entry["wallets"] or [{}]:
            thresholds = wallet.get("thresholds", {})
            writer.writerow(
                {**entry, **wallet, **{f"{level}_threshold": thresholds.get(level) for level in Level}}
            )
    return file.getvalue()


def as_json(readings: Sequence[Reading]) -> str:
    """Write the readings as JSON."""
    from exporter.scrape.accounts_json import accounts_as_json  # noqa: PLC0415

    return json.dumps(accounts_as_json(readings), indent=2, ensure_ascii=False)


def replace(path: Path, text: str) -> None:
    """Write a file whole or not at all, since the textfile collector reads at any moment.

    Raise OSError where it cannot be written.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
