"""From an answer's document to wallets, as a definition says. Pure: no I/O, no account, no secret kept.

What the provider did not give stays out; a required value that is missing or no number makes the answer
malformed; an optional value that cannot be read is left out and named in the notes.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from exporter.extract.absence import Nothing
from exporter.extract.checks import Check
from exporter.extract.echoes import contains_secret
from exporter.extract.expressions import Expression, Interpreter
from exporter.extract.first import FirstReader
from exporter.extract.login import LoginReader
from exporter.extract.paging import Pager
from exporter.extract.values import READERS, UNLIMITED, Amount, Context, amount, product, signed, total
from exporter.extract.words import kind, path_text
from exporter.model import Credit, Failure, FieldAnswers, Level, Reason, Wallet
from exporter.providers import Provider
from exporter.providers.definition import Definition
from exporter.providers.mapping import Number, Part, WalletMapping
from exporter.schema.paths import mentions
from exporter.schema.patterns import TooSlowError

_Name = TypeVar("_Name")

_STEPS_A_SECOND = 500_000


@lru_cache(maxsize=256)  # reloads may bring ever new definitions
def extractor(provider: Provider) -> "Extractor":
    """Return the one extractor of a provider: its expressions are compiled once."""
    return Extractor(provider.definition)


class Extractor:
    """Checks and reads the answers of one provider."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.answers = Check(definition.success, definition.errors, definition.answer, definition.lists)
        self.login = LoginReader(definition, definition.login) if definition.login else None
        self.first = FirstReader(definition, definition.first) if definition.first else None
        self.pager = Pager(definition.request.pages) if definition.request.pages else None
        self._mappings = [_Mapping(mapping) for mapping in definition.wallets]

    def document(self, status: int, body: bytes, content_type: str = "", first: Any = None) -> Any:
        """Return the document of a good answer; `first` is that of the first request.

        Raise `Failure` for any other.
        """
        return self.answers.document(status, body, content_type, {"$first": first})

    def wallets(  # noqa: PLR0913 - the parts of an answer, and what is known beside it
        self,
        document: Any,
        currency: str | None,
        secrets: Collection[str] = (),
        answers: FieldAnswers | None = None,
        now: float | None = None,
        first: Any = None,
        further: Sequence[Any] = (),
    ) -> tuple[tuple[Wallet, ...], tuple[str, ...]]:
        """Return the wallets of a document, and notes on what was left out of them.

        `first` is the document of the first request, `further` has those of the pages after this one. `currency`
        counts where the answer gives none. A text that contains one of `secrets` is never taken over. Which optional
        fields were given and which are lost is noted in `answers`. A time that is left is counted from `now`, in Unix
        seconds; without it, from this moment.
        Raise `Failure`: malformed, or timeout where the definition is too slow for this document.
        """
        notes: list[str] = []
        found: list[Wallet] = []
        context = Context(now=Decimal(int(time.time() if now is None else now)))
        for mapping in self._mappings:
            interpreter = Interpreter({"$": document, "$first": first})
            for item in mapping.items((document, *further), interpreter):
                interpreter.names |= item.names
                reading = _Reading(item.value, item.where, secrets, notes, interpreter, context, item.pages)
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


class _UnreadableError(Exception):
    """A value that is not what its field needs: what is wrong with it, what was found, and where it was looked for."""

    def __init__(self, problem: str, found: str, paths: Iterable[Expression]) -> None:
        self.problem = problem
        self.found = found
        self.paths = list(paths)
        self.items: Expression | None = None
        super().__init__(problem)

    def __str__(self) -> str:
        """Put the mistake into words; what the provider wrote is not among them."""
        where = " or ".join(map(self._within, self.paths))
        return f"{self.problem}: {self.found} at {where}" if where else self.problem

    def _within(self, path: Expression) -> str:
        """Return where a value was looked for; `items` is the list that an amount is added up from."""
        if self.items is None or path.text.startswith('"$'):
            return path_text(path)
        return f"{path_text(self.items)}[]" + (f".{path_text(path)}" if path.text != "@" else "")


