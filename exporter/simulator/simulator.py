"""The simulated providers together: started, failed, killed, and described as an exporter's configuration."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Self

from exporter.simulator.apimall import APIMALL
from exporter.simulator.coldmailreseller import COLDMAILRESELLER
from exporter.simulator.flexprice import FLEXPRICE
from exporter.simulator.site import Fault, Site
from exporter.simulator.smspubli import SMSPUBLI
from exporter.simulator.wire import GARBAGE, MODES, Answer, Mode, Request
from exporter.simulator.world import WalletHandle, World

_COMPANIES = {
    "coldmailreseller": COLDMAILRESELLER,
    "smspubli": SMSPUBLI,
    "flexprice": FLEXPRICE,
    "apimall": APIMALL,
}
PROVIDERS = tuple(_COMPANIES)
UNSTEADY = "apimall"

_CONFIGURATION = """\
# The simulated providers of the demo; the keys are invented. Their clocks run fast, so each scrape asks anew.
accounts:
  - name: outreach
    provider: coldmailreseller
    base_url: {coldmailreseller}
    min_interval: 0s
    api_key: {keys[coldmailreseller]}
    currency: INR
    thresholds: {{warning: 2000, critical: 1000}}
  - name: sms
    provider: smspubli
    base_url: {smspubli}
    min_interval: 0s
    api_key: {keys[smspubli]}
  - name: sms-branch
    provider: smspubli
    base_url: {smspubli}
    min_interval: 0s
    api_key: {keys[smspubli]}
    params: {{user_name: branch-a}}
    thresholds: {{warning: 300, critical: 100}}
  - name: acme
    provider: flexprice
    base_url: {flexprice}
    min_interval: 0s
    api_key: {keys[flexprice]}
    params: {{lookup_key: acme}}
  - name: globex
    provider: flexprice
    base_url: {flexprice}
    min_interval: 0s
    api_key: {keys[flexprice]}
    params: {{lookup_key: globex}}
  - name: mall
    provider: apimall
    base_url: {apimall}
    min_interval: 0s
    api_key: {keys[apimall]}
    thresholds: {{critical: 25}}
"""


class Simulator:
    """The four providers, each its own server on its own loopback port, from `with` on until its end.

    `speed` is simulated seconds per second of `clock`. At 0 the world stands still and every answer has the
    documented example's numbers. Above 0 balances burn by day and night, Cold Mail Reseller and Flexprice's
    `acme` recharge by themselves, the other wallets run low until "the team" tops them up, and API Mall fails
    for some minutes in every four hours. Equal clocks give equal worlds.
    """

    def __init__(
        self, *, speed: float = 0.0, clock: Callable[[], float] = time.monotonic, host: str = "127.0.0.1"
    ) -> None:
        """Make the world; its time begins now, its servers start on entering."""
        self.keys: Mapping[str, str] = {name: company.key for name, company in _COMPANIES.items()}
        self._host = host
        self._world = World({name: company.wallets() for name, company in _COMPANIES.items()}, speed, clock)
        self._sites = {name: Site(host, self._answers(name)) for name in PROVIDERS}

    def __enter__(self) -> Self:
        """Start every provider's server."""
        for site in self._sites.values():
            site.revive()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every server and drop what hangs there."""
        for site in self._sites.values():
            site.close()

    def base_url(self, provider: str) -> str:
        """Return the address for an account's `base_url`; raise RuntimeError before the start."""
        port = self._sites[provider].port
        if not port:
            raise RuntimeError(
                "The simulator has no addresses before it is entered: use `with Simulator() ...`."
            )
        return f"http://{self._host}:{port}{_COMPANIES[provider].base_path}"

    def requests(self, provider: str) -> int:
        """Count the requests that the provider has received, whatever it answered."""
        return self._sites[provider].requests

    def wallet(self, provider: str, name: str = "main") -> WalletHandle:
        """Take hold of a wallet: `main`, smspubli's `branch-a`, or Flexprice's `wallet_01` to `wallet_03`.

        Flexprice's `main` is `wallet_01`, the one wallet of the customer `acme`.
        """
        if (provider, name) == ("flexprice", "main"):
            name = "wallet_01"
        with self._world.present() as wallets:
            return WalletHandle(self._world, wallets[provider][name])

    def fail(self, provider: str, mode: Mode, *, retry_after: int | None = None) -> None:
        """Fail every request to the provider from now on, in the provider's own words.

        `unauthorized` (401), `forbidden` (403), `rate_limited` (429, with `Retry-After: retry_after` seconds
        if given), `server_error` (500), `error_body` (200 with an error inside), `garbage` (200, not JSON),
        `hang` (no answer until healed or killed). Raise ValueError for another mode.
        """
        if mode not in MODES:
            raise ValueError(f"unknown mode {mode!r}: use one of {', '.join(MODES)}")
        self._sites[provider].fail(Fault(mode, retry_after))

    def heal(self, provider: str) -> None:
        """End what `fail` began; requests that hang are answered now."""
        self._sites[provider].fail(None)

    def kill(self, provider: str) -> None:
        """Close the provider's port and cut its connections: further ones are refused."""
        self._sites[provider].kill()

    def revive(self, provider: str) -> None:
        """Open the provider's port again, the same one."""
        self._sites[provider].revive()

    def configuration(self) -> str:
        """Write a complete configuration of the exporter (YAML) with six accounts at these providers."""
        return _CONFIGURATION.format(keys=self.keys, **{name: self.base_url(name) for name in PROVIDERS})

    def _answers(self, provider: str) -> Callable[[Request, Fault | None], Answer]:
        company = _COMPANIES[provider]

        def answer(request: Request, fault: Fault | None) -> Answer:
            if fault is None and provider == UNSTEADY and self._world.outage():
                return company.refusals["server_error"]
            if fault is None:
                with self._world.present() as wallets:
                    return company.respond(request, company.key, wallets[provider])
            if fault.mode == "garbage":
                return GARBAGE
            refusal = company.refusals[fault.mode]
            if fault.mode == "rate_limited" and fault.retry_after is not None:
                return replace(refusal, headers={"Retry-After": str(fault.retry_after)})
            return refusal

        return answer
