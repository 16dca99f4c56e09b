"""Sockets that listen: on addresses, on paths, and those that systemd hands over."""

import errno
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from exporter.schema.problems import ConfigurationError, Problem

_LAST_PORT = 65535
_FIRST_INHERITED = 3
_UNIX = "unix:"
_NOT_OWNER_OR_GROUP = 0o117


@dataclass(frozen=True)
class Address:
    """Where to listen, as the operator wrote it: `host` and `port`, or `path`."""

    text: str
    host: str = ""
    port: int = 0
    path: Path | None = None


def address(text: str) -> Address:
    """Read `HOST:PORT`, `[IPV6]:PORT`, `:PORT` (every interface) or `unix:PATH`; raise ValueError."""
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        if not path or "\0" in path:
            raise ValueError(f"{text!r} is not an address; write unix:/PATH/TO/SOCKET")
        return Address(text, path=Path(path))
    host, colon, port = text.rpartition(":")
    if (
        not colon
        or {"/", ","} & set(text)
        or not port.isascii()
        or not port.isdigit()
        or int(port) > _LAST_PORT
    ):
        raise ValueError(f"{text!r} is not an address; write HOST:PORT, :PORT or unix:PATH")
    bare = host.strip("[]")
    if ":" in bare and not host.startswith("["):
        raise ValueError(f"{text!r} is not an address; write an IPv6 host in brackets")
    return Address(text, bare, int(port))


@contextmanager
def listening(addresses: Sequence[Address]) -> Iterator[list[socket.socket]]:
    """Listen on all the addresses, and remove the files of sockets in the end; raise `ConfigurationError`."""
    listeners: list[socket.socket] = []
    files: list[tuple[Path, tuple[int, int]]] = []
    try:
        for one in addresses:
            listeners.append(_opened(one))
            if one.path:
                files.append((one.path, _identity(one.path)))
        yield listeners
    finally:
        for listener in listeners:
            listener.close()
        for path, identity in files:
            # The file may belong to a successor by now.
            with suppress(OSError):
                if _identity(path) == identity:
                    path.unlink()


def inherited() -> list[socket.socket]:
    """Return the sockets that systemd hands over (sd_listen_fds(3)); raise `ConfigurationError` without any."""
    process, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    if process != str(os.getpid()) or not count.isdecimal() or int(count) == 0:
        raise _cannot("--web.systemd-socket", "systemd passed no socket; start the .socket unit")
    listeners = []
    for number in range(_FIRST_INHERITED, _FIRST_INHERITED + int(count)):
        os.set_inheritable(number, False)  # noqa: FBT003 - positional only
        try:
            listener = socket.socket(fileno=number)
        except OSError:
            raise _cannot("--web.systemd-socket", f"file {number} is no socket") from None
        if listener.type != socket.SOCK_STREAM or not listener.getsockopt(
            socket.SOL_SOCKET, socket.SO_ACCEPTCONN
        ):
            raise _cannot(
                "--web.systemd-socket", f"file {number} is not a socket that listens; write ListenStream="
            )
        listeners.append(listener)
    return listeners


def url(listener: socket.socket, scheme: str) -> str:
    """Write the URL under which people on this machine reach a socket that listens."""
    if listener.family == socket.AF_UNIX:
        return f"{_UNIX}{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    if host in ("::", "0.0.0.0"):  # noqa: S104 - compared, not bound
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _opened(one: Address) -> socket.socket:
    try:
        return _on_path(one.path) if one.path else _on_port(one.host, one.port)
    except OSError as error:
        raise _cannot("--web.listen-address", f"cannot listen on {one.text}: {_words(error)}") from None


def _on_port(host: str, port: int) -> socket.socket:
    if not host:
        dual = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if dual else socket.AF_INET
        return socket.create_server(("", port), family=family, dualstack_ipv6=dual)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A name may have both; Prometheus programs listen on its address of IPv4 alone.
    family, *_, where = min(found, key=lambda one: one[0] != socket.AF_INET)
    dual = where[0] == "::" and socket.has_dualstack_ipv6()
    return socket.create_server(where[:2], family=family, dualstack_ipv6=dual)


def _on_path(path: Path) -> socket.socket:
    _clear(path)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(_NOT_OWNER_OR_GROUP)
    try:
        listener.bind(str(path))
        listener.listen()
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _clear(path: Path) -> None:
    """Remove a socket that nobody listens on any more; raise OSError for anything else that is there."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "there is a file that is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, "")


def _identity(path: Path) -> tuple[int, int]:
    state = path.lstat()
    return state.st_ino, state.st_ctime_ns


_WORDS = {
    errno.EADDRINUSE: "address already in use; another exporter?",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}


def _words(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "the name is not known"
    text = _WORDS.get(error.errno or 0) or error.strerror or str(error)
    return text[:1].lower() + text[1:] if error.strerror else text


def _cannot(flag: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(flag, 0, 0, "", message)])
