"""The HTTP server: uvicorn in one thread, the application in others, limits of time and memory around both.

Why uvicorn: it is maintained, small, reads requests by h11, which is strict, and keeps a connection that is not a whole
request yet, or whose client takes its answer slowly, in the event loop: neither costs a thread. Servers with a thread a
connection (cheroot, gunicorn) stand still behind as many silent clients as they have threads. hypercorn speaks HTTP/2
and WebSocket too, which nobody asks for here and which cannot be turned off, and has no limit for a client that does
not read; granian takes certificates at its start alone. What uvicorn lacks is added here: a time for a request to be
complete and for an answer to be taken, and a bound on what slow readers hold.
"""

import asyncio
import logging
import socket
import struct
import sys
import time
from asyncio import sslproto
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from http import HTTPStatus
from threading import Barrier, Event
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from exporter import log
from exporter.web import wsgi
from exporter.web.certificates import CurrentContext
from exporter.web.web_config import OPEN_PATHS, WebConfig

MAX_HEADER = 16 * 1024
"""Longest request line and headers together, in bytes; a body, which no route reads, may be as long."""

READ_TIME = 10.0
"""Seconds in which a request must be complete, from the begin of the connection or the end of the answer before it."""

WRITE_TIME = 60.0
"""Seconds in which an answer must be taken."""

MAX_HELD = 64 * 1024 * 1024
"""Most bytes of answers that wait to be taken; over it, the oldest are given up. What several share counts once."""

THREADS = 64
"""Requests answered at a time; a scrape that waits for others' calls takes one of them too."""

_CHUNK = 32 * 1024
_BACKLOG = 2048
_GRACE = 0.8
_END = 0.8
_LAST_TIME = 0.3
_NOTE_EVERY = 60.0
_NOT_AT_ALL = struct.pack("ii", 1, 0)

# What asyncio keeps to read into, for each connection over TLS: a record is at most 16 KiB, and 256 KiB for each client
# that has sent half of a hello is much.
sslproto.SSLProtocol.max_size = _CHUNK

_serving: ContextVar["_Connection"] = ContextVar("_serving")

_Receive = Callable[[], Awaitable[Mapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_log = log.logger()


class Server:
    """Serves the application on sockets that listen, until it is told to stop."""

    def __init__(
        self,
        application: wsgi.Application,
        listeners: Sequence[socket.socket],
        release: Callable[[], None],
        web_config: WebConfig | None,
    ) -> None:
        """Prepare to serve; `release` makes scrapes that still wait answer at once."""
        self._application = web_config.basic_auth(application) if web_config else application
        self._listeners = list(listeners)
        self._release = release
        self._threads = _threads()
        self._held: dict[_Connection, Sequence[bytes]] = {}
        self._stopped = Event()
        self._uvicorn = _Uvicorn(_configuration(self._answer, web_config), self._listeners)

    def serve(self) -> None:
        """Answer requests until `stop`."""
        _listen_to(logging.getLogger("uvicorn"), logging.getLogger("asyncio"))
        try:
            with asyncio.Runner(loop_factory=_Loop) as runner:
                runner.get_loop().set_exception_handler(_tell)
                runner.run(self._uvicorn.serve(self._listeners))
        finally:
            self._stopped.set()

    def stop(self) -> None:
        """Take no more connections and answer what is in flight, within two seconds."""
        self._uvicorn.begin_end()
        if not self._stopped.wait(_GRACE):
            self._release()
            if not self._stopped.wait(_END):
                self._uvicorn.hurry()
                self._stopped.wait(_LAST_TIME)
        self._threads.shutdown(wait=False)

    async def _answer(self, scope: Mapping[str, Any], receive: _Receive, send: _Send) -> None:
        """Answer one request (ASGI)."""
        connection = _serving.get()
        try:
            answer = await self._asked(scope, receive, connection)
            if answer:
                connection.limit(WRITE_TIME)
                self._hold(connection, answer.parts)
                await _sent(answer, send)
        finally:
            self._held.pop(connection, None)
            connection.await_request()

    async def _asked(
        self, scope: Mapping[str, Any], receive: _Receive, connection: "_Connection"
    ) -> wsgi.Answer | None:
        """Return the answer of the application, None where the client goes before its request is whole."""
        if scope["http_version"] not in ("1.0", "1.1"):
            return wsgi.refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        if _size(scope) > MAX_HEADER:
            # h11 limits what it has to wait for; this came at once.
            return wsgi.refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        body = await _body(scope["headers"], receive)
        if not isinstance(body, bytes):
            return body
        connection.limit(None)
        request = wsgi.environ(scope, body)
        if request["PATH_INFO"] in OPEN_PATHS:
            # At once: a health check must not take the process for dead while all threads wait.
            return wsgi.answer(self._application, request)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, wsgi.answer, self._application, request)

    def _hold(self, connection: "_Connection", parts: Sequence[bytes]) -> None:
        self._held[connection] = parts
        while len(self._held) > 1:
            distinct = {id(part): len(part) for parts in self._held.values() for part in parts}
            if sum(distinct.values()) <= MAX_HELD:
                break
            oldest = next(iter(self._held))
            del self._held[oldest]
            oldest.abort()


def _threads() -> ThreadPoolExecutor:
    """Start all threads now, so that no request needs one later that the machine does not give."""
    threads, together = ThreadPoolExecutor(THREADS, thread_name_prefix="web"), Barrier(THREADS)
    try:
        list(threads.map(lambda _: together.wait(), range(THREADS)))
    except RuntimeError:
        together.abort()
        raise
    return threads


def _size(scope: Mapping[str, Any]) -> int:
    fields = sum(len(name) + len(value) + len(b": \r\n") for name, value in scope["headers"])
    return len(scope["raw_path"]) + len(scope["query_string"]) + fields


async def _body(headers: Sequence[tuple[bytes, bytes]], receive: _Receive) -> bytes | wsgi.Answer | None:
    """Return the body, a refusal of it, or None where the client goes before it is whole."""
    lengths = [int(value) for name, value in headers if name == b"content-length"]
    chunked = any(name == b"transfer-encoding" for name, _ in headers)
    if lengths and chunked:
        # A proxy in front of this server may have used the other one of the two.
        return wsgi.refusal(HTTPStatus.BAD_REQUEST)
    body, more = b"", bool(chunked or lengths)
    while more:
        if len(body) + sum(lengths) > MAX_HEADER:
            return wsgi.refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body, more = body + message["body"], message["more_body"]
    return body


async def _sent(answer: wsgi.Answer, send: _Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.fields()})
    for part in answer.parts:
        view = memoryview(part)
        for begin in range(0, len(view), _CHUNK):
            chunk = view[begin : begin + _CHUNK]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _configuration(answer: Callable[..., Any], web_config: WebConfig | None) -> uvicorn.Config:
    secure = web_config and web_config.context
    return uvicorn.Config(
        answer,
        interface="asgi3",
        lifespan="off",
        http=_Connection,
        ws="none",
        h11_max_incomplete_event_size=MAX_HEADER,
        timeout_keep_alive=int(2 * READ_TIME),  # ours comes before
        timeout_graceful_shutdown=int(2 * (_GRACE + _END)),
        backlog=_BACKLOG,
        ssl_context_factory=(lambda *_: CurrentContext(web_config)) if web_config and secure else None,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,  # uvicorn's is made by a timer
    )


