"""The schema of a definition's wallets: where in an answer each field stands, and how it is read."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from exporter.model import Level
from exporter.schema import Expression, Name, Paths, RegularExpression, Strict, Unit, short


class Number(Strict):
    """Where an amount stands and how it is read: the first path that is not null, then minus, scale, negate."""

    path: Paths
    minus: Expression | None = None
    scale: Decimal = Decimal(1)
    negate: bool = False
    pattern: RegularExpression | None = None
    invalid: list[Decimal] = []
    required: bool = False


class Timestamp(Strict):
    """Where a time stands and how it is written; a date or time without a zone is UTC."""

    path: Paths
    format: Literal["iso8601", "unix", "unix_ms"] = "iso8601"


class Text(Strict):
    """A text out of the answer (`path`) or the same for every answer (`literal`)."""

    path: Paths | None = None
    literal: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.path is None) == (self.literal is None):
            raise ValueError("give exactly one of path and literal")
        return self


class Flag(Strict):
    """Where a JSON true or false stands."""

    path: Paths


class Choice(Strict):
    """A value out of a closed list of the provider's."""

    path: Paths
    states: Annotated[list[str], Field(min_length=1)]


NumberField = Annotated[Number, short("path")]
TimestampField = Annotated[Timestamp, short("path")]
TextField = Annotated[Text, short("path")]
FlagField = Annotated[Flag, short("path")]


class WalletMapping(Strict):
    """Where the wallets stand (`items`: one object or a list) and where in each of them each field stands.

    Paths start at the item; in a list the whole document is reachable as `"$"`. Without `id` the wallet is `main`;
    without `currency` the operator must name it. `credit_unit` is the unit of `credit_balance` and
    `credit_breakdown` where that is not the wallet's currency.
    """

    items: Expression = "@"
    id: TextField = Text(literal="main")
    currency: TextField | None = None
    credit_unit: Unit | None = None
    balance: NumberField
    settled_balance: NumberField | None = None
    credit_balance: NumberField | None = None
    thresholds: dict[Level, NumberField] = {}
    auto_recharge_enabled: FlagField | None = None
    auto_recharge_threshold: NumberField | None = None
    auto_recharge_amount: NumberField | None = None
    credit_breakdown: dict[Name, NumberField] = {}
    conversion_rate: NumberField | None = None
    pending_usage: NumberField | None = None
    unpaid_invoices: NumberField | None = None
    credit_limit: NumberField | None = None
    quota: NumberField | None = None
    quota_used: NumberField | None = None
    quota_reset_timestamp: TimestampField | None = None
    expiry_timestamp: TimestampField | None = None
    name: TextField | None = None
    type: TextField | None = None
    customer: TextField | None = None
    status: Choice | None = None
    alert_state: Choice | None = None
