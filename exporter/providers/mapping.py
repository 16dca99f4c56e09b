"""The schema of a definition's wallets: where in an answer each field stands, and how it is read."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from exporter.model import Level
from exporter.schema.currencies import is_currency, minor_digits
from exporter.schema.fields import (
    AmountPaths,
    Expression,
    LabelText,
    Name,
    NumberPattern,
    Paths,
    Scalar,
    Strict,
    TextPattern,
    Unit,
    short,
    such_as,
    unit,
)
from exporter.schema.paths import ends_in_name
from exporter.schema.problems import Location

_GROUPINGS = ",.' _\N{RIGHT SINGLE QUOTATION MARK}\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}"
_MOST_DIGITS = 6


def _scale(value: Decimal) -> Decimal:
    if value == 0:
        raise ValueError("must not be 0: every amount would be")
    return value


def _zero(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be 0, where it is documented that a missing amount means nothing")  # noqa: TRY004
    return value


Scale = Annotated[Decimal, AfterValidator(_scale)]
Missing = Annotated[Literal[0], BeforeValidator(_zero)]


class Sum(Strict):
    """The amounts of a list, added up; an empty list is 0, and anything but a list makes the amount unreadable."""

    items: Expression = Field(description="path of the list")
    path: AmountPaths = Field(default=["@"], description="where the amount stands in each item")
    missing: Missing | None = Field(
        default=None, description="`0` where it is documented that an item without the amount counts nothing"
    )


class Part(Strict):
    """An amount to add or to take off, read like the one that it belongs to."""

    path: AmountPaths | None = Field(
        default=None, description="where it stands; of several paths the first that is not null counts"
    )
    sum: Sum | None = Field(default=None, description="in place of `path`: amounts of a list")
    scale: Scale | None = Field(default=None, description="factor; without it the field's, without its sign")
    missing: Missing | None = Field(
        default=None, description="`0` where it is documented that a missing or null amount means nothing"
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        _check_source(self)
        return self


def _check_source(amount: "Part | Number") -> None:
    if (amount.path is None) == (amount.sum is None):
        raise ValueError("give exactly one of path and sum")


def _parts(value: Any) -> Any:
    """Let one text or mapping stand for a list of one, and a text for its path."""
    if isinstance(value, bool | int | Decimal):
        raise ValueError("must be a path (text), a mapping of keys to values, or a list of them")  # noqa: TRY004
    listed = value if isinstance(value, list) else [value]
    return [{"path": part} if isinstance(part, str) else part for part in listed]


Parts = Annotated[
    list[Part],
    BeforeValidator(_parts, json_schema_input_type=str | Part | list[str | Part]),
    Field(min_length=1),
]


def _grouping(value: str) -> str:
    if value not in list(_GROUPINGS):
        raise ValueError("must be one character: a comma, a point, an apostrophe, an underscore or a space")
    return value


class Number(Strict):
    """An amount, taken from a JSON number or a numeric string; null, absent or `unlimited` is no sample.

    It is the sign times the scale times what stands at `path`, then what `plus` adds, less what `minus` takes off.
    """

    path: AmountPaths | None = Field(
        default=None, description="where it stands; of several paths the first that is not null counts"
    )
    sum: Sum | None = Field(default=None, description="in place of `path`: amounts of a list, see below")
    plus: Parts | None = Field(
        default=None, description="amounts to add: paths, or mappings of `path` and `scale`, see below"
    )
    minus: Parts | None = Field(default=None, description="amounts to take off, as in `plus`")
    scale: Scale = Field(default=Decimal(1), description="factor, such as 0.01 where the answer counts cents")
    minor_units: Literal["from_currency"] | None = Field(
        default=None,
        description="`from_currency`, in place of `scale`: the answer counts the currency's smallest units",
    )
    minor_digits: dict[Unit, Annotated[int, Field(ge=0, le=_MOST_DIGITS)]] = Field(
        default={}, description="digits of single currencies that the provider counts otherwise than ISO 4217"
    )
    negate: bool = Field(default=False, description="turn the sign round, where the answer gives a debt")
    pattern: NumberPattern | None = Field(
        default=None,
        description="regular expression for a text around the number: it describes the whole text, "
        "at most 200 characters, and its one group is the number",
    )
    grouping: Annotated[str, AfterValidator(_grouping)] | None = Field(
        default=None, description="what a text may have between groups of three digits, such as `,`"
    )
    decimal: Literal[".", ","] | None = Field(
        default=None,
        description="decimal sign of a text, with a digit on both sides; with `grouping`, `.` without it",
    )
    unlimited: list[Scalar | Decimal | None] = Field(
        default=[],
        description="values, before `scale`, that mean that there is no limit: no sample, and no failure either; "
        "numbers count as text too, and `null` is one that is there",
    )
    unlimited_above: Decimal | None = Field(
        default=None, description="amounts above it, before `scale`, mean the same"
    )
    invalid: list[Decimal] = Field(default=[], description="numbers that mean nothing here, such as -1")
    required: bool = Field(
        default=False,
        description="where it is missing or unreadable the answer is malformed; a balance always is required",
    )

    @model_validator(mode="before")
    @classmethod
    def _no_default(cls, value: Any) -> Any:
        if isinstance(value, dict) and {"missing", "default"} & value.keys():
            raise ValueError(
                "has no default: what is missing is no sample; missing: 0 excuses a part, in sum, plus or minus"
            )
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.negate and self.scale < 0:
            raise ValueError("negate and a negative scale turn the sign round twice; leave one of them out")
        if self.minor_units and "scale" in self.model_fields_set:
            raise ValueError("scale does not go with minor_units, which is a scale")
        if self.minor_digits and not self.minor_units:
            raise ValueError("minor_digits goes with minor_units: from_currency")
        if self.grouping and self.grouping == (self.decimal or "."):
            raise ValueError("grouping and decimal must be different characters")
        paths = self.sum.path if self.sum else self.path or []
        if None in self.unlimited and not all(map(ends_in_name, paths)):
            raise ValueError("unlimited: [null] needs a path that ends in the name of a field")
        _check_source(self)
        return self

    def sources(self) -> Iterator[list[str]]:
        """Yield the paths of the amount and of each part of it; those of a sum are its list's."""
        for part in (self, *(self.plus or ()), *(self.minus or ())):
            yield [part.sum.items] if part.sum else part.path or []


