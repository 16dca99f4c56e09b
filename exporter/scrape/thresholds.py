"""Which low-balance thresholds are in force for a wallet."""

from decimal import Decimal

from exporter.config import Account
from exporter.model import Level, Thresholds, Wallet


def effective_thresholds(account: Account, wallet: Wallet) -> Thresholds:
    """Return the thresholds of a wallet by level, mildest level first.

    For each level: the operator's (for the wallet id, else for the currency, else for the account); else the
    provider's own; else, for `warning`, the balance under which the provider recharges.
    """
    sources = [
        account.wallet_thresholds.get(wallet.id, {}),
        _of_currency(account, wallet.currency),
        account.thresholds,
        wallet.thresholds,
    ]
    if wallet.auto_recharge_threshold is not None:
        sources.append({Level.WARNING: wallet.auto_recharge_threshold})
    return {
        level: next(source[level] for source in sources if level in source)
        for level in Level
        if any(level in source for source in sources)
    }


def _of_currency(account: Account, currency: str) -> Thresholds:
    """Find the thresholds of a currency, which operators write in small letters too."""
    named = account.wallet_thresholds.items()
    return next((thresholds for name, thresholds in named if name.upper() == currency), {})


def breached(account: Account, wallet: Wallet) -> Level | None:
    """Return the most severe level whose threshold the balance is under, None where it is under none.

    An exhausted wallet is critical whether anybody gave it a threshold or not.
    """
    if exhausted(wallet):
        return Level.CRITICAL
    spendable = _spendable(wallet)
    if spendable is None:
        return None
    under = [level for level, value in effective_thresholds(account, wallet).items() if spendable < value]
    return under[-1] if under else None


def exhausted(wallet: Wallet) -> bool:
    """Return whether nothing is left to spend; a post-paid wallet has no end of this kind."""
    floor = Decimal(0) if wallet.credit_limit is None else -wallet.credit_limit
    spendable = _spendable(wallet)
    return not wallet.postpaid and spendable is not None and spendable <= floor


def _spendable(wallet: Wallet) -> Decimal | None:
    """Return what can be spent at most: the balance, else what is booked; None where it is not known or not limited."""
    return wallet.settled_balance if wallet.balance is None else wallet.balance
