"""The recorded cases of every provider, an upstream that answers with them, and accounts that ask it.

Definitions and fixtures are found by listing their folders: a provider is one file in each and nothing else. There are
many providers: a law is one test for each of them, goes through its cases by itself, and names those that break it.

A law about what is made of an answer asks by `direct`, without a network; `test_exchange.py` proves for every case that
this is the same. One about the exchange itself asks by `collector`, over HTTP.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from socketserver import TCPServer
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import yaml

from exporter import config, providers
from exporter.config import Account
from exporter.model import Failure, Outcome, State, Wallet
from exporter.providers import Provider
from exporter.providers.definition import Definition
from exporter.scrape.collector import Collector
from exporter.upstream.answer import Answer as Received
from exporter.upstream.client import Client, Sender
from exporter.upstream.request import Prepared
from tests.desk import AUTHORITIES
from tests.exchanges import VARIABLES, Parts, Seen, came, declared

UNHURRIED = {"timeout": "5m"}
"""Defaults of every account: no law is about how fast the machine is."""

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "providers"
FEATURES = FIXTURES.with_name("features")
"""Definitions that use what no built-in provider needs, so that the laws hold for it too, and their cases."""

BODILESS = (204, 304)


@dataclass(frozen=True)
class Answer:
    """What the upstream says."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    phrase: str = "Recorded"

    @property
    def carried(self) -> bytes:
        """Return what of the body travels."""
        return b"" if self.status in BODILESS else self.body

    def wire(self) -> bytes:
        body = self.carried
        headers = {"Content-Type": "application/json", **self.headers, "Content-Length": str(len(body))}
        lines = [f"HTTP/1.1 {self.status} {self.phrase}", *(f"{name}: {headers[name]}" for name in headers)]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Exchange(NamedTuple):
    """What is asked, as `tests/exchanges.py` compares it, and what is answered."""

    request: Mapping[str, Any]
    answer: Answer


@dataclass(frozen=True)
class Case:
    """One recorded collection: its exchanges, in their order, and what must come of them."""

    provider: str
    name: str
    account: Mapping[str, Any]
    exchanges: Sequence[Exchange]
    wallets: Sequence[Mapping[str, Any]] | None
    reason: str | None
    hint: str
    retry_after: float | None

    @property
    def id(self) -> str:
        return f"{self.provider}: {self.name}"

    @property
    def answer(self) -> Answer:
        """Return the last answer, which in most cases is the only one."""
        return self.exchanges[-1].answer

    @property
    def bases(self) -> Sequence[str]:
        """Return the base URLs that the definition names, the longest first."""
        definition = provider(self.provider).definition
        named = {definition.base_url, definition.login and definition.login.base_url} - {None}
        return sorted(map(str, named), key=len, reverse=True)

    @property
    def secrets(self) -> dict[str, str]:
        declared = provider(self.provider).definition.credentials
        return {name: f"recorded-{name}-7Qx" for name in declared}


@cache
def provider(name: str) -> Provider:
    """Load a built-in provider, or one of the features."""
    if name in providers.names():
        return providers.built_in(name)
    loaded, problems = providers.load(FEATURES / "definitions" / f"{name}.yml")
    assert loaded, problems
    return loaded


def configuration(accounts: Sequence[Mapping[str, Any]], **defaults: Any) -> str:
    """Write a file of accounts at built-in providers and those of the features (JSON is YAML)."""
    own = sorted({account["provider"] for account in accounts}.difference(providers.names()))
    files = [str(FEATURES / "definitions" / f"{name}.yml") for name in own]
    return json.dumps({"defaults": UNHURRIED | defaults, "provider_files": files, "accounts": list(accounts)})


@cache
def cases(provider: str) -> list[Case]:
    """Read a provider's fixture. All scalars are text: expected amounts must not go through a float."""
    folder = FIXTURES if provider in recorded_providers() else FEATURES
    text = (folder / f"{provider}.yml").read_text(encoding="utf-8")
    recorded = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506 - makes but text
    unknown = set(recorded) - {"account", "request", "cases"}
    assert not unknown, f"{provider}: the fixture has unknown keys {unknown}"
    return [_case(provider, recorded, one) for one in recorded["cases"]]


