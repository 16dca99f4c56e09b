"""Flexprice: the wallets of one customer, decimals as quoted strings, booked and real-time balances.

GET /customers/wallets as in the vendor's open source, https://github.com/flexprice/flexprice.
The customer `acme` has the present shape of alerts and top-ups, `globex` the one before February 2026.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from exporter.simulator.wire import Answer, Mode, Provider, Request
from exporter.simulator.world import HOUR, Recharge, Wallet

BASE_PATH = "/v1"
CUSTOMERS = {"acme": "cust_01", "globex": "cust_02", "empty": "cust_03"}
BREAKDOWN = "credits_available_breakdown"
FLAGS = {"": False, "0": False, "false": False, "1": True, "true": True}


@dataclass(frozen=True)
class _Sheet:
    """What of a wallet does not change; `levels` are alert states with their thresholds, worst first."""

    customer_id: str
    currency: str
    conversion_rate: Decimal
    alerts: Mapping[str, object]
    levels: tuple[tuple[str, Decimal], ...]


def _older_alert(threshold: str) -> dict[str, object]:
    return {"alert_enabled": True, "alert_config": {"threshold": {"type": "amount", "value": threshold}}}


SHEETS = {
    "wallet_01": _Sheet(
        "cust_01",
        "usd",
        Decimal(1),
        {
            "alert_settings": {
                "critical": {"threshold": "10", "condition": "below"},
                "warning": {"threshold": "25", "condition": "below"},
                "info": None,
                "alert_enabled": True,
            }
        },
        (("in_alarm", Decimal(10)), ("warning", Decimal(25))),
    ),
    "wallet_02": _Sheet("cust_02", "usd", Decimal(2), _older_alert("100"), (("in_alarm", Decimal(100)),)),
    "wallet_03": _Sheet("cust_02", "eur", Decimal(1), _older_alert("5"), (("in_alarm", Decimal(5)),)),
}


def _wallets() -> dict[str, Wallet]:
    cent = Decimal("0.01")
    top_up = Recharge(enabled=True, threshold=Decimal(20), amount=Decimal(100))
    dollars = Recharge(enabled=True, threshold=Decimal(80), amount=Decimal(500), after=6 * HOUR)
    euros = Recharge(enabled=True, threshold=Decimal(0), amount=Decimal(60), after=12 * HOUR)
    return {
        "wallet_01": Wallet(
            Decimal("118.2"),
            Decimal(4),
            cent,
            recharge=top_up,
            pending=Decimal("2.3"),
            free=Decimal("20.5"),
        ),
        "wallet_02": Wallet(
            Decimal(450), Decimal(7), cent, team=dollars, pending=Decimal("37.5"), unpaid=Decimal("12.5")
        ),
        "wallet_03": Wallet(
            Decimal("-7.5"),
            Decimal("0.8"),
            cent,
            floor=Decimal(-20),
            recharge=Recharge(enabled=False, threshold=None, amount=None),
            team=euros,
            pending=Decimal("18.4"),
            unpaid=Decimal("4.1"),
        ),
    }


def _error(status: int, code: str, message: str, *, http_status: int | None = None) -> Answer:
    body = {"code": code, "message": message, "http_status_code": status, "details": {}}
    return Answer(http_status or status, body)


REFUSALS: dict[Mode, Answer] = {
    "unauthorized": Answer(401, {"error": "Unauthorized"}),
    "forbidden": Answer(403, {"error": "Access denied", "message": "The key may not read wallets"}),
    "rate_limited": _error(429, "too_many_requests", "Too many requests"),
    "server_error": _error(500, "system_error", "An unexpected error occurred"),
    "error_body": _error(500, "system_error", "An unexpected error occurred", http_status=200),
}


def _respond(request: Request, key: str, wallets: Mapping[str, Wallet]) -> Answer:
    if (request.method, request.path) != ("GET", f"{BASE_PATH}/customers/wallets"):
        return Answer(404, b"404 page not found")
    if request.headers.get("x-api-key") != key:
        return REFUSALS["unauthorized"]
    query = request.query
    flags = [FLAGS.get(query.get(name, "")) for name in ("include_real_time_balance", "from_cache")]
    expand = {part for part in query.get("expand", "").split(",") if part}
    if None in flags or not expand <= {BREAKDOWN}:
        return _error(400, "validation_error", "Invalid request format")
    if bool(query.get("id")) == bool(query.get("lookup_key")):
        return _error(400, "validation_error", "Please provide either id or lookup_key")
    customer_id = query.get("id") or CUSTOMERS.get(query["lookup_key"])
    if customer_id not in CUSTOMERS.values():
        return _error(404, "not_found", "Customer not found")
    real_time, cached = map(bool, flags)
    held = [name for name, sheet in SHEETS.items() if sheet.customer_id == customer_id]
    documents = []
    for name in held:
        document = _stored(name, wallets[name])
        if real_time:
            document |= _computed(SHEETS[name], wallets[name], expand)
        documents.append(document | {"is_cached_fallback": real_time and cached})
    return Answer(200, documents)


def _stored(name: str, wallet: Wallet) -> dict[str, object]:
    sheet = SHEETS[name]
    rate = _text(sheet.conversion_rate)
    document: dict[str, object] = {
        "id": name,
        "customer_id": sheet.customer_id,
        "currency": sheet.currency,
        "balance": f"{wallet.booked:.2f}",
        "credit_balance": f"{wallet.booked / sheet.conversion_rate:.2f}",
        "wallet_status": "active",
        "name": f"Prepaid Wallet - {sheet.currency.upper()}",
        "description": "",
        "metadata": None,
        "wallet_type": "PRE_PAID",
        "config": {"allowed_price_types": ["USAGE"]},
        "conversion_rate": rate,
        "topup_conversion_rate": rate,
        "environment_id": "env_01",
        **sheet.alerts,
        "alert_state": next((state for state, at in sheet.levels if wallet.balance <= at), "ok"),
        "tenant_id": "t_01",
        "status": "published",
        "created_at": "2026-08-01T00:00:00Z",
        "updated_at": "2026-08-20T00:00:00Z",
        "created_by": "u",
        "updated_by": "u",
    }
    if (rule := wallet.recharge) is not None:
        document["auto_topup"] = {
            "enabled": rule.enabled,
            "threshold": None if rule.threshold is None else _text(rule.threshold),
            "amount": None if rule.amount is None else _text(rule.amount),
            "invoicing": rule.enabled or None,
        }
    return document


def _computed(sheet: _Sheet, wallet: Wallet, expand: set[str]) -> dict[str, object]:
    document: dict[str, object] = {
        "real_time_balance": _text(wallet.balance),
        "real_time_credit_balance": _text(wallet.balance / sheet.conversion_rate),
        "balance_updated_at": "2026-08-20T00:00:00Z",
        "current_period_usage": _text(wallet.pending or Decimal(0)),
        "unpaid_invoices_amount": _text(wallet.unpaid),
    }
    if BREAKDOWN in expand:
        credit = max(wallet.booked, Decimal(0)) / sheet.conversion_rate
        free = min(wallet.free / sheet.conversion_rate, credit)
        document[BREAKDOWN] = {"purchased": _text(credit - free), "free": _text(free)}
    return document


def _text(value: Decimal) -> str:
    """Write a decimal as Go's shopspring/decimal does: plain digits, no exponent, no trailing zeros."""
    return f"{value.normalize():f}"


FLEXPRICE = Provider(BASE_PATH, "demo-flex-52e9d06f", _wallets, _respond, REFUSALS)
