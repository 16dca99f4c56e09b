"""Tencent Cloud's signature of version 3, TC3-HMAC-SHA256. The service is the first part of the host's name."""

from collections.abc import Mapping

from exporter.upstream.signing.unsigned import Unsigned, hmac_sha256, sha256_hex

_ALGORITHM = "TC3-HMAC-SHA256"
_SIGNED = "content-type;host"


def sign(request: Unsigned, keys: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that sign a request."""
    day, service = f"{request.moment:%Y-%m-%d}", request.host.partition(".")[0]
    canonical = "\n".join(
        [
            request.method,
            request.path,
            request.parts.query,
            f"content-type:{request.header('content-type')}",
            f"host:{request.host}",
            "",
            _SIGNED,
            sha256_hex(request.body),
        ]
    )
    scope = f"{day}/{service}/tc3_request"
    text = "\n".join([_ALGORITHM, str(request.at), scope, sha256_hex(canonical.encode())])
    key = f"TC3{keys['secret_key']}".encode()
    for part in (day, service, "tc3_request"):
        key = hmac_sha256(key, part)
    signature = hmac_sha256(key, text).hex()
    head = f"{_ALGORITHM} Credential={keys['secret_id']}/{scope}, SignedHeaders={_SIGNED}"
    return {"X-TC-Timestamp": str(request.at), "Authorization": f"{head}, Signature={signature}"}
