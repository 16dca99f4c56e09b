"""A request that is whole but for its signature."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import SplitResult, urlsplit

from exporter.upstream.proxies import PORTS, bracketed


@dataclass(frozen=True)
class Unsigned:
    """What is sent, and when: `at` in whole Unix seconds; `nonce` is fresh for each request."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at: int
    nonce: str

    @property
    def parts(self) -> SplitResult:
        """Return the parts of the URL."""
        return urlsplit(self.url)

    @property
    def port(self) -> int:
        """Return the port, which the scheme of the URL says where the URL does not."""
        return self.parts.port or PORTS[self.parts.scheme]

    @property
    def host(self) -> str:
        """Return the host as the header Host has it: with its port where this is not the usual one."""
        parts = self.parts
        name = bracketed(parts.hostname or "")
        return name if self.port == PORTS[parts.scheme] else f"{name}:{self.port}"

    @property
    def path(self) -> str:
        """Return the path, which is never empty."""
        return self.parts.path or "/"

    @property
    def moment(self) -> datetime:
        """Return the time of the request, in UTC."""
        return datetime.fromtimestamp(self.at, UTC)

    def header(self, name: str) -> str:
        """Return a header's value, by its name in any case; empty where there is none."""
        return next((value for key, value in self.headers.items() if key.lower() == name), "").strip()


def sha256_hex(content: bytes) -> str:
    """Return the hash of a content, as signatures write it."""
    return sha256(content).hexdigest()


def hmac_sha256(key: bytes, text: str) -> bytes:
    """Return the code of a text under a key."""
    return hmac.digest(key, text.encode(), "sha256")
