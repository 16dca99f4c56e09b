"""What stands in an answer, in words that may be shown: where it is, and what kind it is, never what it says."""

from decimal import Decimal
from typing import Any

from exporter.extract.expressions import Expression

_LONGEST_SHOWN = 60


def path_text(path: Expression) -> str:
    """Return an expression for a message: on one line, and its beginning where it is long."""
    text = " ".join(path.text.split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def kind(value: Any) -> str:
    """Return what kind of JSON a value is."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | Decimal):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"
