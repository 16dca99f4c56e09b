"""A first request whose values go into the second, and answers in pages, inside one timeout."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exporter.config import Config
from exporter.model import Reason
from exporter.scrape.scraper import Scraper
from exporter.upstream.client import Client
from exporter.web.trace import trace
from tests.desk import MakeUpstream
from tests.scrape.provider import KEY, Ask, make

FIRST = {"path": "/accounts", "gives": {"id": "accounts[0].id"}}
SECOND = {"path": "/accounts/${id}/balance", "headers": {"X-Account": "${id}"}}


@pytest.fixture
def ask(tmp_path: Path, upstream: MakeUpstream) -> Iterator[Ask]:
    client = Client()
    yield make(tmp_path, upstream(), client)
    client.close()


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("a1", "a1"),
        ("a/b", "a%2Fb"),
        ("a b?c#d%e", "a%20b%3Fc%23d%25e"),
        ("é", "%C3%A9"),
        ("...", "..."),
        (7, "7"),
        (-7, "-7"),
        (10**40, "1" + "0" * 40),
    ],
)
def test_a_given_value_is_one_segment_of_the_path(value: Any, path: str, ask: Ask) -> None:
    asked, provider = ask(
        {"/accounts": {"accounts": [{"id": value}]}, f"/accounts/{path}/balance": {"balance": 5}},
        first=FIRST,
        request={"path": "/accounts/${id}/balance"},
    )
    outcome = asked.collect()
    assert outcome.up, outcome.detail
    assert provider.asked == ["/accounts", f"/accounts/{path}/balance"]
    assert all(one.headers["authorization"] == f"Bearer {KEY}" for one in provider.server.requests)


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ("", "is no text or whole number: a text at accounts[0].id"),
        (" ", "is no text or whole number: a text at accounts[0].id"),
        (".", "would change the path of the request"),
        ("..", "would change the path of the request"),
        ("a\r\nX-Evil: b", "is no text or whole number: a text at accounts[0].id"),
        ("\ud800", "is no text or whole number: a text at accounts[0].id"),
        (None, "is missing: nothing at accounts[0].id"),
        (True, "is no text or whole number: true or false at accounts[0].id"),
        (1.5, "is no text or whole number: a number at accounts[0].id"),
        (["a"], "is no text or whole number: a list at accounts[0].id"),
        ({}, "is no text or whole number: an object at accounts[0].id"),
    ],
)
def test_a_given_value_that_cannot_be_one_is_malformed_and_nothing_else_is_asked(
    value: Any, detail: str, ask: Ask
) -> None:
    asked, provider = ask({"/accounts": {"accounts": [{"id": value}]}}, first=FIRST, request=SECOND)
    outcome = asked.collect()
    assert (outcome.reason, outcome.detail) == (
        Reason.MALFORMED,
        f"the first request: first.gives.id {detail}",
    )
    assert provider.asked == ["/accounts"]


@pytest.mark.parametrize(
    ("answer", "reason", "detail"),
    [
        ((401, {}), Reason.AUTH, "the first request: HTTP status 401"),
        ((500, {}), Reason.HTTP_STATUS, "the first request: HTTP status 500"),
        ((302, {}), Reason.REDIRECT, "the first request: HTTP status 302; redirects are not followed"),
        (
            (200, {"code": "BAD"}),
            Reason.AUTH,
            "the first request: the answer's error code says that the credentials are wrong",
        ),
        (
            (200, {"ok": False}),
            Reason.API_ERROR,
            "the first request: a success status with an error in the body, at ok",
        ),
        ((200, b"<html>"), Reason.MALFORMED, "the first request: the answer is a page for people (HTML)"),
    ],
)
def test_a_failure_of_the_first_request_is_the_accounts(
    answer: Any, reason: Reason, detail: str, ask: Ask
) -> None:
    asked, provider = ask(
        {"/accounts": answer},
        first={**FIRST, "success": {"path": "ok", "equals": [True]}},
        request=SECOND,
        errors={"auth": ["BAD"]},
    )
    outcome = asked.collect()
    assert (outcome.reason, outcome.detail, outcome.status) == (reason, detail, answer[0])
    assert provider.asked == ["/accounts"]


def test_a_request_to_wait_counts_wherever_it_comes(ask: Ask) -> None:
    busy: Any = (429, {}, {"Retry_After": "60"})
    asked, provider = ask({"/accounts": busy}, first=FIRST, request=SECOND)
    assert asked.collect().retry_after == 60
    provider.answers |= {"/accounts": {"accounts": [{"id": "a"}]}, "/accounts/a/balance": busy}
    outcome = asked.collect()
    assert (outcome.reason, outcome.retry_after) == (Reason.RATE_LIMITED, 60)


def test_every_request_is_counted_and_told_in_the_trace_without_what_answers_gave(ask: Ask) -> None:
    answers = {
        "/accounts": {"accounts": [{"id": "given-id"}]},
        "/accounts/given-id/balance": [
            {"w": [{"balance": 5}], "next": "given-token"},
            {"w": [], "next": None},
        ],
    }
    asked, provider = ask(
        answers,
        first=FIRST,
        request={**SECOND, "pages": {"query": "cursor", "next": "next"}},
        wallets={"items": "w", "balance": "balance", "currency": {"literal": "EUR"}},
    )
    scraper = Scraper(Config("prepaid.yml", (asked.account,)))
    (reading,) = scraper.scrape(None, 60)
    assert reading.outcome
    assert reading.outcome.up, reading.outcome.detail
    assert provider.asked == [
        "/accounts",
        "/accounts/given-id/balance",
        "/accounts/given-id/balance?cursor=given-token",
    ]
    assert scraper.upstream_requests() == {("acme", "acme"): 3}
    told = [line for line in trace(reading).splitlines() if line.startswith("request")]
    base = provider.server.url
    assert told == [
        f"request   GET {base}/accounts",
        f"request   GET {base}/accounts/***/balance",
        f"request   GET {base}/accounts/***/balance?cursor=***",
    ]
    assert "given-" not in trace(reading) + repr(reading)


def test_the_numbers_of_pages_are_shown(ask: Ask) -> None:
    asked, _ = ask(
        {"/w": {"w": [], "last": 2}},
        request={"path": "/w", "pages": {"query": "page", "number": True, "last": "last"}},
        wallets={"items": "w", "balance": "balance", "currency": {"literal": "EUR"}},
    )
    urls = [one.url.rpartition("/")[2] for one in asked.collect().exchanges]
    assert urls == ["w?page=1", "w?page=2"]


def test_all_pages_have_one_timeout_together(ask: Ask) -> None:
    asked, provider = ask(
        {"/w": [{"w": [], "next": "b"}, lambda peer, _: peer.hang()]},
        settings={"timeout": "500ms"},
        request={"path": "/w", "pages": {"query": "page", "next": "next"}},
        wallets={"items": "w", "balance": "balance", "currency": {"literal": "EUR"}},
    )
    outcome = asked.collect()
    assert outcome.reason is Reason.TIMEOUT
    assert outcome.detail.startswith("page 2: ")
    assert provider.asked == ["/w", "/w?page=b"]


def test_a_page_that_leads_back_is_asked_for_once(ask: Ask) -> None:
    asked, provider = ask(
        {"/w": [{"w": [], "next": "b"}, {"w": [], "next": "c"}, {"w": [], "next": "b"}]},
        request={"path": "/w", "pages": {"query": "page", "next": "next"}},
        wallets={"items": "w", "balance": "balance", "currency": {"literal": "EUR"}},
    )
    outcome = asked.collect()
    assert (outcome.reason, outcome.detail) == (
        Reason.MALFORMED,
        "page 3: the token of the next page came before: a text at next",
    )
    assert provider.asked == ["/w", "/w?page=b", "/w?page=c"]


def test_no_more_than_a_hundred_pages_are_asked_for(ask: Ask) -> None:
    numbers = iter(range(1000))
    asked, provider = ask(
        {"/w": lambda peer, _: peer.answer(b'{"w": [], "next": %d}' % next(numbers))},
        request={"path": "/w", "pages": {"query": "page", "next": "next"}},
        wallets={"items": "w", "balance": "balance", "currency": {"literal": "EUR"}},
    )
    outcome = asked.collect()
    assert (outcome.reason, outcome.detail) == (
        Reason.TOO_LARGE,
        "page 100: the answer has over 100 pages",
    )
    assert len(provider.asked) == 100


def test_all_pages_together_are_below_a_size(ask: Ask) -> None:
    numbers = iter(range(100))
    asked, provider = ask(
        {"/w": lambda peer, _: peer.answer(b'{"w": [], "next": %d}' % next(numbers) + b" " * 900_000)},
        request={"path": "/w", "pages": {"query": "page", "next": "next"}},
        wallets={"items": "w", "balance": "balance", "currency": {"literal": "EUR"}},
    )
    outcome = asked.collect()
    assert (outcome.reason, outcome.detail) == (
        Reason.TOO_LARGE,
        "page 5: the answers are over 4194304 bytes together",
    )
    assert len(provider.asked) == 5


def test_the_first_document_counts_in_every_path_of_the_second(ask: Ask) -> None:
    asked, _ = ask(
        {"/limit": {"limit": "100.5", "unit": "usd"}, "/used": {"used": 2550, "state": "ok"}},
        first={"path": "/limit"},
        request={"path": "/used"},
        success={"path": '"$first".limit && state', "equals": ["ok"]},
        wallets={
            "currency": '"$first".unit',
            "balance": {"path": '"$first".limit', "minus": {"path": "used", "scale": 0.01}},
        },
    )
    outcome = asked.collect()
    assert [(one.currency, one.balance) for one in outcome.wallets] == [("USD", Decimal(75))]


def test_a_request_with_an_id_of_its_own_has_another_one_each_time(ask: Ask) -> None:
    asked, provider = ask(
        {"/a": {}, "/b": {"balance": 1}},
        first={"path": "/a", "query": {"id": "${uuid}"}},
        request={"path": "/b", "query": {"id": "${uuid}"}},
    )
    for _ in range(2):
        assert asked.collect().up
    assert len(set(provider.asked)) == 4
    assert asked.revision == 1
