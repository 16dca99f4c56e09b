"""A connection to a server, opened along its route: the host's addresses in turn, a proxy, TLS."""

import os
import select
import socket
import ssl
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from threading import Lock, Thread
from typing import Any

import h11

from exporter.model import Failure, Reason
from exporter.upstream.answer import Reader
from exporter.upstream.proxies import Proxy, bracketed
from exporter.upstream.stream import OUT_OF_FILES, Stream, failure, plain, secured

_STAGGER = 0.25
"""Seconds after which a host's next address is tried beside those before (RFC 8305)."""

_KEEP_ALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPALIVE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""After how many seconds, how often and how many times the system asks whether the other machine is there."""

_SUCCESSES = range(200, 300)


@dataclass(frozen=True)
class Route:
    """How an account reaches a server. Connections of one route are interchangeable.

    Accounts share none. Where a server sends an answer twice, the second one cannot be told from the answer to the
    next request; it must not become the balance of another account.
    """

    account: str
    scheme: str
    host: str
    port: int
    proxy: Proxy | None
    trust: ssl.SSLContext

    @property
    def forwarding(self) -> Proxy | None:
        """Return the proxy that reads the request and passes it on; None for a tunnel, and without a proxy."""
        return self.proxy if self.scheme == "http" else None


def opened(route: Route, end: float) -> Stream:
    """Open a connection before `end`; raise `Failure`, with the reason `proxy` where only the proxy was reached."""
    proxy = route.proxy
    stream = _reached_proxy(proxy, end) if proxy else _reached(route.host, route.port, end)
    try:
        if proxy:
            stream = _through(proxy, stream, route, end)
        if route.scheme == "https":
            stream = secured(stream, route.trust, route.host.rstrip("."), end)
    except OSError as error:
        stream.close()
        raise failure(error) from None
    except Failure:
        stream.close()
        raise
    return stream


def _reached(host: str, port: int, end: float) -> Stream:
    try:
        return plain(_connected(_names.addresses(host, port, end), end))
    except OSError as error:
        raise failure(error) from None


def _reached_proxy(proxy: Proxy, end: float) -> Stream:
    try:
        return _reached(proxy.host, proxy.port, end)
    except Failure as cause:
        if cause.detail == OUT_OF_FILES:
            raise
        raise Failure(Reason.PROXY, f"the proxy {proxy} cannot be reached: {cause.detail}") from None


def _through(proxy: Proxy, stream: Stream, route: Route, end: float) -> Stream:
    """Do what a proxy needs before a request, or the server's TLS, may follow."""
    try:
        if proxy.scheme == "https":
            stream = secured(stream, route.trust, proxy.host.rstrip("."), end)
        if route.forwarding is None:
            _ask_for_tunnel(stream, route, proxy, end)
    except OSError as error:
        cause = failure(error)
        reason = cause.reason if cause.reason in (Reason.TIMEOUT, Reason.TLS) else Reason.PROXY
        raise Failure(reason, f"{cause.detail}, by the proxy {proxy}") from None
    return stream


def _ask_for_tunnel(stream: Stream, route: Route, proxy: Proxy, end: float) -> None:
    target = f"{bracketed(route.host.rstrip('.'))}:{route.port}"
    headers = {"Host": target, **proxy.headers}
    request = h11.Request(method="CONNECT", target=target, headers=list(headers.items()))
    stream.send(h11.Connection(h11.CLIENT).send(request) or b"", end)
    reader = Reader(stream, "CONNECT", end)
    try:
        answer = reader.read()
    except Failure as cause:
        raise Failure(Reason.PROXY, f"{cause.detail}, by the proxy {proxy}") from None
    if answer.status not in _SUCCESSES:
        raise Failure(Reason.PROXY, f"the proxy {proxy} refuses the connection: HTTP status {answer.status}")
    if not reader.switched:
        raise Failure(Reason.PROXY, f"the proxy {proxy} sends more than its answer to CONNECT")


def _connected(addresses: list[Any], end: float) -> socket.socket:
    """Connect to the first address that takes it, trying the next when one refuses or is silent for a while."""
    attempts: dict[int, socket.socket] = {}
    poller = select.poll()
    trouble = OSError()
    try:
        while addresses or attempts:
            if addresses:
                try:
                    attempt = _begun(*addresses.pop(0))
                except OSError as error:
                    trouble = error
                    continue
                attempts[attempt.fileno()] = attempt
                poller.register(attempt, select.POLLOUT)
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for number, _ in poller.poll(1000 * min(left, _STAGGER if addresses else left)):
                attempt = attempts.pop(number)
                poller.unregister(number)
                code = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not code:
                    return attempt
                attempt.close()
                trouble = OSError(code, os.strerror(code))
        raise trouble
    finally:
        for attempt in attempts.values():
            attempt.close()


def _begun(family: int, kind: int, protocol: int, _name: str, address: Any) -> socket.socket:
    attempt = socket.socket(family, kind, protocol)
    try:
        attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE.items():
            if option := getattr(socket, name, None):
                attempt.setsockopt(socket.IPPROTO_TCP, option, value)
        attempt.settimeout(0)
        attempt.connect(address)
    except BlockingIOError:
        pass
    except OSError:
        attempt.close()
        raise
    return attempt


class _Names:
    """Looks hosts up, each once at a time however many ask, in threads that nobody has to wait for to the end."""

    def __init__(self) -> None:
        self._under_way: dict[tuple[str, int], Future[list[Any]]] = {}
        self._lock = Lock()

    def addresses(self, host: str, port: int, end: float) -> list[Any]:
        """Find a host's addresses, its families by turns; raise OSError, TimeoutError at `end` among them."""
        for family in (socket.AF_INET, socket.AF_INET6):
            with suppress(OSError):
                socket.inet_pton(family, host)
                # An address needs no look-up.
                return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]
        found = self._begin(host, port).result(max(end - time.monotonic(), 0))
        preferred = [one for one in found if one[0] == found[0][0]]
        others = [one for one in found if one[0] != found[0][0]]
        return [one for pair in zip_longest(preferred, others) for one in pair if one]

    def _begin(self, host: str, port: int) -> Future[list[Any]]:
        with self._lock:
            answer = self._under_way.get((host, port))
            if answer:
                return answer
            answer = self._under_way[host, port] = Future()
        try:
            Thread(target=self._look_up, args=(host, port, answer), name="look-up", daemon=True).start()
        except RuntimeError:
            # The machine starts no more threads.
            self._look_up(host, port, answer)
        return answer

    def _look_up(self, host: str, port: int, answer: Future[list[Any]]) -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            answer.set_exception(error if isinstance(error, OSError) else socket.gaierror())
        else:
            answer.set_result(found)
        finally:
            with self._lock:
                del self._under_way[host, port]


_names = _Names()
