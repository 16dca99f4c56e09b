"""One table of every family, and what is read into it. With exposition, the only user of the Prometheus client.

The table is also the source of the families' documentation.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import Metric

from exporter import __version__
from exporter.model import Reason, State, Wallet
from exporter.scrape import Reading
from exporter.scrape.thresholds import effective_thresholds

Rows = Iterable[tuple[tuple[str, ...], float]]
"""Values, each with its label values beyond those of the account or wallet."""


@dataclass(frozen=True)
class Family:
    """A family: its name, its labels in the order of the page, its type, and how its rows are read."""

    name: str
    help: str
    labels: tuple[str, ...]
    type: Literal["gauge", "counter", "stateset"]
    rows: Callable[..., Rows] = field(compare=False, repr=False)


class Filled(NamedTuple):
    """A family and its samples: label values in the order of the family's labels, and the value."""

    family: Family
    samples: list[tuple[tuple[str, ...], float]]


@dataclass(frozen=True)
class ExporterState:
    """What the exporter says of itself; timestamps are Unix seconds."""

    reload_successful: bool
    reload_success_timestamp: float
    upstream_requests: Mapping[tuple[str, str], int]
    upstream_failures: Mapping[tuple[str, Reason], int]


_ACCOUNT = ("provider", "account")
_WALLET = (*_ACCOUNT, "wallet", "currency")


def _one(value: Any) -> Rows:
    """Return one row without further labels, or none where the value is not known."""
    return () if value is None else (((), float(value)),)


def _account(name: str, text: str, read: Callable[[Reading], Any]) -> Family:
    return Family(name, text, _ACCOUNT, "gauge", lambda reading: _one(read(reading)))


def _outcome(attribute: str) -> Callable[[Reading], Any]:
    return lambda reading: getattr(reading.outcome, attribute, None)


def _wallet(attribute: str, text: str, *, prefix: str = "", suffix: str = "") -> Family:
    name = f"prepaid_{prefix}{attribute}{suffix}"
    return Family(name, text, _WALLET, "gauge", lambda _, wallet: _one(getattr(wallet, attribute)))


def _state(attribute: str, name: str, text: str) -> Family:
    def rows(_: Reading, wallet: Wallet) -> Rows:
        state: State | None = getattr(wallet, attribute)
        return [] if state is None else [((known,), float(known == state.value)) for known in state.known]

    return Family(name, text, (*_WALLET, name), "stateset", rows)


def _failure(reading: Reading) -> Rows:
    reason: Reason | None = _outcome("reason")(reading)
    return [((reason.value,), 1.0)] if reason else []


def _account_info(reading: Reading) -> Rows:
    account = reading.account
    return [((account.provider.definition.title, account.dashboard_url, account.topup_url), 1.0)]


def _runway(reading: Reading) -> Rows:
    return [((level.value,), seconds) for level, seconds in reading.account.runway.items()]


def _thresholds(reading: Reading, wallet: Wallet) -> Rows:
    return [
        ((level.value,), float(value))
        for level, value in effective_thresholds(reading.account, wallet).items()
    ]


def _breakdown(_: Reading, wallet: Wallet) -> Rows:
    return [((part.kind,), float(part.amount)) for part in wallet.credit_breakdown]


ACCOUNT_FAMILIES = (
    _account(
        "prepaid_account_up",
        "Whether the provider answered with usable wallets.",
        lambda reading: bool(_outcome("up")(reading)),
    ),
    Family(
        "prepaid_account_failure",
        "1 for the reason of the last failure while the account is down.",
        (*_ACCOUNT, "reason"),
        "gauge",
        _failure,
    ),
    _account(
        "prepaid_account_http_status_code", "HTTP status of the provider's last answer.", _outcome("status")
    ),
    _account(
        "prepaid_account_collect_duration_seconds",
        "Time that the last collection took.",
        _outcome("duration"),
    ),
    _account(
        "prepaid_account_last_success_timestamp_seconds",
        "When wallets were last read; kept while the account is down.",
        lambda reading: reading.last_success,
    ),
    Family(
        "prepaid_account_info",
        "Texts on the account, always 1.",
        (*_ACCOUNT, "provider_title", "dashboard_url", "topup_url"),
        "gauge",
        _account_info,
    ),
    Family(
        "prepaid_account_runway_threshold_seconds",
        "How long the money must last, by level.",
        (*_ACCOUNT, "level"),
        "gauge",
        _runway,
    ),
)

