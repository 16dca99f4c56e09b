"""Single values out of an answer, strictly: each reader returns a value, None for "not given", or raises ValueError."""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from exporter.model import UNROUNDED, State
from exporter.providers.mapping import Choice, Currency, Flag, FreeText, Number, Text, Timestamp
from exporter.schema.fields import NUMBER, UNIT, label, visible
from exporter.schema.patterns import find

_SPACES = str.maketrans("\n\t", "  ")
_MILLI = Decimal("0.001")
_EARLIEST, _LATEST = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2101))


def amount(value: Any, spec: Number) -> Decimal | None:
    """Read an amount as it stands: a JSON number or a numeric string, before scale and sign."""
    if value is None or (isinstance(value, str) and value.strip().lower() == "unlimited"):
        return None
    read = _digits(value, spec.pattern)
    return None if read in spec.invalid else held(read)


def number(value: Any, spec: Number) -> Decimal | None:
    """Read an amount, then scale and sign as the definition says."""
    read = amount(value, spec)
    return None if read is None else product(read, -spec.scale if spec.negate else spec.scale)


def product(read: Decimal, factor: Decimal) -> Decimal:
    """Multiply to the last digit; raise ValueError for what no sample can hold."""
    return read if factor == 1 else held(UNROUNDED.multiply(read, factor))


def total(first: Decimal, plus: Iterable[Decimal], minus: Iterable[Decimal]) -> Decimal:
    """Add and subtract to the last digit; raise ValueError for what no sample can hold."""
    for more in plus:
        first = UNROUNDED.add(first, more)
    for less in minus:
        first = UNROUNDED.subtract(first, less)
    return held(first)


def held(read: Decimal) -> Decimal:
    """Return an amount that a sample can hold; raise ValueError for any other."""
    if not read.is_finite() or not math.isfinite(float(read)) or (read and not float(read)):
        raise ValueError("is beyond what a sample can hold")
    return read or Decimal(0)


def _digits(value: Any, pattern: str | None) -> Decimal:
    if isinstance(value, str):
        digits = (find(pattern, value.strip()) or "") if pattern else value.strip()
        if not NUMBER.fullmatch(digits):
            raise ValueError("is not a number")
        return Decimal(digits)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("is not a number")  # noqa: TRY004 - readers have one way to refuse
    return Decimal(value)


def label_text(value: Any, _spec: Any = None) -> str | None:
    """Read a text that may become a label value, as it is; a whole number counts as its digits."""
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("is not a text")  # noqa: TRY004 - as above
    try:
        return label(value)
    except ValueError:
        raise ValueError("is not a short text without control characters") from None


def free_text(value: Any, _spec: Any = None) -> str | None:
    """Read a text that people wrote: as `label_text`, and lines and tabs in it are theirs."""
    if isinstance(value, str):
        label_text(value.translate(_SPACES))
        return value or None
    return label_text(value)


def currency(value: Any, _spec: Any = None) -> str | None:
    """Read a currency or unit, in capitals; a blank text is none."""
    if value is None:
        return None
    code = visible(value).upper() if isinstance(value, str) else "?"
    if code and not UNIT.fullmatch(code):
        raise ValueError("is not a currency code")
    return code or None


def boolean(value: Any, _spec: Any = None) -> bool | None:
    """Read a JSON true or false."""
    if value is None or isinstance(value, bool):
        return value
    raise ValueError("is neither true nor false")


def state(value: Any, spec: Choice) -> State | None:
    """Read a value of a closed list; a text that is not in the list is `unknown`."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("is not a text")  # noqa: TRY004 - as above
    return State(value if value in spec.states else "unknown", (*spec.states, "unknown"))


def timestamp(value: Any, spec: Timestamp) -> Decimal | None:
    """Read a time as Unix seconds; a date is its first moment, and without a zone it is UTC.

    One outside of the years 2000 to 2100 is no time but a way to say "never".
    """
    if value is None or value == "":
        return None
    seconds = _iso8601(value) if spec.format == "iso8601" else _digits(value, None)
    if spec.format == "unix_ms":
        seconds = UNROUNDED.multiply(seconds, _MILLI)
    return held(seconds) if _EARLIEST <= seconds < _LATEST else None


def _iso8601(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise ValueError("is not a date")  # noqa: TRY004 - as above
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError("is not a date") from None
    return Decimal(str((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()))


READERS: Mapping[type, Callable[[Any, Any], Any]] = {
    Number: number,
    Timestamp: timestamp,
    Text: label_text,
    FreeText: free_text,
    Currency: currency,
    Flag: boolean,
    Choice: state,
}
"""How a field is read, by the type that its definition has."""
