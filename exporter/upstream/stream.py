"""Bytes to and from another machine, plain or through TLS, each step inside a deadline on the monotonic clock."""

import errno
import select
import socket
import ssl
import time
from abc import ABC, abstractmethod
from contextlib import suppress

from exporter.model import Failure, Reason

_PIECE = 16 * 1024
"""Bytes that are read at once: as many as a record of TLS has at most."""

_MAX_PIECES = 64
"""Most pieces of TLS's own messages (tickets, new keys) in a row; they could come for ever."""


class Stream(ABC):
    """A connection for bytes in both directions. Every method raises OSError where it is broken."""

    whole = False
    """Whether the other side has said that nothing more comes; else the end that was seen may be a cut."""

    @abstractmethod
    def take(self) -> bytes | None:
        """Take what is there, without waiting: None where nothing is, b"" where there will be no more."""

    @abstractmethod
    def send(self, data: bytes, end: float) -> None:
        """Send all of `data` before `end`, else raise TimeoutError."""

    @abstractmethod
    def receive(self, end: float) -> bytes:
        """Wait for bytes until `end`, else raise TimeoutError; b"" where there will be no more."""

    @abstractmethod
    def give_up_after(self, seconds: float) -> None:
        """Break off when the other machine does not even confirm what is sent, where the system can do that."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    def quiet(self) -> bool:
        """Return whether the connection is open and nothing has come on it."""
        try:
            return self.take() is None
        except OSError:
            return False


def plain(connected: socket.socket) -> Stream:
    """Wrap a connected socket, which belongs to the stream from here on."""
    return _PlainStream(connected)


def secured(inner: Stream, context: ssl.SSLContext, host: str, end: float) -> Stream:
    """Speak TLS over another stream, which may itself be TLS, as to a proxy; raise OSError where that fails."""
    return _TlsStream(inner, context, host, end)


class _PlainStream(Stream):
    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(0)
        self._socket = connected
        self._readable = select.poll()
        self._readable.register(connected, select.POLLIN)

    def take(self) -> bytes | None:
        try:
            return self._socket.recv(_PIECE)
        except BlockingIOError:
            return None

    def send(self, data: bytes, end: float) -> None:
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                writable = select.poll()
                writable.register(self._socket, select.POLLOUT)
                _poll(writable, end)

    def receive(self, end: float) -> bytes:
        data = None
        while data is None:
            _poll(self._readable, end)
            data = self.take()
        return data

    def give_up_after(self, seconds: float) -> None:
        if option := getattr(socket, "TCP_USER_TIMEOUT", None):
            self._socket.setsockopt(socket.IPPROTO_TCP, option, max(int(seconds * 1000), 1))

    def close(self) -> None:
        self._socket.close()


class _TlsStream(Stream):
    def __init__(self, inner: Stream, context: ssl.SSLContext, host: str, end: float) -> None:
        self._inner = inner
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._shake_hands(end)

    def _shake_hands(self, end: float) -> None:
        while True:
            try:
                # What TLS has left to send goes out with the first request.
                return self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._inner.send(self._outgoing.read(), end)
                self._feed(self._inner.receive(end))
            except ssl.SSLError:
                # The other side's log should name the cause too.
                with suppress(OSError):
                    self._inner.send(self._outgoing.read(), end)
                raise

    def _feed(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def take(self) -> bytes | None:
        for _ in range(_MAX_PIECES):
            data = self._read()
            if data is not None:
                return data
            more = self._inner.take()
            if more is None:
                return None
            self._feed(more)
        raise ConnectionAbortedError

    def _read(self) -> bytes | None:
        """Read what is held already; None where the next record is not whole yet."""
        try:
            data = self._tls.read(_PIECE)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLEOFError:
            return b""
        self.whole = not data
        return data

    def send(self, data: bytes, end: float) -> None:
        self._tls.write(data)
        self._inner.send(self._outgoing.read(), end)

    def receive(self, end: float) -> bytes:
        while (data := self._read()) is None:
            self._feed(self._inner.receive(end))
        return data

    def give_up_after(self, seconds: float) -> None:
        self._inner.give_up_after(seconds)

    def close(self) -> None:
        self._inner.close()


def _poll(poller: select.poll, end: float) -> None:
    left = end - time.monotonic()
    if left <= 0 or not poller.poll(left * 1000):
        raise TimeoutError


OUT_OF_FILES = "the exporter may not open more files; raise its limit"

_CAUSES: tuple[tuple[type[OSError], Reason, str], ...] = (
    (ssl.SSLEOFError, Reason.TLS, "the connection was cut in the TLS handshake"),
    (ssl.SSLError, Reason.TLS, "TLS failed"),
    (socket.gaierror, Reason.UNREACHABLE, "the host's name does not resolve"),
    (TimeoutError, Reason.TIMEOUT, "no complete answer in time"),
    (ConnectionRefusedError, Reason.UNREACHABLE, "the connection was refused"),
    (ConnectionError, Reason.UNREACHABLE, "the connection was cut"),
    (OSError, Reason.UNREACHABLE, "the host cannot be reached"),
)
"""What an error means, the more particular first."""


def failure(error: OSError) -> Failure:
    """Return what an error means, in our words: its own may quote what was sent."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return Failure(Reason.UNREACHABLE, OUT_OF_FILES)
    reason, detail = next((reason, detail) for kind, reason, detail in _CAUSES if isinstance(error, kind))
    if isinstance(error, ssl.SSLCertVerificationError):
        detail = f"the certificate is not trusted: {error.verify_message}"
    elif isinstance(error, ssl.SSLError) and error.reason:
        # One of OpenSSL's constants, such as WRONG_VERSION_NUMBER where the other side speaks no TLS.
        detail = f"{detail}: {error.reason.replace('_', ' ').lower()}"
    return Failure(reason, detail)
