"""The exporter's HTTP side on a real socket of loopback, in front of the simulated providers."""

import gzip
import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from exporter.simulator import PROVIDERS, Simulator
from exporter.web.application import Application, Options
from exporter.web.listeners import address, listening
from exporter.web.runtime import Runtime
from exporter.web.server import Server
from tests.programs import PATIENCE

UNHURRIED = "defaults: {timeout: 5m}\n"
"""What keeps calls from a timeout where no test is about it."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        plain = gzip.decompress(self.body) if self.headers.get("Content-Encoding") == "gzip" else self.body
        return plain.decode()

    def samples(self, prefix: str = "") -> list[str]:
        return [
            line for line in self.text.splitlines() if not line.startswith("#") and line.startswith(prefix)
        ]


@dataclass(frozen=True)
class Exporter:
    """A running exporter: where it listens, the file it was configured by, and whom it asks."""

    port: int
    file: Path
    runtime: Runtime
    simulator: Simulator
    stop: Callable[[], None]
    before: int = 0

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body=body or None, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def raw(self, sent: bytes) -> bytes:
        """Send bytes as they stand, and return all that comes back until the other side closes."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            # Who does not read to the end may close before the end is sent, with an answer or without.
            with suppress(ConnectionError):
                connection.sendall(sent)
            with suppress(ConnectionError):
                while part := connection.recv(65536):
                    received += part
        return received

    def upstream_requests(self) -> int:
        """Count the requests that all providers together have received during this test."""
        return sum(self.simulator.requests(provider) for provider in PROVIDERS) - self.before


Start = Callable[..., Exporter]


def begin(stack: ExitStack, simulator: Simulator, file: Path, options: Options) -> Exporter:
    runtime = Runtime(file)
    listeners = stack.enter_context(listening([address("127.0.0.1:0")]))
    port = listeners[0].getsockname()[1]
    server = Server(Application(runtime, options), listeners, runtime.scraper.release, None)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    stack.callback(thread.join, PATIENCE)
    stack.callback(server.stop)
    return Exporter(port, file, runtime, simulator, server.stop)


@pytest.fixture(autouse=True)
def straight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a desk's proxy out of it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Start the simulated providers afresh."""
    with Simulator() as running:
        yield running


@pytest.fixture
def start(simulator: Simulator, tmp_path: Path) -> Iterator[Start]:
    """Start an exporter of a test's own; without a configuration, with the demo's six accounts."""
    with ExitStack() as stack:

        def started(configuration: str | None = None, **options: Any) -> Exporter:
            file = tmp_path / "prepaid.yml"
            file.write_text(configuration or UNHURRIED + simulator.configuration(), encoding="utf-8")
            return begin(stack, simulator, file, Options(**{"scrape_timeout": PATIENCE, **options}))

        yield started


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """Start one exporter for a file of tests, since starting and stopping takes longer than most of them."""
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator())
        file = tmp_path_factory.mktemp("shared") / "prepaid.yml"
        file.write_text(UNHURRIED + simulator.configuration(), encoding="utf-8")
        yield begin(stack, simulator, file, Options(scrape_timeout=PATIENCE))


@pytest.fixture
def exporter(shared: Exporter) -> Iterator[Exporter]:
    """Return the file's exporter, whose providers a test may break; nothing of it is left for the next one."""
    yield replace(shared, before=shared.upstream_requests())
    for provider in PROVIDERS:
        shared.simulator.heal(provider)
