"""A definition, written from a call and its answer: what was found, and what is left to a person."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from exporter import providers
from exporter.drafting.candidates import Candidate, candidates
from exporter.drafting.companions import currency, further, identity, success, units
from exporter.drafting.fixture import written
from exporter.drafting.flow import flow
from exporter.drafting.keys import Plan
from exporter.drafting.redaction import Redaction, as_json
from exporter.drafting.steps import expression
from exporter.extract.documents import parse
from exporter.extract.echoes import contains_secret
from exporter.model import Failure
from exporter.providers import Provider
from exporter.providers.definition import BasicAuth, FieldAuth

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

_JSON_TYPE = re.compile(r"application/(\w+\+)?json|\*/\*", re.IGNORECASE)
_NO_AMOUNT = -10
"""Score of numbers that are no amounts, such as ids and times."""


class DraftError(ValueError):
    """An answer of which no definition can be made; the text says why, and quotes nothing of it."""


@dataclass(frozen=True)
class Draft:
    """What was made: the texts of both files, and what a person is told of them."""

    provider: Provider
    definition: str = field(repr=False)
    fixture: str = field(repr=False)
    told: tuple[str, ...]


def provisional(name: str, plan: Plan) -> Provider:
    """Return the provider that a call describes, before anything is known of its answer; raise `DraftError`."""
    return _loaded(name, "\n".join([*_head(name, plan), "wallets: {settled_balance: not_known_yet}", ""]))


def draft(name: str, plan: Plan, body: bytes, content_type: str = "", *, asked: bool = False) -> Draft:
    """Make a definition and its fixture from an answer; raise `DraftError` where that cannot be done.

    `asked` says that the answer came to the very request of the plan.
    """
    secrets = [*plan.secrets.values()]
    kind, document = _document(body, content_type)
    chosen, *less_likely = _numbers(document, kind, secrets)
    others = [one for one in less_likely if one.score > _NO_AMOUNT]
    unit = currency(document, chosen) if kind != "text" else None
    rule = success(document)
    plan = _accepting(plan, kind, asked=asked)
    accepts_json = "accept" not in map(str.lower, plan.request.get("headers", {}))
    lines = [*_head(name, plan), *([f"answer: {kind}"] if kind != "json" else [])]
    lines += [f"success: {flow(rule)}"] if rule else []
    page = further(document)
    lines += [f"# Further pages may follow, as {page} says: see `pages` of a request."] if page else []
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
    invented = _redacted(redaction, kind, document, chosen, body)
    try:
        fixture = written(provider, plan, invented, kind, unit or chosen.unit)
    except Failure as failure:
        raise DraftError(f"the definition does not read the answer ({failure.detail})") from None
    if contains_secret(fixture, secrets):
        raise DraftError("the key stands in the answer in a place from which it cannot be taken")
    told = list(_told(provider, chosen, others, unit, page))
    if accepts_json and kind != "json":
        told.append(
            f"accept    it was asked for JSON, as definitions ask, and answered {kind}; if the provider documents "
            "another Accept, name it on curl's command line"
        )
    return Draft(provider, text, fixture, tuple(told))


def _numbers(document: Any, kind: str, secrets: Collection[str]) -> list[Candidate]:
    """Return the numbers of an answer, the likeliest balance first; raise `DraftError` where none can be one."""
    found = candidates(document, secrets, text=kind == "text")
    if not found:
        raise DraftError(
            "the answer has no number that could be a balance; is it the answer to this request?"
        )
    if found[0].score <= 0 and isinstance(document, dict) and "access_token" in document:
        raise DraftError(
            "the answer gives a token and no balance: give the call that asks with the token; "
            "docs/providers.md says under `login` how a definition fetches one"
        )
    return found


def _accepting(plan: Plan, kind: str, *, asked: bool) -> Plan:
    """Return a plan that accepts what it got: by itself a request asks for JSON, and one of curl's for anything."""
    headers = dict(plan.request.get("headers", {}))
    own = next((name for name in headers if name.lower() == "accept"), None)
    if kind == "json" and own and _JSON_TYPE.search(headers[own]):
        del headers[own]
    elif kind != "json" and not (own or asked):
        headers["Accept"] = "*/*"
    request = {**plan.request, "headers": headers}
    return replace(
        plan, request={name: value for name, value in request.items() if name != "headers" or value}
    )


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
    doubt = "  # its name says cents; is it right?" if chosen.is_in_cents else ""
    yield f"  balance: {flow(_number(chosen, chosen))}{doubt}"
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


def _told(
    provider: Provider, chosen: Candidate, others: Sequence[Candidate], unit: str | None, page: str | None
) -> Iterator[str]:
    """Yield what was chosen; the amounts are the operator's own, on his own screen."""
    yield f"key       {_place(provider)}; credentials: {', '.join(provider.definition.credentials)}"
    where = f"{chosen.path} of each of {chosen.items}" if chosen.items is not None else chosen.path
    count = f", the likeliest of {len(others) + 1} numbers; the others stand in comments" if others else ""
    doubt = "; its name says cents, is it right?" if chosen.is_in_cents else ""
    doubt += "; nothing in the answer is called a balance" if chosen.score <= 0 else ""
    yield f"balance   {where} = {chosen.value:f}{count}{doubt}"
    told = (
        unit
        or (chosen.unit and f"{chosen.unit}, from a name; is it right?")
        or "not in the answer: an account must say it"
    )
    yield f"currency  {told}"
    if page:
        yield f"pages     further ones may follow, as {page} says; the definition must say how they are asked for"


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
