"""Hostile upstreams on loopback, down to the bytes."""

import contextlib
import ctypes
import fcntl
import os
import socket
import ssl
import struct
import termios
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.programs import PATIENCE

BALANCE = b'{"success": true, "data": {"credits": 120, "api_credits": 120}, "request_id": "req_1"}'

FIN_UNSEEN = b"\x04"
"""State of a connection (TCP_FIN_WAIT1) whose end the other machine has not yet acknowledged."""


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    line: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """The upstream's end of one connection."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self.socket = connection
        self.over = over
        self._file = connection.makefile("rb")
        self._open = True

    def read(self) -> Asked | None:
        """Read one request; None when there will be no more."""
        if not self._open:
            return None
        line = self._file.readline().decode("latin-1").strip()
        if not line:
            return None
        headers = {}
        while field := self._file.readline().decode("latin-1").strip():
            name, _, value = field.partition(":")
            headers[name.lower()] = value.strip()
        return Asked(line, headers, self._file.read(int(headers.get("content-length", "0"))))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, body: bytes = BALANCE, status: str = "200 OK", **headers: str) -> None:
        """Send a whole answer; a header's name is written with underscores here."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def drip(self, data: bytes, pause: float = 0.02) -> None:
        """Send a byte at a time, over and over, until the client goes away or the test is over."""
        while not self.over.is_set():
            for byte in data:
                self.send(bytes([byte]))
                if self.over.wait(pause):
                    return

    def hang(self) -> None:
        """Send nothing until the test is over."""
        self.over.wait()

    def arrived(self) -> bool:
        """Return whether the client's machine has taken all that was sent, so that the client cannot miss it."""
        unacknowledged = fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4))
        return struct.unpack("i", unacknowledged) == (0,)

    def deafen(self) -> None:
        """Let nothing arrive any more, as behind a load balancer that has forgotten the connection."""
        nothing = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
        program = struct.pack("HL", 1, ctypes.addressof(nothing))
        self.socket.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER

    def close(self) -> None:
        self._open = False
        hang_up(self.socket)

    def reset(self) -> None:
        """End the connection with a reset instead of an orderly end."""
        self._open = False
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.end()

    def end(self) -> None:
        """Close the connection's files now, rather than when they are collected as garbage."""
        self._file.close()
        self.socket.close()


def hang_up(connection: socket.socket) -> None:
    """End a connection that another thread may be reading: past TLS, which a thread must not lose in a read."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


Answer = Callable[[Peer, Asked], None]


class Upstream:
    """A server on loopback that answers each request as `answer` says at that moment."""

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.greet: Callable[[Peer], None] | None = None
        self.requests: list[Asked] = []
        self.connections = 0
        self._tls = tls
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._sockets: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._accepts = threading.Thread(target=self._accept)
        self._accepts.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            thread.start()
            self._threads.add(thread)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                # The handshake comes after, so that a client that never makes it can be cut off too.
                connection = self._wrapped(self._tls, connection)
                stack.callback(connection.close)
                connection.do_handshake()
            peer = Peer(connection, self._over)
            stack.callback(peer.end)
            if self.greet:
                self.greet(peer)
            while asked := peer.read():
                self.requests.append(asked)
                self.answer(peer, asked)
        self._sockets.discard(connection)

    def _wrapped(self, tls: ssl.SSLContext, connection: socket.socket) -> ssl.SSLSocket:
        wrapped = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._sockets.add(wrapped)
        self._sockets.discard(connection)
        if self._over.is_set():
            hang_up(wrapped)
        return wrapped

    def cut(self) -> None:
        """End every connection in order, as a server does that has been idle for long; the clients see it by now."""
        for connection in tuple(self._sockets):
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as watched:
                hang_up(connection)
                end = time.monotonic() + PATIENCE
                while watched.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == FIN_UNSEEN:
                    assert time.monotonic() < end, "a client's machine does not take the end of a connection"
                    time.sleep(0.001)

    def stop(self) -> None:
        """Refuse connections from now on, and end those that there are."""
        self._over.set()
        hang_up(self._listener)
        # Once nobody accepts any more, every connection and every thread is known.
        self._accepts.join(PATIENCE)
        self._listener.close()
        for connection in tuple(self._sockets):
            hang_up(connection)
        for thread in (self._accepts, *self._threads):
            thread.join(PATIENCE)
            assert not thread.is_alive(), "an upstream's thread does not end"
