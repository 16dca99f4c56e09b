"""One HTTP exchange: inside a wall-clock limit, below a size cap, without redirects. The only user of requests.

Only the adapter of requests is used, not its sessions: those follow redirects with credentials, read
`.netrc` and keep cookies. Connections are kept and shared by all accounts that trust the same authorities.
"""

import http.client
import logging
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from exporter.connection import POOLS, StaleConnectionError
from exporter.model import Failure, Reason
from exporter.prepare import Prepared
from exporter.schema import LOOPBACK

MAX_SIZE = 1024 * 1024
"""Longest body, in bytes, before and after decompression."""

_KEPT_CONNECTIONS = 1024
_HOSTS = 1024

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


class Client:
    """Sends prepared requests over kept connections; safe to share between threads."""

    def __init__(self) -> None:
        self._adapters: dict[str | None, _Adapter] = {}
        self._lock = Lock()

    def sender(self, prepared: Prepared, ca_file: str | None, proxy_url: str | None) -> "Sender":
        """Make a request ready for the wire: everything that is the same each time is done here.

        The proxy variables of the environment count where `proxy_url` is None, except for loopback hosts.
        Raises `ExchangeError` when the file of authorities, which was there at load, cannot be read any more.
        """
        with self._lock:
            if ca_file not in self._adapters:
                try:
                    self._adapters[ca_file] = _Adapter(ca_file)
                except OSError:
                    raise ExchangeError(Reason.MISCONFIGURED, f"ca_file {ca_file} cannot be read") from None
        if proxy_url:
            proxies = {"http": proxy_url, "https": proxy_url}
        else:
            local = urlsplit(prepared.url).hostname in LOOPBACK
            proxies = {} if local else get_environ_proxies(prepared.url)
        return Sender(prepared, self._adapters[ca_file], proxies)

    def close(self) -> None:
        """Close every kept connection."""
        for adapter in self._adapters.values():
            adapter.close()


class Sender:
    """One account's request, to be sent as often as it takes."""

    def __init__(self, prepared: Prepared, adapter: "_Adapter", proxies: Mapping[str, str]) -> None:
        self.prepared = prepared
        self._adapter = adapter
        self._proxies = dict(proxies)
        self._request = requests.Request(
            prepared.method, prepared.url, headers=dict(prepared.headers), data=prepared.body
        ).prepare()

    def send(self, timeout: float) -> Answer:
        """Send the request and read the whole answer within `timeout` seconds.

        Raises `ExchangeError`; its texts never hold the library's, which carry the URL.
        """
        end = time.monotonic() + timeout
        try:
            response = self._begin(end)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise ExchangeError(*_classified(error)) from None
        status = response.status_code
        try:
            body = self._read(response)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            response.raw.close()
            raise ExchangeError(*_classified(error), status) from None
        except ExchangeError:
            response.raw.close()
            raise
        return Answer(status, response.headers, body)

    def _begin(self, end: float) -> requests.Response:
        try:
            return self._send(end)
        except requests.ConnectionError as error:
            # The server closed a kept connection just as it was used again: nothing was asked yet.
            if any(isinstance(link, StaleConnectionError) for link in _chain(error)):
                return self._send(end)
            raise

    def _send(self, end: float) -> requests.Response:
        limit = urllib3.Timeout(total=max(end - time.monotonic(), 0.001))
        return self._adapter.send(
            self._request,
            stream=True,
            timeout=limit,  # type: ignore[arg-type] # its docstring allows this type
            proxies=self._proxies,
        )

    @staticmethod
    def _read(response: requests.Response) -> bytes:
        if (response.raw.length_remaining or 0) > MAX_SIZE:
            raise ExchangeError(
                Reason.TOO_LARGE, f"the answer is over {MAX_SIZE} bytes", response.status_code
            )
        body: bytes = response.raw.read(MAX_SIZE + 1, decode_content=True)
        if len(body) > MAX_SIZE:
            raise ExchangeError(
                Reason.TOO_LARGE, f"the answer is over {MAX_SIZE} bytes", response.status_code
            )
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
        (TimeoutError, urllib3.exceptions.TimeoutError, requests.Timeout),
        Reason.TIMEOUT,
        "no complete answer in time",
    ),
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
    """Keeps connections that trust one set of authorities; loading these for each connection is slow."""

    def __init__(self, ca_file: str | None) -> None:
        self._context = ssl.create_default_context(cafile=ca_file or certifi.where())
        super().__init__(pool_connections=_HOSTS, pool_maxsize=_KEPT_CONNECTIONS)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._context} if host["scheme"] == "https" else {}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave verification to the context, which demands it."""
