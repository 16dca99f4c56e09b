"""The answer to a login: the tokens that it gives, and how long they are good."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from exporter.extract.checks import Check
from exporter.extract.expressions import Expression, Interpreter
from exporter.extract.words import kind, path_text
from exporter.model import Failure, Reason
from exporter.providers.definition import Definition, Login
from exporter.schema.fields import NUMBER

_LONGEST = 10 * 365 * 86400.0
"""Seconds after which no token is good any more."""

_BAD_REQUEST = 400
_REFUSALS = ("invalid_client", "invalid_grant", "unauthorized_client")
"""What OAuth 2 (RFC 6749) says in an answer of that status where the credentials are not good."""


class LoginReader(Check):
    """Checks and reads the answers to the login of one provider."""

    def __init__(self, definition: Definition, login: Login) -> None:
        super().__init__(login.success, login.errors, login.answer or definition.answer, definition.lists)
        self._paths = {
            name: [Expression(path) for path in one.path] for name, one in login.gives.items() if one.path
        }
        self._headers = {name: one.header.lower() for name, one in login.gives.items() if one.header}
        self._lifetime = Expression(login.lifetime) if login.lifetime else None
        # Such an answer may have no body at all.
        self._needs_document = bool(self._paths) or any(rule.path for rule in login.success)

    def document(
        self,
        status: int,
        body: bytes,
        content_type: str = "",
        names: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """Return the document of a good answer, None where none is needed and none is there; raise `Failure`."""
        try:
            return super().document(status, body, content_type, names)
        except Failure as failure:
            if failure.reason is Reason.MALFORMED and not self._needs_document:
                return None
            raise

    def check_document(self, status: int, found: Any) -> None:
        """Raise `Failure` for a refusal in the words of OAuth 2."""
        if status == _BAD_REQUEST and isinstance(found, dict) and found.get("error") in _REFUSALS:
            raise Failure(Reason.AUTH, "the answer's error says that the credentials are wrong")

    def tokens(self, document: Any, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Return the tokens by the names of their variables; raise `Failure` (malformed)."""
        interpreter = Interpreter({"$": document})
        found = {}
        for name, paths in self._paths.items():
            values = (_found(name, path, document, interpreter) for path in paths)
            value = next((one for one in values if one is not None), None)
            found[name] = _token(name, value, f"{kind(value)} at {' or '.join(map(path_text, paths))}")
        for name, header in self._headers.items():
            value = headers.get(header)
            found[name] = _token(name, value, f"{kind(value)} in the header {header}")
        return found

    def lifetime(self, document: Any) -> float | None:
        """Return for how many seconds the tokens are good, None where the answer does not say it in a number."""
        try:
            value = self._lifetime.search(document, Interpreter({"$": document})) if self._lifetime else None
        except ValueError:
            return None
        if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
            value = Decimal(value.strip())
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            return None
        return float(min(max(value, 0), Decimal(_LONGEST)))


def _found(name: str, path: Expression, document: Any, interpreter: Interpreter) -> Any:
    try:
        return path.search(document, interpreter)
    except ValueError:
        raise Failure(Reason.MALFORMED, f"gives.{name}: {path_text(path)} does not fit the answer") from None


def _token(name: str, value: Any, found: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text:
        problem = "is missing" if value is None else "is no text"
    elif not text.isprintable() or text in (".", ".."):
        problem = "is no token that could be sent"
    else:
        return text
    raise Failure(Reason.MALFORMED, f"gives.{name} {problem}: {found}")
