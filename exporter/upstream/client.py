"""One HTTP exchange: inside a wall-clock limit, below a size cap, without redirects.

The library prepares requests and sends none: its sessions follow redirects with credentials, read `.netrc` and keep
cookies. Connections are kept, each for the account that it was opened for.
"""

import errno
import time
from dataclasses import replace
from urllib.parse import urlsplit

import h11
import requests

from exporter.model import Exchange, Failure, Reason
from exporter.upstream.answer import Answer, Reader
from exporter.upstream.connection import Route, opened
from exporter.upstream.pool import Pool
from exporter.upstream.proxies import PORTS, Proxy, bracketed, environment_proxy
from exporter.upstream.request import Prepared
from exporter.upstream.stream import Stream, failure
from exporter.upstream.trust import NOBODY, tls_context, trusted

OFTEN_CLOSED_AFTER = 4.0
"""Seconds without a request after which servers begin to close connections that are kept."""

_SHARE_OF_DOUBT = 1 / 3
"""How much of a timeout a connection that was kept has to show that the other machine is still there."""


class StaleError(Failure):
    """The server gave up a connection just as it was used again: most likely it never saw the request."""


class Client:
    """Sends prepared requests over kept connections; safe to share between threads."""

    def __init__(self) -> None:
        self._pool = Pool()

    def sender(self, prepared: Prepared, ca_file: str | None, proxy_url: str | None) -> "Sender":
        """Find the route of a request. Everything that is the same each time is done here.

        The environment's authorities count where `ca_file` is None, its proxies where `proxy_url` is, except for
        loopback hosts. Raise `Failure` when authorities that are needed cannot be read, or a proxy cannot be used.
        """
        trust = trusted(ca_file)
        proxy = Proxy.at(proxy_url) if proxy_url else environment_proxy(prepared.url)
        request = requests.Request(
            prepared.method, prepared.url, headers=dict(prepared.headers), data=prepared.body
        ).prepare()
        parts = urlsplit(str(request.url))
        speaks_tls = "https" in (parts.scheme, proxy and proxy.scheme)
        route = Route(
            prepared.account,
            parts.scheme,
            parts.hostname or "",
            parts.port or PORTS[parts.scheme],
            proxy,
            tls_context(trust) if speaks_tls else NOBODY,
        )
        redacted = replace(prepared.redacted, proxy=str(proxy or ""), trusts=str(trust) if speaks_tls else "")
        return Sender(prepared, redacted, _wire(request, route), route, self._pool)

    def close(self) -> None:
        """Close every idle connection; those that come to be idle later are kept again."""
        self._pool.close()


class Sender:
    """One account's request, to be sent as often as it takes."""

    def __init__(self, prepared: Prepared, redacted: Exchange, wire: bytes, route: Route, pool: Pool) -> None:
        self.prepared = prepared
        self.redacted = redacted
        self._route = route
        self._wire = wire
        self._pool = pool

    def send(self, timeout: float) -> Answer:
        """Send the request and read the whole answer within `timeout` seconds.

        Raise `Failure`, also `StaleError`, where no status came.
        """
        end = time.monotonic() + timeout
        kept = self._pool.take(self._route)
        stream, idle = kept or (opened(self._route, end), 0.0)
        reader = Reader(stream, self.prepared.method, end)
        try:
            answer = self._exchange(stream, reader, end, idle)
        except BaseException:
            stream.close()
            raise
        if reader.reusable:
            self._pool.keep(self._route, stream)
        else:
            stream.close()
        return answer

    def explained(self, failure: Failure) -> Failure:
        """Name the proxy that passes the request on, since the failure may be its own."""
        proxy = self._route.forwarding
        if proxy is None or failure.reason is Reason.PROXY:
            return failure
        return Failure(failure.reason, f"{failure.detail}, through the proxy {proxy}")

    def _exchange(self, stream: Stream, reader: Reader, end: float, idle: float) -> Answer:
        try:
            if idle:
                # So that there is time left for a new connection.
                stream.give_up_after((end - time.monotonic()) * _SHARE_OF_DOUBT)
            stream.send(self._wire, end)
            return reader.read()
        except OSError as error:
            cause = failure(error)
            if reader.begun or not _is_stale(error, idle):
                raise cause from None
            self._pool.drop(self._route)
            raise StaleError(cause.reason, cause.detail) from None


def _is_stale(error: OSError, idle: float) -> bool:
    """Return whether a connection that was `idle` for so many seconds had ended before the request arrived."""
    # The system gives this error where the other machine confirmed nothing of what was sent.
    lost = idle > 0 and error.errno == errno.ETIMEDOUT
    return lost or (isinstance(error, ConnectionError) and idle > OFTEN_CLOSED_AFTER)


def _wire(request: requests.PreparedRequest, route: Route) -> bytes:
    """Write a request as it travels: with its whole URL, and the proxy's user, where a proxy passes it on."""
    host = bracketed(route.host.rstrip(".")) + (f":{route.port}" if route.port != PORTS[route.scheme] else "")
    target = request.path_url
    headers: dict[str, str | bytes] = {"Host": host, **request.headers}
    if route.forwarding:
        target = f"{route.scheme}://{host}{target}"
        headers |= route.forwarding.headers
    fields = [
        (name.encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in headers.items()
    ]
    head = h11.Request(method=str(request.method), target=target, headers=fields)
    body = request.body or b""
    assert isinstance(body, bytes)  # noqa: S101 - it was given as bytes
    return (h11.Connection(h11.CLIENT).send(head) or b"") + body
