"""TLS with the certificates that are in force when a connection comes."""

import ssl
from typing import Any, Self

from exporter.web.web_config import WebConfig


class CurrentContext(ssl.SSLContext):
    """Hand each new connection to the context that is in force by then: renewing a certificate takes no restart.

    The event loop asks one context, given at the start, for every connection.
    """

    def __new__(cls, _: WebConfig) -> Self:
        """Make a context that is never used itself."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, web_config: WebConfig) -> None:
        self._web_config = web_config

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """Begin TLS on a new connection; raise `ssl.SSLError` where there is no certificate."""
        context = self._web_config.context
        if context is None:
            raise ssl.SSLError("no certificate")
        return context.wrap_bio(*args, **options)
