"""An answer, read strictly: its bytes by a parser that knows HTTP/1, inside limits of time, size and count."""

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

import h11

from exporter.model import Failure, Reason
from exporter.upstream.stream import Stream, failure

MAX_SIZE = 1024 * 1024
"""Longest body, in bytes, before and after decompression."""

_MAX_WIRE_SIZE = 2 * 1024 * 1024
"""Longest answer, in bytes as they come: interim answers, headers, chunks and all."""

_MAX_INTERIM_ANSWERS = 100
_MAX_HEADERS = 100
_MAX_VALUE_SIZE = 64 * 1024
_MAX_CODINGS = 3
_MAX_MEMBERS = 100

_BEGINNING = b"HTTP/1."
_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] ([2-9][0-9]{2})(?: .*)?")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_SWITCHING = 101
_UNREADABLE = frozenset(
    {"aes128gcm", "br", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress", "zstd"}
)
"""The other codings that IANA lists."""


@dataclass(frozen=True)
class Answer:
    """What came back. The body is for the extractor alone: providers echo credentials in it.

    `headers` have lower-case names; lines of one name are one value. `failure` says why there is no body, where it
    could not be read. `whole` says that the body's end was announced, and not only where the connection ended.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    failure: Failure | None = None
    whole: bool = True


class Reader:
    """Reads one answer; `reusable` says then whether the connection may carry a further request."""

    def __init__(self, stream: Stream, method: str, end: float) -> None:
        self._stream = stream
        self._end = end
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=2 * _MAX_WIRE_SIZE)
        self._parser.send(_request(method))
        self._parser.send(h11.EndOfMessage())
        self._head = bytearray()
        self._received = 0
        self._framed = False

    def read(self) -> Answer:
        """Read the whole answer.

        A status that came counts, whatever becomes of the body: then the answer says why there is none. Raise
        `Failure` where no status came, and OSError where the connection or the time ended before one.
        """
        try:
            response = self._response()
        except h11.RemoteProtocolError:
            return self._salvaged()
        headers = _merged(response.headers)
        status = response.status_code
        try:
            body = _unpacked(self._body(headers), headers.get("content-encoding", ""))
        except h11.RemoteProtocolError:
            return Answer(status, headers, failure=_not_http())
        except OSError as error:
            return Answer(status, headers, failure=failure(error))
        except Failure as reason:
            return Answer(status, headers, failure=reason)
        return Answer(status, headers, body, whole=self._framed or self._stream.whole)

    @property
    def begun(self) -> bool:
        """Return whether anything of an answer has come."""
        return self._received > 0

    @property
    def reusable(self) -> bool:
        """Return whether the answer was understood to its last byte, and nothing has come after it."""
        done = self._parser.our_state is self._parser.their_state is h11.DONE
        return done and self._framed and not self._parser.trailing_data[0]

    @property
    def switched(self) -> bool:
        """Return whether the connection is a tunnel from here on, and nothing has come out of it yet."""
        return self._parser.their_state is h11.SWITCHED_PROTOCOL and not self._parser.trailing_data[0]

    def _response(self) -> h11.Response | h11.InformationalResponse:
        """Read up to the headers of the final answer: all interim ones but 101 only say that it takes longer."""
        for _ in range(_MAX_INTERIM_ANSWERS):
            event = self._event()
            if isinstance(event, h11.Response) or event.status_code == _SWITCHING:
                return event
            self._head = bytearray(self._parser.trailing_data[0])
        raise Failure(Reason.MALFORMED, "too many interim answers came before the answer")

    def _event(self) -> h11.Response | h11.InformationalResponse:
        event = self._parser.next_event()
        while event is h11.NEED_DATA:
            data = self._receive()
            if not data:
                raise ConnectionResetError
            self._head += data
            if not self._head.startswith(_BEGINNING[: len(self._head)]):
                # The blank line that the parser waits for may never come.
                raise _not_http()
            self._parser.receive_data(data)
            event = self._parser.next_event()
        assert isinstance(event, h11.Response | h11.InformationalResponse)  # noqa: S101 - nothing else begins
        if len(event.headers) > _MAX_HEADERS or any(
            len(value) > _MAX_VALUE_SIZE for _, value in event.headers
        ):
            raise Failure(Reason.MALFORMED, "the answer has too many headers, or too long ones")
        return event

    def _salvaged(self) -> Answer:
        """Return the status alone of an answer whose head breaks the rules; raise `Failure` where it has none."""
        first, *lines = _BLANK_LINE.split(self._head, 1)[0].splitlines()
        found = _STATUS_LINE.fullmatch(first)
        if not found:
            raise _not_http()
        fields = (line.partition(b":")[::2] for line in lines)
        return Answer(int(found[1]), _merged(fields), failure=_not_http())

    def _body(self, headers: Mapping[str, str]) -> bytes:
        lengths = {"content-length", "transfer-encoding"} & headers.keys()
        if int(headers.get("content-length", "0")) > MAX_SIZE:
            raise _too_large()
        parts: list[bytes] = []
        size = 0
        while True:
            event = self._parser.next_event()
            if isinstance(event, h11.Data):
                parts.append(event.data)
                size += len(event.data)
                if size > MAX_SIZE:
                    raise _too_large()
            elif event is not h11.NEED_DATA:
                # An answer with both lengths may hide a second one: the connection is not used again.
                self._framed = len(lengths) < 2  # noqa: PLR2004 - both
                break
            elif data := self._receive():
                self._parser.receive_data(data)
            elif lengths:
                raise ConnectionResetError
            else:
                break
        return b"".join(parts)

    def _receive(self) -> bytes:
        data = self._stream.receive(self._end)
        self._received += len(data)
        if self._received > _MAX_WIRE_SIZE:
            raise _too_large()
        return data


@cache
def _request(method: str) -> h11.Request:
    """Return the request, as far as it matters to the parser of its answer."""
    # The parser accepts a 101 only where the request offered an upgrade.
    offer = [] if method == "CONNECT" else [("Upgrade", "any")]
    return h11.Request(method=method, target="/", headers=[("Host", "host"), *offer])


def _merged(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    merged: dict[str, list[str]] = {}
    for name, value in fields:
        values = merged.setdefault(name.decode("latin-1").lower(), [])
        text = value.decode("latin-1").strip()
        if text not in values:
            values.append(text)
    return {name: ", ".join(values) for name, values in merged.items()}


def _not_http() -> Failure:
    return Failure(Reason.MALFORMED, "the answer is not HTTP")


def _too_large() -> Failure:
    return Failure(Reason.TOO_LARGE, f"the answer is over {MAX_SIZE} bytes")


def _unpacked(body: bytes, header: str) -> bytes:
    """Undo the codings that a Content-Encoding names; an unknown name, such as `UTF-8`, is ignored.

    Raise `Failure` for a coding that exists and was not asked for, and for broken data.
    """
    codings = [coding.strip().lower() for coding in header.split(",")]
    if len(codings) > _MAX_CODINGS or not _UNREADABLE.isdisjoint(codings):
        raise Failure(Reason.MALFORMED, "the answer is compressed in a way that was not asked for")
    try:
        for coding in reversed(codings):
            if coding in ("gzip", "x-gzip"):
                body = _gunzipped(body)
            elif coding == "deflate":
                body = _inflated(body)
    except zlib.error:
        raise _broken() from None
    return body


def _gunzipped(body: bytes) -> bytes:
    """Unpack all members; what follows the last one, such as padding, is ignored."""
    parts: list[bytes] = []
    for _ in range(_MAX_MEMBERS):
        part, body = _decompressed(body, zlib.MAX_WBITS | 16, MAX_SIZE - sum(map(len, parts)))
        parts.append(part)
        if not body.startswith(b"\x1f\x8b"):
            return b"".join(parts)
    raise _broken()


def _inflated(body: bytes) -> bytes:
    try:
        return _decompressed(body, zlib.MAX_WBITS, MAX_SIZE)[0]
    except zlib.error:
        # Many servers send bare deflate data, without the zlib header that the standard demands.
        return _decompressed(body, -zlib.MAX_WBITS, MAX_SIZE)[0]


def _decompressed(body: bytes, kind: int, room: int) -> tuple[bytes, bytes]:
    """Return the unpacked bytes, and what follows the packed ones; raise `Failure` for more than `room` bytes."""
    decompressor = zlib.decompressobj(kind)
    data = decompressor.decompress(body, room + 1)
    if len(data) > room:
        raise _too_large()
    if not decompressor.eof:
        raise _broken()
    return data, decompressor.unused_data


def _broken() -> Failure:
    return Failure(Reason.MALFORMED, "the answer's compression is broken")
