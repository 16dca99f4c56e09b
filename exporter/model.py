"""The words of the house as frozen values: what a wallet holds and what asking an account gave."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from enum import StrEnum

UNROUNDED = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Arithmetic to the last digit; the usual context rounds to 28."""


class Reason(StrEnum):
    """Why an account is down: the closed list that label `reason` takes its values from."""

    AUTH = "auth"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    HTTP_STATUS = "http_status"
    REDIRECT = "redirect"
    API_ERROR = "api_error"
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    MISCONFIGURED = "misconfigured"
    EXHAUSTED = "exhausted"
    PROXY = "proxy"
    INTERNAL = "internal"


class Level(StrEnum):
    """Severity of a threshold, mildest first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Failure(Exception):  # noqa: N818 - an outcome of asking, not a programming error
    """Asking an account failed for `reason`; `detail` is in our own words, never the provider's."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


Thresholds = Mapping[Level, Decimal]
"""Low-balance thresholds by level, in the wallet's currency."""


@dataclass(frozen=True, slots=True)
class Credit:
    """A named part of a balance, in `currency`."""

    kind: str
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class State:
    """One value out of a provider's closed list; `unknown` when the value is not in the list."""

    value: str
    known: tuple[str, ...]


WalletKey = tuple[str, str]
"""What tells the wallets of an account apart: id and currency."""


@dataclass(frozen=True, slots=True)
class Wallet:
    """What an account holds in one currency; every amount that the provider did not give is None.

    Amounts are in `currency`, except `credit_balance`, which is in `credit_unit`; timestamps are
    Unix seconds. `balance` is what can be spent now, `cached` whether the provider says that it is one of before;
    a `postpaid` wallet has no end, since it is billed later.
    """

    id: str
    currency: str
    balance: Decimal | None = None
    cached: bool | None = None
    settled_balance: Decimal | None = None
    credit_balance: Decimal | None = None
    credit_unit: str = ""
    thresholds: Thresholds = field(default_factory=dict)
    auto_recharge_enabled: bool | None = None
    auto_recharge_threshold: Decimal | None = None
    auto_recharge_amount: Decimal | None = None
    credit_breakdown: tuple[Credit, ...] = ()
    conversion_rate: Decimal | None = None
    pending_usage: Decimal | None = None
    unpaid_invoices: Decimal | None = None
    credit_limit: Decimal | None = None
    quota: Decimal | None = None
    quota_used: Decimal | None = None
    quota_reset_timestamp: Decimal | None = None
    expiry_timestamp: Decimal | None = None
    name: str = ""
    type: str = ""
    customer: str = ""
    postpaid: bool = False
    status: State | None = None
    alert_state: State | None = None

    @property
    def key(self) -> WalletKey:
        """Return what no other wallet of the account shares."""
        return self.id, self.currency


@dataclass(slots=True)
class FieldAnswers:
    """Which optional fields of its wallets an answer gave, as definitions name them: `status`, `thresholds.critical`.

    `before` has those that earlier answers gave, `given` those of this one, each with the number of the path that found
    it; `lost` names which of those before this one lacks or spoils.
    """

    before: Mapping[WalletKey, Mapping[str, int]] = field(default_factory=dict)
    given: dict[WalletKey, Mapping[str, int]] = field(default_factory=dict)
    lost: dict[WalletKey, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP exchange as it may be shown: the URL, header names and proxy without any secret, no bodies.

    `trusts` says whose authorities vouch for the provider, where TLS is spoken.
    """

    method: str
    url: str
    headers: tuple[str, ...]
    status: int | None = None
    seconds: float = 0.0
    size: int | None = None
    proxy: str = ""
    trusts: str = ""


@dataclass(frozen=True, slots=True)
class Bug:
    """An exception of ours: its type and where it was raised, without its text, which may quote an answer."""

    error: str
    traceback: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What asking one account gave: `wallets`, or the `reason` why there are none.

    `at` is the Unix time at which the collection ended, `duration` its length in seconds, `status`
    that of the last answer (None where no answer came), `retry_after` the seconds for which the
    provider asks not to be called. `notes` name what was left out of the wallets, and why, `bug` is one of ours.
    """

    at: float
    duration: float
    wallets: tuple[Wallet, ...] = ()
    reason: Reason | None = None
    detail: str = ""
    hint: str = ""
    status: int | None = None
    retry_after: float | None = None
    notes: tuple[str, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    bug: Bug | None = None

    @property
    def up(self) -> bool:
        """Return whether the provider answered with usable wallets (an empty list is usable)."""
        return self.reason is None
