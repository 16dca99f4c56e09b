"""From an answer's document to wallets, as a definition says. Pure: no I/O, no account, no secret kept.

What the provider did not give stays out; a required value that is missing or no number makes the answer
malformed; an optional value that cannot be read is left out and named in the notes.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import lru_cache
from typing import Any

from exporter.extract import documents
from exporter.extract.absence import Nothing
from exporter.extract.echoes import contains_secret
from exporter.extract.expressions import Expression, Interpreter
from exporter.extract.values import READERS, amount, product, total
from exporter.model import Credit, Failure, FieldAnswers, Level, Reason, Wallet
from exporter.providers import Provider
from exporter.providers.definition import Definition, Errors, Success
from exporter.providers.mapping import Number, Part, WalletMapping
from exporter.schema.fields import Scalar
from exporter.schema.patterns import TooSlowError

_REDIRECTS = range(300, 400)
_STATUS_REASONS = {401: Reason.AUTH, 403: Reason.AUTH, 429: Reason.RATE_LIMITED}
_CODE_DETAILS = {
    Reason.AUTH: "the answer's error code says that the credentials are wrong",
    Reason.RATE_LIMITED: "the answer's error code says that calls are too frequent",
    Reason.EXHAUSTED: "the answer's error code says that nothing is left",
}
_STEPS_A_SECOND = 500_000
_LONGEST_SHOWN = 60


@lru_cache(maxsize=256)  # reloads may bring ever new definitions
def extractor(provider: Provider) -> "Extractor":
    """Return the one extractor of a provider: its expressions are compiled once."""
    return Extractor(provider.definition)


class Extractor:
    """Checks and reads the answers of one provider."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._errors = _Errors(definition.errors)
        self._success = [_Success(rule) for rule in definition.success if rule.path]
        self._mappings = [_Mapping(mapping) for mapping in definition.wallets]

    def document(self, status: int, body: bytes, content_type: str = "") -> Any:
        """Return the document of a good answer.

        Raise `Failure` for any other: by a code that the definition lists, else by the HTTP status, else by the
        rules of success. What the body of an unsuccessful status is does not matter.
        """
        try:
            found = documents.parse(body, content_type)
        except ValueError as error:
            self.check_status(status)
            raise Failure(Reason.MALFORMED, f"the answer {error}") from None
        interpreter = Interpreter()
        if status not in _REDIRECTS:
            self._errors.check(found, interpreter)
        self.check_status(status)
        for rule in self._success:
            rule.check(found, interpreter)
        return found

    def check_status(self, status: int) -> None:
        """Raise `Failure` for what the HTTP status alone says, whatever became of the body."""
        if status in _REDIRECTS:
            raise Failure(Reason.REDIRECT, f"HTTP status {status}; redirects are not followed")
        if not self.definition.accepts(status):
            usual = _STATUS_REASONS.get(status, Reason.HTTP_STATUS)
            raise Failure(self.definition.errors.statuses.get(status, usual), f"HTTP status {status}")

    def wallets(
        self,
        document: Any,
        currency: str | None,
        secrets: Collection[str] = (),
        answers: FieldAnswers | None = None,
    ) -> tuple[tuple[Wallet, ...], tuple[str, ...]]:
        """Return the wallets of a document, and notes on what was left out of them.

        `currency` counts where the answer gives none. A text that contains one of `secrets` is never taken
        over. Which optional fields were given and which are lost is noted in `answers`.
        Raise `Failure`: malformed, or timeout where the definition is too slow for this document.
        """
        notes: list[str] = []
        found: list[Wallet] = []
        interpreter = Interpreter()
        for mapping in self._mappings:
            for where, item in mapping.items(document, interpreter):
                reading = _Reading(item, where, secrets, notes, interpreter)
                found.append(mapping.wallet(reading, currency, answers or FieldAnswers()))
        _refuse_doubles(found)
        return tuple(found), tuple(notes)


