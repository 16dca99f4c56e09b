"""A definition of a few lines."""

from typing import Any

from exporter.providers.definition import Definition


def definition(**parts: Any) -> Definition:
    """Make a definition that is good but for the parts given."""
    return Definition.model_validate(
        {
            "title": "Acme",
            "documentation": [],
            "confidence": "observed",
            "credentials": {"api_key": {"description": "key"}},
            "base_url": "https://api.example.com/v1",
            "request": {"path": "/balance"},
            "auth": {"type": "bearer"},
            "wallets": {"currency": {"literal": "EUR"}, "balance": "balance"},
            **parts,
        }
    )
