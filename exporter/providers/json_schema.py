"""The JSON Schema of a definition, for editors."""

from typing import Any

from exporter.providers.definition import Definition


def schema() -> dict[str, Any]:
    """Return the schema. What depends on two places at once, only the program knows."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Definition.model_json_schema(),
        "title": "Provider definition of prepaid-exporter",
    }
