"""Clients that send too much, too slowly or nonsense get an error or nothing, and cost the others nothing."""

import http.client
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread
from typing import Any

import pytest

from exporter.web import server
from tests.programs import PATIENCE

Eventually = Callable[[Callable[[], bool]], None]
LINE = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def test_headers_that_fit_are_read(exporter: Any) -> None:
    padding = b"X-Padding: " + b"a" * (server.MAX_HEADER - 200) + b"\r\n"
    assert exporter.raw(LINE + padding + b"\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (LINE + b"X-Padding: " + b"a" * server.MAX_HEADER + b"\r\n\r\n", b"431"),
        (LINE + b"".join(b"X-%d: a\r\n" % number for number in range(4000)) + b"\r\n", b"431"),
        (b"GET /?" + b"a" * server.MAX_HEADER + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"431"),
        (b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"413"),
    ],
    ids=["one long header", "many headers", "a long request line", "a large body"],
)
def test_what_is_too_large_is_refused(sent: bytes, status: bytes, exporter: Any) -> None:
    assert exporter.raw(sent).startswith(b"HTTP/1.1 " + status)
    assert exporter.ask("/-/healthy").status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / SMTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        LINE + b"No colon here\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: many\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: -1\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: odd\r\n\r\n",
    ],
)
def test_nonsense_is_refused_and_not_repeated_as_a_page(sent: bytes, exporter: Any) -> None:
    answer = exporter.raw(sent)
    assert answer == b"" or answer[9:10] in b"45"
    assert b"Traceback" not in answer
    assert b"text/html" not in answer
    assert exporter.ask("/-/healthy").status == 200


