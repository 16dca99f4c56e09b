"""The base of every schema of ours: strict models, and the kinds of text that they share."""

import re
from string import Template
from typing import Annotated, Any
from urllib.parse import urlsplit

import jmespath
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_UNIT = re.compile(r"[A-Z][A-Z0-9_]{0,31}")

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Strict(BaseModel):
    """Frozen, and with no key that the schema does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _template(value: str) -> str:
    if not Template(value).is_valid():
        raise ValueError("is not a template: write ${name} for a variable and $$ for a dollar sign")
    return value


def _expression(value: str) -> str:
    try:
        jmespath.compile(value)
    except jmespath.exceptions.JMESPathError:
        raise ValueError("is not a JMESPath expression") from None
    return value


def _regular_expression(value: str) -> str:
    try:
        groups = re.compile(value).groups
    except re.error:
        raise ValueError("is not a regular expression") from None
    if groups != 1:
        raise ValueError("must have exactly one group: the number")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("must be a name of a-z, 0-9 and _ that begins with a letter")
    return value


def _unit(value: str) -> str:
    if not _UNIT.fullmatch(value):
        raise ValueError("must be a currency or unit, such as EUR or CREDITS: A-Z, 0-9 and _, at most 32")
    return value


def short(key: str) -> BeforeValidator:
    """Let a bare string or list stand for a mapping with that one key."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str | list) else value)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def host_url(value: str) -> str:
    """Accept an http or https URL that names a host."""
    try:
        parts = urlsplit(value)
        complete = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        complete = False
    if not complete or any(not sign.isprintable() or sign.isspace() for sign in value):
        raise ValueError("must be a URL that begins with https:// or http:// and names a host")
    return value


def secure_url(value: str) -> str:
    """Accept an http or https URL that names a host and carries no user, query or fragment."""
    parts = urlsplit(host_url(value))
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must not carry a user, a query or a fragment")
    return value.rstrip("/")


TemplateText = Annotated[str, AfterValidator(_template)]
Expression = Annotated[str, AfterValidator(_expression)]
RegularExpression = Annotated[str, AfterValidator(_regular_expression)]
Paths = Annotated[list[Expression], BeforeValidator(_as_list), Field(min_length=1)]
Name = Annotated[str, AfterValidator(_name)]
Unit = Annotated[str, AfterValidator(_unit)]
Url = Annotated[str, AfterValidator(secure_url)]
Scalar = bool | int | str
