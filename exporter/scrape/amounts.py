"""Amounts as people read them. Programs get every digit."""

from decimal import ROUND_FLOOR, Decimal

from exporter.model import UNROUNDED, Wallet
from exporter.schema.currencies import minor_digits

_DIGITS = 2
_DIGITS_BELOW_ONE = 4


def cut(amount: Decimal, currency: str) -> Decimal:
    """Return an amount with at most as many digits after the point as its currency has, four where it is below one.

    What ISO 4217 does not list has two. The amount is rounded down, so that nobody sees more money than there is; what
    is not 0 never becomes 0.
    """
    digits = minor_digits(currency)
    if digits is None:
        digits = _DIGITS
    if amount and abs(amount) < 1:
        digits = max(digits, _DIGITS_BELOW_ONE, -amount.adjusted())
    if -int(amount.as_tuple().exponent) <= digits:
        return amount
    return amount.quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR, UNROUNDED)


def shown(amount: Decimal, currency: str) -> str:
    """Return an amount cut, as text."""
    return f"{cut(amount, currency):f}"


def main_amount(wallet: Wallet) -> tuple[Decimal | None, str]:
    """Return the amount that stands for a wallet where there is room for one, and what it is if not the balance."""
    if wallet.balance is not None:
        return wallet.balance, ""
    if wallet.settled_balance is not None:
        return wallet.settled_balance, "settled"
    if wallet.quota_used is not None:
        return (
            wallet.quota_used,
            "used" if wallet.quota is None else f"used of {shown(wallet.quota, wallet.currency)}",
        )
    return None, "no limit"
