"""The schema of a definition's wallets: where in an answer each field stands, and how it is read."""

from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from exporter.model import Level
from exporter.schema.fields import (
    UNIT,
    Expression,
    LabelText,
    Name,
    NumberPattern,
    Paths,
    Strict,
    Unit,
    short,
)


def _scale(value: Decimal) -> Decimal:
    if value == 0:
        raise ValueError("must not be 0: every amount would be")
    return value


Scale = Annotated[Decimal, AfterValidator(_scale)]


class Part(Strict):
    """An amount to add or to take off, read like the one that it belongs to."""

    path: Paths = Field(description="where it stands; of several paths the first that is not null counts")
    scale: Scale | None = Field(default=None, description="factor; without it the field's, without its sign")


def _parts(value: Any) -> Any:
    """Let one text or mapping stand for a list of one, and a text for its path."""
    listed = value if isinstance(value, list) else [value]
    return [{"path": part} if isinstance(part, str) else part for part in listed]


Parts = Annotated[list[Part], BeforeValidator(_parts), Field(min_length=1)]


class Number(Strict):
    """An amount, taken from a JSON number or a numeric string; null, absent or `unlimited` is no sample.

    It is the sign times the scale times what stands at `path`, then what `plus` adds, less what `minus` takes off.
    """

    path: Paths = Field(description="where it stands; of several paths the first that is not null counts")
    plus: Parts | None = Field(
        default=None, description="amounts to add: paths, or mappings of `path` and `scale`"
    )
    minus: Parts | None = Field(default=None, description="amounts to take off, as in `plus`")
    scale: Scale = Field(default=Decimal(1), description="factor, such as 0.01 where the answer counts cents")
    negate: bool = Field(default=False, description="turn the sign round, where the answer gives a debt")
    pattern: NumberPattern | None = Field(
        default=None,
        description="regular expression for a text around the number: it describes the whole text, "
        "at most 200 characters, and its one group is the number",
    )
    invalid: list[Decimal] = Field(default=[], description="numbers that mean nothing here, such as -1")
    required: bool = Field(
        default=False,
        description="where it is missing or unreadable the answer is malformed; a balance always is required",
    )


class Timestamp(Strict):
    """A time; a date is its first moment, and without a zone it is UTC. Outside of 2000 to 2100 it is no sample."""

    path: Paths = Field(description="where it stands")
    format: Literal["iso8601", "unix", "unix_ms"] = Field(
        default="iso8601", description="`iso8601`, `unix` (seconds) or `unix_ms` (milliseconds)"
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

    @field_validator("literal")
    @classmethod
    def _unit(cls, value: str | None) -> str | None:
        if value is not None and not UNIT.fullmatch(value.upper()):
            raise ValueError("must be a currency or unit, such as EUR or CREDITS: A-Z, 0-9 and _, at most 32")
        return value and value.upper()


class Flag(Strict):
    """A JSON true or false."""

    path: Paths = Field(description="where it stands")


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


def _required(value: Number) -> Number:
    if "required" in value.model_fields_set and not value.required:
        raise ValueError("a wallet without its balance is none: leave required out")
    return value


NumberField = Annotated[Number, short("path")]
TimestampField = Annotated[Timestamp, short("path")]
TextField = Annotated[Text, short("path")]
FreeTextField = Annotated[FreeText, short("path")]
FlagField = Annotated[Flag, short("path")]


def _number(meaning: str) -> NumberField | None:
    field: NumberField | None = Field(default=None, description=meaning)
    return field


class WalletMapping(Strict):
    """One wallet, or a list of them: paths start at the item that `items` gives; in a list, `"$"` is the document."""

    items: Expression = Field(
        default="@", description="path of one object, or of a list of objects of which each is a wallet"
    )
    id: TextField = Field(
        default=Text(literal="main"), description="text: label `wallet`; without it the wallet is `main`"
    )
    currency: Annotated[Currency, short("path")] | None = Field(
        default=None, description="text: currency or unit of the amounts; without it the account must name it"
    )
    credit_unit: Unit | None = Field(
        default=None,
        description="unit of `credit_balance` and `credit_breakdown` where it is not the currency",
    )
    balance: Annotated[Number, AfterValidator(_required), short("path")] = Field(
        description="number: what can be spent now"
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
    status: Choice | None = Field(default=None, description="choice: the wallet's state")
    alert_state: Choice | None = Field(default=None, description="choice: state of the provider's own alarm")

    @model_validator(mode="after")
    def _postpaid_by_type(self) -> Self:
        if self.postpaid and self.type is None:
            raise ValueError("postpaid goes with type")
        return self
