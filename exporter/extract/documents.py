"""From the bytes of an answer to a document. The only place that parses by format.

Whatever is not a document is a ValueError whose text is ours: what a provider wrote is never quoted.
"""

import codecs
import json
from decimal import Decimal
from email.message import Message
from functools import lru_cache
from typing import Any

_MAX_DEPTH = 100
_MAX_WRITTEN_EXPONENT = 9999
_FEW_DIGITS = 40
_BOM = "\ufeff"
_NO_CHARSETS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"})
"""What Python counts among the charsets, and no answer comes in."""

_SUPERSETS = {"ascii": "utf-8", "gb2312": "gb18030", "gbk": "gb18030"}
"""Charsets that are named where a larger one is meant."""


def parse(body: bytes, content_type: str = "") -> Any:
    """Parse an answer; raise ValueError for what is no document, NaN and endless nesting included.

    Numbers are exact. The kind that the Content-Type names is ignored, its charset is not.
    """
    found = _json(_text(body, _charset(content_type)))
    _check_depth(found)
    return found


@lru_cache(maxsize=1024)
def _charset(content_type: str) -> str | None:
    """Return the charset that an answer names, as Python calls it; None where it names none that is known."""
    header = Message()
    header["Content-Type"] = content_type
    try:
        codec = codecs.lookup(header.get_content_charset() or "")
    except (LookupError, ValueError):
        return None
    if not codec._is_text_encoding or codec.name.replace("_", "-") in _NO_CHARSETS:  # noqa: SLF001 - as bytes.decode
        return None
    return _SUPERSETS.get(codec.name, codec.name)


def _text(body: bytes, charset: str | None) -> str:
    charset = charset or json.detect_encoding(body)
    try:
        return body.decode(charset).removeprefix(_BOM)
    except (UnicodeError, ValueError):
        raise ValueError(f"is not text in {charset}") from None


def _json(text: str) -> Any:
    try:
        return json.loads(
            text, parse_float=_exact, parse_int=_whole, parse_constant=_refuse, object_pairs_hook=_object
        )
    except json.JSONDecodeError:
        raise ValueError("is not JSON") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ArithmeticError:
        raise ValueError("has a number beyond all bounds") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("has an object that gives a key twice")
    return found


def _exact(digits: str) -> Decimal:
    value = Decimal(digits)
    if abs(value.adjusted()) > _MAX_WRITTEN_EXPONENT:
        # Exact arithmetic with it, which a definition may ask for, would fill the memory.
        raise ValueError("has a number beyond all bounds")
    return value


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < _FEW_DIGITS else _exact(digits)


def _refuse(constant: str) -> Any:
    raise ValueError(f"has {constant}, which is not JSON")


def _check_depth(found: Any) -> None:
    """Raise ValueError for a list or object in a hundred others."""
    level = [found]
    for _ in range(_MAX_DEPTH):
        if not level:
            return
        level = [
            inner
            for node in level
            for inner in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
            if isinstance(inner, dict | list)
        ]
    if level:
        raise ValueError("is nested too deeply")
