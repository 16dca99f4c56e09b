"""Amounts as people read them. Programs get every digit."""

from decimal import ROUND_FLOOR, Decimal

from exporter.model import UNROUNDED

_DIGITS = 2
_DIGITS_BELOW_ONE = 4


def shown(amount: Decimal) -> str:
    """Return an amount with at most two digits after the point, four where it is below one.

    It is cut so that nobody sees more money than there is, and what is not nothing is never shown as 0.
    """
    digits = _DIGITS
    if amount and abs(amount) < 1:
        digits = max(_DIGITS_BELOW_ONE, -amount.adjusted())
    if -int(amount.as_tuple().exponent) > digits:
        amount = amount.quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR, UNROUNDED)
    return f"{amount:f}"
