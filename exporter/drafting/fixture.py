"""The fixture of a drafted definition: one exchange that was recorded, and what HTTP says of the usual failures."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from exporter.drafting.account import account
from exporter.drafting.flow import flow
from exporter.drafting.keys import Plan
from exporter.extract.extractor import Extractor
from exporter.model import Wallet
from exporter.providers import Provider
from exporter.providers.definition import Request
from exporter.upstream.request import prepare

_PART = re.compile(r'form-data; name="([^"]*)"\r\n\r\n(.*?)\r\n--', re.DOTALL)
_USUAL = frozenset({"Accept-Encoding", "User-Agent"})
_TYPES: Mapping[str, list[str]] = {
    "json": [],
    "text": ["      headers: {Content-Type: text/plain}"],
    "xml": ["      headers: {Content-Type: application/xml}"],
}


def written(provider: Provider, plan: Plan, body: str, kind: str, unit: str | None) -> str:
    """Write the cases that there are: the answer, and what HTTP itself says of a refused key and of a failure.

    Raise `Failure` where the definition does not read the answer.
    """
    params = {name: f"invented-{name.replace('_', '-')}" for name in plan.params}
    needed: dict[str, Any] = {"params": params} if params else {}
    if provider.definition.needs_currency:
        needed["currency"] = unit or "EUR"
    extractor = Extractor(provider.definition)
    wallets, _ = extractor.wallets(extractor.document(200, body.encode()), needed.get("currency"))
    lines = [
        "# The texts, amounts and dates of the answer are invented. Add what the provider documents: its errors, its",
        "# answer to a wrong key, an empty account.",
        *([f"account: {flow(needed)}"] if needed else []),
        "request:",
        *(f"  {key}: {flow(value)}" for key, value in _request(provider, params)),
        "cases:",
        "  - name: the answer that it was begun with",
        "    answer:",
        *_TYPES[kind],
        f"      body: {_quoted(body)}",
        "    wallets:",
        *(f"      - {flow(_told_wallet(wallet))}" for wallet in wallets),
        "  - name: a refused key, as HTTP says it",
        "    answer: {status: 401, body: ''}",
        "    reason: auth",
        "  - name: too many calls, as HTTP says it",
        "    answer: {status: 429, body: ''}",
        "    reason: rate_limited",
        "  - name: a failure of the provider",
        "    answer: {status: 500, body: ''}",
        "    reason: http_status",
        "",
    ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """Write a text in YAML's single quotes, where it can stand in them."""
    return f"'{text}'" if text.isprintable() and "'" not in text else json.dumps(text, ensure_ascii=False)


def _request(provider: Provider, params: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield the request as a fixture has it, with the names of credentials in the places of their values."""
    names = {name: f"${{{name}}}" for name in provider.definition.credentials}
    prepared = prepare(account(provider, params), names)
    url, _, query = prepared.url.partition("?")
    for name in names:
        url = url.replace(f"%24%7B{name}%7D", f"${{{name}}}")
    yield "method", prepared.method
    yield "url", url
    if query:
        yield "query", _escaped(_fields(query), names)
    headers = {name: value.decode() for name, value in prepared.headers.items() if name not in _USUAL}
    if headers.get("Accept") == "application/json":
        del headers["Accept"]
    kind, _, pair = headers.get("Authorization", "").partition(" ")
    if kind == "Basic":
        del headers["Authorization"]
        yield "basic", _escaped(b64decode(pair).decode(), names)
    request = provider.definition.request
    if request.multipart is not None:
        headers.pop("Content-Type", None)
    if headers:
        yield "headers", _escaped(headers, names)
    if prepared.body is not None:
        yield _sent(request, prepared.body, names)


def _sent(request: Request, body: bytes, names: Mapping[str, str]) -> tuple[str, Any]:
    """Return the kind of a body and what it says."""
    if request.multipart is not None:
        return "multipart", {name: _escaped(value, names) for name, value in _PART.findall(body.decode())}
    if request.form is not None:
        return "form", _escaped(_fields(body.decode()), names)
    return "body" if request.body else "json", _escaped(body.decode(), names)


def _fields(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))


def _escaped(value: Any, names: Mapping[str, str]) -> Any:
    """Return a text, or the texts of a mapping, with every dollar sign doubled that begins no credential's name."""
    if isinstance(value, Mapping):
        return {name: _escaped(text, names) for name, text in value.items()}
    return re.sub(rf"\$(?!\{{({'|'.join(names)})\}})", "$$$$", value)


def _told_wallet(wallet: Wallet) -> dict[str, Any]:
    told = {one.name: getattr(wallet, one.name) for one in fields(wallet)}
    return {
        name: (f"{value.normalize():f}" if value else "0") if isinstance(value, Decimal) else value
        for name, value in told.items()
        if name in ("id", "currency", "balance") and value is not None
    }