def _refuse_doubles(found: Sequence[Wallet]) -> None:
    """Refuse wallets whose samples would have the same labels; those counted in credits have the unit for currency."""
    if len({(wallet.id, wallet.currency) for wallet in found}) != len(found):
        raise Failure(Reason.MALFORMED, "two wallets have the same id and currency")
    counted = [wallet for wallet in found if wallet.credit_balance is not None or wallet.credit_breakdown]
    if len({(wallet.id, wallet.credit_unit) for wallet in counted}) != len(counted):
        raise Failure(Reason.MALFORMED, "two wallets have the same id and unit of credits")


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
            raise Failure(Reason.MALFORMED, f"{_shown(self._path)} does not fit the answer") from None
        if self._fails(value):
            raise Failure(Reason.API_ERROR, "a success status with an error in the body")
        if rule.equals and not _among(value, rule.equals):
            if rule.errors or _kind(value) not in map(_kind, rule.equals):
                found = f"{_kind(value)} at {_shown(self._path)}"
                raise Failure(Reason.MALFORMED, f"the answer does not say how it went: {found}")
            raise Failure(Reason.API_ERROR, "a success status with an error in the body")

    def _fails(self, value: Any) -> bool:
        return value is not None if self._rule.absent else _among(value, self._rule.errors)


class _UnreadableError(Exception):
    """A value that is not what its field needs: what is wrong with it, what was found, and where it was looked for."""

    def __init__(self, problem: str, found: str, paths: Iterable[Expression]) -> None:
        self.problem = problem
        self.found = found
        self.paths = [*paths]
        super().__init__(problem)

    def __str__(self) -> str:
        """Put the mistake into words; what the provider wrote is not among them."""
        return f"{self.problem}: {self.found} at {' or '.join(map(_shown, self.paths))}"


class _MissingError(_UnreadableError):
    """A value that the answer does not give."""

    def __init__(self, paths: Iterable[Expression]) -> None:
        super().__init__("is missing", _kind(None), paths)


@dataclass(frozen=True)
class _Reading:
    """One item of an answer while it is read."""

    item: Any
    where: str
    secrets: Collection[str]
    notes: list[str]
    interpreter: Interpreter

    def at(self, paths: Sequence[Expression], reader: Callable[[Any], Any]) -> tuple[Any, int]:
        """Return what a reader makes of the first value that is there and not null: APIs rename and omit fields.

        With it comes the number of the path that found it. Raise `_UnreadableError`, or `Failure` (timeout).
        """
        found, number = None, 0
        for number, path in enumerate(paths):  # noqa: B007 - the last one counts
            try:
                found = path.search(self.item, self.interpreter)
            except ValueError:
                raise _UnreadableError("cannot be looked for", "another kind of value", [path]) from None
            if found is not None:
                paths = [path]
                break
        begun = time.thread_time()
        try:
            return reader(found), number
        except ValueError as error:
            raise _UnreadableError(str(error), _kind(found), paths) from None
        except TooSlowError:
            detail = f"the pattern of {self.where} takes too long over a text at {_shown(paths[0])}"
            raise Failure(Reason.TIMEOUT, detail) from None
        finally:
            # A pattern has little time for a text, but the answer may have any number of texts.
            self.interpreter.spend(int((time.thread_time() - begun) * _STEPS_A_SECOND))

    def strictly(self, name: str, field: "_Field") -> Any:
        """Return the value of a field, None where it is not given; raise `Failure` (malformed)."""
        try:
            value, _ = field.read(self)
        except _UnreadableError as error:
            raise self.malformed(name, error) from None
        return value

    def required(self, name: str, field: "_Field") -> Any:
        """Return the value of a field; raise `Failure` (malformed) where there is none."""
        value = self.strictly(name, field)
        if value is None:
            raise self.malformed(name, _MissingError(field.paths))
        return value

    def lacks(self, paths: Sequence[Expression], number: int) -> bool:
        """Return whether what the path of that number found before is not there; a null in its place is there.

        Raise `Failure` (timeout).
        """
        reasons = [path.why_nothing(self.item, self.interpreter) for path in paths]
        return reasons[number] is Nothing.ABSENT and Nothing.NULL not in reasons

    def malformed(self, name: str, error: _UnreadableError) -> Failure:
        """Return the failure of an answer whose field `name` is needed and not there."""
        return Failure(Reason.MALFORMED, f"{self.where}.{name} {error}")


