"""A client that asks each simulated provider as its documentation says."""

from decimal import Decimal
from typing import Any

import requests

from exporter.simulator import Simulator
from tests.programs import PATIENCE

Timeout = float | tuple[float, float]

HOUR = 3600.0

WEEK = 7 * 24 * HOUR

WALLETS = [
    ("coldmailreseller", "main"),
    ("smspubli", "main"),
    ("smspubli", "branch-a"),
    ("flexprice", "wallet_01"),
    ("flexprice", "wallet_02"),
    ("flexprice", "wallet_03"),
    ("apimall", "main"),
]

EVERYTHING = {"include_real_time_balance": "true", "expand": "credits_available_breakdown"}


class Client:
    """A client that asks each provider as its documentation says, with the right key unless told another."""

    def __init__(self, simulator: Simulator, session: requests.Session) -> None:
        self.simulator = simulator
        self.session = session

    def ask(self, provider: str, *, key: str | None = None, timeout: Timeout = PATIENCE) -> requests.Response:
        key = self.simulator.keys[provider] if key is None else key
        return {
            "coldmailreseller": lambda: self.get(
                provider, "/wallet/get-balance", {"cmr-x-api-key": key}, timeout=timeout
            ),
            "smspubli": lambda: self.sms({"api_key": key}, timeout=timeout),
            "flexprice": lambda: self.flexprice(
                {"lookup_key": "acme", **EVERYTHING}, key=key, timeout=timeout
            ),
            "apimall": lambda: self.get(
                provider, "/account/balances", {"Authorization": f"Bearer {key}"}, timeout=timeout
            ),
        }[provider]()

    def get(
        self, provider: str, path: str, headers: dict[str, str], timeout: Timeout = PATIENCE, **query: str
    ) -> requests.Response:
        url = self.simulator.base_url(provider) + path
        return self.session.get(url, headers=headers, params=query, timeout=timeout)

    def sms(
        self, fields: Any, path: str = "/account/get-balance", timeout: Timeout = PATIENCE
    ) -> requests.Response:
        return self.session.post(self.simulator.base_url("smspubli") + path, json=fields, timeout=timeout)

    def flexprice(
        self, query: dict[str, str], *, key: str | None = None, timeout: Timeout = PATIENCE
    ) -> requests.Response:
        key = self.simulator.keys["flexprice"] if key is None else key
        return self.get("flexprice", "/customers/wallets", {"x-api-key": key}, timeout, **query)


def balances(simulator: Simulator) -> list[Decimal]:
    return [simulator.wallet(*wallet).balance for wallet in WALLETS]
