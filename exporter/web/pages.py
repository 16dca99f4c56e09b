"""The pages for people: the status of every account, and the running configuration without its secrets."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from exporter import __version__
from exporter.config import Account, Config
from exporter.config.secret import MASK
from exporter.model import Level, Wallet
from exporter.schema.durations import text as duration_text
from exporter.schema.fields import is_cleartext
from exporter.schema.yaml_document import dump
from exporter.scrape import Reading, states
from exporter.scrape.amounts import cut, main_amount
from exporter.scrape.thresholds import effective_thresholds
from exporter.upstream.proxies import environment_proxies
from exporter.upstream.trust import trusted
from exporter.web.ages import age

_templates = Environment(
    loader=PackageLoader("exporter.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_amount: Any = _templates.get_template("amount.html").module
_LEVELS = (Level.CRITICAL, Level.WARNING, Level.INFO)
STATES = {
    "down": "down",
    "empty": "empty",
    **{level.value: f"under {level}" for level in _LEVELS},
    "unasked": "not asked yet",
    "open": "without a threshold",
    "ok": "ok",
}
"""What rows are counted and filtered by, most urgent first, and how it is told."""


@dataclass(frozen=True)
class View:
    """What a reader of the status page looks for: a text that a row holds, a state, accounts by their whole names.

    What is empty leaves no row out.
    """

    search: str = ""
    state: str = ""
    accounts: Sequence[str] = ()


@dataclass(frozen=True)
class _Row:
    """One wallet, or an account that has none to show; the first row of an account carries its notes."""

    reading: Reading
    wallet: Wallet | None
    notes: Sequence[str] = ()

    @property
    def account(self) -> Account:
        return self.reading.account

    @property
    def state(self) -> str:
        """Return how urgent the row is: a state, "empty" where nothing is left, "open" without a threshold."""
        state = states.state(self.reading, self.wallet)
        if state == "critical" and (not self.up or not self.thresholds):
            return "empty"
        return "open" if state == "ok" and self.wallet and not self.thresholds else state

    @property
    def up(self) -> bool:
        return bool(self.reading.outcome and self.reading.outcome.up)

    @property
    def amount(self) -> tuple[str, str]:
        """Return the amount that is shown, and what it is if not the balance."""
        if self.wallet is None:
            return "", ""
        value, what = main_amount(self.wallet)
        return "" if value is None else amount(value, self.wallet.currency), what

    @property
    def thresholds(self) -> list[tuple[Level, Decimal]]:
        return list(effective_thresholds(self.account, self.wallet).items()) if self.wallet else []

    @property
    def debug(self) -> str:
        """Return the link to the trace of the account, relative to the page."""
        return "probe?" + urlencode({"target": self.account.name, "debug": "true"})

    def fits(self, view: View) -> bool:
        """Return whether the row is one of those that a reader looks for."""
        if view.accounts and self.account.name not in view.accounts:
            return False
        return view.state in ("", self.state) and self._holds(view.search)

    def _holds(self, text: str) -> bool:
        """Return whether the names of the row hold a text, whatever its case."""
        names = [self.account.name, self.account.provider.name, self.account.provider.definition.title]
        names += [self.wallet.id, self.wallet.name, self.wallet.currency] if self.wallet else []
        return any(text.casefold() in name.casefold() for name in names)


def status(
    readings: Sequence[Reading],
    telemetry_path: str,
    view: View = View(),
    *,
    reload_refused: bool = False,
) -> str:
    """Draw the status page, most urgent rows first."""
    rows = [row for reading in readings for row in _rows(reading)]
    order = list(STATES)
    rows.sort(key=lambda row: order.index(row.state))
    known = {reading.account.name for reading in readings}
    return _templates.get_template("status.html").render(
        rows=[row for row in rows if row.fits(view)],
        all_rows=len(rows),
        accounts=len(readings),
        counts={state: len({row.account.name for row in rows if row.state == state}) for state in order},
        states=STATES,
        view=view,
        unknown=[name for name in view.accounts if name not in known],
        reload_refused=reload_refused,
        now=time.time(),
        telemetry_path=telemetry_path,
        version=__version__,
        amount=amount,
        age=age,
        moment=moment,
    )


def _rows(reading: Reading) -> Iterator[_Row]:
    outcome = reading.outcome
    # An account that is down shows its last wallets, marked as old.
    wallets = outcome.wallets if outcome and outcome.up else reading.last_wallets
    first, *others = wallets or (None,)
    yield _Row(reading, first, reading.notes)
    for wallet in others:
        yield _Row(reading, wallet)


def amount(value: Decimal, currency: str) -> str:
    """Write an amount in groups of three, with the digits that people want to see and the others on hover."""
    exact, short = f"{value:,f}", f"{cut(value, currency):,f}"
    return exact if exact == short else _amount.cut(short, exact)


def moment(timestamp: float) -> str:
    """Write a Unix time for people."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def configuration(config: Config) -> str:
    """Write the running configuration as YAML, with a mask in the place of every secret.

    What the environment adds to it stands above, as a comment.
    """
    said = [f"# accounts without ca_file trust {trusted(None)}"]
    if proxies := environment_proxies():
        said.append(f"# accounts without proxy_url use {proxies}")
    comment = "".join(" ".join(line.split()) + "\n" for line in said)
    return comment + dump({"accounts": [_account(account) for account in config.accounts]})


def _account(account: Account) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": account.name, "provider": account.provider.name}
    for name, secret in account.secrets.items():
        if secret.file is not None:
            entry[f"{name}_file"] = MASK if secret.nameless else str(secret.file)
        elif secret.env is not None:
            entry[f"{name}_env"] = MASK if secret.nameless else secret.env
        else:
            entry[name] = MASK
    entry |= {
        "params": dict(account.params),
        "currency": account.currency,
        "thresholds": _plain(account.thresholds),
        "wallet_thresholds": {key: _plain(value) for key, value in account.wallet_thresholds.items()},
        "ignore_wallets": list(account.ignore_wallets),
        "runway": {str(level): duration_text(seconds) for level, seconds in account.runway.items()},
        "base_url": account.base_url,
        "login_base_url": account.login_base_url,
        "allow_http": any(
            is_cleartext(url, account.proxy_url) for url in (account.base_url, account.login_base_url)
        )
        or None,
        "timeout": duration_text(account.timeout),
        "min_interval": duration_text(account.min_interval),
        "ca_file": account.ca_file,
        "proxy_url": _without_user(account.proxy_url),
        "dashboard_url": account.dashboard_url,
        "topup_url": account.topup_url,
    }
    return {key: value for key, value in entry.items() if value not in (None, "", {}, [])}


def _plain(thresholds: Any) -> dict[str, str]:
    return {str(level): str(value) for level, value in thresholds.items()}


def _without_user(url: str | None) -> str | None:
    parts = urlsplit(url or "")
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=f"{MASK}@{parts.netloc.rpartition('@')[2]}").geturl()
