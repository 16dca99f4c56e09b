"""An exporter at a desk, whose pages are read as Prometheus reads them, and what its tests have around it.

A folder of tests takes the fixtures that it wants into its conftest.
"""

import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from exporter.scrape import scraper
from exporter.web.application import TIMEOUT_HEADER, Application, Options
from exporter.web.runtime import Runtime
from tests.peers import Answer, Upstream

UNHURRIED = "5m"
"""Time for a call where no test is about it, so that only what never comes is a timeout."""

AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")

GRANTED = 240.0
"""Seconds that Prometheus waits where no test is about it."""


Sample = tuple[str, frozenset[tuple[str, str]]]
"""A name and its labels."""


@lru_cache(maxsize=1000)
def _samples(family: str) -> list[tuple[Sample, float]]:
    """Read the text of one family. Most are the same on page after page."""
    return [
        ((sample.name, frozenset(sample.labels.items())), sample.value)
        for read in text_string_to_metric_families(family)
        for sample in read.samples
    ]


@dataclass(frozen=True)
class Page:
    """One exposition, read back; a sample that is not there is None."""

    seconds: float
    samples: dict[Sample, float] = field(repr=False)

    @classmethod
    def parse(cls, text: str, seconds: float) -> "Page":
        samples: dict[Sample, float] = {}
        for family in re.split(r"^(?=# HELP )", text, flags=re.MULTILINE):
            for sample, value in _samples(family):
                assert sample not in samples, f"{sample} is there twice"
                samples[sample] = value
        return cls(seconds, samples)

    def all(self, name: str, **labels: str) -> list[float]:
        return [
            value
            for (sample, given), value in self.samples.items()
            if sample == name and labels.items() <= dict(given).items()
        ]

    def one(self, name: str, **labels: str) -> float | None:
        found = self.all(name, **labels)
        assert len(found) < 2, f"{name} is there {len(found)} times"
        return found[0] if found else None

    def up(self, account: str = "mall") -> float | None:
        return self.one("prepaid_account_up", account=account)

    def balance(self, account: str = "mall") -> float | None:
        return self.one("prepaid_balance", account=account)

    def reason(self, account: str = "mall") -> str | None:
        reasons = [
            dict(labels)["reason"]
            for (name, labels) in self.samples
            if name == "prepaid_account_failure" and dict(labels)["account"] == account
        ]
        assert len(reasons) == (not self.up(account)), f"{account} has the reasons {reasons}"
        return reasons[0] if reasons else None

    def wallet_samples(self, account: str = "mall") -> set[str]:
        """Name the samples that carry what is in a wallet of the account."""
        return {
            name
            for name, labels in self.samples
            if dict(labels).get("account") == account and "wallet" in dict(labels)
        }


class Clock:
    """The machine's monotonic seconds, which a test may let pass without waiting for them."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


class Desk:
    """An exporter with its configuration file, asked as Prometheus would, without a socket in between."""

    def __init__(self, folder: Path, accounts: dict[str, dict[str, Any]], options: Options) -> None:
        self.folder = folder
        self.file = folder / "prepaid.yml"
        self.write(accounts)
        self.clock = Clock()
        self.runtime = Runtime(self.file, self.clock)
        self._application = Application(self.runtime, options)

    def write(self, accounts: dict[str, dict[str, Any]], *definitions: str) -> None:
        """Write the configuration: by default an account at API Mall with a literal key, asked at every scrape."""
        entries = []
        for name, settings in accounts.items():
            entry = {
                "name": name,
                "provider": "apimall",
                "timeout": UNHURRIED,
                "min_interval": "0s",
                **settings,
            }
            if not {"api_key_file", "api_key_env"} & entry.keys():
                entry.setdefault("api_key", f"key-of-{name}")
            entries.append(entry)
        new = self.file.with_suffix(".new")
        # By the library's C code, which tells the same; many tests write files.
        text = yaml.dump({"provider_files": [*definitions], "accounts": entries}, Dumper=yaml.CSafeDumper)
        new.write_text(text)
        new.replace(self.file)

    def reload(self, accounts: dict[str, dict[str, Any]], *definitions: str) -> None:
        self.write(accounts, *definitions)
        self.runtime.reload()

    def exposition(self, granted: float = GRANTED, query: str = "") -> str:
        """Scrape; `granted` is what Prometheus says that it waits, in seconds."""
        answer = Client(self._application).get(f"/metrics{query}", headers={TIMEOUT_HEADER: str(granted)})
        assert answer.status_code == 200
        return answer.text

    def metrics(self, granted: float = GRANTED, query: str = "") -> Page:
        """Scrape, and read what came."""
        begun = time.monotonic()
        text = self.exposition(granted, query)
        return Page.parse(text, time.monotonic() - begun)

    def trace(self, account: str = "mall") -> str:
        headers = {TIMEOUT_HEADER: str(GRANTED)}
        return Client(self._application).get(f"/probe?target={account}&debug=true", headers=headers).text

    def ask(self, path: str) -> str:
        return Client(self._application).get(path).text

    def over(self, account: str = "mall") -> bool:
        """Return whether a call for the account has ended and nothing of it is left to be done but its log line."""
        (outcome,) = [one.outcome for one in self.runtime.scraper.known() if one.account.name == account]
        return outcome is not None and bool(outcome.exchanges)


MakeUpstream = Callable[..., Upstream]
MakeDesk = Callable[..., Desk]
Eventually = Callable[[Callable[[], bool]], None]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the proxies and authorities of the machine that the tests run on out of the way."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in AUTHORITIES:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer for the names that never exist as the standard demands: some networks are slow to, or find them all."""
    look_up = socket.getaddrinfo

    def found(host: Any, *args: Any, **options: Any) -> Any:
        if str(host).endswith((".invalid", ".invalid.")):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count the scrapes that ever came to wait for their calls: all that they ask of, they have asked by then."""
    begun: list[None] = []

    def counted(*args: Any, **options: Any) -> Any:
        begun.append(None)
        return wait(*args, **options)

    monkeypatch.setattr(scraper, "wait", counted)
    return lambda: len(begun)


@pytest.fixture
def upstream() -> Iterator[MakeUpstream]:
    """Start upstreams; without an answer they give API Mall's documented one."""
    running: list[Upstream] = []

    def start(answer: Answer | None = None, tls: ssl.SSLContext | None = None) -> Upstream:
        running.append(Upstream(answer or (lambda peer, _: peer.answer()), tls))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def desk(tmp_path: Path) -> MakeDesk:
    """Make an exporter for `account={settings}`; without accounts one named mall, at the given URL."""

    def make(url: str = "", options: Options | None = None, **accounts: dict[str, Any]) -> Desk:
        return Desk(tmp_path, accounts or {"mall": {"base_url": url}}, options or Options())

    return make


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """Write the authority's certificate to a file, as an operator has it."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    return str(file)


@pytest.fixture
def tls(authority: trustme.CA) -> Callable[..., ssl.SSLContext]:
    """Make a server's TLS settings, with a certificate of the authority for a name."""

    def make(name: str = "127.0.0.1", **options: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name, **options).configure_cert(context)
        return context

    return make
