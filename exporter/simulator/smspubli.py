"""SMSPubli, also SMSup and Gigas SMS (API 3.0): the key in a JSON body, balances as strings, sub-accounts.

https://app.smsup.es/api/3.0/docs/account/get-balance and .../subaccount/get-balance
"""

import json
from collections.abc import Mapping
from decimal import Decimal

from exporter.simulator.wire import Answer, Mode, Provider, Request
from exporter.simulator.world import HOUR, Recharge, Wallet

BASE_PATH = "/api/3.0"
ACCOUNT = f"{BASE_PATH}/account/get-balance"
SUB_ACCOUNT = f"{BASE_PATH}/subaccount/get-balance"
CURRENCIES = {"main": "EUR", "branch-a": "CREDITS"}
SUB_ACCOUNTS = ("branch-a",)


def _wallets() -> dict[str, Wallet]:
    euros = Recharge(enabled=True, threshold=Decimal(2), amount=Decimal(40), after=2 * HOUR)
    credit = Recharge(enabled=True, threshold=Decimal(60), amount=Decimal(1500), after=3 * HOUR)
    return {
        "main": Wallet(Decimal("0.6000"), Decimal("0.9"), Decimal("0.0600"), team=euros),
        "branch-a": Wallet(Decimal("1225.0000"), Decimal(45), Decimal(1), team=credit),
    }


def _error(status: int, error_id: str, message: str) -> Answer:
    return Answer(status, {"status": "error", "error_id": error_id, "error_msg": message})


REFUSALS: dict[Mode, Answer] = {
    "unauthorized": _error(401, "UNAUTHORIZED", "API key may be invalid or your IP is blocked"),
    "forbidden": _error(403, "UNAUTHORIZED", "API key may be invalid or your IP is blocked"),
    "rate_limited": _error(429, "TOO_MANY_REQUESTS", "Too many requests"),
    "server_error": _error(500, "INTERNAL_ERROR", "Internal error"),
    "error_body": _error(200, "INTERNAL_ERROR", "Internal error"),
}


def _fields(request: Request) -> dict[str, object] | Answer:
    if request.headers.get_content_type() != "application/json" or "Content-Type" not in request.headers:
        return _error(400, "INVALID_CONTENT_TYPE", "The Content-Type must be application/json")
    try:
        fields = json.loads(request.body)
    except ValueError:
        return _error(400, "JSON_PARSE_ERROR", "The body is not valid JSON")
    if not isinstance(fields, dict) or not fields.get("api_key"):
        return _error(400, "MISSING_PARAMS", "Missing parameter: api_key")
    return fields


def _respond(request: Request, key: str, wallets: Mapping[str, Wallet]) -> Answer:
    if request.method != "POST" or request.path not in (ACCOUNT, SUB_ACCOUNT):
        return _error(404, "NOT_FOUND", "No such method")
    fields = _fields(request)
    if isinstance(fields, Answer):
        return fields
    if fields["api_key"] != key:
        return REFUSALS["unauthorized"]
    name = fields.get("user_name")
    if name is None and request.path == SUB_ACCOUNT:
        return _error(400, "MISSING_PARAMS", "Missing parameter: user_name")
    if name is not None and name not in SUB_ACCOUNTS:
        return _error(400, "BAD_PARAMS", "Unknown user_name")
    wallet = "main" if name is None else str(name)
    balance = {"balance": f"{wallets[wallet].balance:.4f}", "currency": CURRENCIES[wallet]}
    return Answer(200, {"status": "ok", "result": balance})


SMSPUBLI = Provider(BASE_PATH, "demo-sms-93be27a4", _wallets, _respond, REFUSALS)