class _MissingError(_UnreadableError):
    """A value that the answer does not give."""

    def __init__(self, paths: Iterable[Expression]) -> None:
        super().__init__("is missing", kind(None), paths)


@dataclass(frozen=True)
class _Reading:
    """One item of an answer while it is read; `pages` has it, and the document, as further pages have them."""

    item: Any
    where: str
    secrets: Collection[str]
    notes: list[str]
    interpreter: Interpreter
    context: Context
    pages: Sequence[tuple[Any, Any]] = ()

    def at(self, paths: Sequence[Expression], reader: Callable[[Any], Any]) -> tuple[Any, int]:
        """Return what a reader makes of the first value that is there and not null: APIs rename and omit fields.

        With it comes the number of the path that found it. Raise `_UnreadableError`, or `Failure` (timeout).
        """
        found, number = None, 0
        for number, path in enumerate(paths):  # noqa: B007 - the last one counts
            try:
                found = path.search(self.item, self.interpreter)
            except ValueError:
                raise _UnreadableError("cannot be found", "another kind of value", [path]) from None
            if found is not None:
                paths = [path]
                break
        begun = time.thread_time()
        try:
            return reader(found), number
        except ValueError as error:
            raise _UnreadableError(str(error), kind(found), paths) from None
        except TooSlowError:
            detail = f"the pattern of {self.where} takes too long over a text at {path_text(paths[0])}"
            raise Failure(Reason.TIMEOUT, detail) from None
        finally:
            # The time for one text is limited, but an answer may have any number of texts.
            self.interpreter.spend(int((time.thread_time() - begun) * _STEPS_A_SECOND))

    def strictly(self, name: str, field: "_Field") -> Any:
        """Return the value of a field, None where it is not given; raise `Failure` (malformed)."""
        try:
            value, _ = field.read(self)
        except _UnreadableError as error:
            raise self.malformed(name, error) from None
        return value

    def required(self, name: str, field: "_Field") -> Any:
        """Return the value of a field, or `UNLIMITED`; raise `Failure` (malformed) where there is none."""
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
        """Return the value of a field; None, and a note where it is there but cannot be read.

        Raise `Failure` (malformed) where the definition requires it, or (timeout).
        """
        reading = self._reading
        if field.required:
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
        if value is UNLIMITED:
            return value
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
        self.required: bool = getattr(spec, "required", False)
        self.paths = [Expression(path) for path in spec.path or ()]
        self._reader = READERS[type(spec)]

    def read(self, reading: _Reading) -> tuple[Any, int]:
        """Return the value, None where it is not given, and the number of the path that found it.

        Raise `_UnreadableError`, or `Failure` (timeout).
        """
        if not self.paths:
            return self.spec.literal, 0
        value, number = reading.at(self.paths, lambda found: self._reader(found, self.spec, reading.context))
        if isinstance(value, str) and contains_secret(value, reading.secrets):
            raise _UnreadableError("repeats a credential", kind(value), self.paths)
        return value, number


class _Amount(_Field):
    """A number, which may be put together from several."""

    def __init__(self, spec: Number) -> None:
        super().__init__(spec)
        self._first = _Source(spec)
        self._plus = [_Source(part) for part in spec.plus or ()]
        self._minus = [_Source(part) for part in spec.minus or ()]
        self.paths = self._first.expressions

    def read(self, reading: _Reading) -> tuple[Any, int]:
        """Return the amount: sign, scale and path, then what is added and taken off."""
        first, number = self._first.read(reading, self.spec)
        if not isinstance(first, Decimal):
            return first, number
        try:
            factor = signed(self.spec, reading.context)
            plus, minus = (
                [self._part(part, abs(factor), reading) for part in parts]
                for parts in (self._plus, self._minus)
            )
            return total(product(first, factor), plus, minus), number
        except ValueError as error:
            raise _UnreadableError(str(error), "", ()) from None

    def _part(self, source: "_Source", factor: Decimal, reading: _Reading) -> Decimal:
        read, _ = source.read(reading, self.spec)
        if read is None:
            raise _MissingError(source.expressions)
        if not isinstance(read, Decimal):
            raise _UnreadableError("is not a number", "no limit", source.expressions)
        scale: Decimal | None = source.spec.scale
        return product(read, factor if scale is None else scale)