def _case(provider: str, recorded: Mapping[str, Any], one: Mapping[str, Any]) -> Case:
    known = {"name", "account", "request", "answer", "exchanges", "wallets", "reason", "hint", "retry_after"}
    exchanges = one.get("exchanges") or [{name: one[name] for name in ("request", "answer") if name in one}]
    case = Case(
        provider=provider,
        name=one["name"],
        account={**recorded.get("account", {}), **one.get("account", {})},
        exchanges=[_exchange(exchange, recorded.get("request")) for exchange in exchanges],
        wallets=one.get("wallets"),
        reason=one.get("reason"),
        hint=one.get("hint", ""),
        retry_after=float(one["retry_after"]) if "retry_after" in one else None,
    )
    assert not (unknown := set(one) - known), f"{case.id}: unknown keys {unknown}"
    assert not {"request", "answer"} & set(one) or "exchanges" not in one, (
        f"{case.id}: give answer or exchanges"
    )
    assert (case.wallets is None) != (case.reason is None), f"{case.id}: give either wallets or a reason"
    return case


def _exchange(recorded: Mapping[str, Any], request: Mapping[str, Any] | None) -> Exchange:
    answer = dict(recorded["answer"])
    read = Answer(
        int(answer.pop("status", 200)), answer.pop("headers", {}), answer.pop("body").encode(), "Recorded"
    )
    request = recorded.get("request", request)
    assert request, "an exchange without a request"
    assert not (unknown := set(recorded) - {"request", "answer"} | set(answer)), f"unknown keys {unknown}"
    return Exchange(request, read)


def recorded_providers() -> list[str]:
    return sorted(path.name.removesuffix(".yml") for path in FIXTURES.iterdir())


ONLY = os.environ.get("PROVIDER")
"""The one provider that `make provider` is about."""


@cache
def tested_providers() -> list[str]:
    """List the built-in providers that have a fixture, and the features."""
    recorded = set(recorded_providers())
    built_in = [name for name in providers.names() if name in recorded]
    every = built_in + sorted(path.stem for path in FEATURES.glob("*.yml"))
    if ONLY and ONLY not in every:
        raise pytest.UsageError(f"{ONLY} has no definition with a fixture of its name")
    return [ONLY] if ONLY else every


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a law every provider (`provider_name`)."""
    if "provider_name" in metafunc.fixturenames:
        metafunc.parametrize("provider_name", tested_providers())


UNRECORDED = {"echoed", "first_success", "mutations"}
"""Fixtures that lead to answers which nobody recorded."""


@pytest.fixture(scope="session")
def providers_in_tests() -> list[str]:
    return tested_providers()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is not about the one provider, where there is one.

    What goes through a built-in provider is not measured, and what nobody recorded of it is slow: there are many of
    both. The features have every kind of definition.
    """
    for item in items:
        if _provider(item) in providers.names():
            item.add_marker("unmeasured")
            if UNRECORDED.intersection(_wanted(item)):
                item.add_marker("slow")
    if ONLY:
        items[:] = [item for item in items if {"provider_name", "providers_in_tests"} & set(_wanted(item))]


def _provider(item: pytest.Item) -> object:
    """Return the name of the provider that a test is about; None for one that is about no single one."""
    # Only a test of several has the attribute.
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("provider_name") if callspec else None


