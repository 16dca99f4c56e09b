"""Keys that should be indented under the one above them."""

from collections.abc import Collection, Iterator, Mapping
from itertools import takewhile
from typing import Any


def forgotten(
    raw: Mapping[str, Any], mappings: Collection[str], known: Collection[str]
) -> Iterator[tuple[str, list[str]]]:
    """Yield each key of `mappings` that has no value, with the unknown keys that follow it: its own, not indented."""
    keys = list(raw)
    for place, key in enumerate(keys):
        if key in mappings and raw[key] is None:
            inner = list(takewhile(lambda other: other not in known, keys[place + 1 :]))
            if inner:
                yield key, inner
