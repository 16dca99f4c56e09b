"""An answer without what is the customer's: texts, amounts and dates of the same form, all of them invented."""

import json
import re
from collections.abc import Collection
from decimal import Decimal
from itertools import count
from typing import Any
from xml.sax.saxutils import escape

from exporter.drafting.candidates import is_ordinary
from exporter.extract.echoes import contains_secret
from exporter.schema.currencies import is_currency

_MOST_ELEMENTS = 3
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?(Z|[+-]\d\d:?\d\d)?")
_NUMBER = re.compile(r"[-+]?\d[\d.,]*(?:[eE][-+]?\d+)?")
_DIGITS = re.compile(r"\d")
_ORDINARY = frozenset(
    {
        "ok",
        "success",
        "error",
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
        "active",
        "enabled",
        "disabled",
        "none",
    }
    | {"prepaid", "postpaid", "credits", "sms", "tokens", "points", "minutes", "characters", "free", "trial"}
)
_XML_TEXT = re.compile(
    r"<!--.*?-->|<!\[CDATA\[(.*?)\]\]>|(?<=>)([^<>]+)(?=<)|((?:[\w:]+)=)([\"'])(.*?)\4", re.DOTALL
)


class Redaction:
    """Replaces the texts, amounts and dates of one answer. Equal ones become equal, and different ones different."""

    def __init__(self, kept: Collection[str], secrets: Collection[str]) -> None:
        self._kept = kept
        self._secrets = secrets
        self._numbers = count()
        self._texts: dict[str, str] = {}

    def document(self, node: Any) -> Any:
        """Return a document of the same shape; of a list no more than its first elements."""
        if isinstance(node, dict):
            return {self._name(key): self.document(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self.document(one) for one in node[:_MOST_ELEMENTS]]
        if isinstance(node, str):
            return self.text(node)
        if isinstance(node, bool) or node is None:
            return node
        number = self._digits(f"{Decimal(node):f}")
        return int(number) if isinstance(node, int) else Decimal(number)

    def text(self, value: str) -> str:
        """Return what stands for a text."""
        bare = value.strip()
        if contains_secret(value, self._secrets):
            return self._invented(value)
        if value in self._kept or not bare or bare.lower() in _ORDINARY or is_currency(bare):
            return value
        if date := _DATE.fullmatch(bare):
            return "2027-01-31" + re.sub(r"\d", "0", (date[2] or "") + (date[5] or ""))
        return self._digits(value) if _NUMBER.fullmatch(bare) else self._invented(value)

    def around(self, value: str, part: str) -> str:
        """Return a text of which one part is read: there only the digits change."""
        before, found, after = value.partition(part)
        if not found or contains_secret(part, self._secrets):
            return self._invented(value)
        return (
            _scrubbed(before) + _NUMBER.sub(lambda number: self._digits(number[0]), part) + _scrubbed(after)
        )

    def xml(self, text: str) -> str:
        """Return a document of XML with other texts in its elements and attributes; comments are left out."""

        def replaced(found: re.Match[str]) -> str:
            cdata, inner, name, quote, value = found.groups()
            if name:
                plain = name.startswith("xmlns") or name in ("version=", "encoding=", "standalone=")
                return (
                    found[0] if plain else name + quote + escape(self.text(value), {'"': "", "'": ""}) + quote
                )
            if inner and inner.strip():
                return escape(self.text(inner.strip()))
            return inner or escape(self.text(cdata or "") if cdata else "")

        return _XML_TEXT.sub(replaced, text)

    def _name(self, key: str) -> str:
        ordinary = is_ordinary(key) and not contains_secret(key, self._secrets)
        return key if ordinary else self._invented(key)

    def _invented(self, value: str) -> str:
        return self._texts.setdefault(value, f"text-{len(self._texts) + 1}")

    def _digits(self, written: str) -> str:
        """Return a number of the same form; 0 and 1 mean the same for everybody."""
        if written.lstrip("+-") in ("0", "1") or not set(written) & set("123456789"):
            return written
        begin = next(self._numbers)
        digits = count(begin)
        leading = True
        out = ""
        for sign in written:
            leading = leading and sign in "0.,+-"
            out += sign if leading or not sign.isdigit() else str(next(digits) % 9 + 1)
        return out


def _scrubbed(text: str) -> str:
    return re.sub(r"\w", "x", text)


def as_json(document: Any) -> str:
    """Write a document as JSON."""
    return json.dumps(document, ensure_ascii=False, default=float)
