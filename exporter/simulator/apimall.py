"""API Mall: a bearer key and whole credits; every answer carries a request id.

https://www.apimall.ai/docs/core-apis/account/get-account-balances
"""

from collections.abc import Mapping
from decimal import Decimal

from exporter.simulator.wire import Answer, Mode, Provider, Request, number
from exporter.simulator.world import HOUR, Recharge, Wallet

BASE_PATH = "/api/v1"
REQUEST_ID = "req_01HQ9M7J7X9P7Y8T6W5V4U3S2R"


def _wallets() -> dict[str, Wallet]:
    team = Recharge(enabled=True, threshold=Decimal(25), amount=Decimal(250), after=2 * HOUR)
    return {"main": Wallet(Decimal(120), Decimal(9), Decimal(1), team=team)}


def _error(status: int, code: str, message: str) -> Answer:
    error = {"code": code, "message": message}
    return Answer(status, {"success": False, "error": error, "request_id": REQUEST_ID})


REFUSALS: dict[Mode, Answer] = {
    "unauthorized": _error(401, "unauthorized", "Unauthorized"),
    "forbidden": _error(403, "forbidden", "API access not approved or request made on a non-gateway host"),
    "rate_limited": _error(429, "rate_limited", "Rate limit exceeded"),
    "server_error": _error(500, "internal_error", "Internal server error"),
    "error_body": _error(200, "internal_error", "Internal server error"),
}


def _respond(request: Request, key: str, wallets: Mapping[str, Wallet]) -> Answer:
    if (request.method, request.path) != ("GET", f"{BASE_PATH}/account/balances"):
        return _error(404, "not_found", "Not found")
    if request.headers.get("Authorization") != f"Bearer {key}":
        return REFUSALS["unauthorized"]
    credit = number(wallets["main"].balance)
    data = {"credits": credit, "api_credits": credit}
    return Answer(200, {"success": True, "data": data, "request_id": REQUEST_ID})


APIMALL = Provider(BASE_PATH, "demo-mall-c8407b1e", _wallets, _respond, REFUSALS)
