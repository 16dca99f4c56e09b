"""`${...}` in the operator's file: other programs replace it, this one sends what stands there."""

import re
from collections.abc import Iterator
from typing import Any

from exporter.schema.problems import Location

PLACEHOLDER = re.compile(r"\$\{[^{}]*\}")
_PLAIN = re.compile(r"\$\{\w+\}")


def placeholders(data: Any, where: Location = ()) -> Iterator[tuple[Location, str]]:
    """Yield where a text or a key holds `${...}`, and what of it may be shown: its name, but no default value."""
    if isinstance(data, str):
        found = PLACEHOLDER.search(data)
        if found:
            yield where, found[0] if _PLAIN.fullmatch(found[0]) else "${...}"
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from placeholders(key, (*where, key))
            yield from placeholders(value, (*where, key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from placeholders(item, (*where, index))


def advice(key: str, *, credential: bool) -> str:
    """Return what to write in place of `${...}` at a key of the file, which may be one for a credential."""
    if credential and key.endswith("_env"):
        return "give the bare name of the variable"
    if credential and not key.endswith("_file"):
        return f"use {key}_env or {key}_file"
    return "write the value itself, or let envsubst, Helm or Ansible write this file"
