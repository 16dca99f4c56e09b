"""The requests of an account as its definition declares them, ready to be sent again and again.

Each is put together twice: once to send, once to show, with a mask in the place of each credential.
"""

import html
import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from string import Template
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, quote_plus, urlencode, urlsplit, urlunsplit
from uuid import uuid4

import requests

from exporter import __version__
from exporter.config import Account
from exporter.config.secret import MASK
from exporter.model import Exchange, Failure, Reason
from exporter.providers.definition import Auth, BasicAuth, Call, Login, Pages, Request, SignedAuth, TokenAuth
from exporter.providers.variables import built_in
from exporter.upstream.signing import scheme
from exporter.upstream.signing.unsigned import Unsigned

_DEFAULT_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"prepaid-exporter/{__version__}",
}


@dataclass(frozen=True)
class Prepared:
    """A request of an account; `secrets` has its credentials in each spelling, `redacted` is what may be shown."""

    account: str
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, bytes] = field(repr=False)
    body: bytes | None = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    redacted: Exchange


def prepare(
    account: Account,
    secrets: Mapping[str, str],
    call: Call | None = None,
    given: Mapping[str, str] = MappingProxyType({}),
    page: str | None = None,
) -> Prepared:
    """Put a request of an account together; without `call`, the first one that is made.

    `secrets` are the values of its credentials, `given` those that an earlier answer gave, which are not shown either.
    `page` is the number or token of a page after the first. Raise `Failure` (misconfigured) where a value would change
    the host or the path.
    """
    call = call or next(call for _, call in account.provider.definition.calls())
    shown = {**account.params, **built_in()}
    url, headers, body = _assemble(account, call, {**shown, **given, **secrets}, page)
    hidden = {**shown, **dict.fromkeys((*given, *secrets), MASK)}
    pages = call.pages if isinstance(call, Request) else None
    shown_page = page if pages and pages.number else page and MASK
    redacted_url, _, _ = _assemble(account, call, hidden, shown_page)
    auth = account.provider.definition.auth_of(call)
    if isinstance(auth, SignedAuth):
        unsigned = Unsigned(call.method, url, headers, body or b"", int(time.time()), uuid4().hex)
        headers |= scheme(auth.scheme)(unsigned, secrets)
    return Prepared(
        account=account.name,
        method=call.method,
        url=url,
        headers={name: value.encode() for name, value in headers.items()},
        body=body,
        secrets=_spellings(secrets.values(), headers),
        redacted=Exchange(call.method, redacted_url, tuple(headers)),
    )


def _spellings(secrets: Iterable[str], headers: Mapping[str, str]) -> tuple[str, ...]:
    """Spell the credentials as they stand in URLs, forms and basic authentication too: providers echo those."""
    spelt = [
        spelling
        for value in secrets
        for spelling in (value, quote(value, safe=""), quote(value), quote_plus(value))
    ]
    kind, _, pair = headers.get("Authorization", "").partition(" ")
    if kind == "Basic":
        spelt.append(pair)
    return tuple(dict.fromkeys(spelt))


def _assemble(
    account: Account, call: Call, variables: Mapping[str, str], page: str | None
) -> tuple[str, dict[str, str], bytes | None]:
    path, query = call.path, _filled(call.query, variables)
    if isinstance(call, Request):
        path = next((path for name, path in call.path_with.items() if name in variables), path)
        query |= _page(call.pages, page) if call.pages else {}
    own = _filled(call.headers, variables)
    fields = _filled(call.fields or {}, variables)
    _authenticate(account.provider.definition.auth_of(call), variables, query, own, fields)
    kind, body = _body(call, variables, fields)
    given = {name.lower() for name in own}
    defaults = _DEFAULT_HEADERS | ({"Content-Type": kind} if kind else {})
    usual = {name: value for name, value in defaults.items() if name.lower() not in given}
    base = (account.login_base_url if isinstance(call, Login) else "") or account.base_url
    url = _url(base, _substituted(path, variables, _quoted), query)
    return url, usual | {name: value.strip() for name, value in own.items()}, body


def _page(pages: Pages, page: str | None) -> dict[str, str]:
    if page is None and pages.number:
        page = str(pages.from_)
    return {} if page is None else {pages.query: page}


def _body(call: Call, variables: Mapping[str, str], fields: Mapping[str, Any]) -> tuple[str, bytes | None]:
    """Return the kind and the bytes of a body; `fields` are those that it has, key and all."""
    if call.form is not None:
        return "application/x-www-form-urlencoded", urlencode(fields).encode()
    if call.multipart is not None and fields:
        parts = {name: (None, value) for name, value in fields.items()}
        made = requests.Request("POST", "http://localhost", files=parts).prepare()
        assert isinstance(made.body, bytes)  # noqa: S101 - nothing in it is a file
        return str(made.headers["Content-Type"]), made.body
    if call.body is not None:
        written = _substituted(call.body.text, variables, _escape(call.body.content_type))
        return call.body.content_type, written.encode()
    if call.json_body is not None:
        document = fields if isinstance(call.json_body, dict) else _filled(call.json_body, variables)
        return "application/json", json.dumps(document, default=float).encode()
    return "", None


def _escape(content_type: str) -> Callable[[str], str]:
    """Return how a text is written inside a body of that kind, so that it stays one text."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.endswith(("/xml", "+xml")):
        return html.escape
    if kind.endswith(("/json", "+json")):
        return lambda text: json.dumps(text)[1:-1]
    return str


def _authenticate(
    auth: Auth | None,
    variables: Mapping[str, str],
    query: dict[str, Any],
    headers: dict[str, str],
    fields: dict[str, Any],
) -> None:
    if auth is None or isinstance(auth, SignedAuth):
        return
    if isinstance(auth, TokenAuth):
        headers["Authorization"] = f"Bearer {variables[auth.credential]}"
    elif isinstance(auth, BasicAuth):
        pair = ":".join(Template(part).substitute(variables) for part in (auth.username, auth.password))
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    else:
        {"header": headers, "query": query, "body": fields}[auth.type][auth.name] = (
            auth.prefix + variables[auth.credential]
        )


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    """Replace the variables of every text; an entry whose variable has no value is dropped."""
    if isinstance(value, str):
        return Template(value).substitute(variables)
    if isinstance(value, list):
        return [_filled(item, variables) for item in value if _complete(item, variables)]
    if isinstance(value, Mapping):
        return {key: _filled(item, variables) for key, item in value.items() if _complete(item, variables)}
    return value


def _complete(value: Any, variables: Mapping[str, str]) -> bool:
    return not isinstance(value, str) or all(name in variables for name in Template(value).get_identifiers())


def _substituted(text: str, variables: Mapping[str, str], escape: Callable[[str], str]) -> str:
    """Replace the variables of a text, each value escaped."""
    template = Template(text)
    return template.substitute({name: escape(variables[name]) for name in template.get_identifiers()})


def _quoted(value: str) -> str:
    return value if value == MASK else quote(value, safe="")


def _url(base: str, path: str, query: Mapping[str, str]) -> str:
    parts = urlsplit(base + path)
    if (parts.scheme, parts.netloc) != urlsplit(base)[:2] or {".", ".."} & set(path.split("/")):
        # Such a definition is refused when it is loaded, so it must be a value of the account.
        raise Failure(
            Reason.MISCONFIGURED, "a param or credential would change the host or path of the request"
        )
    fixed = [parts.query] if parts.query else []
    return urlunsplit(
        parts._replace(query="&".join([*fixed, urlencode(query, safe="*")] if query else fixed))
    )
