"""From the bytes of an answer to a document. The only place that parses by format.

Whatever is not a document is a ValueError whose text is ours: what a provider wrote is never quoted.
"""

import codecs
import json
import re
from collections.abc import Callable, Collection, Mapping
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

_XML_CHARSET = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*["']([\w.-]+)["']""")

_PAGE = re.compile(r"\s*<(!doctype\s+html|html)[\s>]", re.IGNORECASE)


def parse(body: bytes, content_type: str = "", answer: str = "json", lists: Collection[str] = ()) -> Any:
    """Parse an answer of a format; raise ValueError for what is no document, or is nested over a hundred levels deep.

    Numbers of JSON are exact. The kind that the Content-Type names is ignored, its charset is not. `lists` names the
    elements of XML that are lists even where there is one.
    """
    return _PARSERS[answer](_text(body, _named_charset(content_type), answer), lists)


@lru_cache(maxsize=1024)
def _named_charset(content_type: str) -> str | None:
    """Return the charset that an answer names, as Python calls it; None where it names none that is known."""
    header = Message()
    header["Content-Type"] = content_type
    return _charset(header.get_content_charset() or "")


def _charset(name: str) -> str | None:
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    if not codec._is_text_encoding or codec.name.replace("_", "-") in _NO_CHARSETS:  # noqa: SLF001 - as bytes.decode
        return None
    return _SUPERSETS.get(codec.name, codec.name)


def _text(body: bytes, charset: str | None, answer: str) -> str:
    charset = charset or _own_charset(body, answer)
    try:
        return body.decode(charset).removeprefix(_BOM)
    except (UnicodeError, ValueError):
        raise ValueError(f"is not text in {charset}") from None


def _own_charset(body: bytes, answer: str) -> str:
    """Return what the bytes themselves say: UTF-8 in a text, one of the UTFs in JSON, any in XML's first line."""
    if answer == "text":
        return "utf-8"
    unicode = json.detect_encoding(body)
    declared = _XML_CHARSET.match(body.removeprefix(codecs.BOM_UTF8)) if answer == "xml" else None
    if declared and unicode == "utf-8":
        return _charset(declared[1].decode("ascii", "ignore")) or unicode
    return unicode


def _json(text: str, _lists: Collection[str]) -> Any:
    try:
        found = json.loads(
            text, parse_float=_exact, parse_int=_whole, parse_constant=_refuse, object_pairs_hook=_object
        )
    except json.JSONDecodeError:
        raise ValueError(_no_document(text, "is not JSON")) from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ArithmeticError:
        raise ValueError("has a number that is too long or too large") from None
    _check_depth(found)
    return found


def _no_document(text: str, problem: str) -> str:
    """Return what is wrong with a text; a page, such as one of a proxy or of a maintenance, is called by its name."""
    return "is a page for people (HTML)" if _PAGE.match(text) else problem


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("has an object that gives a key twice")
    return found


def _exact(digits: str) -> Decimal:
    value = Decimal(digits)
    if abs(value.adjusted()) > _MAX_WRITTEN_EXPONENT:
        # Exact arithmetic with it, which a definition may ask for, would fill the memory.
        raise ValueError("has a number that is too long or too large")
    return value


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < _FEW_DIGITS else _exact(digits)


def _refuse(constant: str) -> Any:
    raise ValueError(f"has {constant}, which is not JSON")


def _plain(text: str, _lists: Collection[str]) -> Any:
    return {"text": text.strip()}


def _xml(text: str, lists: Collection[str]) -> Any:
    """Parse XML twice: for what must not be in it, which the second library would take, and then into a document."""
    # Imported here: most exporters read no XML, and need not hold its libraries in memory.
    from defusedxml import DefusedXmlException, ElementTree  # noqa: PLC0415
    from xmltodict import parse as to_dict  # noqa: PLC0415

    parser = ElementTree.XMLParser(target=_Outline(), forbid_dtd=True)
    try:
        parser.feed(text)
        parser.close()
    except ElementTree.ParseError:
        raise ValueError(_no_document(text, "is not XML")) from None
    except DefusedXmlException:
        raise ValueError(_no_document(text, "has a DOCTYPE, which is refused")) from None
    found: Any = to_dict(text, force_list=tuple(lists), postprocessor=_without_prefix)
    return found


class _Outline:
    """Looks at the elements of XML as they come."""

    def __init__(self) -> None:
        self._depth = 0

    def start(self, _name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError("is nested too deeply")
        names = {name.rpartition("}")[2] for name in attributes}
        if len(names) != len(attributes):
            raise ValueError("has an element that gives an attribute twice")

    def end(self, _name: str) -> None:
        self._depth -= 1

    def close(self) -> None:
        pass


def _without_prefix(_path: Any, name: str, value: Any) -> Any:
    """Name elements and attributes without their namespace's prefix, and leave out where the prefixes come from."""
    if name == "@xmlns" or name.startswith("@xmlns:"):
        return None
    mark = "@" if name.startswith("@") else ""
    return mark + name.removeprefix("@").rpartition(":")[2], value


_PARSERS: Mapping[str, Callable[[str, Collection[str]], Any]] = {"json": _json, "text": _plain, "xml": _xml}


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
