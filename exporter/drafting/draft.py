"""A definition and its fixture, written from a call and its answer: what was found, and what is left to a person."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl

from exporter import providers
from exporter.config import Account
from exporter.drafting.candidates import Candidate, candidates, currency, expression, identity, success, units
from exporter.drafting.keys import Plan
from exporter.drafting.redaction import Redaction, as_json
from exporter.extract.documents import parse
from exporter.extract.echoes import contains_secret
from exporter.extract.extractor import Extractor
from exporter.model import Failure, Wallet
from exporter.providers import Provider
from exporter.providers.definition import BasicAuth, FieldAuth, Request
from exporter.upstream.request import prepare

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.-]*( [A-Za-z0-9_/.-]+)*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})
_PART = re.compile(r'form-data; name="([^"]*)"\r\n\r\n(.*?)\r\n--', re.DOTALL)
_USUAL = frozenset({"Accept-Encoding", "User-Agent"})
_FIELDS = (
    (r"expir|valid_?(un)?till?", "expiry_timestamp"),
    (r"reset|renew", "quota_reset_timestamp"),
    (r"pending|reserved|hold", "pending_usage"),
    (r"invoice|unpaid|owed|debt", "unpaid_invoices"),
    (r"credit_?limit|overdraft", "credit_limit"),
    (r"used|usage|spent|consumed", "quota_used"),
    (r"limit|quota|total", "quota"),
)
"""Which field a number may be, by its name; else it may be the balance."""

_NO_AMOUNT = -10
"""Score of numbers that are no amounts, such as ids and times."""

_TYPES: Mapping[str, list[str]] = {
    "json": [],
    "text": ["      headers: {Content-Type: text/plain}"],
    "xml": ["      headers: {Content-Type: application/xml}"],
}


class DraftError(ValueError):
    """An answer of which no definition can be made; the text says why, and quotes nothing of it."""


@dataclass(frozen=True)
class Draft:
    """What was made: the texts of both files, and what a person is told of them."""

    provider: Provider
    definition: str = field(repr=False)
    fixture: str = field(repr=False)
    told: tuple[str, ...]


def account(
    provider: Provider,
    params: Mapping[str, str],
    unit: str | None = None,
    secrets: Mapping[str, Any] | None = None,
) -> Account:
    """Return an account at a provider that no configuration names."""
    definition = provider.definition
    given = {name: param.default for name, param in definition.params.items() if param.default is not None}
    return Account(
        definition.title,
        provider,
        secrets or {},
        {**given, **params},
        definition.base_url,
        30.0,
        0.0,
        currency=unit,
    )


def provisional(name: str, plan: Plan) -> Provider:
    """Return the provider that a call describes, before anything is known of its answer; raise `DraftError`."""
    return _loaded(name, "\n".join([*_head(name, plan), "wallets: {settled_balance: not_known_yet}", ""]))


def draft(name: str, plan: Plan, body: bytes, content_type: str = "") -> Draft:
    """Make a definition and its fixture from an answer; raise `DraftError` where that cannot be done."""
    secrets = [*plan.secrets.values()]
    kind, document = _document(body, content_type)
    found = candidates(document, secrets, text=kind == "text")
    if not found:
        raise DraftError(
            "the answer has no number that could be a balance; is it the answer to this request?"
        )
    chosen, others = found[0], [one for one in found[1:] if one.score > _NO_AMOUNT]
    unit = currency(document, chosen) if kind != "text" else None
    rule = success(document)
    lines = [*_head(name, plan), *([f"answer: {kind}"] if kind != "json" else [])]
    lines += [f"success: {flow(rule)}"] if rule else []
    lines += [
        "# Which codes mean a wrong key, too many calls, or that nothing is left, as the provider documents them:",
        "# errors: {code: error.code, auth: [INVALID_KEY], rate_limited: [TOO_MANY_REQUESTS]}",
        *_wallets(document, chosen, others, unit),
        "",
    ]
    text = "\n".join(lines)
    if contains_secret(text, secrets):
        raise DraftError(
            "the key stands in a place from which it cannot be taken, such as the name of the host"
        )
    provider = _loaded(name, text)
    redaction = Redaction([*_kept(rule), *units(document)], secrets)
    fixture = _fixture(
        provider, plan, _redacted(redaction, kind, document, chosen, body), kind, unit or chosen.unit
    )
    if contains_secret(fixture, secrets):
        raise DraftError("the key stands in the answer in a place from which it cannot be taken")
    return Draft(provider, text, fixture, tuple(_told(provider, chosen, others, unit)))


def _document(body: bytes, content_type: str) -> tuple[str, Any]:
    """Return the format of an answer, and its document."""
    begin = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if begin.startswith((b"<!doctype html", b"<html")):
        raise DraftError(
            "the answer is a page for people (HTML); a balance API answers JSON, XML or a short text"
        )
    kind = "xml" if begin.startswith(b"<") else "json" if begin.startswith((b"{", b"[")) else "text"
    try:
        return kind, parse(body, content_type, kind)
    except ValueError as error:
        raise DraftError(f"the answer {error}") from None


def _head(name: str, plan: Plan) -> list[str]:
    lines = [
        "# Begun from a command line of curl and one answer. What it means is yours to say: try it, then read it.",
        f"title: {flow(name.replace('-', ' ').replace('_', ' ').title())}",
        "documentation: []  # the provider's pages that say what this API answers",
        "confidence: observed  # documented, once such a page is named",
        "credentials:",
        *(f"  {one}: {{description: {flow(text)}}}" for one, text in plan.credentials.items()),
    ]
    if plan.params:
        lines += ["params:"]
        lines += [
            f"  {one}: {{description: {flow(text)}, required: true}}" for one, text in plan.params.items()
        ]
    lines += [f"base_url: {flow(plan.base_url)}", "request:"]
    lines += [f"  {key}: {flow(value)}" for key, value in plan.request.items()]
    return [*lines, *([f"auth: {flow(plan.auth)}"] if plan.auth else [])]


def _wallets(
    document: Any, chosen: Candidate, others: Sequence[Candidate], unit: str | None
) -> Iterator[str]:
    yield "wallets:"
    if chosen.items is not None:
        yield f"  items: {flow(chosen.items)}"
        if name := identity(document, chosen):
            yield f"  id: {flow(name)}"
    if unit:
        yield f"  currency: {flow(unit)}"
    elif chosen.unit:
        yield f"  currency: {{literal: {chosen.unit}}}  # from a name in the answer; is it right?"
    else:
        yield "  # The answer does not say its currency, so that each account must. If it is always the same:"
        yield "  # currency: {literal: USD}"
    if chosen.score <= 0:
        yield "  # Nothing in the answer is called a balance: is it this number?"
    yield f"  balance: {flow(_number(chosen, chosen))}"
    if others:
        yield "  # Other numbers of the answer, each with what it may be; more than one balance is never right:"
    for one in others:
        yield f"  # {_meaning(one)}: {flow(_number(one, chosen))}"


def _number(one: Candidate, chosen: Candidate) -> Any:
    """Return how a definition reads a number, from the list in which the chosen one stands."""
    path = one.path
    if one.items != chosen.items:
        path = f'"$".{expression(one.steps)}' if chosen.items is not None else expression(one.steps)
    return {"path": path, **dict(one.spec)} if one.spec else path


def _meaning(one: Candidate) -> str:
    name = next((step for step in reversed(one.steps) if step and step != "#text"), "")
    return next((meaning for pattern, meaning in _FIELDS if re.search(pattern, name.lower())), "balance")


def _kept(rule: Mapping[str, Any] | None) -> list[str]:
    return [value for value in (rule or {}).get("equals", []) if isinstance(value, str)]


def _redacted(redaction: Redaction, kind: str, document: Any, chosen: Candidate, body: bytes) -> str:
    if kind == "text":
        return redaction.around(document["text"], chosen.written)
    if kind == "xml":
        return redaction.xml(body.decode("utf-8", "replace").strip())
    kept = dict(chosen.spec).get("pattern")
    return as_json(_at(redaction, document, chosen) if kept else redaction.document(document))


def _at(redaction: Redaction, document: Any, chosen: Candidate) -> Any:
    """Redact a document whose balance stands in a text that is read by a pattern."""

    def walk(node: Any, steps: tuple[str | None, ...]) -> Any:
        if steps and isinstance(node, dict):
            return {
                name: walk(value, steps[1:]) if name == steps[0] else redaction.document(value)
                for name, value in node.items()
            }
        if steps and isinstance(node, list):
            return [walk(one, steps[1:]) for one in node[:1]]
        return (
            redaction.around(node, node) if isinstance(node, str) and not steps else redaction.document(node)
        )

    return walk(document, chosen.steps)


def _fixture(provider: Provider, plan: Plan, body: str, kind: str, unit: str | None) -> str:
    """Write the cases that there are: the answer, and what HTTP itself says of a refused key and of a failure."""
    params = {name: f"invented-{name.replace('_', '-')}" for name in plan.params}
    needed: dict[str, Any] = {"params": params} if params else {}
    if provider.definition.needs_currency:
        needed["currency"] = unit or "EUR"
    extractor = Extractor(provider.definition)
    try:
        wallets, _ = extractor.wallets(extractor.document(200, body.encode()), needed.get("currency"))
    except Failure as failure:
        raise DraftError(f"the definition does not read the answer ({failure.detail})") from None
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


def _told(
    provider: Provider, chosen: Candidate, others: Sequence[Candidate], unit: str | None
) -> Iterator[str]:
    """Yield what was chosen; the amounts are the operator's own, on his own screen."""
    yield f"key       {_place(provider)}; credentials: {', '.join(provider.definition.credentials)}"
    where = f"{chosen.path} of each of {chosen.items}" if chosen.items is not None else chosen.path
    count = f", the likeliest of {len(others) + 1} numbers; the others stand in comments" if others else ""
    doubt = "; nothing in the answer is called a balance" if chosen.score <= 0 else ""
    yield f"balance   {where} = {chosen.value:f}{count}{doubt}"
    told = (
        unit
        or (chosen.unit and f"{chosen.unit}, from a name; is it right?")
        or "not in the answer: an account must say it"
    )
    yield f"currency  {told}"


def _place(provider: Provider) -> str:
    auth = provider.definition.auth
    if isinstance(auth, FieldAuth):
        return f"in the {auth.type}, as {auth.name}"
    if auth is None:
        return "within the request"
    return f"in the header Authorization, {'basic' if isinstance(auth, BasicAuth) else 'a bearer token'}"


def _loaded(name: str, text: str) -> Provider:
    with TemporaryDirectory() as folder:
        file = Path(folder, f"{name}.yml")
        file.write_text(text, encoding="utf-8")
        provider, problems = providers.load(file)
    if provider is None:
        told = "; ".join(f"{problem.path}: {problem.message}" for problem in problems)
        raise DraftError(f"what curl asks cannot be written as a definition: {told}")
    return provider


def flow(value: Any) -> str:
    """Write a value as YAML in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
