"""Whether an answer is a good one: by the definition's error codes, the HTTP status, and the rules of success."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from exporter.extract import documents
from exporter.extract.expressions import Expression, Interpreter
from exporter.extract.values import same
from exporter.extract.words import kind, path_text
from exporter.model import Failure, Reason
from exporter.providers.definition import Errors, Success, accepts
from exporter.schema.fields import Scalar

_REDIRECTS = range(300, 400)
_STATUS_REASONS = {401: Reason.AUTH, 403: Reason.AUTH, 429: Reason.RATE_LIMITED}
_CODE_DETAILS = {
    Reason.AUTH: "the answer's error code says that the credentials are wrong",
    Reason.RATE_LIMITED: "the answer's error code says that calls are too frequent",
    Reason.EXHAUSTED: "the answer's error code says that nothing is left",
}


class Check:
    """What answers to one kind of request must be."""

    def __init__(self, rules: Sequence[Success], errors: Errors, answer: str, lists: Collection[str]) -> None:
        self.answer = answer
        self._lists = lists
        self._rules = rules
        self._statuses = errors.statuses
        self._errors = _Errors(errors)
        self._success = [_Success(rule) for rule in rules if rule.path]

    def document(
        self,
        status: int,
        body: bytes,
        content_type: str = "",
        names: Mapping[str, Any] = MappingProxyType({}),
    ) -> Any:
        """Return the document of a good answer; `names` are known in all paths, beside `"$"`.

        Raise `Failure` for any other: by a code that the definition lists, else by the HTTP status, else by the
        rules of success. The body of an unsuccessful status may have any format.
        """
        try:
            found = documents.parse(body, content_type, self.answer, self._lists)
        except ValueError as error:
            self.check_status(status)
            raise Failure(Reason.MALFORMED, f"the answer {error}") from None
        interpreter = Interpreter({"$": found, **names})
        if status not in _REDIRECTS:
            self._errors.check(found, interpreter)
            self.check_document(status, found)
        self.check_status(status)
        for rule in self._success:
            rule.check(found, interpreter)
        return found

    def check_document(self, status: int, found: Any) -> None:
        """Raise `Failure` for what a document says that has a meaning of its own."""

    def check_status(self, status: int) -> None:
        """Raise `Failure` for what the HTTP status alone says, whatever became of the body."""
        if status in _REDIRECTS:
            raise Failure(Reason.REDIRECT, f"HTTP status {status}; redirects are not followed")
        if not accepts(self._rules, status):
            usual = _STATUS_REASONS.get(status, Reason.HTTP_STATUS)
            raise Failure(self._statuses.get(status, usual), f"HTTP status {status}")


class _Errors:
    """The codes of a definition that have a reason of their own."""

    def __init__(self, errors: Errors) -> None:
        self._paths = [Expression(path) for path in errors.code]
        self._codes: dict[Reason, list[Scalar]] = {
            Reason.AUTH: errors.auth,
            Reason.RATE_LIMITED: errors.rate_limited,
            Reason.EXHAUSTED: errors.exhausted,
        }

    def check(self, document: Any, interpreter: Interpreter) -> None:
        for path in self._paths:
            try:
                code = path.search(document, interpreter)
            except ValueError:
                continue  # a good answer has no such code
            for reason, codes in self._codes.items():
                if _among(code, codes):
                    raise Failure(reason, _CODE_DETAILS[reason])


class _Success:
    """A rule that a good answer keeps."""

    def __init__(self, rule: Success) -> None:
        self._rule = rule
        self._path = Expression(rule.path or "@")

    def check(self, document: Any, interpreter: Interpreter) -> None:
        rule = self._rule
        try:
            value = self._path.search(document, interpreter)
        except ValueError:
            raise Failure(Reason.MALFORMED, f"{path_text(self._path)} does not fit the answer") from None
        if self._fails(value):
            raise self._error()
        if rule.equals and not _among(value, rule.equals):
            if rule.errors or kind(value) not in map(kind, rule.equals):
                found = f"{kind(value)} at {path_text(self._path)}"
                raise Failure(Reason.MALFORMED, f"the answer does not say whether it succeeded: {found}")
            raise self._error()

    def _error(self) -> Failure:
        told = f"a success status with an error in the body, at {path_text(self._path)}"
        return Failure(Reason.API_ERROR, told)

    def _fails(self, value: Any) -> bool:
        return value is not None if self._rule.absent else _among(value, self._rule.errors)


def _among(value: Any, known: Iterable[Scalar]) -> bool:
    return any(same(value, one) for one in known)