class _Optional:
    """Reads the optional fields of a wallet; `given` have a value, `lost` had one in an earlier answer."""

    def __init__(self, reading: _Reading, before: Mapping[str, int]) -> None:
        self._reading = reading
        self._before = before
        self.given: dict[str, int] = {}
        self.lost: set[str] = set()

    def read(self, name: str, field: "_Field") -> Any:
        """Return the value of a field; None, and a note where it is there but cannot be read."""
        reading = self._reading
        if getattr(field.spec, "required", False):
            return reading.required(name, field)
        try:
            value, number = field.read(reading)
        except _MissingError as error:
            self._miss(name, error.paths, 0)
            return None
        except _UnreadableError as error:
            reading.notes.append(f"{reading.where}.{name} {error}; left out")
            self._miss(name, (), 0)
            return None
        if value is None:
            self._miss(name, field.paths, self._before.get(name, 0))
        else:
            self.given[name] = number
        return value

    def _miss(self, name: str, paths: Sequence[Expression], number: int) -> None:
        if name in self._before and (not paths or self._reading.lacks(paths, number)):
            self.lost.add(name)


class _Field:
    """A field of a definition, its paths compiled; a literal has none."""

    def __init__(self, spec: Any) -> None:
        self.spec = spec
        self.paths = [Expression(path) for path in spec.path or ()]
        self._reader = READERS[type(spec)]

    def read(self, reading: _Reading) -> tuple[Any, int]:
        """Return the value, None where it is not given, and the number of the path that found it.

        Raise `_UnreadableError`, or `Failure` (timeout).
        """
        if not self.paths:
            return self.spec.literal, 0
        value, number = reading.at(self.paths, lambda found: self._reader(found, self.spec))
        if isinstance(value, str) and contains_secret(value, reading.secrets):
            raise _UnreadableError("repeats a credential", _kind(value), self.paths)
        return value, number


class _Amount(_Field):
    """A number, which may be put together from several."""

    def __init__(self, spec: Number) -> None:
        super().__init__(spec)
        self._plus = _parts(spec.plus)
        self._minus = _parts(spec.minus)

    def read(self, reading: _Reading) -> tuple[Any, int]:
        """Return the amount: sign, scale and path, then what is added and taken off."""
        first, number = super().read(reading)
        if first is None or not (self._plus or self._minus):
            return first, number
        plus, minus = (
            [self._part(part, paths, reading) for part, paths in parts] for parts in (self._plus, self._minus)
        )
        try:
            return total(first, plus, minus), number
        except ValueError as error:
            raise _UnreadableError(str(error), "a sum", self.paths) from None

    def _part(self, part: Part, paths: Sequence[Expression], reading: _Reading) -> Decimal:
        factor = abs(self.spec.scale) if part.scale is None else part.scale

        def scaled(found: Any) -> Decimal | None:
            read = amount(found, self.spec)
            return None if read is None else product(read, factor)

        value: Decimal | None
        value, _ = reading.at(paths, scaled)
        if value is None:
            raise _MissingError(paths)
        return value


def _parts(parts: Iterable[Part] | None) -> list[tuple[Part, list[Expression]]]:
    return [(part, [Expression(path) for path in part.path]) for part in parts or ()]


def _field(spec: Any) -> _Field:
    return _Amount(spec) if isinstance(spec, Number) else _Field(spec)


_OPTIONAL = tuple(
    field.name
    for field in fields(Wallet)
    if field.name in WalletMapping.model_fields
    and field.name
    not in ("id", "currency", "balance", "credit_unit", "thresholds", "credit_breakdown", "postpaid")
)
"""Fields that a wallet has as the definition has them."""


