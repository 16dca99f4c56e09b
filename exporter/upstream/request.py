"""An account as the one request that its definition declares, ready to be sent again and again.

The request is put together twice: once to send, once to show, with a mask in the place of each credential.
"""

import html
import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from string import Template
from typing import Any
from urllib.parse import quote, quote_plus, urlencode, urlsplit, urlunsplit

import requests

from exporter import __version__
from exporter.config import Account
from exporter.config.secret import MASK
from exporter.model import Exchange, Failure, Reason
from exporter.providers.definition import BasicAuth, Definition, Request, TokenAuth
from exporter.providers.variables import built_in

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


def prepare(account: Account, secrets: Mapping[str, str]) -> Prepared:
    """Put the request of an account together; `secrets` are the values of its credentials.

    Raise `Failure` (misconfigured) where a value would change the host or the path.
    """
    shown = {**account.params, **built_in()}
    url, headers, body = _assemble(account, {**shown, **secrets})
    redacted_url, _, _ = _assemble(account, {**shown, **dict.fromkeys(secrets, MASK)})
    method = account.provider.definition.request.method
    return Prepared(
        account=account.name,
        method=method,
        url=url,
        headers={name: value.encode() for name, value in headers.items()},
        body=body,
        secrets=_spellings(secrets.values(), headers),
        redacted=Exchange(method, redacted_url, tuple(headers)),
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


def _assemble(account: Account, variables: Mapping[str, str]) -> tuple[str, dict[str, str], bytes | None]:
    definition = account.provider.definition
    request = definition.request
    path = next((path for name, path in request.path_with.items() if name in variables), request.path)
    query = _filled(request.query, variables)
    own = _filled(request.headers, variables)
    fields = _filled(request.fields or {}, variables)
    _authenticate(definition, variables, query, own, fields)
    kind, body = _body(request, variables, fields)
    given = {name.lower() for name in own}
    defaults = _DEFAULT_HEADERS | ({"Content-Type": kind} if kind else {})
    usual = {name: value for name, value in defaults.items() if name.lower() not in given}
    url = _url(account.base_url, Template(path).substitute(_quoted(variables)), query)
    return url, usual | {name: value.strip() for name, value in own.items()}, body


def _body(
    request: Request, variables: Mapping[str, str], fields: Mapping[str, Any]
) -> tuple[str, bytes | None]:
    """Return the kind and the bytes of a body; `fields` are those that it has, key and all."""
    if request.form is not None:
        return "application/x-www-form-urlencoded", urlencode(fields).encode()
    if request.multipart is not None and fields:
        parts = {name: (None, value) for name, value in fields.items()}
        made = requests.Request("POST", "http://localhost", files=parts).prepare()
        assert isinstance(made.body, bytes)  # noqa: S101 - nothing in it is a file
        return str(made.headers["Content-Type"]), made.body
    if request.body is not None:
        escape = _escape(request.body.content_type)
        escaped = {name: escape(value) for name, value in variables.items()}
        return request.body.content_type, Template(request.body.text).substitute(escaped).encode()
    if request.json_body is not None:
        document = fields if isinstance(request.json_body, dict) else _filled(request.json_body, variables)
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
    definition: Definition,
    variables: Mapping[str, str],
    query: dict[str, Any],
    headers: dict[str, str],
    fields: dict[str, Any],
) -> None:
    auth = definition.auth
    if auth is None:
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


def _quoted(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value if value == MASK else quote(value, safe="") for name, value in variables.items()}


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
