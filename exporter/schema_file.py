"""The JSON Schema of the operator's file, for editors: the schema of the settings with the credentials' keys added."""

from typing import Any

from exporter import providers
from exporter.checks import FORMS
from exporter.settings import FileSettings

_PLACES = {"_file": "file that holds {}", "_env": "environment variable that holds {}", "": "{}, literally"}


def schema() -> dict[str, Any]:
    """Give the schema; the built-in providers' credentials and names are in it, own definitions' are let pass."""
    result = FileSettings.model_json_schema()
    account = result["$defs"]["AccountSettings"]
    for name in providers.names():
        for credential, declared in providers.built_in(name).definition.credentials.items():
            for form in FORMS:
                text = _PLACES[form].format(declared.description)
                account["properties"].setdefault(
                    f"{credential}{form}", {"type": "string", "description": text}
                )
    account["properties"]["provider"]["examples"] = list(providers.names())
    # An operator's own definition may declare credentials of any name.
    account["patternProperties"] = {"^[a-z][a-z0-9_]*_(file|env)$": {"type": "string"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **result,
        "title": "Configuration of prepaid-exporter",
    }
