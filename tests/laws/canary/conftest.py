"""Accounts whose secrets are known canaries, at providers that echo them in every place there is."""

import html
import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest
import xmltodict

from exporter import providers
from exporter.extract.documents import parse
from exporter.providers.definition import Definition

if TYPE_CHECKING:
    from tests.laws.conftest import Answer, Case, Upstream

CORE = "Zq7Canary"
SECRET = CORE + "/+ =&%s"
"""Hard to carry: each place of a request needs another spelling of it."""

PLAIN = f"{CORE}Key1"
"""Letters and digits alone, as a currency code may have."""

OWN = """
title: Echo of {name}
documentation: [https://example.com]
confidence: observed
credentials: {{api_key: {{description: key}}}}
base_url: https://example.com
request: {request}
auth: {auth}
wallets: {{balance: {{path: balance, required: true}}, name: name, customer: customer, currency: currency}}
"""
OWN_PROVIDERS = {
    "echo_basic": ("{path: /balance}", "{type: basic, username: user, password: '${api_key}'}"),
    "echo_basic_user": ("{path: /balance}", "{type: basic, username: '${api_key}'}"),
    "echo_query": ("{path: /balance}", "{type: query, name: key}"),
    "echo_path": ("{path: '/${api_key}/balance'}", "{type: header, name: X-Key, prefix: 'Key '}"),
    "echo_form": ("{method: POST, path: /balance, form: {a: b}}", "{type: body, name: key}"),
    "echo_parts": ("{method: POST, path: /balance, multipart: {a: b}}", "{type: body, name: key}"),
    "echo_raw": (
        "{method: POST, path: /balance, body: {content_type: text/xml, text: '<k>${api_key}</k>'}}",
        "null",
    ),
    "echo_login": (
        "{path: '/${token}/balance', query: {t: '${token}'}}",
        "{type: bearer, credential: token}\n"
        "login: {method: POST, path: /login, form: {key: '${api_key}'}, gives: {token: name}}",
    ),
}
"""Providers of the operator's: the ways in which a key travels that the built-in ones do not use."""

SPELLINGS = (
    SECRET,
    f" {SECRET} ",
    f"your key {SECRET} is valid",
    CORE.upper() + SECRET.removeprefix(CORE),
    quote(SECRET, safe=""),
    quote(SECRET),
    quote_plus(SECRET),
    html.escape(SECRET),
    html.escape(html.escape(f'"{SECRET}"')),
    SECRET.replace("&", "\\u0026").replace("/", "\\/"),
    SECRET.replace("&", "&#x26;").replace("=", "&#61;"),
    html.escape(quote(SECRET)).upper(),
)
PAIRS = {
    provider: [b64encode(pair.format(key).encode()).decode() for key in (SECRET, PLAIN)]
    for provider, pair in {"echo_basic": "user:{}", "echo_basic_user": "{}:"}.items()
}
"""What basic authentication makes of the keys."""


def leaks(text: str) -> list[str]:
    """Find the canary in a text, however it is spelt."""
    searched = text.lower()
    known = [CORE, *(pair for pairs in PAIRS.values() for pair in pairs)]
    found = (searched.find(spelling.lower()) for spelling in known)
    return [text[max(0, at - 60) : at + 60] for at in found if at >= 0]


@dataclass(frozen=True)
class Nest:
    """A configuration file whose every account has the canary for its key, and where the accounts ask."""

    file: Path
    urls: dict[str, str]


@pytest.fixture(scope="session", name="leaks")
def leaks_() -> Callable[[str], list[str]]:
    return leaks


@pytest.fixture(scope="session")
def secret() -> str:
    return SECRET


@pytest.fixture(scope="session")
def echoed() -> "Callable[[Sequence[Case], Definition], Iterator[tuple[Case, Answer]]]":
    return echoes


@pytest.fixture(scope="package")
def nest(
    tmp_path_factory: pytest.TempPathFactory,
    upstream: "Upstream",
    recorded: "Callable[[str], list[Case]]",
) -> Iterator[Nest]:
    folder = tmp_path_factory.mktemp("canary")
    (folder / "key").write_text(SECRET + "\n", encoding="utf-8")
    for name, (request, auth) in OWN_PROVIDERS.items():
        (folder / f"{name}.yml").write_text(
            OWN.format(name=name, request=request, auth=auth), encoding="utf-8"
        )
    accounts: list[dict[str, Any]] = []
    urls = {}
    forms = cycle(({"": SECRET}, {"_file": "key"}, {"_env": "CANARY"}))
    for provider, settings, answer in _echoes(recorded):
        name = f"account-{len(accounts)}"
        urls[name] = upstream.base_url(answer)
        ((form, value),) = next(forms).items()
        keys = {} if "api_key" in settings else {f"{key}{form}": value for key in _credentials(provider)}
        accounts.append({"name": name, "provider": provider, "base_url": urls[name], **settings, **keys})
    file = folder / "prepaid.yml"
    content = {"defaults": {"timeout": "5m"}, "provider_files": ["echo_*.yml"], "accounts": accounts}
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CANARY", SECRET)
        yield Nest(file, urls)


