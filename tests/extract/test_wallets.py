"""Which wallets an answer has, and from where each is read."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from exporter.model import Failure, Reason

Extract = Callable[..., Any]
EUR = {"currency": {"literal": "EUR"}}


def amounts(found: Any) -> dict[str, Decimal | None]:
    return {f"{wallet.id} {wallet.currency}": wallet.balance for wallet in found}


def test_wallets_may_be_keyed_by_name(extract: Extract) -> None:
    mapping = {"items_by_key": "proxies", "id": '"@key"', "currency": {"literal": "GB"}, "balance": "left"}
    found, _ = extract(mapping, '{"proxies": {"mobile": {"left": 5}, "\\u00a0": {"left": 0}}}')
    assert amounts(found) == {"mobile GB": 5, "\u00a0 GB": 0}


def test_a_key_may_be_the_currency_and_its_value_the_amount(extract: Extract) -> None:
    mapping = {"items_by_key": "balances", "currency": '"@key"', "balance": "@"}
    found, _ = extract(mapping, '{"balances": {"eur": 5, "USD": "0.10"}}')
    assert amounts(found) == {"main EUR": 5, "main USD": Decimal("0.10")}


def test_an_object_without_names_has_no_wallets(extract: Extract) -> None:
    assert extract({**EUR, "items_by_key": "proxies", "id": '"@key"', "balance": "b"}, '{"proxies": {}}') == (
        (),
        (),
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("{}", "wallets are not an object: nothing at proxies"),
        ('{"proxies": null}', "wallets are not an object: nothing at proxies"),
        ('{"proxies": [{"b": 1}]}', "wallets are not an object: a list at proxies"),
        ('{"proxies": {"a": null}}', "wallet.balance is missing: nothing at b"),
        ('{"proxies": {"a": [1]}}', "wallet.balance is missing: nothing at b"),
        ('{"proxies": {"a": {"b": "x"}}}', "wallet.balance is not a number: a text at b"),
        ('{"proxies": {"": {"b": 1}}}', 'wallet.id is missing: nothing at "@key"'),
        (
            '{"proxies": {"a\\u0000": {"b": 1}}}',
            'wallet.id is not a short text without control characters: a text at "@key"',
        ),
    ],
)
def test_what_is_no_object_of_wallets_is_malformed(answer: str, said: str, extract: Extract) -> None:
    with pytest.raises(Failure) as caught:
        extract({**EUR, "items_by_key": "proxies", "id": '"@key"', "balance": "b"}, answer)
    assert (caught.value.reason, caught.value.detail) == (Reason.MALFORMED, said)


ROOTED = '{"data": {"currency": "usd", "rate": 2, "wallet": {"b": 1}, "wallets": [{"b": 1, "n": {"m": 3}}]}}'


@pytest.mark.parametrize("items", ["@", "data.wallet", "data.wallets", 'data.wallets[?b < "$".data.rate]'])
def test_the_document_can_be_reached_from_everywhere(items: str, extract: Extract) -> None:
    balance = ["b", "data.wallet.b"]
    mapping = {"items": items, "currency": '"$".data.currency', "balance": balance, "quota": '"$".data.rate'}
    ((wallet,), _) = extract(
        mapping, ROOTED, success={"path": '"$".data.currency', "equals": ["usd"]}, errors={"code": '"$".code'}
    )
    assert (wallet.currency, wallet.balance, wallet.quota) == ("USD", 1, 2)


def test_the_document_can_be_a_list(extract: Extract) -> None:
    mapping = {**EUR, "balance": "b", "quota": '"$"[0].q'}
    ((wallet,), _) = extract({**mapping, "items": "[1]"}, '[{"q": 7}, {"b": 1}]')
    assert (wallet.balance, wallet.quota) == (1, 7)


def test_a_key_of_the_provider_s_that_looks_like_ours_is_the_provider_s(extract: Extract) -> None:
    mapping = {**EUR, "balance": '"@key"'}
    ((wallet,), _) = extract(mapping, '{"@key": 5}')
    assert wallet.balance == 5


def test_the_document_adds_nothing_to_an_item(extract: Extract) -> None:
    mapping = {**EUR, "items": "w", "balance": "length(@)", "quota": "length(keys(@))"}
    found, _ = extract({**mapping, "id": "i"}, '{"w": [{"i": "a"}, {"i": "b", "c": 1}]}')
    assert [(wallet.balance, wallet.quota) for wallet in found] == [(1, 1), (2, 2)]


@pytest.mark.parametrize(
    ("fields", "answer", "wallet"),
    [
        ({"settled_balance": "s"}, '{"s": 5}', {"settled_balance": 5}),
        ({"quota_used": "u"}, '{"u": 0}', {"quota_used": 0}),
        ({"quota_used": "u", "quota": "q"}, '{"u": 7, "q": null}', {"quota_used": 7}),
        ({"balance": "b", "quota_used": "u"}, '{"b": 5}', {"balance": 5}),
        ({"settled_balance": {"path": "s", "unlimited": [-1]}}, '{"s": -1}', {}),
    ],
)
def test_a_wallet_has_a_balance_or_what_stands_for_it(
    fields: Any, answer: str, wallet: dict[str, int], extract: Extract
) -> None:
    ((found,), notes) = extract({**EUR, **fields}, answer)
    known = {
        name: getattr(found, name)
        for name in ("balance", "settled_balance", "quota", "quota_used")
        if getattr(found, name) is not None
    }
    assert (known, notes) == (wallet, ())


@pytest.mark.parametrize(
    ("fields", "answer", "said"),
    [
        ({"settled_balance": "s"}, '{"s": null}', "wallet.settled_balance is missing: nothing at s"),
        ({"quota_used": "u"}, '{"q": 1}', "wallet.quota_used is missing: nothing at u"),
        ({"quota_used": "u"}, '{"u": "many"}', "wallet.quota_used is not a number: a text at u"),
        (
            {"quota_used": "u", "settled_balance": "s"},
            '{"u": 1}',
            "wallet.settled_balance is missing: nothing at s",
        ),
        ({"balance": "b", "quota_used": "u"}, '{"u": 1}', "wallet.balance is missing: nothing at b"),
    ],
)
def test_what_stands_for_a_balance_is_as_needed(
    fields: Any, answer: str, said: str, extract: Extract
) -> None:
    with pytest.raises(Failure) as caught:
        extract({**EUR, **fields}, answer)
    assert (caught.value.reason, caught.value.detail) == (Reason.MALFORMED, said)
