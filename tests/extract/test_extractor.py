"""Which wallets a definition finds in an answer."""

from collections.abc import Callable
from typing import Any

import pytest

from exporter.extract.extractor import extractor
from exporter.model import Failure

TWO = '[{"c": "EUR", "b": 1, "k": 5}, {"c": "USD", "b": 2, "k": %s}]'

CREDITED = {"items": "@", "currency": "c", "balance": "b", "credit_unit": "CREDITS"}


@pytest.mark.parametrize("field", [{"credit_balance": "k"}, {"credit_breakdown": {"free": "k"}}])
def test_wallets_that_share_an_id_cannot_both_be_counted_in_one_unit(
    field: dict[str, Any], extract: Callable[..., Any]
) -> None:
    with pytest.raises(Failure, match="same id and unit of credits"):
        extract({**CREDITED, **field}, TWO % 6)
    found, _ = extract({**CREDITED, **field}, TWO % "null")
    assert [wallet.currency for wallet in found] == ["EUR", "USD"]


def test_a_currency_of_the_definition_may_be_written_small(extract: Callable[..., Any]) -> None:
    ((wallet,), _) = extract({"currency": {"literal": "eur"}, "balance": "b"}, '{"b": 1}')
    assert wallet.currency == "EUR"


def test_the_definition_says_which_wallets_are_billed_later(extract: Callable[..., Any]) -> None:
    mapping = {"items": "@", "id": "t", "currency": {"literal": "EUR"}, "balance": "b", "type": "t"}
    found, _ = extract({**mapping, "postpaid": ["LATER"]}, '[{"b": 1, "t": "LATER"}, {"b": 1, "t": "NOW"}]')
    assert [wallet.postpaid for wallet in found] == [True, False]


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity", "1_000"])
def test_a_text_that_is_no_number_is_none_through_an_expression_too(
    text: str, extract: Callable[..., Any]
) -> None:
    with pytest.raises(Failure, match="balance is missing"):
        extract({"currency": {"literal": "EUR"}, "balance": "to_number(b)"}, f'{{"b": "{text}"}}')


def test_definitions_that_came_and_went_are_not_kept() -> None:
    assert extractor.cache_info().maxsize is not None
