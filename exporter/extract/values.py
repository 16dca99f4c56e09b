"""Single values out of an answer, strictly: each reader returns a value, None for "not given", or raises ValueError."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Literal

from exporter.model import UNROUNDED, State
from exporter.providers.mapping import Choice, Currency, Flag, FreeText, Number, Text, Timestamp
from exporter.schema.currencies import minor_digits
from exporter.schema.fields import NUMBER, UNIT, label, visible
from exporter.schema.patterns import find

_SPACES = str.maketrans("\n\t", "  ")
_MILLI = Decimal("0.001")
_EARLIEST, _LATEST = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2101))
_HOURS = re.compile(r"([0-9]{1,6}):([0-5][0-9]):([0-5][0-9])", re.ASCII)


@dataclass(frozen=True)
class Context:
    """What the reading of a value depends on beside itself: the wallet's currency, and the time in Unix seconds."""

    unit: str = ""
    now: Decimal = Decimal(0)


class Unlimited(Enum):
    """The value of an amount that the provider does not limit: there is no number, and nothing is missing."""

    UNLIMITED = "unlimited"


UNLIMITED: Literal[Unlimited.UNLIMITED] = Unlimited.UNLIMITED
Amount = Decimal | Literal[Unlimited.UNLIMITED] | None


def amount(value: Any, spec: Number) -> Amount:
    """Read an amount as it stands: a JSON number or a numeric string, before scale and sign."""
    if value is None:
        return None
    plain = value.strip() if isinstance(value, str) else value
    if any(same(plain, word) for word in spec.unlimited):
        return UNLIMITED
    if isinstance(plain, str) and plain.lower() == "unlimited":
        return None
    read = _digits(plain, spec)
    if any(same(read, _number_of(word)) for word in spec.unlimited):
        return UNLIMITED
    if spec.unlimited_above is not None and read > spec.unlimited_above:
        return UNLIMITED
    return None if read in spec.invalid else held(read)


def _number_of(word: Any) -> Any:
    """Return the number that a text writes, and anything else as it is."""
    return Decimal(word) if isinstance(word, str) and NUMBER.fullmatch(word) else word


def number(value: Any, spec: Number, context: Context = Context()) -> Amount:
    """Read an amount, then scale and sign as the definition says."""
    read = amount(value, spec)
    return product(read, signed(spec, context)) if isinstance(read, Decimal) else read


def signed(spec: Number, context: Context) -> Decimal:
    """Return what an amount is multiplied by; raise ValueError where that depends on a currency without coins."""
    scale = spec.scale
    if spec.minor_units:
        digits = spec.minor_digits.get(context.unit, minor_digits(context.unit))
        if digits is None:
            raise ValueError("is counted in the smallest units of a currency that is not in ISO 4217")
        scale = Decimal(1).scaleb(-digits)
    return -scale if spec.negate else scale


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


def _digits(value: Any, spec: Number | None = None) -> Decimal:
    if isinstance(value, str):
        text = value.strip()
        digits = (find(spec.pattern, text) or "") if spec and spec.pattern else text
        if spec and (spec.grouping or spec.decimal):
            digits = _ungrouped(digits, spec.grouping or "", spec.decimal or ".")
        if not NUMBER.fullmatch(digits):
            raise ValueError("is not a number")
        return Decimal(digits)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("is not a number")  # noqa: TRY004 - readers have one way to refuse
    return Decimal(value)


def _ungrouped(digits: str, grouping: str, decimal: str) -> str:
    """Write a number as programs do; nothing where it is not written as the definition says."""
    if not _written(grouping, decimal).fullmatch(digits):
        return ""
    return digits.replace(grouping, "").replace(decimal, ".")


@lru_cache(maxsize=64)
def _written(grouping: str, decimal: str) -> re.Pattern[str]:
    groups = rf"|[0-9]{{1,3}}(?:{re.escape(grouping)}[0-9]{{3}})+" if grouping else ""
    return re.compile(rf"[-+]?(?:[0-9]+{groups})(?:{re.escape(decimal)}[0-9]+)?")


def label_text(value: Any, _spec: Any = None, _context: Any = None) -> str | None:
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


def free_text(value: Any, _spec: Any = None, _context: Any = None) -> str | None:
    """Read a text that people wrote: as `label_text`, and lines and tabs in it are theirs."""
    if isinstance(value, str):
        label_text(value.translate(_SPACES))
        return value or None
    return label_text(value)


def currency(value: Any, spec: Currency, _context: Any = None) -> str | None:
    """Read a currency or unit, in capitals; a blank text is none."""
    if value is None:
        return None
    text = visible(value) if isinstance(value, str) else "?"
    if not text:
        return None
    if spec.pattern:
        text = find(spec.pattern, text) or "?"
    code = spec.aliases.get(text, text.upper())
    code = spec.aliases.get(code, code)
    if not UNIT.fullmatch(code):
        raise ValueError("is not a currency code")
    return code


def boolean(value: Any, spec: Flag, _context: Any = None) -> bool | None:
    """Read a JSON true or false, or what the definition takes for one."""
    if value is None or isinstance(value, bool):
        return value
    for meaning, values in ((True, spec.true), (False, spec.false)):
        if any(same(value, one) for one in values):
            return meaning
    raise ValueError("is neither true nor false")


def same(value: Any, known: Any) -> bool:
    """Return whether two values are equal and of one kind of JSON: true is not 1, though Python says so."""
    return isinstance(value, bool) == isinstance(known, bool) and bool(value == known)


def state(value: Any, spec: Choice, _context: Any = None) -> State | None:
    """Read a value of a closed list; a text that is not in the list is `unknown`."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("is not a text")  # noqa: TRY004 - as above
    return State(value if value in spec.states else "unknown", (*spec.states, "unknown"))


def timestamp(value: Any, spec: Timestamp, context: Context = Context()) -> Decimal | None:
    """Read a time as Unix seconds; a date is its first moment, and without a zone it is UTC.

    One outside of the years 2000 to 2100 is no time but a way to say "never", and so is less than nothing left.
    """
    if value is None or value == "":
        return None
    seconds = _TIMES[spec.format](value)
    if spec.format.endswith("_from_now"):
        if seconds < 0:
            return None
        seconds = UNROUNDED.add(seconds, context.now)
    return held(seconds) if _EARLIEST <= seconds < _LATEST else None


def _iso8601(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise ValueError("is not a date")  # noqa: TRY004 - as above
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError("is not a date") from None
    return Decimal(str((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()))


def _hms(value: Any) -> Decimal:
    parts = _HOURS.fullmatch(value.strip()) if isinstance(value, str) else None
    if parts is None:
        raise ValueError("is not a time such as 12:30:00")
    hours, minutes, seconds = map(int, parts.groups())
    return Decimal((hours * 60 + minutes) * 60 + seconds)


_TIMES: Mapping[str, Callable[[Any], Decimal]] = {
    "iso8601": _iso8601,
    "unix": _digits,
    "unix_ms": lambda value: UNROUNDED.multiply(_digits(value), _MILLI),
    "seconds_from_now": _digits,
    "hms_from_now": _hms,
}

READERS: Mapping[type, Callable[[Any, Any, Context], Any]] = {
    Number: number,
    Timestamp: timestamp,
    Text: label_text,
    FreeText: free_text,
    Currency: currency,
    Flag: boolean,
    Choice: state,
}
"""How a field is read, by the type that its definition has."""