class Timestamp(Strict):
    """A time; a date is its first moment, and without a zone it is UTC. Outside of 2000 to 2100 it is no sample."""

    path: Paths = Field(description="where it stands")
    format: Literal["iso8601", "unix", "unix_ms", "seconds_from_now", "hms_from_now"] = Field(
        default="iso8601",
        description="`iso8601`, `unix` (seconds), `unix_ms` (milliseconds), or what is left: `seconds_from_now`, "
        "`hms_from_now` (hours:minutes:seconds)",
    )


class Text(Strict):
    """A text out of the answer (`path`) or the same for every answer (`literal`); exactly one of the two."""

    path: Paths | None = Field(default=None, description="where it stands")
    literal: LabelText | None = Field(default=None, description="the text itself")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.path is None) == (self.literal is None):
            raise ValueError("give exactly one of path and literal")
        return self


class FreeText(Text):
    """A text that people wrote, which may have several lines."""


class Currency(Text):
    """A currency or unit, in capitals or small letters; a blank one is the account's."""

    pattern: TextPattern | None = Field(
        default=None, description="regular expression for the whole text, whose one group is the currency"
    )
    aliases: dict[Annotated[str, Field(min_length=1)], Unit] = Field(
        default={}, description="currencies by what the provider calls them, such as `RUR: RUB`"
    )

    @field_validator("literal")
    @classmethod
    def _unit(cls, value: str | None) -> str | None:
        return value and unit(value.upper())

    @model_validator(mode="after")
    def _read(self) -> Self:
        if self.literal and (self.pattern or self.aliases):
            raise ValueError("pattern and aliases go with path")
        return self


