"""From an answer's document to wallets, as a definition says. Pure: no I/O, no account, no secret kept.

What the provider did not give stays out; a required value that is missing or no number makes the answer
malformed; an optional value that cannot be read is left out and named in the notes.
"""

from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from exporter.extract.expressions import Search, search, searches
from exporter.extract.values import contains_secret, difference, flag, number, state, text, timestamp, words
from exporter.model import Credit, Failure, Level, Reason, Thresholds, Wallet
from exporter.providers import Provider
from exporter.providers.definition import Definition
from exporter.providers.mapping import WalletMapping
from exporter.schema.fields import UNIT, Scalar

_Value = TypeVar("_Value")
_Reader = Callable[[Any, Any], _Value | None]

_READERS: dict[str, _Reader[Any]] = {
    **dict.fromkeys(("settled_balance", "credit_balance", "conversion_rate", "credit_limit"), number),
    **dict.fromkeys(("auto_recharge_threshold", "auto_recharge_amount"), number),
    **dict.fromkeys(("pending_usage", "unpaid_invoices", "quota", "quota_used"), number),
    **dict.fromkeys(("quota_reset_timestamp", "expiry_timestamp"), timestamp),
    **dict.fromkeys(("status", "alert_state"), state),
    **dict.fromkeys(("name", "type", "customer"), words),
    "auto_recharge_enabled": flag,
}
"""How each optional field of a wallet is read."""


@lru_cache(maxsize=256)  # reloads may bring ever new definitions
def extractor(provider: Provider) -> "Extractor":
    """Give the one extractor of a provider: its expressions are compiled once."""
    return Extractor(provider.definition)