class _Uvicorn(uvicorn.Server):
    """Waits for its end without looking at a clock ten times a second."""

    def __init__(self, config: uvicorn.Config, listeners: Sequence[socket.socket]) -> None:
        super().__init__(config)
        self._listeners = listeners
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()

    async def main_loop(self) -> None:
        """Wait until the end begins."""
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self._ending.wait()
        for listener in self._listeners:
            self._loop.remove_reader(listener)
        for _ in range(2):
            # Those that are half taken up would fall out of asyncio's books where the listener closes before.
            await asyncio.sleep(0)

    def begin_end(self) -> None:
        """Begin the end, from any thread."""
        self.should_exit = True
        self._call(self._ending.set)

    def hurry(self) -> None:
        """Close every connection at once, from any thread."""
        self._call(self._abort)

    def _abort(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, _Connection):
                connection.abort()

    def _call(self, what: Callable[[], object]) -> None:
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)


class _Loop(asyncio.SelectorEventLoop):
    """Limits the time of handshakes."""

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        if options.get("ssl"):
            options |= {"ssl_handshake_timeout": READ_TIME, "ssl_shutdown_timeout": _LAST_TIME}
        return await super().create_server(*args, **options)


class _Connection(H11Protocol):
    """A connection whose client has so many seconds for what it has to do."""

    _transport: asyncio.Transport
    _deadline: asyncio.TimerHandle | None = None
    _received = False
    _lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_CHUNK)
        self.await_request()

    def data_received(self, data: bytes) -> None:
        self._received = True
        _serving.set(self)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self.limit(None)
        super().connection_lost(exc)

    def await_request(self) -> None:
        """Let the client send its next request."""
        self._received = False
        self.limit(READ_TIME)

    def limit(self, seconds: float | None) -> None:
        """Close the connection after so many seconds, in place of what was said before; None: not at all."""
        if self._deadline:
            self._deadline.cancel()
        late = seconds is not None and not self._lost
        self._deadline = asyncio.get_running_loop().call_later(seconds or 0, self._late) if late else None

    def abort(self) -> None:
        """Close the connection at once: what the client did not take yet is lost, in the kernel's buffers too."""
        with suppress(OSError):
            self._transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _NOT_AT_ALL
            )
        self._transport.abort()

    def send_400_response(self, _: str) -> None:
        """Refuse what is no request; called by the library while it handles h11's error."""
        error = sys.exception()
        self._refuse(HTTPStatus(getattr(error, "error_status_hint", HTTPStatus.BAD_REQUEST)))

    def _late(self) -> None:
        waits = self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self._transport.is_closing()
        if waits and self._received:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.abort()

    def _refuse(self, status: HTTPStatus) -> None:
        refusal = wsgi.refusal(status)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        lines += [b": ".join(field) for field in refusal.fields()]
        self._transport.write(b"\r\n".join([*lines, b"", *refusal.parts]))
        self._transport.close()
        self.limit(_LAST_TIME)


class _Notes(logging.Handler):
    """Logs what clients did wrong, at level debug and once a minute at most; a bug of ours with its frames."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._next = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info and record.exc_info[1]
        if error:
            log.bug("bug while answering", error)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _NOTE_EVERY
            _log.debug("web server", note=record.getMessage().partition("\n")[0])


def _listen_to(*loggers: logging.Logger) -> None:
    notes = _Notes()
    for logger in loggers:
        logger.handlers, logger.propagate = [notes], False


def _tell(_: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    error = context.get("exception")
    logging.getLogger("asyncio").warning(
        context["message"], exc_info=error if error and not isinstance(error, OSError) else None
    )