WALLET_FAMILIES = (
    _wallet("balance", "What can be spent now; negative is owed."),
    _wallet("cached", "Whether the provider says that the balance comes from its cache.", prefix="balance_"),
    _wallet("settled_balance", "The booked balance without pending usage."),
    _wallet("credit_balance", "What can be spent now, counted in the provider's credits."),
    Family(
        "prepaid_balance_threshold",
        "Low-balance threshold in force, by level: the operator's, else the provider's.",
        (*_WALLET, "level"),
        "gauge",
        _thresholds,
    ),
    _wallet("auto_recharge_enabled", "Whether the provider recharges by itself."),
    _wallet("auto_recharge_threshold", "Balance under which the provider recharges."),
    _wallet("auto_recharge_amount", "What one recharge adds."),
    Family(
        "prepaid_credit_breakdown",
        "Parts of the balance by kind; never on top of it.",
        (*_WALLET, "kind"),
        "gauge",
        _breakdown,
    ),
    _wallet("conversion_rate", "Currency per credit."),
    _wallet("pending_usage", "Used but not yet booked."),
    _wallet("unpaid_invoices", "Owed on invoices."),
    _wallet("credit_limit", "How far below zero the provider lets the balance go."),
    _wallet("quota", "Size of the plan."),
    _wallet("quota_used", "Used of the plan."),
    _wallet("quota_reset_timestamp", "When the plan renews.", suffix="_seconds"),
    _wallet("expiry_timestamp", "When credit expires.", suffix="_seconds"),
    Family(
        "prepaid_wallet_field_missing",
        "1 for an optional field that an earlier answer gave and the last one lacks, for a day.",
        (*_WALLET, "field"),
        "gauge",
        lambda reading, wallet: [((name,), 1.0) for name in reading.missing.get(wallet.key, ())],
    ),
    Family(
        "prepaid_wallet_info",
        "Texts on the wallet, always 1.",
        (*_WALLET, "wallet_name", "wallet_type", "customer"),
        "gauge",
        lambda _, wallet: [((wallet.name, wallet.type, wallet.customer), 1.0)],
    ),
    _state("status", "prepaid_wallet_status", "The provider's state of the wallet; exactly one is 1."),
    _state("alert_state", "prepaid_alert_state", "The state of the provider's own alarm; exactly one is 1."),
)

EXPORTER_FAMILIES = (
    Family(
        "prepaid_exporter_build_info",
        "The running version, always 1.",
        ("version",),
        "gauge",
        lambda _: [((__version__,), 1.0)],
    ),
    Family(
        "prepaid_exporter_config_last_reload_successful",
        "Whether the last load of the configuration succeeded.",
        (),
        "gauge",
        lambda state: _one(state.reload_successful),
    ),
    Family(
        "prepaid_exporter_config_last_reload_success_timestamp_seconds",
        "When the running configuration was loaded.",
        (),
        "gauge",
        lambda state: _one(state.reload_success_timestamp),
    ),
    Family(
        "prepaid_exporter_upstream_requests_total",
        "Requests sent to the provider for the account.",
        _ACCOUNT,
        "counter",
        lambda state: [(names, float(count)) for names, count in state.upstream_requests.items()],
    ),
    Family(
        "prepaid_exporter_upstream_failures_total",
        "Collections that failed, by reason.",
        ("provider", "reason"),
        "counter",
        lambda state: [
            ((name, reason.value), float(count)) for (name, reason), count in state.upstream_failures.items()
        ],
    ),
)

FAMILIES: tuple[Family, ...] = (*ACCOUNT_FAMILIES, *WALLET_FAMILIES, *EXPORTER_FAMILIES)
"""Every family that the exporter has of its own, in the order of the page."""

IN_CREDITS = frozenset({"prepaid_credit_balance", "prepaid_credit_breakdown"})
"""Families whose label `currency` is the unit in which the provider counts credits."""

_process = CollectorRegistry()
for _collector in (ProcessCollector, PlatformCollector, GCCollector):
    _collector(registry=_process)


def of_exporter(state: ExporterState) -> Iterator[Filled]:
    """Yield the exporter's own families."""
    for family in EXPORTER_FAMILIES:
        yield from filled(family, [((), family.rows(state))])


def of_process() -> Iterator[Metric]:
    """Yield the families of the process and its interpreter, for the client library to render."""
    yield from _process.collect()


def filled(family: Family, parts: Iterable[tuple[tuple[str, ...], Rows]]) -> Iterator[Filled]:
    """Yield a family with the samples of all parts, each of which has labels in common; nothing without samples."""
    samples = [((*labels, *more), value) for labels, rows in parts for more, value in rows]
    if samples:
        yield Filled(family, samples)
