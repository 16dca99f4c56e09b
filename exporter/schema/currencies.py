"""The currencies of ISO 4217. The only user of the library that lists them, which is read when it is first needed."""

from functools import cache

_LETTERS = 3


def minor_digits(code: str) -> int | None:
    """Return how many digits a currency has after the decimal point; None for what is no currency, or has no coins."""
    return _digits().get(code) if len(code) == _LETTERS else None


def is_currency(code: str) -> bool:
    """Return whether a code, in capitals, is a currency of ISO 4217."""
    return len(code) == _LETTERS and code in _digits()


@cache
def _digits() -> dict[str, int | None]:
    from iso4217 import Currency  # noqa: PLC0415 - it reads a table of 90 KB

    return {currency.code: currency.exponent for currency in Currency}
