"""Zadarma's signature: path, sorted query and its MD5, under HMAC-SHA1, as hexadecimal digits in Base64."""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from hashlib import md5
from urllib.parse import parse_qsl, urlencode

from exporter.upstream.signing.unsigned import Unsigned


def sign(request: Unsigned, keys: Mapping[str, str]) -> dict[str, str]:
    """Return the header that signs a request; the body, where there is one, is a form."""
    text = request.body.decode() if request.body else request.parts.query
    fields = urlencode(sorted(parse_qsl(text, keep_blank_values=True)))
    digest = md5(fields.encode()).hexdigest()  # noqa: S324 - the provider's choice
    signature = hmac.new(keys["api_secret"].encode(), f"{request.path}{fields}{digest}".encode(), "sha1")
    return {"Authorization": f"{keys['api_key']}:{b64encode(signature.hexdigest().encode()).decode()}"}
