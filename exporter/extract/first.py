"""The answer to a first request, and the values that it gives to the request after it."""

import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from exporter.extract.checks import Check
from exporter.extract.expressions import Expression, Interpreter
from exporter.extract.words import kind, path_text
from exporter.model import Failure, Reason
from exporter.providers.definition import Definition, First


def plain(value: Any) -> str:
    """Return a text or whole number as it may stand in a request.

    Raise ValueError for anything else, an empty text, and one with control characters or lone surrogates.
    """
    if isinstance(value, Decimal) and not value.as_tuple().exponent:
        value = int(value)
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not text.strip() or any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text):
        raise ValueError("is no text or whole number")
    return text


class FirstReader:
    """Checks and reads the answers to the first request of one provider."""

    def __init__(self, definition: Definition, first: First) -> None:
        self.answers = Check(first.success, definition.errors, definition.answer, definition.lists)
        self._gives = {name: Expression(path) for name, path in first.gives.items()}

    def given(self, document: Any) -> Mapping[str, str]:
        """Return the values by the names of their variables; raise `Failure` (malformed)."""
        interpreter = Interpreter({"$": document})
        return {name: self._value(name, path, document, interpreter) for name, path in self._gives.items()}

    @staticmethod
    def _value(name: str, path: Expression, document: Any, interpreter: Interpreter) -> str:
        where = f"first.gives.{name}"
        try:
            value = path.search(document, interpreter)
        except ValueError:
            raise Failure(Reason.MALFORMED, f"{where}: {path_text(path)} does not fit the answer") from None
        try:
            text = plain(value)
        except ValueError as error:
            problem = "is missing" if value is None else error
            raise Failure(
                Reason.MALFORMED, f"{where} {problem}: {kind(value)} at {path_text(path)}"
            ) from None
        if text in (".", ".."):
            raise Failure(Reason.MALFORMED, f"{where} would change the path of the request")
        return text
