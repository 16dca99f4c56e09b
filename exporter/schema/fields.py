"""The base of every schema of ours: strict models, and the kinds of text that they share."""

import re
import unicodedata
from decimal import Decimal
from ipaddress import ip_address
from string import Template
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core.core_schema import no_info_before_validator_function

from exporter.schema.paths import expression, without_sum
from exporter.schema.patterns import MAX_TEXT, number_pattern, text_pattern

UNIT = re.compile(r"[A-Z][A-Z0-9_]{0,31}")
NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,4})?")
_ODD_ESCAPE = re.compile(
    r"%(?:2[eEfFdD]|5[cCfF]|7[eE]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|(?![0-9a-fA-F]{2}))"
)
"""Escapes of what needs none, or that change where a path leads."""

NO_TEMPLATE = "is not a template: write ${name} for a variable and $$ for a dollar sign"

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OWN_HEADERS = frozenset({"host", "connection", "content-length", "transfer-encoding"})
_HOST = re.compile(r"(.*@)?(\[[^\[\]]+\]|[^\[\]:]+)(:[0-9]*)?")


def is_loopback(host: str | None) -> bool:
    """Return whether what is sent to a host stays on this machine."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return host == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def is_cleartext(url: str, proxy_url: str | None = None) -> bool:
    """Return whether what is sent to a URL travels unencrypted to another host, or to a proxy on another host.

    False for a text that is not a URL: another check refuses it.
    """
    try:
        hosts = [urlsplit(one).hostname for one in (url, proxy_url) if one]
        return urlsplit(url).scheme == "http" and not all(map(is_loopback, hosts))
    except ValueError:
        return False


class Strict(BaseModel):
    """Frozen, and with no key that the schema does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def _template(value: str) -> str:
    if not Template(value).is_valid():
        raise ValueError(NO_TEMPLATE)
    return value


def printable(value: str) -> str:
    """Accept a text on one line; raise ValueError for control characters."""
    if not value.isprintable():
        raise ValueError("holds a line break or another control character")
    return value


def label(value: str) -> str:
    """Accept a text that can be the value of a label; raise ValueError for control characters and lone surrogates."""
    if not 0 < len(value) <= MAX_TEXT or any(unicodedata.category(sign) in ("Cc", "Cs") for sign in value):
        raise ValueError(f"must be text of 1 to {MAX_TEXT} characters, without control characters")
    return value


def _scalar(value: Any) -> Any:
    if not isinstance(value, bool | int | str):
        raise ValueError("must be text, a whole number, or true or false")  # noqa: TRY004 - the schema library's rule
    return value


def visible(value: str) -> str:
    """Return a text without the white space and invisible characters around it."""
    seen = [index for index, sign in enumerate(value) if unicodedata.category(sign)[0] not in "ZC"]
    return value[seen[0] : seen[-1] + 1] if seen else ""


def header_name(value: str) -> str:
    """Accept a header's name; raise ValueError for any other text, and for the headers that HTTP itself needs."""
    if not _HEADER.fullmatch(value):
        raise ValueError("is not the name of a header")
    if value.lower() in _OWN_HEADERS:
        raise ValueError("is a header that the exporter sets by itself")
    return value


def _path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("must begin with /")
    if any(sign in " #\\" or not sign.isprintable() for sign in value):
        raise ValueError("holds a space, #, \\ or a control character")
    if {".", ".."} & set(value.partition("?")[0].split("/")):
        raise ValueError("must not hold . or .. between slashes")
    if _ODD_ESCAPE.search(value):
        raise ValueError(
            "holds an escape that hides a character; write the character itself (%25 for a percent sign)"
        )
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("must be a name of a-z, 0-9 and _ that begins with a letter")
    return value


def unit(value: str) -> str:
    """Accept a currency or unit in capitals; raise ValueError for any other text."""
    if not UNIT.fullmatch(value):
        raise ValueError("must be a currency or unit, such as EUR or CREDITS: A-Z, 0-9 and _, at most 32")
    return value


class short:  # noqa: N801 - used like a function, in annotations
    """Let a bare string or list stand for a mapping with that one key."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """Return the schema by which a value is read."""
        return no_info_before_validator_function(self._mapping, handler(source))

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return what editors are told: the mapping, or what stands for it."""
        return {"anyOf": [*_TEXTS, handler(core)]}

    def _mapping(self, value: Any) -> Any:
        if isinstance(value, str | list):
            return {self._key: value}
        if isinstance(value, bool | int | Decimal):
            raise ValueError(f"must be a {self._key} (text), or a mapping of keys to values")  # noqa: TRY004
        return value


_TEXTS: list[dict[str, Any]] = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]


def such_as(example: str) -> BeforeValidator:
    """Show what a mapping looks like to who wrote something else in its place, which may be a secret."""

    def mapping(value: Any) -> Any:
        if isinstance(value, str | int | Decimal | list):
            raise ValueError(f"must be a mapping of keys to values, such as {{{example}}}")  # noqa: TRY004 - as above
        return value

    return BeforeValidator(mapping)


def list_such_as(example: str) -> BeforeValidator:
    """Show what a list looks like to who wrote its only entry alone."""

    def entries(value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(f"must be a list, such as [{example}]")  # noqa: TRY004 - as above
        return value

    return BeforeValidator(entries)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def host_url(value: str) -> str:
    """Accept an http or https URL that names a host; raise ValueError for anything else."""
    try:
        parts = urlsplit(value)
        named = bool(parts.hostname and _HOST.fullmatch(parts.netloc)) and parts.port != 0
        complete = named and parts.scheme in ("http", "https")
    except ValueError:
        complete = False
    if not complete or not value.isprintable() or " " in value:
        raise ValueError("must be a URL that begins with https:// or http:// and names a host")
    return value


def secure_url(value: str) -> str:
    """Accept an http or https URL with a host and without user, query or fragment; raise ValueError for another."""
    parts = urlsplit(host_url(value))
    if parts.username is not None or {"?", "#"} & set(value):
        raise ValueError("must not carry a user, a query or a fragment")
    return value.rstrip("/")


def _link(value: str) -> str:
    if urlsplit(host_url(value)).username is not None:
        raise ValueError("must not carry a user")
    return value


TemplateText = Annotated[str, AfterValidator(_template)]
PathText = Annotated[TemplateText, AfterValidator(_path)]
HeaderName = Annotated[str, AfterValidator(header_name)]
HeaderText = Annotated[TemplateText, AfterValidator(printable)]
Printable = Annotated[str, AfterValidator(printable)]
LabelText = Annotated[str, AfterValidator(label)]
Expression = Annotated[str, AfterValidator(expression)]
NumberPattern = Annotated[str, AfterValidator(number_pattern)]
TextPattern = Annotated[str, AfterValidator(text_pattern)]
AmountExpression = Annotated[Expression, AfterValidator(without_sum)]
_LISTED = BeforeValidator(_as_list, json_schema_input_type=str | list[str])
Paths = Annotated[list[Expression], _LISTED, Field(min_length=1)]
AmountPaths = Annotated[list[AmountExpression], _LISTED, Field(min_length=1)]
Name = Annotated[str, AfterValidator(_name)]
Unit = Annotated[str, AfterValidator(unit)]
Url = Annotated[str, AfterValidator(secure_url)]
Link = Annotated[str, AfterValidator(_link)]
Scalar = Annotated[bool | int | str, BeforeValidator(_scalar)]
