"""Single values out of an answer, strictly: each reader gives a value, None for "not given", or ValueError."""

import json
import math
import re
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from exporter.model import UNROUNDED, State
from exporter.providers.mapping import Choice, Number, Timestamp
from exporter.schema.fields import MAX_TEXT, NUMBER

_MAX_WRITTEN_EXPONENT = 9999
_FEW_DIGITS = 40
_SHORTEST_KEY = 8
_SPACES = str.maketrans("\n\t", "  ")
_MILLI = Decimal("0.001")


def document(body: bytes) -> Any:
    """Parse JSON with exact numbers; raise ValueError for anything else, NaN and endless nesting included."""
    try:
        return json.loads(body, parse_float=_exact, parse_int=_whole, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ArithmeticError:
        raise ValueError("has a number beyond all bounds") from None


def _exact(digits: str) -> Decimal:
    value = Decimal(digits)
    if abs(value.adjusted()) > _MAX_WRITTEN_EXPONENT:
        # Exact arithmetic with it, which a definition may ask for, would fill the memory.
        raise ValueError("has a number beyond all bounds")
    return value


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < _FEW_DIGITS else _exact(digits)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def number(value: Any, spec: Number) -> Decimal | None:
    """Read an amount: a JSON number or a numeric string, then scale and sign as the definition says."""
    if value is None or (isinstance(value, str) and value.strip().lower() == "unlimited"):
        return None
    amount = _amount(value, spec.pattern)
    if amount in spec.invalid:
        return None
    if spec.scale != 1:
        amount = UNROUNDED.multiply(_held(amount), spec.scale)
    return _held(amount.copy_negate() if spec.negate else amount)


def difference(amount: Decimal, less: Decimal) -> Decimal:
    """Subtract to the last digit."""
    return _held(UNROUNDED.subtract(amount, less))


def _held(amount: Decimal) -> Decimal:
    if not amount.is_finite() or not math.isfinite(float(amount)) or (amount and not float(amount)):
        raise ValueError("is beyond what a sample can hold")
    return amount or Decimal(0)


def _amount(value: Any, pattern: str | None) -> Decimal:
    if isinstance(value, str):
        digits = _matched(pattern, value.strip()) if pattern else value.strip()
        if not NUMBER.fullmatch(digits):
            raise ValueError("is not a number")
        return Decimal(digits)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("is not a number")  # noqa: TRY004 - readers have one way to refuse
    return Decimal(value)


def _matched(pattern: str, text: str) -> str:
    """Give the group of a pattern that describes the whole of a short text: one that may stop early invents money."""
    match = re.fullmatch(pattern, text) if len(text) <= MAX_TEXT else None
    return (match[1] or "") if match else ""


def text(value: Any, _spec: Any = None) -> str | None:
    """Read a text that may become a label value; a whole number counts as its digits."""
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise ValueError("is not a short printable text")
    return value


def words(value: Any, _spec: Any = None) -> str | None:
    """Read a text that people wrote: as `text`, and lines and tabs in it are theirs."""
    if isinstance(value, str):
        text(value.translate(_SPACES))
        return value or None
    return text(value)


def contains_secret(value: str, secrets: Collection[str]) -> bool:
    """Tell whether a text holds one of the secrets, in capitals or small letters.

    One of a few characters must be the whole text: no provider's key is that short, and a trial's `k` is in any text.
    """
    folded = value.casefold()
    known = (secret.casefold() for secret in secrets)
    return any(secret in folded if len(secret) >= _SHORTEST_KEY else secret == folded for secret in known)


def flag(value: Any, _spec: Any = None) -> bool | None:
    """Read a JSON true or false."""
    if value is None or isinstance(value, bool):
        return value
    raise ValueError("is neither true nor false")


def state(value: Any, spec: Choice) -> State | None:
    """Read a value of a closed list; a text that is not in the list is `unknown`."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("is not a text")  # noqa: TRY004 - readers have one way to refuse
    return State(value if value in spec.states else "unknown", (*spec.states, "unknown"))


def timestamp(value: Any, spec: Timestamp) -> Decimal | None:
    """Read a time as Unix seconds; a date is its first moment, and without a zone it is UTC."""
    if value is None or value == "":
        return None
    if spec.format != "iso8601":
        seconds = _held(_amount(value, None))
        return _held(UNROUNDED.multiply(seconds, _MILLI)) if spec.format == "unix_ms" else seconds
    if not isinstance(value, str):
        raise ValueError("is not a date")  # noqa: TRY004 - readers have one way to refuse
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError("is not a date") from None
    return Decimal(str((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()))