class Flag(Strict):
    """A JSON true or false, or a value that the definition takes for one."""

    path: Paths = Field(description="where it stands")
    true: list[Scalar] = Field(default=[], description="further values that mean true, such as 1 or `on`")
    false: list[Scalar] = Field(default=[], description="further values that mean false")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if {(type(one), one) for one in self.true} & {(type(one), one) for one in self.false}:
            raise ValueError("true and false share a value")
        return self


def _states(value: list[str]) -> list[str]:
    if len(set(value)) != len(value) or "unknown" in value:
        raise ValueError("must name each state once, and not unknown, which is always there")
    return value


class Choice(Strict):
    """A value out of a closed list of the provider's; any other value is shown as `unknown`."""

    path: Paths = Field(description="where it stands")
    states: Annotated[list[LabelText], Field(min_length=1), AfterValidator(_states)] = Field(
        description="every value that the provider documents, without `unknown`"
    )


def _not_a_code(value: Any) -> Any:
    """Refuse a currency where the path of one is wanted; who really has such a path writes it as `{path: ...}`."""
    if isinstance(value, str) and (value in _COMMON_UNITS or is_currency(value.upper())):
        raise ValueError(
            f"is the path of a currency in the answer; did you mean {{literal: {value.upper()}}}?"
        )
    return value


_COMMON_UNITS = frozenset(
    {"CHARACTERS", "CREDITS", "MESSAGES", "MINUTES", "POINTS", "REQUESTS", "SMS", "TOKENS"}
)
NumberField = Annotated[Number, short("path")]
TimestampField = Annotated[Timestamp, short("path")]
TextField = Annotated[Text, short("path")]
FreeTextField = Annotated[FreeText, short("path")]
FlagField = Annotated[Flag, short("path")]
ChoiceField = Annotated[Choice, such_as("path: ..., states: [...]")]


def _number(meaning: str) -> NumberField | None:
    field: NumberField | None = Field(default=None, description=meaning)
    return field