def _wanted(item: pytest.Item) -> list[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else []


class Upstream:
    """A real HTTP server. Each base URL that it gives out answers as it is told, and keeps what it got.

    Of several recorded exchanges the one counts whose request is the one that came, else the next one. What it would
    answer can be had from it without a network too.
    """

    def __init__(self) -> None:
        self._scripts: dict[str, list[tuple[Parts, Exchange]]] = {}
        self._next: dict[str, int] = {}
        self._seen: dict[str, list[Seen]] = {}
        self._numbers = count(1)
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                upstream.answer(self)

            do_POST = do_GET  # noqa: N815 - the library's name

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        class Server(ThreadingHTTPServer):
            # All recorded successes are asked at once; one that is not accepted in time would count as a timeout.
            request_queue_size = 4096
            daemon_threads = True

            def server_bind(self) -> None:
                """Bind without looking the host's full name up, which waits for DNS."""
                TCPServer.server_bind(self)
                self.server_port = self.server_address[1]

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def base_url(self, told: Answer | Case) -> str:
        prefix = f"/{next(self._numbers)}"
        self._seen[prefix] = []
        base = f"http://127.0.0.1:{self._server.server_port}{prefix}"
        self.tell(base, told)
        return base

    def tell(self, base_url: str, told: Answer | Case) -> None:
        """Say what is answered from now on: always the same, or what is recorded."""
        exchanges = [Exchange({}, told)] if isinstance(told, Answer) else told.exchanges
        secrets, bases = ({}, ()) if isinstance(told, Answer) else (told.secrets, told.bases)
        several = len(exchanges) > 1
        self._next[self._prefix(base_url)] = 0
        self._scripts[self._prefix(base_url)] = [
            (declared(one.request, secrets, bases) if several else {}, one) for one in exchanges
        ]

    def say(self, base_url: str, answer: Answer, number: int = -1) -> None:
        """Replace an answer, without a number the last one."""
        script = self._scripts[self._prefix(base_url)]
        parts, exchange = script[number]
        script[number] = parts, exchange._replace(answer=answer)

    def said(self, prefix: str, seen: Seen) -> Answer:
        """Return the answer to a request below a base URL, and keep the request."""
        script = self._scripts[prefix]
        number = 0
        if len(script) > 1:
            exact = (
                place for place, (parts, one) in enumerate(script) if came(seen, one.request, parts) == parts
            )
            number = next(exact, self._next[prefix] % len(script))
        self._seen[prefix].append(seen)
        self._next[prefix] = number + 1
        return script[number][1].answer

    def seen(self, base_url: str) -> list[Seen]:
        return self._seen[self._prefix(base_url)]

    @staticmethod
    def _prefix(base_url: str) -> str:
        return "/" + base_url.rpartition("/")[2]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        prefix, slash, rest = handler.path[1:].partition("/")
        body = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        seen = Seen(handler.command, slash + rest, handler.headers.items(), body)
        handler.wfile.write(self.said(f"/{prefix}", seen).wire())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Direct(Client):
    """A client that sends nothing: what the upstream would answer is there at once."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__()
        self._upstream = upstream

    def sender(self, prepared: Prepared, ca_file: str | None, proxy_url: str | None) -> Sender:
        return _DirectSender(super().sender(prepared, ca_file, proxy_url), self._upstream)


class _DirectSender(Sender):
    def __init__(self, sender: Sender, upstream: Upstream) -> None:
        self.prepared, self.redacted = sender.prepared, sender.redacted
        self._upstream = upstream

    def send(self, timeout: float) -> Received:  # noqa: ARG002 - nothing is waited for
        parts = urlsplit(self.prepared.url)
        prefix, slash, rest = parts.path[1:].partition("/")
        headers = [(name, value.decode()) for name, value in self.prepared.headers.items()]
        path = slash + rest + (f"?{parts.query}" if parts.query else "")
        seen = Seen(self.prepared.method, path, headers, self.prepared.body or b"")
        answer = self._upstream.said(f"/{prefix}", seen)
        named = {name.lower(): value for name, value in answer.headers.items()}
        assert named.keys().isdisjoint({"content-encoding", "transfer-encoding"}), "this has to travel"
        return Received(answer.status, {"content-type": "application/json"} | named, answer.carried)

    def explained(self, failure: Failure) -> Failure:
        return failure


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module", autouse=True)
def _as_recorded() -> Iterator[None]:
    """Make what requests are like depend on no day and no desk, as long as a file of laws is looked at."""
    with pytest.MonkeyPatch.context() as patched:
        # No law is about authorities, which each collection would look at.
        for name in AUTHORITIES:
            patched.delenv(name, raising=False)
        # A request is known by its dates too, and the recorded ones are of one day.
        patched.setattr("exporter.upstream.request.built_in", lambda: VARIABLES)
        yield


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    kept = Client()
    yield kept
    kept.close()


@pytest.fixture(scope="session")
def accounts(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Mapping[str, Account]]:
    """Return a provider's accounts, one a case, by the names of the cases: of one file that is loaded once."""

    @cache
    def load(provider: str) -> Mapping[str, Account]:
        file = tmp_path_factory.mktemp("accounts") / "prepaid.yml"
        entries = [entry(case, upstream.base_url(case), case.name) for case in cases(provider)]
        file.write_text(configuration(entries))
        return {account.name: account for account in config.load(file).accounts}

    return load


@pytest.fixture(scope="module")
def collector(
    upstream: Upstream, client: Client, accounts: Callable[[str], Mapping[str, Account]]
) -> Callable[[Case], Collector]:
    """Return the collector of a case's account, whose upstream answers as recorded and has seen nothing yet."""
    return lambda case: _asking(case, accounts(case.provider)[case.name], upstream, client)


@pytest.fixture(scope="session")
def direct(
    upstream: Upstream, accounts: Callable[[str], Mapping[str, Account]]
) -> Callable[[Case], Collector]:
    """Return the same without a network: for laws about what is made of an answer, of which there are many."""
    client = Direct(upstream)
    return lambda case: _asking(case, accounts(case.provider)[case.name], upstream, client)


def _asking(case: Case, account: Account, upstream: Upstream, client: Client) -> Collector:
    upstream.tell(account.base_url, case)
    upstream.seen(account.base_url).clear()
    return Collector(account, client)


def entry(case: Case, base_url: str, name: str) -> dict[str, Any]:
    """Write a case's account as the operator would (JSON is YAML)."""
    account = {"name": name, "provider": case.provider, "base_url": base_url}
    login = provider(case.provider).definition.login
    if login and login.base_url:
        account["login_base_url"] = base_url
    return {**account, **case.secrets, **case.account}


@pytest.fixture(scope="session")
def definition_of() -> Callable[[str], Definition]:
    return lambda name: provider(name).definition


@pytest.fixture(scope="session")
def configure() -> Callable[..., str]:
    return configuration


@pytest.fixture(scope="session")
def account_entry() -> Callable[[Case, str, str], dict[str, Any]]:
    return entry


def told(wallet: Wallet) -> dict[str, Any]:
    """Write a wallet as fixtures do: only what is known, amounts as plain decimals."""
    values = {spec.name: getattr(wallet, spec.name) for spec in fields(wallet)}
    values["thresholds"] = {str(level): _text(value) for level, value in wallet.thresholds.items()}
    values["credit_breakdown"] = {
        part.kind: f"{_text(part.amount)} {part.currency}" for part in wallet.credit_breakdown
    }
    if wallet.credit_unit == wallet.currency:
        del values["credit_unit"]
    if not wallet.postpaid:
        del values["postpaid"]
    return {name: _text(value) for name, value in values.items() if value not in (None, {}, "")}


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    return value.value if isinstance(value, State) else value


@pytest.fixture(scope="session")
def tell() -> Callable[[Wallet], dict[str, Any]]:
    return told


@pytest.fixture(scope="session")
def same() -> Callable[[Outcome], Any]:
    """Return what two collections of the same answer have in common: all but their times."""

    def timeless(outcome: Outcome) -> Outcome:
        exchanges = tuple(replace(exchange, seconds=0) for exchange in outcome.exchanges)
        return replace(outcome, at=0, duration=0, exchanges=exchanges)

    return timeless


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], list[Case]]:
    return cases
