"""Which page comes next, and what is read of all pages and what of the first alone."""

from decimal import Decimal
from typing import Any

import pytest

from exporter.extract.extractor import Extractor
from exporter.extract.paging import MAX_PAGES, Pager
from exporter.model import Failure, Reason
from exporter.providers.definition import Pages
from tests.definitions import definition


def pager(**spec: Any) -> Pager:
    return Pager(Pages.model_validate({"query": "page", **spec}))


TOKEN = pager(next="meta.next")
MORE = pager(next="next", more="more")
NUMBER = pager(number=True, last="meta.last", **{"from": 0})


@pytest.mark.parametrize(
    ("pages", "page", "token"),
    [
        (TOKEN, {"meta": {"next": "b"}}, "b"),
        (TOKEN, {"meta": {"next": 7}}, "7"),
        (TOKEN, {"meta": {"next": None}}, None),
        (TOKEN, {"meta": None}, None),
        (TOKEN, {"meta": {"next": ""}}, None),
        (MORE, {"more": False}, None),
        (MORE, {"more": False, "next": "b"}, None),
        (MORE, {"more": True, "next": "b"}, "b"),
        (MORE, {"more": "true", "next": "b"}, "b"),
        (MORE, {"more": "false", "next": "b"}, None),
        (pager(next="next", more="next != null"), {}, None),
        (pager(next="next", more="next != null"), {"next": "b"}, "b"),
        (pager(next="links[?rel == 'next'].token | [0]"), {"links": [{"rel": "self", "token": "a"}]}, None),
        (NUMBER, {"meta": {"last": 2}}, "1"),
        (NUMBER, {"meta": {"last": "1"}}, "1"),
        (NUMBER, {"meta": {"last": 0}}, None),
        (pager(number=True, last="last"), {"last": 0}, None),
        (pager(number=True, last="last"), {"last": 1}, None),
    ],
)
def test_a_page_says_whether_there_is_another(pages: Pager, page: Any, token: str | None) -> None:
    assert pages.after([page], ["a"]) == token


NO_TOKEN = "the token of the next page is no text or whole number"
ABSENT = (
    "the token of the next page is missing: nothing at meta.next; "
    'where the last page leaves it out, the definition says more: "meta.next != null"'
)


@pytest.mark.parametrize(
    ("pages", "page", "detail"),
    [
        (TOKEN, {"meta": {}}, ABSENT),
        (TOKEN, {}, ABSENT),
        (
            TOKEN,
            {"meta": {"next": True}},
            f"{NO_TOKEN}: true or false at meta.next",
        ),
        (
            TOKEN,
            {"meta": {"next": Decimal("1.5")}},
            f"{NO_TOKEN}: a number at meta.next",
        ),
        (
            TOKEN,
            {"meta": {"next": ["b"]}},
            f"{NO_TOKEN}: a list at meta.next",
        ),
        (
            TOKEN,
            {"meta": {"next": "\ud800"}},
            f"{NO_TOKEN}: a text at meta.next",
        ),
        (TOKEN, {"meta": {"next": "a"}}, "the token of the next page came before: a text at meta.next"),
        (
            TOKEN,
            {"meta": {"next": "https://x.example/2"}},
            "the token of the next page is a URL: a text at meta.next",
        ),
        (
            TOKEN,
            {"meta": {"next": "/v1/items?page=2"}},
            "the token of the next page is a URL: a text at meta.next",
        ),
        (MORE, {"more": True}, f"{NO_TOKEN}: nothing at next"),
        (
            MORE,
            {"more": True, "next": ""},
            f"{NO_TOKEN}: a text at next",
        ),
        (MORE, {"next": "b"}, "the page does not say whether there is a next one: nothing at more"),
        (
            MORE,
            {"more": 1, "next": "b"},
            "the page does not say whether there is a next one: a number at more",
        ),
        (NUMBER, {"meta": {}}, "the last page's number cannot be used: nothing at meta.last"),
        (
            NUMBER,
            {"meta": {"last": True}},
            "the last page's number cannot be used: true or false at meta.last",
        ),
        (NUMBER, {"meta": {"last": -1}}, "the last page's number cannot be used: a number at meta.last"),
        (NUMBER, {"meta": {"last": "many"}}, "the last page's number cannot be used: a text at meta.last"),
    ],
)
def test_a_page_that_does_not_say_it_clearly_is_malformed(pages: Pager, page: Any, detail: str) -> None:
    with pytest.raises(Failure) as caught:
        pages.after([page], ["a"])
    assert (caught.value.reason, caught.value.detail) == (Reason.MALFORMED, detail)