class WalletMapping(Strict):
    """One wallet, or a list of them: paths start at the item that `items` gives, and `"$"` is the whole document."""

    items: Expression = Field(
        default="@", description="path of one object, or of a list of objects of which each is a wallet"
    )
    items_by_key: Expression | None = Field(
        default=None,
        description='in place of `items`: path of an object of which each value is a wallet; `"@key"` is its name',
    )
    id: TextField = Field(
        default=Text(literal="main"), description="text: label `wallet`; without it the wallet is `main`"
    )
    currency: Annotated[Currency, short("path"), BeforeValidator(_not_a_code)] | None = Field(
        default=None, description="text: currency or unit of the amounts; without it the account must name it"
    )
    credit_unit: Unit | None = Field(
        default=None,
        description="unit of `credit_balance` and `credit_breakdown` where it is not the currency",
    )
    balance: NumberField | None = _number(
        "number: what can be spent now; may be left out where `settled_balance` or `quota_used` is given"
    )
    cached: FlagField | None = Field(
        default=None, description="flag: the provider says that the balance comes from a cache of its own"
    )
    settled_balance: NumberField | None = _number("number: the booked balance, without pending usage")
    credit_balance: NumberField | None = _number("number: `balance`, counted in credits")
    thresholds: dict[Level, NumberField] = Field(
        default={}, description="numbers by level (info, warning, critical): the provider's own alerts"
    )
    auto_recharge_enabled: FlagField | None = Field(default=None, description="flag: it recharges by itself")
    auto_recharge_threshold: NumberField | None = _number("number: balance under which it recharges")
    auto_recharge_amount: NumberField | None = _number("number: what one recharge adds")
    credit_breakdown: dict[Name, NumberField] = Field(
        default={}, description="numbers by a name of yours: parts of the balance, such as free and purchased"
    )
    conversion_rate: NumberField | None = _number("number: currency per credit")
    pending_usage: NumberField | None = _number("number: used but not yet booked")
    unpaid_invoices: NumberField | None = _number("number: owed on invoices")
    credit_limit: NumberField | None = _number("number: how far below zero the balance may go")
    quota: NumberField | None = _number("number: size of the plan")
    quota_used: NumberField | None = _number("number: used of the plan")
    quota_reset_timestamp: TimestampField | None = Field(default=None, description="time: the plan renews")
    expiry_timestamp: TimestampField | None = Field(default=None, description="time: the credit expires")
    name: FreeTextField | None = Field(default=None, description="text: the wallet's name")
    type: FreeTextField | None = Field(default=None, description="text: the provider's kind of wallet")
    postpaid: list[str] = Field(
        default=[], description="values of `type` whose wallets are billed later and so never run out"
    )
    customer: FreeTextField | None = Field(default=None, description="text: whose wallet it is")
    status: ChoiceField | None = Field(default=None, description="choice: the wallet's state")
    alert_state: ChoiceField | None = Field(
        default=None, description="choice: state of the provider's own alarm"
    )

    @model_validator(mode="after")
    def _postpaid_by_type(self) -> Self:
        if self.postpaid and self.type is None:
            raise ValueError("postpaid goes with type")
        return self

    @model_validator(mode="after")
    def _one_items(self) -> Self:
        if self.items_by_key and "items" in self.model_fields_set:
            raise ValueError("give items or items_by_key, not both")
        return self

    @model_validator(mode="after")
    def _worth_something(self) -> Self:
        if not self.essential:
            raise ValueError("balance is missing; without it settled_balance or quota_used must be given")
        for name in self.essential:
            number = getattr(self, name)
            if "required" in number.model_fields_set and not number.required:
                raise ValueError(f"{name}: a wallet always needs it; leave required out")
        return self

    @model_validator(mode="after")
    def _minor_units_of_currency(self) -> Self:
        code = self.currency and self.currency.literal
        for name, number in self.numbers():
            if number.minor_units and code and minor_digits(code) is None and code not in number.minor_digits:
                raise ValueError(f"{name}: minor_units needs a currency of ISO 4217, which {code} is not")
        return self

    @property
    def sums(self) -> bool:
        """Return whether an amount of the wallet is put together from a list."""
        parts = (
            part
            for _, number in self.numbers()
            for part in (number, *(number.plus or ()), *(number.minus or ()))
        )
        return any(part.sum for part in parts)

    @property
    def essential(self) -> tuple[str, ...]:
        """List the fields without which a wallet is none."""
        if self.balance:
            return ("balance",)
        return tuple(name for name in ("settled_balance", "quota_used") if getattr(self, name))

    def paths(self) -> Iterator[tuple[Location, str]]:
        """Yield the paths that are read from an item or the document, with where they stand in the mapping."""
        for name in ("items", "items_by_key"):
            if name in self.model_fields_set and getattr(self, name):
                yield (name,), getattr(self, name)
        for name in type(self).model_fields:
            value = getattr(self, name)
            for key, field in value.items() if isinstance(value, dict) else (("", value),):
                where = (name, key) if key else (name,)
                if isinstance(field, Number):
                    yield from ((where, path) for part in field.sources() for path in part)
                elif isinstance(field, Strict):
                    yield from ((where, path) for path in getattr(field, "path", None) or ())

    def exported(self) -> Iterator[str]:
        """Yield the fields of which a wallet has a sample of its own, by the names that they have here."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Number | Flag | Timestamp | Choice) or (isinstance(value, dict) and value):
                yield name

    def numbers(self) -> Iterator[tuple[str, Number]]:
        """Yield every amount of the wallet, by its name in messages."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Number):
                yield name, value
            elif isinstance(value, dict):
                yield from ((f"{name}.{key}", number) for key, number in value.items())
