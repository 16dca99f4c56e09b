"""The JSON Schema of the operator's file, for editors: the schema of the settings with the credentials' keys added."""

from typing import Any

from exporter import providers
from exporter.config.checks import FORMS
from exporter.config.settings import AccountSettings, FileSettings
from exporter.providers.definition import Definition

_PLACES = {"_file": "file that holds {}", "_env": "environment variable that holds {}", "": "{}, literally"}


def schema() -> dict[str, Any]:
    """Return the schema. It knows the credentials of built-in providers and lets those of own definitions pass."""
    result = FileSettings.model_json_schema()
    account = result["$defs"]["AccountSettings"]
    for credential, meaning in _credentials().items():
        for form in FORMS:
            account["properties"].setdefault(
                f"{credential}{form}", {"type": "string", "description": _PLACES[form].format(meaning)}
            )
    account["properties"]["provider"]["examples"] = list(providers.names())
    account["allOf"] = [
        {
            "if": {"properties": {"provider": {"const": name}}, "required": ["provider"]},
            "then": _demands(providers.built_in(name).definition, list(AccountSettings.model_fields)),
        }
        for name in providers.names()
    ]
    # An operator's own definition may declare credentials of any name.
    account["patternProperties"] = {"^[a-z][a-z0-9_]*_(file|env)$": {"type": "string"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **result,
        "title": "Configuration of prepaid-exporter",
    }


def _credentials() -> dict[str, str]:
    """Return every credential of a built-in provider, with what it is where all providers mean the same by it."""
    meanings: dict[str, set[str]] = {}
    for name in providers.names():
        for credential, declared in providers.built_in(name).definition.credentials.items():
            meanings.setdefault(credential, set()).add(declared.description)
    return {
        credential: next(iter(said)) if len(said) == 1 else f"the credential {credential} of the provider"
        for credential, said in meanings.items()
    }


def _demands(definition: Definition, keys: list[str]) -> dict[str, Any]:
    """Return the keys that an account of a built-in provider must have, and those that it may have."""
    forms = [[f"{credential}{form}" for form in FORMS] for credential in definition.credentials]
    groups = [
        *definition.exactly_one,
        *([name] for name, param in definition.params.items() if param.required),
    ]
    params: dict[str, Any] = {"propertyNames": {"enum": list(definition.params)}}
    if groups:
        # One of two params may be given as null or empty, so only the program knows whether both are given.
        params["allOf"] = [{"anyOf": [{"required": [name]} for name in group]} for group in groups]
    return {
        "allOf": [{"oneOf": [{"required": [key]} for key in keys]} for keys in forms],
        "required": [
            *(["params"] if groups else []),
            *(["currency"] if definition.needs_currency else []),
            *(["base_url"] if definition.needs_base_url else []),
        ],
        "propertyNames": {"enum": [*keys, *(key for keys in forms for key in keys)]},
        "properties": {"params": params},
    }
