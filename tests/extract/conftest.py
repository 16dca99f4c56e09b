"""Definitions of a few lines, and what is extracted by them."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.extract.extractor import Extractor
from exporter.model import Wallet
from exporter.providers.definition import Definition
from tests.definitions import definition

Extracted = tuple[tuple[Wallet, ...], tuple[str, ...]]


@pytest.fixture(scope="session")
def define() -> Callable[..., Definition]:
    """Make a definition that is good but for the parts given."""
    return definition


@pytest.fixture(scope="session")
def extract() -> Callable[..., Extracted]:
    """Read an answer with one wallet mapping: its wallets, and the notes on what was left out."""

    def extract(wallet: Any, body: str, currency: str | None = None, **parts: Any) -> Extracted:
        extractor = Extractor(definition(wallets=wallet, **parts))
        return extractor.wallets(extractor.document(200, body.encode()), currency)

    return extract
