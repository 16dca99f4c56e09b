"""Signatures that cannot be declared: one module a scheme, each a function of the request, the time and the keys."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from exporter.providers.schemes import SCHEMES
from exporter.upstream.signing.unsigned import Unsigned

Sign = Callable[[Unsigned, Mapping[str, str]], dict[str, str]]


def scheme(name: str) -> Sign:
    """Return the function that signs by a scheme; it returns the headers to add. Few exporters need any of them."""
    assert name in SCHEMES, name  # noqa: S101 - the schema of definitions knows no other
    return cast("Sign", import_module(f"exporter.upstream.signing.{name}").sign)