class Extractor:
    """Judges and reads the documents of one provider."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._success = search(definition.success.path) if definition.success.path else None
        self._code = searches(definition.errors.code)
        self._mappings = [_Mapping(mapping) for mapping in definition.wallets]

    def judge(self, document: Any, *, accepted: bool) -> None:
        """Raise `Failure` where the document says that the request failed.

        `accepted` tells whether the HTTP status was a success; on another status only a code that has a
        reason of its own counts, since the status says the rest.
        """
        if accepted and self._succeeded(document):
            return
        code = _first(self._code, document)
        if _among(code, self.definition.errors.auth):
            raise Failure(Reason.AUTH, "the answer's error code says that the credentials are wrong")
        if _among(code, self.definition.errors.rate_limited):
            raise Failure(Reason.RATE_LIMITED, "the answer's error code says that calls are too frequent")
        if accepted:
            raise Failure(Reason.API_ERROR, "a success status with an error in the body")

    def _succeeded(self, document: Any) -> bool:
        rule = self.definition.success
        if self._success is None:
            return True
        value = self._success(document)
        if rule.absent:
            return value is None
        if _among(value, rule.equals):
            return True
        errors: list[Scalar] = rule.errors
        if not (_among(value, errors) if errors else _kind(value) in map(_kind, rule.equals)):
            raise Failure(Reason.MALFORMED, f"{rule.path} is missing or not what the definition knows")
        return False

    def wallets(
        self, document: Any, currency: str | None, secrets: Collection[str] = ()
    ) -> tuple[tuple[Wallet, ...], tuple[str, ...]]:
        """Give the wallets of a document, and notes on what was left out of them.

        `currency` counts where the answer gives none. A text that contains one of `secrets` is never taken
        over. Raises `Failure` (malformed).
        """
        notes: list[str] = []
        found: list[Wallet] = []
        for mapping in self._mappings:
            found += mapping.wallets(document, currency, secrets, notes)
        _refuse_doubles(found)
        return tuple(found), tuple(notes)


def _refuse_doubles(found: Sequence[Wallet]) -> None:
    """Refuse wallets whose samples would have the same labels; those counted in credits have the unit for currency."""
    if len({(wallet.id, wallet.currency) for wallet in found}) != len(found):
        raise Failure(Reason.MALFORMED, "two wallets have the same id and currency")
    counted = [wallet for wallet in found if wallet.credit_balance is not None or wallet.credit_breakdown]
    if len({(wallet.id, wallet.credit_unit) for wallet in counted}) != len(counted):
        raise Failure(Reason.MALFORMED, "two wallets have the same id and unit of credits")


class _Mapping:
    """One `wallets` entry of a definition with its expressions compiled."""

    def __init__(self, mapping: WalletMapping) -> None:
        self.mapping = mapping
        self.items = search(mapping.items)
        self.fields = {name: _Field(getattr(mapping, name)) for name in _READERS if getattr(mapping, name)}
        self.id = _Field(mapping.id)
        self.currency = _Field(mapping.currency) if mapping.currency else None
        self.balance = _Field(mapping.balance)
        self.thresholds = {level: _Field(spec) for level, spec in mapping.thresholds.items()}
        self.breakdown = {kind: _Field(spec) for kind, spec in mapping.credit_breakdown.items()}

    def wallets(
        self, document: Any, currency: str | None, secrets: Collection[str], notes: list[str]
    ) -> list[Wallet]:
        items = self.items(document)
        listed = isinstance(items, list)
        if not listed and not isinstance(items, dict):
            raise Failure(Reason.MALFORMED, f"{self.mapping.items} is neither an object nor a list")
        found = []
        for index, item in enumerate(items if listed else [items]):
            where = f"wallets[{index}]" if listed else "wallet"
            if not isinstance(item, dict):
                raise Failure(Reason.MALFORMED, f"{where} is not an object")
            reading = _Reading({**item, "$": document} if listed else item, where, secrets, notes)
            found.append(self._wallet(reading, currency))
        return found

    def _wallet(self, reading: "_Reading", operators_currency: str | None) -> Wallet:
        unit = self._currency(reading, operators_currency)
        parts = {
            kind: reading.optional(f"credit_breakdown.{kind}", field, number)
            for kind, field in self.breakdown.items()
        }
        credit_unit = self.mapping.credit_unit or unit
        values = {name: reading.optional(name, field, _READERS[name]) for name, field in self.fields.items()}
        return Wallet(
            id=reading.required("id", self.id, text),
            currency=unit,
            balance=reading.required("balance", self.balance, number),
            credit_unit=credit_unit,
            thresholds=self._thresholds(reading),
            credit_breakdown=tuple(
                Credit(kind, amount, credit_unit) for kind, amount in parts.items() if amount is not None
            ),
            postpaid=values.get("type") in self.mapping.postpaid,
            **{name: value for name, value in values.items() if value is not None},
        )

    def _currency(self, reading: "_Reading", operators: str | None) -> str:
        given = reading.value(self.currency) if self.currency else None
        code = operators if given is None else given
        if (
            not isinstance(code, str)
            or not UNIT.fullmatch(code.strip().upper())
            or (given is not None and contains_secret(code, reading.secrets))
        ):
            raise Failure(Reason.MALFORMED, f"{reading.where}.currency is missing or not a currency code")
        return code.strip().upper()

    def _thresholds(self, reading: "_Reading") -> Thresholds:
        read: dict[Level, Any] = {
            level: reading.optional(f"thresholds.{level}", field, number)
            for level, field in self.thresholds.items()
        }
        return {level: value for level, value in read.items() if value is not None}


class _Field:
    """A field of a definition beside its compiled paths; a literal has none."""

    def __init__(self, spec: Any) -> None:
        self.spec = spec
        self.paths: list[Search] = searches(spec.path) if spec.path else []
        self.minus = search(spec.minus) if getattr(spec, "minus", None) else None


class _Reading:
    """One item of an answer while it is read."""

    def __init__(self, item: Any, where: str, secrets: Collection[str], notes: list[str]) -> None:
        self.item = item
        self.where = where
        self.secrets = secrets
        self.notes = notes

    def value(self, field: _Field) -> Any:
        return _first(field.paths, self.item) if field.paths else field.spec.literal

    def required(self, name: str, field: _Field, reader: _Reader[_Value]) -> _Value:
        try:
            value = self._read(field, reader)
        except ValueError as error:
            raise Failure(Reason.MALFORMED, f"{self.where}.{name} {error}") from None
        if value is None:
            raise Failure(Reason.MALFORMED, f"{self.where}.{name} is missing")
        return value

    def optional(self, name: str, field: _Field, reader: _Reader[_Value]) -> _Value | None:
        if getattr(field.spec, "required", False):
            return self.required(name, field, reader)
        try:
            return self._read(field, reader)
        except ValueError as error:
            self.notes.append(f"{self.where}.{name} {error}; left out")
            return None

    def _read(self, field: _Field, reader: _Reader[_Value]) -> _Value | None:
        value = reader(self.value(field), field.spec)
        if field.minus is not None and value is not None:
            less = reader(field.minus(self.item), field.spec)
            if less is None:
                return None
            value = difference(value, less)  # type: ignore[assignment,arg-type] # only numbers have `minus`
        if field.paths and isinstance(value, str) and contains_secret(value, self.secrets):
            raise ValueError("repeats a credential")
        return value


def _first(paths: list[Search], document: Any) -> Any:
    """Give the first value that is there and not null, as APIs rename and omit fields."""
    for path in paths:
        value = path(document)
        if value is not None:
            return value
    return None


def _kind(value: Any) -> str:
    return (
        "number"
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        else type(value).__name__
    )


def _among(value: Any, known: list[Scalar]) -> bool:
    return any(_kind(value) == _kind(one) and value == one for one in known)