HOST = b"Host: x\r\nConnection: close\r\n"
POST = b"POST /-/reload HTTP/1.1\r\n" + HOST


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\naa",
        POST + b"Content-Length: 2, 3\r\n\r\naa",
        POST + b"Content-Length: +2\r\n\r\naa",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        LINE + b"Host: y\r\n\r\n",
        b"GET /-/healthy HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /-/healthy HTTP/1.1\r\n X-Folded: a\r\n" + HOST + b"\r\n",
        LINE + b"X-Space : a\r\n\r\n",
        LINE + b": no name\r\n\r\n",
        LINE + b"X-Nul: a\0b\r\n\r\n",
        LINE + b"X-Nul\0: a\r\n\r\n",
        LINE + b"X-Return: a\rb\r\n\r\n",
        LINE + b"X-Return: a\rX-Smuggled: b\r\n\r\n",
        b"GET /-/healthy\rHTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /\xe4 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET  /-/healthy HTTP/1.1\r\n" + HOST + b"\r\n",
    ],
)
def test_what_others_may_read_otherwise_is_refused(
    sent: bytes, exporter: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = exporter.raw(sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nCache-Control: no-store\r\n" in answer
    assert "Traceback" not in "".join(capfd.readouterr())


def test_nonsense_is_told_once_a_minute_and_to_the_curious_alone(
    exporter: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(10):
        exporter.raw(b"GARBAGE canary-7f3a\r\n\r\n")
    lines = "".join(capsys.readouterr()).splitlines()
    assert len(lines) <= 1
    assert not [line for line in lines if "debug" not in line or "canary-7f3a" in line]


@pytest.mark.parametrize("target", [b"http://x:80/-/healthy", b"http://x/-/healthy?a=b"])
def test_a_target_may_name_the_host_as_for_a_proxy(target: bytes, exporter: Any) -> None:
    assert exporter.raw(b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n").startswith(b"HTTP/1.1 200 ")


def test_a_body_of_negative_length_is_refused_and_not_waited_for(exporter: Any) -> None:
    answer = exporter.raw(b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_connection_that_says_nothing_is_closed(monkeypatch: pytest.MonkeyPatch, start: Any) -> None:
    monkeypatch.setattr(server, "READ_TIME", 0.5)
    assert start().raw(b"") == b""


def test_clients_that_say_nothing_hold_up_nobody(monkeypatch: pytest.MonkeyPatch, start: Any) -> None:
    monkeypatch.setattr(server, "READ_TIME", 10 * PATIENCE)
    exporter = start()
    with ExitStack() as stack:
        for _ in range(server.THREADS * 3):
            stack.enter_context(socket.create_connection(("127.0.0.1", exporter.port), timeout=PATIENCE))
        answer = exporter.ask("/-/healthy")
        assert (answer.status, answer.headers.get("Connection")) == (200, None), "it is kept for the next one"


def test_a_connection_that_stops_halfway_is_closed(
    monkeypatch: pytest.MonkeyPatch, start: Any, eventually: Eventually
) -> None:
    monkeypatch.setattr(server, "READ_TIME", 0.5)
    exporter = start()

    def closed() -> bool:
        begun = time.monotonic()
        answer = exporter.raw(b"GET /metrics HTTP/1.1\r\nHos")
        # On a busy machine the time may be over before the bytes are on their way, which costs the answer.
        return answer.startswith(b"HTTP/1.1 408 ") and time.monotonic() - begun < 5

    eventually(closed)


HEADER = b"GET /metrics HTTP/1.1\r\nX-Slow: "
BODY = b" /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 16000\r\n\r\n"


@contextmanager
def dripping(exporter: Any, count: int, begun: bytes = HEADER) -> Iterator[None]:
    """Keep connections open that send one byte now and then, and never an end of it."""
    stop = Event()
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_connection(("127.0.0.1", exporter.port), timeout=PATIENCE))
            for _ in range(count)
        ]
        for one in sockets:
            with suppress(OSError):
                one.sendall(begun)

        def drip() -> None:
            while not stop.wait(0.1):
                for one in sockets:
                    with suppress(OSError):
                        one.sendall(b"a")

        thread = Thread(target=drip, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(PATIENCE)


def answers_at_once(exporter: Any, path: str) -> bool:
    """Return whether a client gets its answer before those that drip are thrown out."""
    begun = time.monotonic()
    # On a busy machine a good client may itself take longer than it may, and is thrown out too.
    with suppress(ConnectionError, http.client.HTTPException):
        assert exporter.ask(path).status == 200
    return time.monotonic() - begun < server.READ_TIME / 2


def test_some_clients_that_drip_their_headers_do_not_hold_up_the_others(
    exporter: Any, eventually: Eventually
) -> None:
    def not_held_up() -> bool:
        with dripping(exporter, server.THREADS // 2):
            return all(answers_at_once(exporter, "/metrics") for _ in range(5))

    eventually(not_held_up)


@pytest.mark.parametrize("begun", [HEADER, b"POST" + BODY, b"PUT" + BODY])
def test_more_of_them_than_there_are_threads_are_thrown_out_in_time(
    begun: bytes, monkeypatch: pytest.MonkeyPatch, start: Any, eventually: Eventually
) -> None:
    monkeypatch.setattr(server, "READ_TIME", 1)
    exporter = start()

    def answered() -> bool:
        # A busy machine may need longer than that for a good request, too.
        with suppress(ConnectionError, http.client.HTTPException):
            return bool(exporter.ask("/-/healthy").status == 200)
        return False

    with dripping(exporter, server.THREADS + 10, begun):
        eventually(answered)


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_nobody_waits_for_a_body_where_none_belongs(
    method: bytes, exporter: Any, eventually: Eventually
) -> None:
    def not_held_up() -> bool:
        with dripping(exporter, server.THREADS * 2, method + BODY):
            return answers_at_once(exporter, "/-/healthy")

    eventually(not_held_up)


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
    ids=["of known length", "in chunks"],
)
@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_a_body_is_never_taken_for_the_next_request(method: bytes, body: bytes, exporter: Any) -> None:
    answer = exporter.raw(method + b" /-/healthy HTTP/1.1\r\nHost: x\r\n" + body + LINE + b"\r\n")
    statuses = re.findall(rb"HTTP/1.1 (\d+) ", answer)
    assert statuses == [b"200" if method == b"GET" else b"405", b"200"]


def test_a_machine_that_gives_no_more_threads_is_still_answered(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = start()

    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    assert [exporter.ask("/-/healthy").status for _ in range(3)] == [200] * 3
    scrape = exporter.ask("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "1"})
    assert (scrape.status, len(scrape.samples("prepaid_account_up"))) == (200, 6)


def test_a_client_that_goes_away_in_the_middle_costs_nothing(exporter: Any) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", exporter.port), timeout=PATIENCE) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert exporter.ask("/metrics").status == 200


def test_one_connection_serves_request_after_request(exporter: Any) -> None:
    request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = exporter.raw(request * 3 + LINE + b"\r\n")
    assert answer.count(b"HTTP/1.1 200 ") == 4


@pytest.mark.parametrize("begun", [b"", HEADER], ids=["say nothing", "stop halfway"])
def test_clients_that_never_end_do_not_keep_the_exporter_from_its_end(
    begun: bytes, monkeypatch: pytest.MonkeyPatch, start: Any
) -> None:
    """Each thread that is set free would take the next of them, and wait for it as long as for the first."""
    monkeypatch.setattr(server, "READ_TIME", 10 * PATIENCE)
    monkeypatch.setattr(server, "READ_TIME", 10 * PATIENCE)
    exporter = start()
    ended = Event()
    with ExitStack() as stack:
        for _ in range(server.THREADS * 3):
            one = socket.create_connection(("127.0.0.1", exporter.port), timeout=PATIENCE)
            stack.enter_context(one).sendall(begun)

        def stop() -> None:
            exporter.stop()
            ended.set()

        Thread(target=stop, daemon=True).start()
        assert ended.wait(PATIENCE)
