"""Connections that are kept, notice when they went stale, and read a whole answer inside one limit of time and size."""

import http.client
import io
import socket
import time
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

MAX_WIRE_SIZE = 2 * 1024 * 1024
"""Longest answer, in bytes as they come, headers and all."""


OFTEN_CLOSED_AFTER = 4.0
"""Seconds without a request after which servers begin to close connections that are kept."""


class StaleConnectionError(ConnectionError):
    """A connection that was kept for long was closed just as it was used again."""


class BegunError(ConnectionError):
    """A connection was cut after an answer had begun: the server saw the request."""


class TooLargeError(OSError):
    """An answer is over `MAX_WIRE_SIZE`: some lengths make the library read on until the memory is full."""


class _Kept:
    """A connection that knows whether it was used before, and reads answers inside one time limit."""

    _answered = 0.0
    _idle = 0.0
    _end = 0.0
    sock: socket.socket

    def connect(self) -> None:
        self._answered = 0.0
        super().connect()  # type: ignore[misc]

    def _new_conn(self) -> socket.socket:
        begun = time.monotonic()
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        self._end = begun + (sock.gettimeout() or 0.0)
        self._shorten(sock)
        return sock

    def _tunnel(self) -> None:
        super()._tunnel()  # type: ignore[misc]
        self._shorten(self.sock)

    def _shorten(self, sock: socket.socket) -> None:
        """Leave to the proxy's answer and the handshake what is left of the time to connect; else each has it anew."""
        sock.settimeout(max(self._end - time.monotonic(), 0.001))

    def putrequest(self, *args: Any, **options: Any) -> None:
        self._idle = time.monotonic() - self._answered if self._answered else 0.0
        super().putrequest(*args, **options)  # type: ignore[misc]

    def getresponse(self) -> Any:
        try:
            response = super().getresponse()  # type: ignore[misc]
        except ConnectionError as error:
            if self._idle > OFTEN_CLOSED_AFTER and not isinstance(error, BegunError):
                raise StaleConnectionError from error
            raise
        self._answered = time.monotonic()
        return response


class _LimitedResponse(http.client.HTTPResponse):
    """Headers and body together within the time that the socket is set to; else each read has that time anew."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        limit = sock.gettimeout()
        if limit is not None:
            self.fp = io.BufferedReader(_LimitedReader(self.fp.detach(), sock, time.monotonic() + limit))


class _LimitedReader(io.RawIOBase):
    def __init__(self, raw: Any, sock: socket.socket, end: float) -> None:
        self._raw = raw
        self._sock = sock
        self._end = end
        self._room = MAX_WIRE_SIZE

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        try:
            size: int | None = self._raw.readinto(buffer)
        except ConnectionError as error:
            if self._room < MAX_WIRE_SIZE:
                raise BegunError from error
            raise
        self._room -= size or 0
        if self._room < 0:
            raise TooLargeError
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Connection(_Kept, HTTPConnection):
    response_class = _LimitedResponse


class _TLSConnection(_Kept, HTTPSConnection):
    response_class = _LimitedResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


POOLS = {"http": _Pool, "https": _TLSPool}
