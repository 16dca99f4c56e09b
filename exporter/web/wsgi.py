"""A request as the application has it (WSGI), and the application's answer, out of what the server speaks (ASGI)."""

import io
import sys
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.handlers import format_date_time

from exporter import log

Environ = MutableMapping[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Answer:
    """Status, headers and body; the parts of the body may be shared with other answers."""

    status: int
    headers: Sequence[tuple[str, str]]
    parts: Sequence[bytes]

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the headers, and those that every answer has: it is of this moment, and not to be kept."""
        always = [("Cache-Control", "no-store"), ("Date", format_date_time(time.time()))]
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in [*self.headers, *always]]


def refusal(status: HTTPStatus) -> Answer:
    """Return an answer that says no more than its status, and ends the connection."""
    body = f"{status.phrase}\n".encode()
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    return Answer(status, list(headers.items()), [body])


def environ(scope: Mapping[str, Any], body: bytes) -> Environ:
    """Return the environment of a request (PEP 3333)."""
    authority, path = _target(scope["raw_path"])
    server, port = scope["server"] or ("", None)
    found: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server if port else "localhost",
        "SERVER_PORT": str(port or 0),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        # Two names may become one here; of these, the usual one is meant.
        if b"_" not in name:
            key, text = "HTTP_" + name.decode("latin-1").upper().replace("-", "_"), value.decode("latin-1")
            found[key] = f"{found[key]}, {text}" if key in found else text
    found["CONTENT_TYPE"] = found.pop("HTTP_CONTENT_TYPE", "")
    found["CONTENT_LENGTH"] = str(len(body))
    found.pop("HTTP_CONTENT_LENGTH", None)
    if authority:
        found["HTTP_HOST"] = authority
    return found


def _target(raw: bytes) -> tuple[str, bytes]:
    """Return the authority, where the target has one (RFC 9112, 3.2.2), and the path of a request's target."""
    if raw.startswith(b"/"):
        return "", raw
    _, _, rest = raw.partition(b"://")
    authority, _, path = rest.partition(b"/")
    return authority.decode("latin-1"), b"/" + path


def answer(application: Application, request: Environ) -> Answer:
    """Ask the application. A bug of ours costs this answer alone and leaves its frames in the log."""
    begun: list[tuple[str, Sequence[tuple[str, str]]]] = []

    def start_response(status: str, headers: Sequence[tuple[str, str]], _: object = None) -> None:
        begun.append((status, headers))

    try:
        body = application(request, start_response)
        try:
            parts = [part for part in body if part]
        finally:
            getattr(body, "close", lambda: None)()
        status, headers = begun[-1]
    except Exception as error:  # noqa: BLE001 - the boundary: whatever it was, the others go on
        log.bug("bug while answering", error)
        return refusal(HTTPStatus.INTERNAL_SERVER_ERROR)
    return Answer(int(status[:3]), headers, parts)
