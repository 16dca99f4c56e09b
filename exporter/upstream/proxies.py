"""Proxies: what a proxy's URL says, and which one the environment means for a URL."""

import re
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

from exporter.model import Failure, Reason
from exporter.schema.fields import is_loopback

PORTS = {"http": 80, "https": 443}
"""The port of a URL that names none."""

_SEPARATORS = re.compile(r"[\s,;]+")
_WITH_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>[0-9]+))?")


def bracketed(host: str) -> str:
    """Write a host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy, itself reached in clear or through TLS; as text without its user, who may be a token."""

    scheme: str
    host: str
    port: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    """What only the proxy is told: its user, where it has one."""

    def __str__(self) -> str:
        """Name the proxy, without its user."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"

    @classmethod
    def at(cls, url: str) -> "Proxy":
        """Read the URL of a proxy, which may leave `http://` out; raise `Failure` for one that cannot be used."""
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in PORTS:
            raise Failure(Reason.MISCONFIGURED, "the proxy's URL is not one of http or https")
        user, at, _ = parts.netloc.rpartition("@")
        headers = {"Proxy-Authorization": _authorization(user)} if at else {}
        return cls(parts.scheme, host, port or PORTS[parts.scheme], headers)


def _authorization(user: str) -> str:
    """Return user and password as RFC 7617 writes them: with a colon, even where there is no password.

    Raise `Failure` (misconfigured) for characters that HTTP cannot carry.
    """
    name, _, password = user.partition(":")
    try:
        pair = f"{unquote(name)}:{unquote(password)}".encode("latin-1")
    except UnicodeEncodeError:
        what = "the proxy's user or password has characters that HTTP cannot carry: only ISO 8859-1"
        raise Failure(Reason.MISCONFIGURED, what) from None
    return f"Basic {b64encode(pair).decode()}"


def environment_proxy(url: str) -> Proxy | None:
    """Find the proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY mean for a URL; none for loopback hosts."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if is_loopback(host):
        return None
    named = getproxies_environment()
    proxy = named.get(parts.scheme) or named.get("all")
    if not proxy or _is_excluded(host, parts.port or PORTS[parts.scheme], named.get("no", "")):
        return None
    return Proxy.at(proxy)


def environment_proxies() -> str:
    """Name the proxies of the environment, without their users; empty where it has none."""
    named = getproxies_environment()
    excluded = f", except for {named['no']}" if named.get("no") else ""
    shown = [
        f"{kind}: {_shown(url)}" for kind, url in sorted(named.items()) if kind in (*PORTS, "all") and url
    ]
    return ", ".join(shown) + excluded if shown else ""


def _shown(url: str) -> str:
    try:
        return str(Proxy.at(url))
    except Failure:
        return "a URL that cannot be used"


def _is_excluded(host: str, port: int, no_proxy: str) -> bool:
    """Return whether NO_PROXY names a host, as people write it.

    Its entries are separated by commas, semicolons or white space: names, which stand for all below them too, with a
    dot or star before them or without; stars elsewhere, as in `192.168.*`; addresses and networks. Each holds for one
    port, where it names one, or for all.
    """
    return any(entry and _names(entry, _ascii(host), port) for entry in _SEPARATORS.split(no_proxy))


def _names(entry: str, host: str, port: int) -> bool:
    found = _WITH_PORT.fullmatch(entry)
    if found and found["port"] and int(found["port"]) != port:
        return False
    # Without brackets an address of IPv6 has colons of its own.
    name = (found["host"] if found else entry).replace("[", "").replace("]", "")
    with suppress(ValueError):
        network = ip_network(name, strict=False)
        with suppress(ValueError):
            address = ip_address(host)
            return (getattr(address, "ipv4_mapped", None) or address) in network
        return False
    name = _ascii(name.removeprefix("*.").strip("."))
    if "*" in name:
        return bool(re.fullmatch(re.escape(name).replace(r"\*", ".*"), host))
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _ascii(host: str) -> str:
    """Write a host's name as it travels."""
    with suppress(UnicodeError):
        return host.encode("idna").decode().lower()
    return host.lower()
