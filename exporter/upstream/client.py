"""One HTTP exchange: inside a wall-clock limit, below a size cap, without redirects. The only user of requests.

Only the library's adapter is used, none of its sessions: those follow redirects with credentials, read `.netrc` and
keep cookies. Connections are kept and shared by all accounts that trust the same authorities and go the same way.
"""

import errno
import http.client
import logging
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from exporter.files import file_signature
from exporter.model import Failure, Reason
from exporter.upstream.connection import StaleConnectionError, TooLargeError
from exporter.upstream.pools import environment_proxy, pools
from exporter.upstream.request import Prepared

MAX_SIZE = 1024 * 1024
"""Longest body, in bytes, before and after decompression."""

# The library writes URLs, and so keys, into its log.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Answer:
    """What came back. The body is for the extractor alone: providers echo credentials in it."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class ExchangeError(Failure):
    """The exchange failed; `status` is the HTTP status where one came before it did."""

    def __init__(self, reason: Reason, detail: str, status: int | None = None) -> None:
        super().__init__(reason, detail)
        self.status = status


class StaleError(ExchangeError):
    """The server gave up a connection just as it was used again: most likely it never saw the request."""


class Client:
    """Sends prepared requests over kept connections; safe to share between threads."""

    def __init__(self) -> None:
        self._adapters: dict[tuple[str | None, str | None], tuple[object, _Adapter]] = {}
        self._lock = Lock()

    def sender(self, prepared: Prepared, ca_file: str | None, proxy_url: str | None) -> "Sender":
        """Find the way of a request: everything that is the same each time is done here.

        The proxy variables of the environment count where `proxy_url` is None, except for loopback hosts.
        Raises `ExchangeError` when the file of authorities, which was there at load, cannot be read any more, or
        when the environment names a proxy that cannot be used.
        """
        way = ca_file, proxy_url or environment_proxy(prepared.url)
        authorities = ca_file and file_signature(Path(ca_file))
        with self._lock:
            known, adapter = self._adapters.get(way, (None, None))
            if adapter is None or known != authorities:
                try:
                    adapter = _Adapter(pools(*way))
                    self._adapters[way] = authorities, adapter
                except OSError:
                    raise ExchangeError(Reason.MISCONFIGURED, f"ca_file {ca_file} cannot be read") from None
                except urllib3.exceptions.HTTPError:
                    raise ExchangeError(
                        Reason.MISCONFIGURED, "the proxy's URL is not one of http or https"
                    ) from None
        return Sender(prepared, adapter)

    def close(self) -> None:
        """Close every kept connection."""
        for _, adapter in self._adapters.values():
            adapter.close()


class Sender:
    """One account's request, to be sent as often as it takes."""

    def __init__(self, prepared: Prepared, adapter: "_Adapter") -> None:
        self.prepared = prepared
        self._adapter = adapter
        self._request = requests.Request(
            prepared.method, prepared.url, headers=dict(prepared.headers), data=prepared.body
        ).prepare()

    def send(self, timeout: float) -> Answer:
        """Send the request and read the whole answer within `timeout` seconds.

        Raises `ExchangeError`, `StaleError` among them; its texts never hold the library's, which carry the URL.
        """
        limit = urllib3.Timeout(total=max(timeout, 0.001))
        try:
            # The adapter's annotations do not know that it takes the library's own kind of limit.
            response = self._adapter.send(self._request, stream=True, timeout=limit)  # type: ignore[arg-type]
        except (urllib3.exceptions.HTTPError, OSError) as error:
            stale = any(isinstance(link, StaleConnectionError) for link in _chain(error))
            raise (StaleError if stale else ExchangeError)(*_classified(error)) from None
        try:
            body = self._read(response.raw)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            response.raw.close()
            raise ExchangeError(*_classified(error), response.status_code) from None
        except ValueError:
            # The library takes any number for the length of a chunk.
            response.raw.close()
            raise ExchangeError(Reason.MALFORMED, "the answer is not HTTP", response.status_code) from None
        except ExchangeError:
            response.raw.close()
            raise
        return Answer(response.status_code, response.headers, body)

    @staticmethod
    def _read(response: urllib3.BaseHTTPResponse) -> bytes:
        if (response.length_remaining or 0) > MAX_SIZE:
            raise ExchangeError(Reason.TOO_LARGE, f"the answer is over {MAX_SIZE} bytes", response.status)
        body: bytes = response.read(MAX_SIZE + 1, decode_content=True)
        if len(body) > MAX_SIZE:
            raise ExchangeError(Reason.TOO_LARGE, f"the answer is over {MAX_SIZE} bytes", response.status)
        return body


_CAUSES: tuple[tuple[tuple[type[BaseException], ...], Reason, str], ...] = (
    ((ssl.SSLError, urllib3.exceptions.SSLError), Reason.TLS, "the TLS handshake failed"),
    (
        (socket.gaierror, urllib3.exceptions.NameResolutionError),
        Reason.UNREACHABLE,
        "the host's name does not resolve",
    ),
    # Before the timeouts: the library derives it from one of them.
    ((urllib3.exceptions.NewConnectionError,), Reason.UNREACHABLE, "the host cannot be reached"),
    (
        (TimeoutError, urllib3.exceptions.TimeoutError),
        Reason.TIMEOUT,
        "no complete answer in time",
    ),
    ((TooLargeError,), Reason.TOO_LARGE, "the answer is too long"),
    ((urllib3.exceptions.DecodeError,), Reason.MALFORMED, "the answer's compression is broken"),
    ((ConnectionRefusedError,), Reason.UNREACHABLE, "the connection was refused"),
    ((ConnectionError, http.client.IncompleteRead), Reason.UNREACHABLE, "the connection was cut"),
    (
        (http.client.HTTPException, urllib3.exceptions.InvalidHeader),
        Reason.MALFORMED,
        "the answer is not HTTP",
    ),
)
"""What an exception means, the more particular first."""


def _classified(error: BaseException) -> tuple[Reason, str]:
    for link in _chain(error):
        if isinstance(link, OSError) and link.errno in (errno.EMFILE, errno.ENFILE):
            return Reason.UNREACHABLE, "the exporter may not open more files; raise its limit"
        for kinds, reason, detail in _CAUSES:
            if isinstance(link, kinds):
                return reason, _tls_detail(error) or detail if reason is Reason.TLS else detail
    return Reason.UNREACHABLE, "the host cannot be reached"


def _tls_detail(error: BaseException) -> str:
    for link in _chain(error):
        if isinstance(link, ssl.SSLCertVerificationError):
            return f"the certificate is not trusted: {link.verify_message}"
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield what lies under an exception first: the libraries wrap theirs several times."""
    inner = [*error.args, getattr(error, "reason", None), error.__cause__]
    for link in inner:
        if isinstance(link, BaseException) and link is not error:
            yield from _chain(link)
    yield error


class _Adapter(HTTPAdapter):
    """The library's adapter over our pools, which know the proxy and the authorities."""

    def __init__(self, pools: urllib3.PoolManager) -> None:
        self._pools = pools
        super().__init__()

    def init_poolmanager(self, *_args: Any, **_options: Any) -> None:
        self.poolmanager = self._pools

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_args: Any, **_options: Any
    ) -> Any:
        return self._pools.connection_from_url(str(request.url))

    def cert_verify(self, *_args: Any) -> None:
        """Leave verification to the context of the pools, which demands it."""

    def request_url(self, request: requests.PreparedRequest, _proxies: Any) -> str:
        url = str(request.url)
        return url if self._pools.proxy and url.startswith("http://") else request.path_url
