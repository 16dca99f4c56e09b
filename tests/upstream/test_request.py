"""The request that a definition makes of an account's params and secrets."""

import json
from decimal import Decimal
from typing import Any

import pytest

from exporter.config import Account
from exporter.model import Failure, Reason
from exporter.providers import Provider
from exporter.upstream.request import Prepared, prepare
from tests.definitions import definition

KEY = "an-invented-key"


def prepared(params: dict[str, str] | None = None, **parts: Any) -> Prepared:
    declared = {name: {"description": "d", "required": True} for name in params or {}}
    made = definition(params=declared, **parts)
    account = Account("a", Provider("acme", made), {}, params or {}, made.base_url, 10, 0)
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
