"""OVHcloud's signature, `$1$` and a SHA-1 of what is asked; the machine's clock has to be right."""

from collections.abc import Mapping
from hashlib import sha1

from exporter.upstream.signing.unsigned import Unsigned


def sign(request: Unsigned, keys: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that sign a request."""
    parts = (
        keys["application_secret"],
        keys["consumer_key"],
        request.method,
        request.url,
        request.body.decode(),
        str(request.at),
    )
    signature = sha1("+".join(parts).encode()).hexdigest()  # noqa: S324 - the provider's choice
    return {
        "X-Ovh-Application": keys["application_key"],
        "X-Ovh-Consumer": keys["consumer_key"],
        "X-Ovh-Timestamp": str(request.at),
        "X-Ovh-Signature": f"$1${signature}",
    }
