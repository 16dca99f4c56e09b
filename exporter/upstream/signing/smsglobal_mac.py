"""SMSGlobal's signature: HTTP MAC authentication (draft-ietf-oauth-v2-http-mac-01) with HMAC-SHA256."""

from base64 import b64encode
from collections.abc import Mapping

from exporter.upstream.signing.unsigned import Unsigned, hmac_sha256


def sign(request: Unsigned, keys: Mapping[str, str]) -> dict[str, str]:
    """Return the header that signs a request."""
    query = f"?{request.parts.query}" if request.parts.query else ""
    lines = (
        str(request.at),
        request.nonce,
        request.method,
        request.path + query,
        request.parts.hostname or "",
        str(request.port),
        "",
    )
    text = "".join(f"{line}\n" for line in lines)
    mac = b64encode(hmac_sha256(keys["api_secret"].encode(), text)).decode()
    given = {"id": keys["api_key"], "ts": str(request.at), "nonce": request.nonce, "mac": mac}
    return {"Authorization": "MAC " + ", ".join(f'{name}="{value}"' for name, value in given.items())}