def _kinds() -> Iterator[str]:
    """Yield a built-in provider for each way in which credentials travel; formats are tried without a network."""
    known = set()
    for provider in providers.names():
        definition = providers.built_in(provider).definition
        kind = definition.auth and definition.auth.type, bool(definition.login), bool(definition.first)
        if kind not in known:
            known.add(kind)
            yield provider


def _credentials(provider: str) -> list[str]:
    built_in = provider in providers.names()
    return list(providers.built_in(provider).definition.credentials) if built_in else ["api_key"]


def _echoes(recorded: "Callable[[str], list[Case]]") -> Iterator[tuple[str, Any, "Answer"]]:
    """Yield providers, settings and answers: the canary in the answer's body, headers, reason and location.

    What each single text of an answer turns into is tried with every provider, without a network.
    """
    for provider in _kinds():
        success = next(case for case in recorded(provider) if case.wallets)
        for answer in _frames(success.answer):
            yield provider, success.account, answer
        for case in recorded(provider):
            if case.retry_after is None:
                yield provider, case.account, replace(case.answer, body=_everywhere(case.answer.body))
    for name in OWN_PROVIDERS:
        pair = PAIRS[name][0] if name in PAIRS else SECRET
        for spelling in (*SPELLINGS, pair, f"Basic {pair}"):
            echo = {"balance": 5, "name": spelling, "customer": f"[{spelling}]", "currency": "EUR"}
            yield name, {}, replace(success.answer, body=json.dumps(echo).encode())
        for spelling in (PLAIN, PLAIN.upper(), PLAIN.lower(), f" {PLAIN} ", f"X_{PLAIN}"):
            echo = {"balance": 5, "currency": spelling, "name": spelling}
            yield name, {"api_key": PLAIN}, replace(success.answer, body=json.dumps(echo).encode())


def echoes(cases: "Sequence[Case]", definition: Definition) -> Iterator[tuple["Case", "Answer"]]:
    """Yield recorded cases, and their answers with the canary in the body, in the place of each text."""
    success = next(case for case in cases if case.wallets)
    for body in _bodies(success.answer.body, definition):
        yield success, replace(success.answer, body=body)
    for case in cases:
        if case.reason and case.retry_after is None:
            yield case, replace(case.answer, body=_everywhere(case.answer.body))


def _bodies(body: bytes, definition: Definition) -> Iterator[bytes]:
    """Yield the body with the canary in the place of each text, in each spelling once, and as keys."""
    yield json.dumps({"error": SECRET, "code": SECRET, "status": SECRET, "error_id": SECRET}).encode()
    if definition.answer == "text":
        for spelling in SPELLINGS:
            yield from (spelling.encode(), body + f" {spelling}".encode(), f"{spelling} ".encode() + body)
        return
    document = parse(body, "", definition.answer, definition.lists)
    write = _xml if definition.answer == "xml" else _json
    spellings = cycle(SPELLINGS)
    for path in _texts(document):
        yield write(_with(document, path, lambda _: next(spellings)))
        yield write(_with(document, path, lambda text: f"{text} {SECRET}"))
    yield json.dumps({SECRET: document}, default=float).encode()


def _json(document: Any) -> bytes:
    return json.dumps(document, default=float).encode()


def _xml(document: Any) -> bytes:
    written: str = xmltodict.unparse(document)
    return written.encode()


def _everywhere(body: bytes) -> bytes:
    """Return the body with the canary behind every text, and in front of one that is not JSON."""
    try:
        document = json.loads(body)
    except ValueError:
        return SECRET.encode() + body
    for path in _texts(document):
        document = _with(document, path, lambda text: f"{text} {SECRET}")
    return json.dumps(document).encode()


def _texts(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, str):
        yield path
    for key, inner in (
        node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ())
    ):
        yield from _texts(inner, (*path, key))


def _with(node: Any, path: tuple[Any, ...], change: Callable[[str], str]) -> Any:
    if not path:
        return change(node)
    inner = _with(node[path[0]], path[1:], change)
    return (
        {**node, path[0]: inner}
        if isinstance(node, dict)
        else [*node[: path[0]], inner, *node[path[0] + 1 :]]
    )


def _frames(answer: "Answer") -> Iterator["Answer"]:
    """Yield answers with the canary outside the JSON."""
    echoing = {
        "Set-Cookie": f"key={SECRET}",
        "Retry-After": SECRET,
        "X-Key": SECRET,
        "WWW-Authenticate": f"Basic {SECRET}",
        "Content-Type": f"application/json; key={SECRET}",
    }
    for status in (200, 400, 401, 429, 503):
        yield replace(answer, status=status, headers=echoing, phrase=SECRET, body=SECRET.encode())
        yield replace(answer, status=status, headers=echoing, phrase=SECRET, body=json.dumps(SECRET).encode())
    for status in (301, 307):
        location = f"http://127.0.0.1:1/{quote(SECRET)}?key={quote_plus(SECRET)}"
        yield replace(answer, status=status, headers={"Location": location}, body=SECRET.encode())
    yield replace(answer, headers={"Content-Encoding": SECRET})
    yield replace(answer, headers={"Content-Encoding": "gzip"}, body=SECRET.encode())
    yield replace(answer, headers={"Transfer-Encoding": SECRET})
