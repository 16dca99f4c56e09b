"""The request that a definition makes of an account's params and secrets."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email import policy
from email.parser import BytesParser
from typing import Any
from uuid import UUID

import pytest

from exporter.config import Account
from exporter.model import Failure, Reason
from exporter.providers import Provider
from exporter.providers.variables import BUILT_IN, built_in
from exporter.upstream.request import Prepared, prepare
from tests.definitions import definition

KEY = "an-invented-key"


def prepared(values: dict[str, str] | None = None, **parts: Any) -> Prepared:
    declared = {name: {"description": "d", "required": True} for name in values or {}}
    made = definition(**{"params": declared, **parts})
    account = Account("a", Provider("acme", made), {}, values or {}, made.base_url, 10, 0)
    return prepare(account, {"api_key": KEY})


def test_a_json_body_is_sent_as_it_is_written() -> None:
    body = prepared(
        request={"path": "/", "method": "POST", "json": {"n": None, "v": Decimal("1.5"), "l": [None]}}
    )
    assert json.loads(body.body or b"") == {"n": None, "v": 1.5, "l": [None]}


def test_a_header_of_the_definition_takes_the_place_of_the_usual_one() -> None:
    headers = {"accept": "text/csv", "content-type": "application/vnd.acme+json", "X-Pad": " a "}
    sent = prepared(request={"path": "/", "method": "POST", "headers": headers, "json": {}}).headers
    assert {name: value for name, value in sent.items() if name not in ("User-Agent", "Accept-Encoding")} == {
        "accept": b"text/csv",
        "content-type": b"application/vnd.acme+json",
        "X-Pad": b"a",
        "Authorization": b"Bearer an-invented-key",
    }


@pytest.mark.parametrize("value", [".", ".."])
def test_a_value_never_climbs_the_path(value: str) -> None:
    with pytest.raises(Failure, match="would change the host or path") as caught:
        prepared({"id": value}, request={"path": "/users/${id}/balance"})
    assert caught.value.reason is Reason.MISCONFIGURED


def test_a_value_stays_within_its_part_of_the_path() -> None:
    request = {"path": "/users/${id}/balance"}
    sent = prepared({"id": "../@evil.example/?#"}, request=request)
    assert sent.url == "https://api.example.com/v1/users/..%2F%40evil.example%2F%3F%23/balance"


@pytest.mark.parametrize(
    ("content_type", "written"),
    [
        ("application/xml", b"<k>an-invented-key</k><i>a&lt;b&gt;&amp;&quot;&#x27;\\ $</i>"),
        ("text/xml; charset=utf-8", b"<k>an-invented-key</k><i>a&lt;b&gt;&amp;&quot;&#x27;\\ $</i>"),
        ("application/json", b"""<k>an-invented-key</k><i>a<b>&\\"'\\\\ $</i>"""),
        ("text/plain", b"""<k>an-invented-key</k><i>a<b>&"'\\ $</i>"""),
    ],
)
def test_a_value_stays_within_its_place_of_a_raw_body(content_type: str, written: bytes) -> None:
    body = {"content_type": content_type, "text": "<k>${api_key}</k><i>${id}</i>"}
    sent = prepared({"id": "a<b>&\"'\\ $"}, request={"path": "/", "method": "POST", "body": body}, auth=None)
    assert sent.body == written
    assert sent.headers["Content-Type"] == content_type.encode()
    assert "Authorization" not in sent.headers


def test_a_list_is_a_json_body_without_what_the_account_does_not_give() -> None:
    body = prepared(
        request={"path": "/", "method": "POST", "json": [{"a": "${id}", "b": "${uuid}"}, "${id}", 1]},
        params={"id": {"description": "d"}},
    ).body
    (task, one) = json.loads(body or b"")
    assert task.keys() == {"b"}
    assert one == 1


def test_a_post_needs_no_body() -> None:
    sent = prepared(request={"path": "/", "method": "POST"})
    assert (sent.method, sent.body) == ("POST", None)
    assert "Content-Type" not in sent.headers


def test_a_body_of_several_parts_is_read_back() -> None:
    parts = {"a": "1 & 2", "ü": "é", "branch": "${branch}"}
    sent = prepared(
        request={"path": "/", "method": "POST", "multipart": parts},
        params={"branch": {"description": "d"}},
        auth={"type": "body", "name": "key"},
    )
    kind = b"Content-Type: " + sent.headers["Content-Type"] + b"\r\n\r\n"
    read = BytesParser(policy=policy.HTTP).parsebytes(kind + (sent.body or b""))
    assert [part.get_payload(decode=True) for part in read.iter_parts()] == [
        b"1 & 2",
        "é".encode(),
        KEY.encode(),
    ]


def test_every_request_has_its_own_uuid() -> None:
    first, second = (prepared(request={"path": "/", "query": {"id": "${uuid}"}}).url for _ in range(2))
    assert first != second
    assert UUID(first.rpartition("=")[2]).version == 4


@pytest.mark.parametrize(
    ("moment", "values"),
    [
        (
            datetime(2026, 11, 27, 22, 30, tzinfo=UTC),
            "2026-11-27 1795737600 2026-11-27T00:00:00Z 2026-11-01 1793491200 2026-11-01T00:00:00Z",
        ),
        (
            datetime(2026, 12, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))),
            "2026-11-30 1795996800 2026-11-30T00:00:00Z 2026-11-01 1793491200 2026-11-01T00:00:00Z",
        ),
    ],
)
def test_days_are_those_of_utc(moment: datetime, values: str) -> None:
    found = built_in(moment)
    names = [f"{day}{form}" for day in ("today", "month_start") for form in ("", "_unix", "_rfc3339")]
    assert " ".join(found[name] for name in names) == values
    assert found.keys() == BUILT_IN