@pytest.mark.parametrize(
    ("pages", "there"),
    [
        (TOKEN, [{"meta": {"next": "b"}}] * MAX_PAGES),
        (NUMBER, [{"meta": {"last": MAX_PAGES}}]),
    ],
)
def test_over_a_hundred_pages_are_too_many(pages: Pager, there: list[Any]) -> None:
    with pytest.raises(Failure, match="the answer has over 100 pages") as caught:
        pages.after(there, ["a"])
    assert caught.value.reason is Reason.TOO_LARGE
    assert NUMBER.after([{"meta": {"last": MAX_PAGES - 1}}], []) == "1"


def found(wallets: Any, *pages: Any) -> list[Any]:
    first, *further = pages
    read, notes = Extractor(definition(wallets=wallets)).wallets(first, "EUR", further=further)
    assert notes == ()
    return [(wallet.id, wallet.currency, wallet.balance) for wallet in read]


def test_wallets_of_all_pages_have_the_other_fields_of_the_first() -> None:
    listed = {"items": "w", "id": "id", "currency": '"$".c', "balance": "b"}
    pages = ({"c": "usd", "w": [{"id": "a", "b": 1}]}, {"c": "gbp", "w": []}, {"w": [{"id": "b", "b": 0}]})
    assert found(listed, *pages) == [("a", "USD", 1), ("b", "USD", 0)]


def test_wallets_by_name_are_those_of_all_pages() -> None:
    named = {"items_by_key": "w", "id": '"@key"', "balance": "@"}
    assert found(named, {"w": {"a": 1}}, {"w": {"b": 2}}) == [("a", "EUR", 1), ("b", "EUR", 2)]


def test_a_sum_runs_over_all_pages_and_another_path_over_the_first() -> None:
    spec = {"balance": {"sum": {"items": "g", "path": "n"}, "minus": "used"}}
    assert found(spec, {"g": [{"n": 5}], "used": 1}, {"g": [], "used": 2}, {"g": [{"n": "0.5"}]}) == [
        ("main", "EUR", pytest.approx(4.5))
    ]


def test_a_sum_from_the_root_runs_over_all_pages_and_one_of_a_listed_wallet_over_it_alone() -> None:
    spec = {
        "items": "w",
        "id": "id",
        "balance": {"sum": {"items": "g"}, "plus": {"sum": {"items": '"$".all'}}},
    }
    pages = ({"all": [100], "w": [{"id": "a", "g": [1, 2]}]}, {"all": [10], "w": [{"id": "b", "g": []}]})
    assert found(spec, *pages) == [("a", "EUR", 113), ("b", "EUR", 110)]


@pytest.mark.parametrize(
    ("wallets", "second", "detail"),
    [
        ({"items": "w", "id": "id", "balance": "b"}, {}, "wallets are not a list on page 2: nothing at w"),
        (
            {"items": "w", "id": "id", "balance": "b"},
            {"w": {"id": "b", "b": 1}},
            "wallets are not a list on page 2: an object at w",
        ),
        (
            {"items": "w", "id": "id", "balance": "b"},
            {"w": [1]},
            "wallets[1] is not an object but a number",
        ),
        (
            {"items": "w", "id": "id", "balance": "b"},
            {"w": [{"id": "a", "b": 1}]},
            "two wallets have the same id and currency",
        ),
        ({"balance": {"sum": {"items": "w", "path": "b"}}}, {}, "wallet.balance is missing: nothing at w"),
        (
            {"balance": {"sum": {"items": "w", "path": "b"}}},
            {"w": {"b": 1}},
            "wallet.balance is not a list: an object at w",
        ),
        (
            {"balance": {"sum": {"items": "w", "path": "b"}}},
            [],
            "the wallet is not an object on page 2: a list at @",
        ),
    ],
)
def test_a_further_page_that_lacks_what_runs_over_it_is_malformed(
    wallets: Any, second: Any, detail: str
) -> None:
    with pytest.raises(Failure) as caught:
        found(wallets, {"w": [{"id": "a", "b": 1}]}, second)
    assert (caught.value.reason, caught.value.detail) == (Reason.MALFORMED, detail)
