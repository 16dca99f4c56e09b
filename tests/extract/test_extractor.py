"""Own definitions between an account and its wallets: the request that is made, and what is read."""

import json
from decimal import Decimal
from typing import Any

import pytest

from exporter.config import Account
from exporter.extract.documents import parse
from exporter.extract.extractor import Extractor, extractor
from exporter.extract.values import number
from exporter.model import Failure, Reason
from exporter.providers import Provider
from exporter.providers.definition import Definition
from exporter.providers.mapping import Number
from exporter.upstream.request import Prepared, prepare

KEY = "an-invented-key"


def definition(**parts: Any) -> Definition:
    return Definition.model_validate(
        {
            "title": "Acme",
            "documentation": [],
            "confidence": "observed",
            "credentials": {"api_key": {"description": "key"}},
            "base_url": "https://api.example.com/v1",
            "request": {"path": "/balance"},
            "auth": {"type": "bearer"},
            "wallets": {"currency": {"literal": "EUR"}, "balance": "balance"},
            **parts,
        }
    )


def prepared(params: dict[str, str] | None = None, **parts: Any) -> Prepared:
    declared = {name: {"description": "d", "required": True} for name in params or {}}
    made = definition(params=declared, **parts)
    account = Account("a", Provider("acme", made), {}, params or {}, made.base_url, 10, 0)
    return prepare(account, {"api_key": KEY})


def wallets(wallet: Any, answer: str) -> Any:
    return Extractor(definition(wallets=wallet)).wallets(parse(answer.encode()), None)


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


TWO = '[{"c": "EUR", "b": 1, "k": 5}, {"c": "USD", "b": 2, "k": %s}]'
CREDITED = {"items": "@", "currency": "c", "balance": "b", "credit_unit": "CREDITS"}


@pytest.mark.parametrize("field", [{"credit_balance": "k"}, {"credit_breakdown": {"free": "k"}}])
def test_wallets_that_share_an_id_cannot_both_be_counted_in_one_unit(field: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="same id and unit of credits"):
        wallets({**CREDITED, **field}, TWO % 6)
    found, _ = wallets({**CREDITED, **field}, TWO % "null")
    assert [wallet.currency for wallet in found] == ["EUR", "USD"]


def test_a_currency_of_the_definition_may_be_written_small() -> None:
    ((wallet,), _) = wallets({"currency": {"literal": "eur"}, "balance": "b"}, '{"b": 1}')
    assert wallet.currency == "EUR"


def test_the_definition_says_which_wallets_are_billed_later() -> None:
    mapping = {"items": "@", "id": "t", "currency": {"literal": "EUR"}, "balance": "b", "type": "t"}
    found, _ = wallets({**mapping, "postpaid": ["LATER"]}, '[{"b": 1, "t": "LATER"}, {"b": 1, "t": "NOW"}]')
    assert [wallet.postpaid for wallet in found] == [True, False]


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity", "1_000"])
def test_a_text_that_is_no_number_is_none_through_an_expression_too(text: str) -> None:
    with pytest.raises(Failure, match="balance is missing"):
        wallets({"currency": {"literal": "EUR"}, "balance": "to_number(b)"}, f'{{"b": "{text}"}}')


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity"])
def test_what_is_not_finite_is_no_amount(amount: str) -> None:
    with pytest.raises(ValueError, match="beyond what a sample can hold"):
        number(Decimal(amount), Number(path=["@"]))


@pytest.mark.parametrize(
    ("text", "amount"),
    [("EUR 12.50", Decimal("12.50")), (" EUR 1 ", 1), ("EUR 100000", None), ("EUR 12.50 and more", None)],
)
def test_a_pattern_describes_the_whole_text(text: str, amount: Decimal | None) -> None:
    spec = Number(path=["@"], pattern=r"EUR ([0-9]{1,3}(?:\.[0-9]{2})?)")
    if amount is None:
        with pytest.raises(ValueError, match="is not a number"):
            number(text, spec)
    else:
        assert number(text, spec) == amount


def test_a_pattern_is_not_tried_on_a_long_text() -> None:
    spec = Number(path=["@"], pattern="x*([0-9])")
    assert number("x" * 100 + "1", spec) == 1
    with pytest.raises(ValueError, match="is not a number"):
        number("x" * 100_000 + "1", spec)


@pytest.mark.parametrize("digits", ["1e10000", "-1e-10000", "0e999999999", "1" + "0" * 10_000])
def test_a_number_that_would_fill_the_memory_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match="beyond all bounds"):
        parse(f'{{"b": {digits}}}'.encode())


def test_definitions_that_came_and_went_are_not_kept() -> None:
    assert extractor.cache_info().maxsize is not None
