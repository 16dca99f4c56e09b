"""The way to a value of an answer, and the words in the names that stand on it."""

import json
import re
from collections.abc import Iterator
from typing import Any

Steps = tuple[str | None, ...]
"""The way to a value: names of fields, None for each element of a list."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_]+")


def expression(steps: Steps) -> str:
    """Write the way to a value as JMESPath."""
    text = ""
    for step in steps:
        if step is None:
            text += "[]"
        else:
            text += ("." if text else "") + (step if _PLAIN.fullmatch(step) else json.dumps(step))
    return text or "@"


def words(name: str) -> list[str]:
    """Return the words of a name as `balanceUSD` or of a text, in small letters."""
    return [word.lower() for word in _WORD.findall(name)]


def nodes(document: Any, steps: Steps) -> Iterator[Any]:
    """Yield what stands on a way, from the document on; of a list the first object."""
    node = document
    yield node
    for step in steps:
        node = next((one for one in node if isinstance(one, dict)), None) if step is None else node[step]
        yield node
