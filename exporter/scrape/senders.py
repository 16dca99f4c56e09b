"""The prepared requests of an account, each kept as long as nothing that goes into it changes."""

from collections.abc import Mapping
from types import MappingProxyType

from exporter.config import Account
from exporter.providers.definition import Call, SignedAuth
from exporter.upstream.client import Client, Sender
from exporter.upstream.request import prepare


class Senders:
    """Makes what sends the requests of an account."""

    def __init__(self, account: Account, client: Client) -> None:
        self._account = account
        self._client = client
        self._kept: dict[str, tuple[object, Sender]] = {}
        definition = account.provider.definition
        self._changing = {
            key
            for key, call in definition.calls()
            if call.changes or isinstance(definition.auth_of(call), SignedAuth)
        }

    def forget(self) -> None:
        """Make everything anew from now on: the file of authorities has changed."""
        self._kept = {}

    def sender(
        self,
        key: str,
        call: Call,
        secrets: Mapping[str, str],
        given: Mapping[str, str] = MappingProxyType({}),
        page: str | None = None,
    ) -> Sender:
        """Return what sends a request, which the definition has under `key`; raise `Failure`."""
        values = (secrets, given)
        kept = self._kept.get(key)
        if kept and kept[0] == values and page is None and key not in self._changing:
            return kept[1]
        prepared = prepare(self._account, secrets, call, given, page)
        sender = self._client.sender(prepared, self._account.ca_file, self._account.proxy_url)
        if page is None:
            self._kept[key] = (values, sender)
        return sender