class _Source:
    """Where an amount, or a part of one, stands: at a path, or in the items of a list."""

    def __init__(self, spec: Number | Part) -> None:
        self.spec = spec
        self._sum = spec.sum
        self._items = Expression(spec.sum.items) if spec.sum else None
        self._rooted = bool(spec.sum and mentions(spec.sum.items, "$"))
        self._paths = [Expression(path) for path in (spec.sum.path if spec.sum else spec.path or ())]

    @property
    def expressions(self) -> list[Expression]:
        """List what is looked for in the item of the wallet."""
        return [self._items] if self._items else self._paths

    def read(self, reading: _Reading, spec: Number) -> tuple[Amount, int]:
        """Return the amount as it stands, None where it is not given, and the number of the path that found it.

        Raise `_UnreadableError`, or `Failure` (timeout).
        """
        excused = getattr(self.spec, "missing", None) is not None
        if self._sum is None or self._items is None:
            return self._one(reading, spec, excused=excused)
        items = []
        for item, names in self._on_every_page(reading):
            with reading.interpreter.known(names):
                found, _ = replace(reading, item=item).at([self._items], lambda found: found)
            if found is None and not excused:
                return None, 0
            if not isinstance(found, list | None):
                raise _UnreadableError("is not a list", kind(found), [self._items])
            items += found or []
        amounts = []
        for item in items:
            try:
                part, _ = self._one(replace(reading, item=item), spec, excused=self._sum.missing is not None)
                if part is None:
                    raise _MissingError(self._paths)
            except _UnreadableError as error:
                error.items = self._items
                raise
            if not isinstance(part, Decimal):
                return part, 0
            amounts.append(part)
        return total(Decimal(0), amounts, ()), 0

    def _on_every_page(self, reading: _Reading) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yield what the list is looked for in, and the names that count there."""
        yield reading.item, {}
        for item, document in reading.pages:
            if item is not reading.item or self._rooted:
                yield item, {"$": document}

    def _one(self, reading: _Reading, spec: Number, *, excused: bool) -> tuple[Amount, int]:
        read, number = reading.at(
            self._paths, lambda found: Decimal(0) if found is None and excused else amount(found, spec)
        )
        if read is None and None in spec.unlimited:
            null = any(path.finds_null(reading.item, reading.interpreter) for path in self._paths)
            return UNLIMITED if null else None, number
        return read, number


def _field(spec: Any) -> _Field:
    return _Amount(spec) if isinstance(spec, Number) else _Field(spec)


_PLAIN = {field.name for field in fields(Wallet)} & set(WalletMapping.model_fields) - {
    *("id", "currency", "credit_unit", "thresholds", "credit_breakdown", "postpaid")
}
"""Fields that a wallet has as the definition has them."""


class _Item(NamedTuple):
    """What a wallet is read from, what it is called in messages, and names that count for it alone.

    `pages` has, for each further page, what stands there for the item (itself where it is one of a list), and the
    document; only where amounts of lists are added up.
    """

    value: Any
    where: str
    names: Mapping[str, Any]
    pages: Sequence[tuple[Any, Any]]


class _Mapping:
    """One `wallets` entry of a definition with its expressions compiled."""

    def __init__(self, mapping: WalletMapping) -> None:
        self._mapping = mapping
        self._sums, self._essential = mapping.sums, mapping.essential
        self._items = Expression(mapping.items_by_key or mapping.items)
        self._fields = {
            name: _field(spec)
            for name in WalletMapping.model_fields
            if name in _PLAIN and (spec := getattr(mapping, name))
        }
        self._id = _field(mapping.id)
        self._currency = _field(mapping.currency) if mapping.currency else None
        self._thresholds = {level: _field(spec) for level, spec in mapping.thresholds.items()}
        self._breakdown = {kind: _field(spec) for kind, spec in mapping.credit_breakdown.items()}

    def items(self, pages: Sequence[Any], interpreter: Interpreter) -> Iterator["_Item"]:
        """Yield what each wallet is read from: lists run over all pages, an object is that of the first.

        Raise `Failure` (malformed) for anything that holds no wallets, or (timeout).
        """
        items = self._found(interpreter)
        further = pages[1:]
        summed = further if self._sums else ()
        keyed = self._mapping.items_by_key is not None
        if isinstance(items, list) and not keyed:
            lists = (items, *self._on(further, list, "wallets are not a list", interpreter))
            for number, item in enumerate(chain.from_iterable(lists)):
                if not isinstance(item, dict):
                    raise Failure(Reason.MALFORMED, f"wallets[{number}] is not an object but {kind(item)}")
                yield _Item(item, f"wallets[{number}]", {}, [(item, page) for page in summed])
        elif not isinstance(items, dict):
            told = "are not an object" if keyed else "are neither an object nor a list"
            raise Failure(Reason.MALFORMED, f"wallets {told}: {kind(items)} at {path_text(self._items)}")
        elif keyed:
            for named in (items, *self._on(further, dict, "wallets are not an object", interpreter)):
                for key, item in named.items():
                    yield _Item(item, "wallet", {"@key": key}, [(item, page) for page in summed])
        else:
            beside = self._on(summed, dict, "the wallet is not an object", interpreter)
            yield _Item(items, "wallet", {}, list(zip(beside, summed, strict=True)))

    def _found(self, interpreter: Interpreter) -> Any:
        try:
            return self._items.search(interpreter.names["$"], interpreter)
        except ValueError:
            raise Failure(Reason.MALFORMED, f"{path_text(self._items)} does not fit the answer") from None

    def _on(
        self, documents: Sequence[Any], wanted: type, problem: str, interpreter: Interpreter
    ) -> Iterator[Any]:
        """Yield what stands for the wallets on the pages after the first."""
        for number, document in enumerate(documents, 2):
            with interpreter.known({"$": document}):
                found = self._found(interpreter)
            if not isinstance(found, wanted):
                told = f"{problem} on page {number}: {kind(found)} at {path_text(self._items)}"
                raise Failure(Reason.MALFORMED, told)
            yield found

    def wallet(self, reading: _Reading, operators_currency: str | None, answers: FieldAnswers) -> Wallet:
        """Return the wallet that an item holds, and note in `answers` which optional fields it gives."""
        unit = self._unit(reading, operators_currency)
        reading = replace(reading, context=replace(reading.context, unit=unit))
        credit_unit = self._mapping.credit_unit or unit
        key = reading.required("id", self._id), unit
        optional = _Optional(reading, answers.before.get(key, {}))
        values = {
            name: reading.required(name, field) if name in self._essential else optional.read(name, field)
            for name, field in self._fields.items()
        }
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
            id=key[0],
            currency=unit,
            credit_unit=credit_unit,
            thresholds=_samples(thresholds),
            credit_breakdown=tuple(Credit(kind, part, credit_unit) for kind, part in _samples(parts).items()),
            postpaid=values.get("type") in self._mapping.postpaid,
            **_samples(values),
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


def _samples(values: Mapping[_Name, Any]) -> dict[_Name, Any]:
    """Leave out what the answer did not give, and what has no limit."""
    return {name: value for name, value in values.items() if value is not None and value is not UNLIMITED}
