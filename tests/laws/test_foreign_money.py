"""No account ever shows a number that its own answer does not hold, whatever comes before and after the answers."""

import fcntl
import re
import socket
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter import config
from exporter.scrape.collector import Collector
from exporter.upstream.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from exporter.model import Outcome
    from exporter.providers.definition import Definition
    from tests.laws.conftest import Case

pytestmark = pytest.mark.unmeasured

LIMIT = 120.0
RESET = b"\x07"
"""State of a connection (TCP_CLOSE) that the other end has cut."""

OTHER_DIGITS = bytes.maketrans(b"123456789", b"234567891")
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\nContent-Length: 7\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Host:
    """A host of two accounts. To each it says what comes before, the answer, what comes after, and later still."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.answers: dict[str, bytes] = {}
        self.before = self.after = self.later = b""
        self.done = Event()
        self._ends: list[socket.socket] = []
        self._threads = [Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._ends.append(connection)
                self._threads.append(Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as requests:
            while line := requests.readline():
                length = 0
                while (field := requests.readline()) not in (b"\r\n", b""):
                    name, _, value = field.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                requests.read(length)
                try:
                    connection.sendall(self.before + self._answer(line.decode()) + self.after)
                    if self.later:
                        connection.sendall(self.later)
                        self._arrived(connection)
                finally:
                    self.done.set()

    def _answer(self, line: str) -> bytes:
        return next(answer for account, answer in self.answers.items() if f" /{account}/" in line)

    @staticmethod
    def _arrived(connection: socket.socket) -> None:
        """Wait until the client has what was sent at its next request, or wants no more."""
        end = time.monotonic() + LIMIT
        while struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4))) != (0,):
            if connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == RESET:
                return
            assert time.monotonic() < end, "a client's machine takes nothing"
            time.sleep(0.001)

    def stop(self) -> None:
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(LIMIT)


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    running = Host()
    yield running
    running.stop()


@pytest.fixture
def recorded_shapes(
    providers_in_tests: "list[str]",
    recorded: "Callable[[str], list[Case]]",
    definition_of: "Callable[[str], Definition]",
) -> "list[Case]":
    """Return one case of each shape that any provider's exchanges have; each exchange is one to a connection."""
    every = [case for name in providers_in_tests for case in recorded(name) if len(case.exchanges) == 1]
    return list({shape(case, definition_of(case.provider)): case for case in every}.values())


@pytest.fixture
def pair(
    host: Host,
    client: Client,
    account_entry: "Callable[[Case, str, str], dict[str, Any]]",
    configure: "Callable[..., str]",
    tmp_path: Path,
) -> "Callable[[Case], Pair]":
    """Make two accounts at one host: one as recorded, one with other digits."""

    def make(case: "Case") -> Pair:
        file = tmp_path / "prepaid.yml"
        base = f"http://127.0.0.1:{host.port}"
        accounts = [account_entry(case, f"{base}/{name}", name) for name in ("one", "two")]
        # To ask each time is what this is about.
        file.write_text(configure(accounts))
        return Pair(case, host, [Collector(account, client) for account in config.load(file).accounts])

    return make


class Pair:
    """Two accounts of one host."""

    def __init__(self, case: "Case", host: Host, accounts: list[Collector]) -> None:
        self._host = host
        self._accounts = accounts
        recorded = case.answer.wire()
        head, _, body = recorded.partition(b"\r\n\r\n")
        host.answers = {"one": recorded, "two": head + b"\r\n\r\n" + body.translate(OTHER_DIGITS)}
        self.expected = [self._ask(account) for account in accounts]

    def _ask(self, account: Collector) -> "tuple[Any, ...]":
        self._host.done.clear()
        outcome: Outcome = account.collect()
        assert self._host.done.wait(LIMIT)
        return outcome.status, outcome.reason, outcome.wallets

    def ask(self, before: bytes = b"", after: bytes = b"", later: bytes = b"") -> None:
        host = self._host
        host.before, host.after, host.later = before, after, later
        try:
            assert [self._ask(account) for account in self._accounts * 2] == self.expected * 2
        finally:
            host.before = host.after = host.later = b""


def in_chunks(answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    head = re.sub(rb"(?i)\r\ncontent-length:[^\r]*", b"", head)
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(body[place : place + 9]), body[place : place + 9])
        for place in range(0, len(body), 9)
    )
    return head + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def shape(case: "Case", definition: "Definition") -> "tuple[Any, ...]":
    """Return what connections see of an exchange: to them, providers of the same shape are the same."""
    answer = case.answer
    return definition.answer, case.exchanges[0].request["method"], answer.status, tuple(answer.headers)


def test_each_account_shows_its_own_answer(
    recorded_shapes: "list[Case]", pair: "Callable[[Case], Pair]", host: Host
) -> None:
    for case in recorded_shapes:
        asked = pair(case)
        foreign = host.answers["one"]
        asked.ask(before=HINTS, later=foreign)
        asked.ask(before=CONTINUE + PROCESSING * 2 + HINTS * 5, after=foreign)
        asked.ask(after=HINTS + foreign, later=b"\r\n")


@pytest.mark.parametrize("provider", ["flexprice", "feature_text", "feature_xml"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(st.sampled_from([CONTINUE, PROCESSING, HINTS]), max_size=20).map(b"".join),
    after=st.binary(max_size=40),
    foreign=st.booleans(),
    later=st.booleans(),
    chunked=st.booleans(),
)
def test_each_account_shows_its_own_answer_whatever_is_sent(
    provider: str,
    recorded: "Callable[[str], list[Case]]",
    pair: "Callable[[Case], Pair]",
    host: Host,
    before: bytes,
    after: bytes,
    foreign: bool,
    later: bool,
    chunked: bool,
) -> None:
    asked = pair(next(case for case in recorded(provider) if case.wallets))
    after += host.answers["one"] if foreign else b""
    if chunked:
        host.answers = {name: in_chunks(answer) for name, answer in host.answers.items()}
    asked.ask(before, **{"later" if later else "after": after})
