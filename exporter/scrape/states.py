"""How urgent an account or one of its wallets is, as pages, reports and programs say it."""

from collections.abc import Sequence
from typing import Literal

from exporter.model import Reason, Wallet
from exporter.scrape.caching_collector import Reading
from exporter.scrape.thresholds import breached

WalletState = Literal["ok", "info", "warning", "critical"]
AccountState = Literal["ok", "info", "warning", "critical", "down", "unasked"]
URGENT: Sequence[AccountState] = ("critical", "down", "warning", "info", "unasked", "ok")
"""The states, most urgent first."""


def state(reading: Reading, wallet: Wallet | None = None) -> AccountState:
    """Return the state of a wallet, or of an account that has none to show."""
    outcome = reading.outcome
    if outcome is None:
        return "unasked"
    if not outcome.up:
        # Where the provider refuses because nothing is left, the state is known.
        return "critical" if outcome.reason is Reason.EXHAUSTED else "down"
    return wallet_state(reading, wallet) if wallet else "ok"


def wallet_state(reading: Reading, wallet: Wallet) -> WalletState:
    """Return the most severe level whose threshold the balance is under, "ok" where it is under none."""
    level = breached(reading.account, wallet)
    return level.value if level else "ok"
