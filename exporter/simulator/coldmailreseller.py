"""Cold Mail Reseller: one wallet, a key in a header, a status that the body repeats.

https://docs.coldmailreseller.com/get-wallet-details-17995483e0 documents no error at all, so the refusals
here put theirs in the documented envelope.
"""

from collections.abc import Mapping
from decimal import Decimal

from exporter.simulator.wire import Answer, Mode, Provider, Request, number
from exporter.simulator.world import Recharge, Wallet

BASE_PATH = "/api/v1/integration"


def _wallets() -> dict[str, Wallet]:
    rule = Recharge(enabled=True, threshold=Decimal(1000), amount=Decimal(5000))
    return {"main": Wallet(Decimal("3334.95"), Decimal(150), Decimal("0.01"), recharge=rule)}


def _error(status: int, message: str, *, http_status: int | None = None) -> Answer:
    return Answer(http_status or status, {"status": status, "message": message, "data": None})


REFUSALS: dict[Mode, Answer] = {
    "unauthorized": _error(401, "Invalid API key"),
    "forbidden": _error(403, "Integration access is disabled"),
    "rate_limited": _error(429, "Too many requests"),
    "server_error": _error(500, "Internal server error"),
    "error_body": _error(500, "Wallet service is not available", http_status=200),
}


def _respond(request: Request, key: str, wallets: Mapping[str, Wallet]) -> Answer:
    if (request.method, request.path) != ("GET", f"{BASE_PATH}/wallet/get-balance"):
        return _error(404, "Not found")
    if request.headers.get("cmr-x-api-key") != key:
        return REFUSALS["unauthorized"]
    wallet = wallets["main"]
    rule = wallet.recharge
    data = {
        "balance": number(wallet.balance),
        "autoRecharge": rule is not None and rule.enabled,
        "autoRechargeAmount": number(rule.amount if rule else None),
        "threshold": number(rule.threshold if rule else None),
    }
    return Answer(200, {"status": 200, "message": "Wallet balance fetched successfully", "data": data})


COLDMAILRESELLER = Provider(BASE_PATH, "demo-cmr-6d1f0c52", _wallets, _respond, REFUSALS)
