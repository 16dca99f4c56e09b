"""Who vouches for the other side of TLS: the account's file, else the environment's, else the public authorities."""

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import certifi

from exporter.config.authorities import authorities
from exporter.files import file_signature
from exporter.model import Failure, Reason


@dataclass(frozen=True)
class Trust:
    """Files and folders of authorities, with what they are called and what tells each from its renewal."""

    places: tuple[tuple[str, str, object], ...]

    def __str__(self) -> str:
        """Return whose authorities count."""
        return ", ".join(f"{name} {path}" for name, path, _ in self.places) or "the public authorities"


def trusted(ca_file: str | None) -> Trust:
    """Find what an account trusts now: its `ca_file`, else what OpenSSL's and the library's variables name."""
    if ca_file:
        return Trust((_place("ca_file", ca_file),))
    return Trust(tuple(_of_openssl()) or tuple(_of_requests()))


def _of_openssl() -> Iterator[tuple[str, str, object]]:
    if file := os.environ.get("SSL_CERT_FILE"):
        yield _place("SSL_CERT_FILE", file)
    for folder in filter(None, os.environ.get("SSL_CERT_DIR", "").split(os.pathsep)):
        yield _place("SSL_CERT_DIR", folder)


def _of_requests() -> Iterator[tuple[str, str, object]]:
    if place := os.environ.get("REQUESTS_CA_BUNDLE"):
        yield _place("REQUESTS_CA_BUNDLE", place)


def _place(name: str, path: str) -> tuple[str, str, object]:
    return name, path, file_signature(Path(path))


NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The settings of a route without TLS: they trust nobody."""


@lru_cache(maxsize=64)
def tls_context(trust: Trust) -> ssl.SSLContext:
    """Make the settings of TLS, the same ones until something changes: to load authorities is slow.

    A certificate means the same under every Python: one that is trusted needs nobody above it, be it an intermediate
    or the server's own, and it may be older than what RFC 5280 demands. Raise `Failure` for what cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.set_alpn_protocols(["http/1.1"])
    for name, path, _ in trust.places:
        try:
            if Path(path).is_dir() and name != "ca_file":
                context.load_verify_locations(capath=path)
            else:
                context.load_verify_locations(cadata=authorities(Path(path)))
        except (OSError, ValueError):
            raise Failure(Reason.MISCONFIGURED, f"{name} {path} cannot be read") from None
    if not trust.places:
        context.load_verify_locations(cafile=certifi.where())
    return context
