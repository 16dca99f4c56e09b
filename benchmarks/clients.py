"""Clients that do not play fair: silent ones, halves of a TLS hello, dripped headers, and readers that do not read.

What is measured is what the others get meanwhile, and what memory it takes.
"""

import http.client
import resource
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread

from peers import Program

HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00"
ONE_BYTE = b"G"

_HEADER = b"GET /metrics HTTP/1.1\r\nX-Slow: "
_SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
_TIMES = 5
_PATIENCE = 60.0


def fetch(
    program: Program, path: str, context: ssl.SSLContext | None = None, *, packed: bool = False
) -> float:
    """Return the seconds that a page takes over a connection of its own; anything but 200 ends the benchmark."""
    begun = time.perf_counter()
    connection: http.client.HTTPConnection = (
        http.client.HTTPSConnection("localhost", program.port, timeout=_PATIENCE, context=context)
        if context
        else http.client.HTTPConnection("127.0.0.1", program.port, timeout=_PATIENCE)
    )
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"} if packed else {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != http.client.OK:
        raise SystemExit(f"GET {path} was answered with {answer.status}")
    return time.perf_counter() - begun


def slowest(program: Program, context: ssl.SSLContext | None = None) -> float:
    """Return the seconds of the slowest of a few health checks and scrapes, one after the other."""
    paths = ["/-/healthy", "/metrics"] * _TIMES
    return max(fetch(program, path, context, packed=True) for path in paths)


def allow_files() -> None:
    """Take as many open files as there may be: each client needs one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def silent(program: Program, count: int, begun: bytes) -> Iterator[list[socket.socket]]:
    """Keep connections open that send the begin of something and nothing more."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            one = stack.enter_context(
                socket.create_connection(("127.0.0.1", program.port), timeout=_PATIENCE)
            )
            one.sendall(begun)
            opened.append(one)
        yield opened


def until_closed(connections: list[socket.socket]) -> float:
    """Return the seconds until the last of the connections is closed by the other side."""
    begun = time.perf_counter()
    for one in connections:
        with suppress(ConnectionError):
            while one.recv(4096):
                pass
    return time.perf_counter() - begun


@contextmanager
def dripping(program: Program, count: int) -> Iterator[None]:
    """Keep connections open that send a byte of a header each second, and come again when they are thrown out."""
    stop = Event()

    def connect() -> socket.socket:
        one = socket.create_connection(("127.0.0.1", program.port), timeout=_PATIENCE)
        one.sendall(_HEADER)
        return one

    def drip() -> None:
        clients = [connect() for _ in range(count)]
        while not stop.wait(1):
            for number, one in enumerate(clients):
                try:
                    one.sendall(b"a")
                except ConnectionError:
                    one.close()
                    clients[number] = connect()
        for one in clients:
            one.close()

    thread = Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def slow_readers(program: Program, count: int) -> Iterator[None]:
    """Keep connections open that ask for the page and read nothing of it."""
    with ExitStack() as stack:
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", program.port))
            one.sendall(_SCRAPE)
        yield


def scrape_at_once(program: Program, count: int) -> float:
    """Scrape from so many clients at once, half of them packed; return the seconds of the slowest."""
    with ThreadPoolExecutor(count) as threads:
        return max(
            threads.map(lambda number: fetch(program, "/metrics", packed=bool(number % 2)), range(count))
        )


def seconds_to_end(program: Program) -> float:
    """Ask the process to end, and return the seconds that it takes."""
    begun = time.perf_counter()
    program.process.send_signal(signal.SIGTERM)
    program.process.wait(_PATIENCE)
    return time.perf_counter() - begun
