"""Who vouches for the other side of TLS: the operator's authorities for an account, else the public ones."""

import ssl
from functools import lru_cache
from pathlib import Path

import certifi

from exporter.config.authorities import authorities
from exporter.files import file_signature
from exporter.model import Failure, Reason


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Give the settings of TLS that trust a file's authorities; the same ones until the file changes.

    Raises `Failure` when the file, which was there at load, cannot be read any more.
    """
    try:
        return _context(ca_file, ca_file and file_signature(Path(ca_file)))
    except OSError:
        raise Failure(Reason.MISCONFIGURED, f"ca_file {ca_file} cannot be read") from None


@lru_cache(maxsize=64)
def _context(ca_file: str | None, _signature: object) -> ssl.SSLContext:
    # Loading the authorities for each connection would be slow.
    if ca_file is None:
        context = ssl.create_default_context(cafile=certifi.where())
    else:
        context = ssl.create_default_context(cadata=authorities(Path(ca_file)))
    context.set_alpn_protocols(["http/1.1"])
    return context
