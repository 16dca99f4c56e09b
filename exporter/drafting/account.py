"""An account that no configuration names, to try a definition with."""

from collections.abc import Mapping

from exporter.config import Account
from exporter.providers import Provider

_TIMEOUT = 30.0


def account(provider: Provider, params: Mapping[str, str], unit: str | None = None) -> Account:
    """Return an account at a provider, without its keys."""
    definition = provider.definition
    given = {name: param.default for name, param in definition.params.items() if param.default is not None}
    given |= params
    return Account(definition.title, provider, {}, given, definition.base_url, _TIMEOUT, 0.0, currency=unit)
