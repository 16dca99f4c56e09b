"""A recorded exchange gives exactly the recorded wallets or reason, and only the declared request is made."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import default
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from exporter import __version__
from exporter.providers.variables import built_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.model import Outcome, Wallet
    from exporter.providers.definition import Definition
    from exporter.scrape.collector import Collector
    from tests.laws.conftest import Case, Seen, Upstream

VARIABLES = {
    **built_in(datetime(2026, 11, 27, 23, 59, tzinfo=UTC)),
    "uuid": "00000000-0000-4000-8000-000000000000",
}
"""What the fixtures of requests that use them mean by `${today}` and the others."""

COMMON_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"prepaid-exporter/{__version__}",
}


@pytest.fixture(autouse=True)
def _on_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.upstream.request.built_in", lambda: VARIABLES)


def test_the_recorded_exchanges_give_exactly_what_is_recorded(
    provider_name: str,
    recorded: "Callable[[str], list[Case]]",
    collector: "Callable[[Case], Collector]",
    tell: "Callable[[Wallet], dict[str, Any]]",
) -> None:
    for case in recorded(provider_name):
        outcome = collector(case).collect()

        assert outcome.reason == case.reason, f"{case.id}: {outcome.detail}"
        assert [tell(wallet) for wallet in outcome.wallets] == (case.wallets or []), case.id
        assert outcome.notes == (), f"{case.id}: a documented answer is read whole"
        assert outcome.hint == case.hint, case.id
        assert outcome.status == case.answer.status, case.id
        assert outcome.retry_after == case.retry_after, case.id


def test_asking_again_gives_equal_wallets_and_so_does_an_answer_that_does_not_travel(
    provider_name: str,
    recorded: "Callable[[str], list[Case]]",
    collector: "Callable[[Case], Collector]",
    direct: "Callable[[Case], Collector]",
    same: "Callable[[Outcome], Any]",
) -> None:
    for case in recorded(provider_name):
        asked = collector(case)
        first, again, straight = asked.collect(), asked.collect(), direct(case).collect()

        assert same(first) == same(again), case.id
        assert same(first) == same(straight), case.id


def test_only_the_declared_requests_are_made_with_the_secret_only_where_declared(
    provider_name: str,
    recorded: "Callable[[str], list[Case]]",
    collector: "Callable[[Case], Collector]",
    upstream: "Upstream",
    definition_of: "Callable[[str], Definition]",
) -> None:
    for case in recorded(provider_name):
        asked = collector(case)
        asked.collect()
        (seen,) = upstream.seen(asked.account.base_url)
        path, _, query = seen.path.partition("?")
        base = definition_of(case.provider).base_url

        assert seen.method == case.request["method"], case.id
        assert base + path == _filled(case, case.request["url"]), case.id
        assert dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))) == {
            name: _filled(case, value) for name, value in case.request.get("query", {}).items()
        }, case.id
        assert dict(seen.headers) == _headers(case, seen, asked.account.base_url), case.id
        assert len(seen.headers) == len(dict(seen.headers)), f"{case.id}: a header is given twice"
        assert _body(case, seen.body) == _declared_body(case), case.id


def _headers(case: "Case", seen: "Seen", base_url: str) -> dict[str, str]:
    has_length = seen.body or seen.method == "POST"
    length = {"Content-Length": str(len(seen.body))} if has_length else {}
    declared = {name: _filled(case, value) for name, value in case.request.get("headers", {}).items()}
    if "multipart" in case.request:
        declared["Content-Type"] = f"multipart/form-data; boundary={_boundary(seen.body)}"
    if "basic" in case.request:
        pair = _filled(case, case.request["basic"]).encode()
        declared["Authorization"] = f"Basic {b64encode(pair).decode()}"
    return {"Host": urlsplit(base_url).netloc, **COMMON_HEADERS, **length, **declared}


def _boundary(body: bytes) -> str:
    return body.partition(b"\r\n")[0].decode().removeprefix("--")


def _body(case: "Case", body: bytes) -> Any:
    if "json" in case.request:
        return json.loads(body)
    if "multipart" in case.request:
        kind = f"Content-Type: multipart/form-data; boundary={_boundary(body)}\r\n\r\n"
        parts = BytesParser(policy=default).parsebytes(kind.encode() + body).iter_parts()
        return {part.get_param("name", header="content-disposition"): part.get_content() for part in parts}
    return dict(parse_qsl(body.decode(), keep_blank_values=True)) if "form" in case.request else body


def _declared_body(case: "Case") -> Any:
    if "json" in case.request:
        return json.loads(_filled(case, case.request["json"]))
    for kind in {"form", "multipart"} & set(case.request):
        return {name: _filled(case, value) for name, value in case.request[kind].items()}
    return _filled(case, case.request.get("body", "")).encode()


def _filled(case: "Case", text: str) -> str:
    return Template(text).substitute(VARIABLES | case.secrets)