class _Mapping:
    """One `wallets` entry of a definition with its expressions compiled."""

    def __init__(self, mapping: WalletMapping) -> None:
        self._mapping = mapping
        self._items = Expression(mapping.items)
        self._fields = {name: _field(spec) for name in _OPTIONAL if (spec := getattr(mapping, name))}
        self._id = _field(mapping.id)
        self._currency = _field(mapping.currency) if mapping.currency else None
        self._balance = _field(mapping.balance)
        self._thresholds = {level: _field(spec) for level, spec in mapping.thresholds.items()}
        self._breakdown = {kind: _field(spec) for kind, spec in mapping.credit_breakdown.items()}

    def items(self, document: Any, interpreter: Interpreter) -> list[tuple[str, Any]]:
        """Return what the wallets are read from, and what each is called in messages."""
        try:
            items = self._items.search(document, interpreter)
        except ValueError:
            raise Failure(Reason.MALFORMED, f"{_shown(self._items)} does not fit the answer") from None
        listed = isinstance(items, list)
        if not listed and not isinstance(items, dict):
            found = f"{_kind(items)} at {_shown(self._items)}"
            raise Failure(Reason.MALFORMED, f"wallets are neither an object nor a list: {found}")
        named = []
        for index, item in enumerate(items if listed else [items]):
            where = f"wallets[{index}]" if listed else "wallet"
            if not isinstance(item, dict):
                raise Failure(Reason.MALFORMED, f"{where} is not an object but {_kind(item)}")
            named.append((where, {**item, "$": document} if listed else item))
        return named

    def wallet(
        self,
        reading: _Reading,
        operators_currency: str | None,
        answers: FieldAnswers,
    ) -> Wallet:
        """Return the wallet that an item holds, and note in `answers` which optional fields it gives."""
        unit = self._unit(reading, operators_currency)
        credit_unit = self._mapping.credit_unit or unit
        wallet_id = reading.required("id", self._id)
        key = wallet_id, unit
        optional = _Optional(reading, answers.before.get(key, {}))
        values = {name: optional.read(name, field) for name, field in self._fields.items()}
        thresholds: dict[Level, Any] = {
            level: optional.read(f"thresholds.{level}", field) for level, field in self._thresholds.items()
        }
        parts = {
            kind: optional.read(f"credit_breakdown.{kind}", field) for kind, field in self._breakdown.items()
        }
        answers.given[key] = _shared(tuple(optional.given.items()))
        if optional.lost:
            answers.lost[key] = frozenset(optional.lost)
        return Wallet(
            id=wallet_id,
            currency=unit,
            balance=reading.required("balance", self._balance),
            credit_unit=credit_unit,
            thresholds={level: value for level, value in thresholds.items() if value is not None},
            credit_breakdown=tuple(
                Credit(kind, part, credit_unit) for kind, part in parts.items() if part is not None
            ),
            postpaid=values.get("type") in self._mapping.postpaid,
            **{name: value for name, value in values.items() if value is not None},
        )

    def _unit(self, reading: _Reading, operators: str | None) -> str:
        """Return the currency that the answer gives, else the operator's."""
        given = reading.strictly("currency", self._currency) if self._currency else None
        unit: str | None = given or operators
        if unit is None:
            raise reading.malformed("currency", _MissingError(self._currency.paths if self._currency else ()))
        return unit


@lru_cache(maxsize=256)
def _shared(given: tuple[tuple[str, int], ...]) -> Mapping[str, int]:
    """Return one and the same mapping for the many wallets that give the same fields."""
    return dict(given)


def _shown(path: Expression) -> str:
    """Return an expression for a message: on one line, and its beginning where it is long."""
    text = " ".join(path.text.split())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _kind(value: Any) -> str:
    """Say what kind of JSON a value is."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | Decimal):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def _among(value: Any, known: Iterable[Scalar]) -> bool:
    return any(_kind(value) == _kind(one) and value == one for one in known)
