"""Readers that take their answers slowly, or not at all: what they hold is bounded, and others do not wait for them."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from exporter.web import server
from exporter.web.listeners import address, listening
from exporter.web.server import Server
from tests.programs import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ESTABLISHED = b"\x01"
LARGE = bytes(20_000_000)
"""More than what a connection and the kernel take at once."""


@pytest.fixture
def port() -> Iterator[int]:
    """Serve one large page that all share, and one that each has for itself."""

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        body = [LARGE] if environ["PATH_INFO"] == "/shared" else [bytes(len(LARGE))]
        if environ["PATH_INFO"] == "/small":
            body = [b"small"]
        start_response("200 OK", [("Content-Length", str(sum(map(len, body))))])
        return body

    with listening([address("127.0.0.1:0")]) as listeners:
        serving = Server(application, listeners, lambda: None, None)
        found = listeners[0].getsockname()[1]
        thread = Thread(target=serving.serve)
        thread.start()
        yield found
        serving.stop()
        thread.join()


def ask(port: int, path: str, stack: ExitStack) -> socket.socket:
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert client.recv(12) == b"HTTP/1.1 200"
    return client


def rest(client: socket.socket) -> int:
    received = 0
    try:
        while part := client.recv(1 << 20):
            received += len(part)
    except ConnectionResetError:
        pass
    return received


def test_readers_of_one_page_are_all_served_however_many(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_HELD", len(LARGE))
    with ExitStack() as stack:
        readers = [ask(port, "/shared", stack) for _ in range(10)]
        assert [rest(reader) > len(LARGE) for reader in readers] == [True] * 10


def test_of_those_who_hold_too_much_the_oldest_is_given_up(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_HELD", 2 * len(LARGE))
    with ExitStack() as stack:
        readers = [ask(port, "/own", stack) for _ in range(3)]
        assert rest(readers[0]) < len(LARGE)
        assert [rest(reader) > len(LARGE) for reader in readers[1:]] == [True] * 2


def test_an_answer_that_is_not_taken_in_time_is_given_up(
    port: int, monkeypatch: pytest.MonkeyPatch, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    monkeypatch.setattr(server, "WRITE_TIME", 0.3)
    with ExitStack() as stack:
        reader = ask(port, "/shared", stack)
        # Nothing is read: the other side gives up by itself, and its kernel keeps nothing for this one.
        eventually(lambda: reader.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != ESTABLISHED)
        assert rest(reader) < len(LARGE)


def test_more_slow_readers_than_there_are_threads_hold_up_nobody(port: int) -> None:
    with ExitStack() as stack:
        for _ in range(server.THREADS + 10):
            ask(port, "/shared", stack)
        assert rest(ask(port, "/small", stack)) > 0


def test_health_is_told_while_all_threads_wait(
    start: Any, simulator: Any, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    exporter = start()
    simulator.fail("apimall", "hang")
    request = (
        b"GET /metrics?account=mall HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 100\r\n\r\n"
    )
    with ExitStack() as stack:
        for _ in range(server.THREADS + 5):
            client = stack.enter_context(
                socket.create_connection(("127.0.0.1", exporter.port), timeout=PATIENCE)
            )
            client.sendall(request)
        eventually(lambda: simulator.requests("apimall") == 1)
        assert [exporter.ask(path).status for path in ("/-/healthy", "/-/ready")] == [200, 200]
