"""The WSGI server: threads, limits, and an end that answers what is in flight."""

import logging
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from traceback import format_tb
from typing import Any

import structlog
from cheroot import wsgi
from cheroot.server import HTTPConnection, HTTPRequest

from exporter.schema.problems import ConfigurationError, Problem
from exporter.web.certificates import TLSAdapter
from exporter.web.watchdog import Watchdog
from exporter.web.web_config import WebConfig

MAX_HEADER = 16 * 1024
"""Longest request line and headers together, in bytes."""

IDLE_TIME = 10
"""Seconds that a connection may keep silent."""

HEADER_TIME = 10
"""Seconds in which a request, with its body, must be complete: a byte now and then does not hold a thread for good."""

THREADS = 64
"""Requests answered at a time; a scrape that waits for others' calls takes one of them too."""

_GRACE = 0.8
_END = 1
_LAST_TIME = 0.1

_CLIENT_ERRORS = (ssl.SSLError, ConnectionError, TimeoutError)
"""What a client brings about, such as one that speaks plain HTTP where TLS is spoken."""

_log = structlog.get_logger()


class Server:
    """Serves the application on one address until it is told to stop."""

    def __init__(
        self,
        application: Callable[..., Any],
        address: tuple[str, int],
        release: Callable[[], None],
        web_config: WebConfig | None,
    ) -> None:
        """Prepare to listen; `release` makes scrapes that still wait answer at once."""
        self._release = release
        self._watch = Watchdog()
        self._server = _WSGIServer(
            address,
            web_config.basic_auth(application) if web_config else application,
            numthreads=THREADS,
            max=THREADS,
            request_queue_size=256,
            timeout=IDLE_TIME,
            shutdown_timeout=_END,
            server_name="prepaid-exporter",
        )
        if web_config and web_config.context:
            self._server.ssl_adapter = TLSAdapter(web_config)
        self._server.watch = self._watch
        self._server.header_time = HEADER_TIME
        self._server.max_request_header_size = MAX_HEADER
        self._server.max_request_body_size = MAX_HEADER

    def listen(self) -> tuple[str, int]:
        """Take the address, and give the one that was taken; raise `ConfigurationError` when it cannot be had."""
        host, port = self._server.bind_addr
        self._watch.start()
        try:
            self._server.prepare()
        except OSError as error:
            # The server packs the system's own words: "No socket could be created -- ((host, port): [Errno 98] ...)".
            cause = str(error.args[-1]).rpartition("] ")[2].rstrip(")")
            message = f"cannot listen on {host or '*'}:{port}: {cause}"
            raise ConfigurationError([Problem("--web.listen-address", 0, 0, "", message)]) from None
        bound = self._server.bind_addr
        return bound[0], bound[1]

    def serve(self) -> None:
        """Answer requests until `stop`."""
        self._server.serve()

    def stop(self) -> None:
        """Take no more connections and answer what is in flight, within two seconds."""
        self._server.header_time = _LAST_TIME
        with self._watch.limit(_GRACE, self._end):
            self._server.stop()

    def _end(self) -> None:
        self._release()
        for connection in list(self._server.incomplete):
            _hang_up(connection)


class _Request(HTTPRequest):
    def parse_request(self) -> None:
        connection, incomplete = self.conn.socket, self.server.incomplete
        incomplete.add(connection)
        try:
            with self.server.watch.limit(self.server.header_time, lambda: _hang_up(connection)):
                super().parse_request()
                if self.ready:
                    self._pass_over_body()
        finally:
            incomplete.discard(connection)

    def _pass_over_body(self) -> None:
        """No route reads a body: see to it that none is taken for the next request, and none waited for later."""
        length = int(self.inheaders.get(b"Content-Length", 0))
        if length == 0 and not self.chunked_read:
            return
        if length < 0:
            self.simple_response("400 Bad Request", "Malformed Content-Length Header.")
            self.ready = False
            return
        self.close_connection = True
        # Only where a body is usual: to close before it is read is a reset, which may cost the client the answer.
        if self.method not in (b"GET", b"HEAD") and not self.chunked_read:
            self.conn.rfile.read(length)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        # Past TLS, whose own way to end would write to a client that does not listen.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request
    new = True

    def close(self) -> None:
        """Close the writing side too: the library leaves it to the interpreter, which complains of what is lost."""
        super().close()
        with suppress(OSError):
            self.wfile.close()


class _WSGIServer(wsgi.Server):
    """Says what happens in our log; the text of a client's mistake stays out of it."""

    ConnectionClass = _Connection
    # Silent connections count for it too, and must not cost those who keep theirs.
    keep_alive_conn_limit = 1024
    watch: Watchdog
    header_time: float

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.incomplete: set[socket.socket] = set()

    def process_conn(self, conn: _Connection) -> None:
        """Leave a new connection to the selector until its first byte is there: silent ones hold no thread."""
        if conn.new:
            conn.new = False
            self.put_conn(conn)
        else:
            super().process_conn(conn)

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:  # noqa: FBT001, FBT002
        """Log a bug of ours with its frames, and what a client did wrong for the curious alone."""
        kind, _, frames = sys.exc_info()
        if traceback and level >= logging.ERROR and kind and not issubclass(kind, _CLIENT_ERRORS):
            _log.error("bug while answering", error=kind.__name__, traceback="".join(format_tb(frames)))
        else:
            _log.debug("web server", note=msg.partition("\n")[0])
