"""TLS for the WSGI server, with the context that is in force when a connection comes."""

import socket
import ssl
from typing import Any

from cheroot.errors import FatalSSLAlert
from cheroot.makefile import StreamReader, StreamWriter
from cheroot.ssl import Adapter

from exporter.web.web_config import WebConfig


class TLSAdapter(Adapter):
    """Wraps accepted sockets. The handshake is left to the thread that reads: here it would hold up all others."""

    def __init__(self, web_config: WebConfig) -> None:
        super().__init__(certificate="", private_key="")
        self._web_config = web_config

    def bind(self, sock: socket.socket) -> socket.socket:
        """Give the listening socket as it is."""
        return sock

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        """Wrap an accepted socket, and tell the application that the scheme is https."""
        context = self._web_config.context
        if context is None:
            raise FatalSSLAlert("no certificate")
        return context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False), self.get_environ()

    def get_environ(self) -> dict[str, str]:
        """Give what every request over TLS carries."""
        return {"wsgi.url_scheme": "https", "HTTPS": "on"}

    def makefile(self, sock: socket.socket, mode: str = "r", bufsize: int = -1) -> Any:
        """Give the server's own buffered file over a socket."""
        return (StreamReader if "r" in mode else StreamWriter)(sock, mode, bufsize)
