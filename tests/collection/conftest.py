"""Hostile upstreams on loopback, down to the bytes, and an exporter whose pages are read as Prometheus reads them."""

import contextlib
import fcntl
import os
import socket
import ssl
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from dataclasses import dataclass, field
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
from tests.programs import PATIENCE

BALANCE = b'{"success": true, "data": {"credits": 120, "api_credits": 120}, "request_id": "req_1"}'

UNHURRIED = "5m"
"""Time for a call where no test is about it, so that only what never comes is a timeout."""

FIN_UNSEEN = b"\x04"
"""State of a connection (TCP_FIN_WAIT1) whose end the other machine has not yet acknowledged."""

AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")

GRANTED = 240.0
"""Seconds that Prometheus waits where no test is about it."""


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    line: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """The upstream's end of one connection."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self.socket = connection
        self.over = over
        self._file = connection.makefile("rb")
        self._open = True

    def read(self) -> Asked | None:
        """Read one request; None when there will be no more."""
        if not self._open:
            return None
        line = self._file.readline().decode("latin-1").strip()
        if not line:
            return None
        headers = {}
        while field := self._file.readline().decode("latin-1").strip():
            name, _, value = field.partition(":")
            headers[name.lower()] = value.strip()
        return Asked(line, headers, self._file.read(int(headers.get("content-length", "0"))))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, body: bytes = BALANCE, status: str = "200 OK", **headers: str) -> None:
        """Send a whole answer; a header's name is written with underscores here."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def drip(self, data: bytes, pause: float = 0.02) -> None:
        """Send a byte at a time, over and over, until the client goes away or the test is over."""
        while not self.over.is_set():
            for byte in data:
                self.send(bytes([byte]))
                if self.over.wait(pause):
                    return

    def hang(self) -> None:
        """Say nothing until the test is over."""
        self.over.wait()

    def arrived(self) -> bool:
        """Tell whether the client's machine has taken all that was sent, so that the client cannot miss it."""
        unacknowledged = fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4))
        return struct.unpack("i", unacknowledged) == (0,)

    def close(self) -> None:
        self._open = False
        hang_up(self.socket)

    def reset(self) -> None:
        """End the connection with a reset instead of an orderly end."""
        self._open = False
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.end()

    def end(self) -> None:
        """Give the connection's files back now, rather than when somebody collects them."""
        self._file.close()
        self.socket.close()


def hang_up(connection: socket.socket) -> None:
    """End a connection that another thread may be reading: past TLS, which a thread must not lose in a read."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


Answer = Callable[[Peer, Asked], None]


class Upstream:
    """A server on loopback that answers each request as `answer` says at that moment."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.greet: Callable[[Peer], None] | None = None
        self.requests: list[Asked] = []
        self.connections = 0
        self._tls = tls
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._sockets: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._accepts = threading.Thread(target=self._accept)
        self._accepts.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            thread.start()
            self._threads.add(thread)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                # The handshake comes after, so that a client that never makes it can be cut off too.
                connection = self._wrapped(self._tls, connection)
                stack.callback(connection.close)
                connection.do_handshake()
            peer = Peer(connection, self._over)
            stack.callback(peer.end)
            if self.greet:
                self.greet(peer)
            while asked := peer.read():
                self.requests.append(asked)
                self.answer(peer, asked)
        self._sockets.discard(connection)

    def _wrapped(self, tls: ssl.SSLContext, connection: socket.socket) -> ssl.SSLSocket:
        wrapped = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._sockets.add(wrapped)
        self._sockets.discard(connection)
        if self._over.is_set():
            hang_up(wrapped)
        return wrapped

    def cut(self) -> None:
        """End every connection in order, as a server does that has been idle for long; the clients see it by now."""
        for connection in tuple(self._sockets):
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as watched:
                hang_up(connection)
                end = time.monotonic() + PATIENCE
                while watched.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == FIN_UNSEEN:
                    assert time.monotonic() < end, "a client's machine does not take the end of a connection"
                    time.sleep(0.001)

    def stop(self) -> None:
        """Refuse connections from now on, and end those that there are."""
        self._over.set()
        hang_up(self._listener)
        # Once nobody accepts any more, every connection and every thread is known.
        self._accepts.join(PATIENCE)
        self._listener.close()
        for connection in tuple(self._sockets):
            hang_up(connection)
        for thread in (self._accepts, *self._threads):
            thread.join(PATIENCE)
            assert not thread.is_alive(), "an upstream's thread does not end"


@dataclass(frozen=True)
class Page:
    """One exposition, read back; a sample that is not there is None."""

    seconds: float
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = field(repr=False)

    @classmethod
    def parse(cls, text: str, seconds: float) -> "Page":
        samples = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in samples, f"{sample.name}{sample.labels} is there twice"
                samples[key] = sample.value
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
        new.write_text(yaml.safe_dump({"provider_files": [*definitions], "accounts": entries}))
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
        """Tell whether a call for the account has ended and nothing of it is left to be done but its log line."""
        (outcome,) = [one.outcome for one in self.runtime.scraper.known() if one.account.name == account]
        return outcome is not None and bool(outcome.exchanges)


MakeUpstream = Callable[..., Upstream]
MakeDesk = Callable[..., Desk]
Eventually = Callable[[Callable[[], bool]], None]


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the proxies and authorities of the machine that the tests run on out of the way."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in AUTHORITIES:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_names(monkeypatch: pytest.MonkeyPatch) -> None:
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
