"""One provider's HTTP server on a loopback port that stays the same while it is killed and revived."""

import json
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from exporter.simulator.wire import Answer, Mode, Request


@dataclass(frozen=True)
class Fault:
    """A failure in force; `over` is set when it ends, which lets go of those whom it kept waiting."""

    mode: Mode
    retry_after: int | None = None
    over: threading.Event = field(default_factory=threading.Event)


class Site:
    """Serves `answer(request, fault)` on `host`, counts requests, and fails on demand."""

    def __init__(self, host: str, answer: Callable[[Request, Fault | None], Answer]) -> None:
        """Bind nothing yet; `revive` opens the port."""
        self._host = host
        self._answer = answer
        self._server: _Server | None = None
        self._reserved: socket.socket | None = None
        self._fault: Fault | None = None
        self._lock = threading.Lock()
        self.port = 0
        self.requests = 0

    def revive(self) -> None:
        """Open the port, the same as before if there was one; does nothing while it is open."""
        if self._server:
            return
        self._release()
        self._server = _Server((self._host, self.port), self)
        self.port = self._server.server_port

    def kill(self) -> None:
        """Close the port and cut all connections; the port stays reserved, so nobody else moves in."""
        if not self._server:
            return
        server, self._server = self._server, None
        server.stop()
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind((self._host, self.port))
        server.cut()
        if self._fault:
            self.fail(Fault(self._fault.mode, self._fault.retry_after))

    def close(self) -> None:
        """Kill the site and give its port back."""
        self.kill()
        self._release()

    def _release(self) -> None:
        if self._reserved:
            self._reserved.close()
            self._reserved = None

    def fail(self, fault: Fault | None) -> None:
        """Replace the failure in force, or end it with None."""
        before, self._fault = self._fault, fault
        if before:
            before.over.set()

    def respond(self, request: Request, server: "_Server") -> Answer | None:
        """Count and answer one request; None when the site was killed while the request hung."""
        with self._lock:
            self.requests += 1
        while (fault := self._fault) and fault.mode == "hang" and not server.dead:
            fault.over.wait()
        return None if server.dead else self._answer(request, fault)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], site: Site) -> None:
        self.site = site
        self.dead = False
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        """Accept until stopped; unlike serve_forever it does not wake up to look whether it was."""
        while not self.dead:
            self.handle_request()

    def stop(self) -> None:
        """Close the port; a connection of our own wakes the thread that accepts."""
        self.dead = True
        with suppress(OSError), socket.create_connection((str(self.server_address[0]), self.server_port)):
            self._thread.join()
        self.server_close()

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - the base's
        """Turn away whoever was accepted while the server was stopping."""
        return not self.dead

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's full name, which waits for DNS."""
        TCPServer.server_bind(self)
        self.server_port = self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing about a client that went away; anything else is our bug and is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def cut(self) -> None:
        """End every connection, as the death of the process would."""
        for connection in tuple(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one piece, or delayed acknowledgements cost 40 ms each
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        length = self.headers.get("Content-Length", "0")
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(length) if length.isdecimal() else 0)
        answer = self.server.site.respond(
            Request(self.command, url.path, query, self.headers, body), self.server
        )
        if answer is None:
            self.close_connection = True
            return
        self._send(answer)

    do_POST = do_GET  # noqa: N815 - the base's name

    def _send(self, answer: Answer) -> None:
        raw = isinstance(answer.body, bytes)
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/html" if raw else "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's signature
        """Log nothing: keys are in headers and bodies, and the demo's terminal belongs to the exporter."""
