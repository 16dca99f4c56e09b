"""Alibaba Cloud's signature of version 3, ACS3-HMAC-SHA256, of `host`, `content-type` and every `x-acs-*`."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

from exporter.upstream.signing.unsigned import Unsigned, hmac_sha256, sha256_hex

_ALGORITHM = "ACS3-HMAC-SHA256"


def sign(request: Unsigned, keys: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that sign a request."""
    content = sha256_hex(request.body)
    added = {
        "x-acs-date": f"{request.moment:%Y-%m-%dT%H:%M:%SZ}",
        "x-acs-signature-nonce": request.nonce,
        "x-acs-content-sha256": content,
    }
    signed = {"host": request.host, **added}
    for name, value in request.headers.items():
        if name.lower() == "content-type" or name.lower().startswith("x-acs-"):
            signed[name.lower()] = value.strip()
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        [
            request.method,
            request.path,
            _query(request.parts.query),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            content,
        ]
    )
    text = f"{_ALGORITHM}\n{sha256_hex(canonical.encode())}"
    signature = hmac_sha256(keys["access_key_secret"].encode(), text).hex()
    head = f"{_ALGORITHM} Credential={keys['access_key_id']},SignedHeaders={names}"
    return {**added, "Authorization": f"{head},Signature={signature}"}


def _query(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs)
