"""A token in place of a key: fetched once, kept while it is good, fetched anew where it is refused, never shown."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.config import Config
from exporter.config.secret import Secret
from exporter.model import Reason
from exporter.scrape import login
from exporter.scrape.collector import Collector
from exporter.scrape.scraper import Scraper
from exporter.upstream.client import Client
from exporter.web.trace import trace
from tests.desk import MakeUpstream
from tests.peers import Asked, Peer
from tests.programs import PATIENCE
from tests.scrape.provider import KEY, Ask, make

LOGIN: dict[str, Any] = {
    "method": "POST",
    "path": "/token",
    "form": {"grant_type": "client_credentials"},
    "auth": {"type": "basic", "username": "user", "password": "${api_key}"},
    "gives": {"token": "access_token"},
    "lifetime": "expires_in",
}
PARTS: dict[str, Any] = {
    "login": LOGIN,
    "request": {"path": "/balance"},
    "auth": {"type": "bearer", "credential": "token"},
}
TOKEN = "issued-token-Zq7"
REFUSED = "the answer's error says that the credentials are wrong"


@pytest.fixture
def ask(tmp_path: Path, upstream: MakeUpstream) -> Iterator[Ask]:
    client = Client()
    yield make(tmp_path, upstream(), client)
    client.close()


class Clock:
    """What the login takes for the time, in monotonic seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let time pass for the ages of tokens alone."""
    made = Clock()
    monkeypatch.setattr(login, "time", made)
    return made


def only(*accepted: str) -> Any:
    """Answer those who bring one of these tokens, and refuse the others."""

    def answer(peer: Peer, asked: Asked) -> None:
        good = asked.headers.get("authorization") in [f"Bearer {token}" for token in accepted]
        peer.answer(b'{"balance": 5}' if good else b"{}", "200 OK" if good else "401 No")

    return answer


def test_one_login_serves_many_collections(ask: Ask) -> None:
    asked, provider = ask(
        {"/token": {"access_token": TOKEN, "expires_in": 3600}, "/balance": only(TOKEN)}, **PARTS
    )
    for _ in range(3):
        outcome = asked.collect()
        assert outcome.up, outcome.detail
    assert provider.asked == ["/token", *["/balance"] * 3]
    fetched, *others = provider.server.requests
    assert fetched.body == b"grant_type=client_credentials"
    assert fetched.headers["authorization"].startswith("Basic ")
    assert all(KEY not in str(one) for one in others)


def test_one_login_serves_concurrent_collections(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def slow(peer: Peer, _: Asked) -> None:
        release.wait(PATIENCE)
        peer.answer(json.dumps({"access_token": TOKEN}).encode())

    asked, provider = ask({"/token": slow, "/balance": only(TOKEN)}, **PARTS)
    waiting = threading.Semaphore(0)
    tokens = login.Login.tokens

    def counted(*given: Any) -> Any:
        waiting.release()
        return tokens(*given)

    monkeypatch.setattr(login.Login, "tokens", counted)
    with ThreadPoolExecutor(8) as pool:
        outcomes = [pool.submit(asked.collect) for _ in range(8)]
        for _ in outcomes:
            assert waiting.acquire(timeout=PATIENCE)
        release.set()
        assert all(one.result().up for one in outcomes)
    assert sorted(provider.asked) == ["/balance"] * 8 + ["/token"]


def test_a_login_that_fails_fails_for_all_who_wait_for_it(ask: Ask) -> None:
    asked, _ = ask({"/token": (401, {})}, **PARTS)
    with ThreadPoolExecutor(4) as pool:
        outcomes = [one.result() for one in [pool.submit(asked.collect) for _ in range(4)]]
    assert {(one.reason, one.detail) for one in outcomes} == {(Reason.AUTH, "the login: HTTP status 401")}


@pytest.mark.parametrize(
    ("given", "seconds", "again"),
    [
        ({"expires_in": 3600}, 3530, False),
        ({"expires_in": 3600}, 3541, True),
        ({"expires_in": "3600"}, 3541, True),
        ({"expires_in": 10}, 8.9, False),
        ({"expires_in": 10}, 9.1, True),
        ({"expires_in": 0}, 0, True),
        ({"expires_in": -5}, 0, True),
        ({}, 9e6, False),
        ({"expires_in": None}, 9e6, False),
        ({"expires_in": "never"}, 9e6, False),
        ({"expires_in": True}, 9e6, False),
        ({"expires_in": 1e300}, 9e6, False),
    ],
)
def test_a_token_is_kept_for_its_lifetime_or_until_it_is_refused(
    given: dict[str, Any], seconds: float, again: bool, ask: Ask, clock: Clock
) -> None:
    asked, provider = ask({"/token": {"access_token": TOKEN, **given}, "/balance": only(TOKEN)}, **PARTS)
    assert asked.collect().up
    clock.now += seconds
    assert asked.collect().up
    assert provider.asked == ["/token", "/balance", *(["/token"] if again else []), "/balance"]


def test_a_refused_token_is_fetched_anew_and_the_account_asked_once_more(ask: Ask) -> None:
    asked, provider = ask(
        {"/token": [{"access_token": "one"}, {"access_token": "two"}], "/balance": only("one")}, **PARTS
    )
    assert asked.collect().up
    provider.answers["/balance"] = only("two")
    outcome = asked.collect()
    assert outcome.up, outcome.detail
    assert [one.status for one in outcome.exchanges] == [401, 200, 200]
    assert provider.asked == ["/token", "/balance", "/balance", "/token", "/balance"]
    assert asked.collect().up
    assert provider.asked[5:] == ["/balance"]


def test_a_second_refusal_is_auth_and_the_token_is_not_kept(ask: Ask) -> None:
    asked, provider = ask({"/token": {"access_token": "one"}, "/balance": only("one")}, **PARTS)
    assert asked.collect().up
    provider.answers["/balance"] = only("none")
    outcome = asked.collect()
    assert (outcome.reason, outcome.status) == (Reason.AUTH, 401)
    assert provider.asked[2:] == ["/balance", "/token", "/balance"]
    assert asked.collect().reason is Reason.AUTH
    assert provider.asked[5:] == ["/token", "/balance"], "a token of a moment ago is not fetched twice"


@pytest.mark.parametrize(
    "refusal",
    [(403, {}), (200, {"error": {"code": "expired"}}), (498, {})],
    ids=["403", "a code inside a 200", "a status that the definition lists"],
)
def test_whatever_means_auth_is_a_refusal(refusal: Any, ask: Ask) -> None:
    errors = {"code": "error.code", "auth": ["expired"], "statuses": {498: "auth"}}
    asked, provider = ask(
        {"/token": {"access_token": "one"}, "/balance": {"balance": 1}}, **PARTS, errors=errors
    )
    assert asked.collect().up
    provider.answers["/balance"] = [refusal, {"balance": 2}]
    assert asked.collect().up
    assert provider.asked[2:] == ["/balance", "/token", "/balance"]


@pytest.mark.parametrize("failure", [(500, {}), (429, {}), (200, {"balance": None}), (402, {})])
def test_no_other_failure_costs_the_token(failure: Any, ask: Ask) -> None:
    asked, provider = ask({"/token": {"access_token": "one"}, "/balance": {"balance": 1}}, **PARTS)
    assert asked.collect().up
    provider.answers["/balance"] = [failure, {"balance": 2}]
    assert not asked.collect().up
    assert asked.collect().up
    assert provider.asked == ["/token", "/balance", "/balance", "/balance"]


@pytest.mark.parametrize(
    ("answer", "reason", "detail"),
    [
        ((401, {}), Reason.AUTH, "HTTP status 401"),
        (
            (400, {"error": "invalid_client"}),
            Reason.AUTH,
            REFUSED,
        ),
        (
            (400, {"error": "invalid_grant"}),
            Reason.AUTH,
            REFUSED,
        ),
        (
            (400, {"error": "unauthorized_client"}),
            Reason.AUTH,
            REFUSED,
        ),
        ((400, {"error": "invalid_scope"}), Reason.HTTP_STATUS, "HTTP status 400"),
        ((400, {"error": ["invalid_grant"]}), Reason.HTTP_STATUS, "HTTP status 400"),
        ((500, {"error": "invalid_grant"}), Reason.HTTP_STATUS, "HTTP status 500"),
        ((429, {}), Reason.RATE_LIMITED, "HTTP status 429"),
        ((302, {}, {"Location": "/balance"}), Reason.REDIRECT, "HTTP status 302; redirects are not followed"),
        ((402, {}), Reason.EXHAUSTED, "HTTP status 402"),
        (
            (200, {"code": "LOCKED"}),
            Reason.RATE_LIMITED,
            "the answer's error code says that calls are too frequent",
        ),
        (b"<html>", Reason.MALFORMED, "the answer is a page for people (HTML)"),
        ({"ok": False}, Reason.API_ERROR, "a success status with an error in the body, at ok"),
        ({}, Reason.MALFORMED, "gives.token is missing: nothing at access_token"),
        ({"access_token": None}, Reason.MALFORMED, "gives.token is missing: nothing at access_token"),
        ({"access_token": ""}, Reason.MALFORMED, "gives.token is no text: a text at access_token"),
        ({"access_token": 7}, Reason.MALFORMED, "gives.token is no text: a number at access_token"),
        ({"access_token": ["a"]}, Reason.MALFORMED, "gives.token is no text: a list at access_token"),
        (
            {"access_token": "a\r\nX-Evil: b"},
            Reason.MALFORMED,
            "gives.token is no token that could be sent: a text at access_token",
        ),
        (
            {"access_token": "\ud800"},
            Reason.MALFORMED,
            "gives.token is no token that could be sent: a text at access_token",
        ),
    ],
)
def test_a_login_that_fails_gives_its_own_reason_and_nothing_is_asked(
    answer: Any, reason: Reason, detail: str, ask: Ask
) -> None:
    errors = {"rate_limited": ["LOCKED"], "statuses": {402: "exhausted"}}
    declared = {**LOGIN, "errors": errors, "success": {"path": "ok", "errors": [False]}}
    asked, provider = ask({"/token": answer}, **{**PARTS, "login": declared})
    outcome = asked.collect()
    assert (outcome.reason, outcome.detail) == (reason, f"the login: {detail}")
    assert provider.asked == ["/token"]


@pytest.mark.parametrize("body", [b"", b"<p>hello", b'{"a": 1}'])
def test_a_session_in_a_header_needs_no_body(body: bytes, ask: Ask) -> None:
    given = {"path": "/token", "query": {"key": "${api_key}"}, "gives": {"token": {"header": "X-Session"}}}
    asked, provider = ask(
        {"/token": (204 if not body else 200, body, {"X_Session": TOKEN}), "/balance": only(TOKEN)},
        **{**PARTS, "login": given},
    )
    outcome = asked.collect()
    assert outcome.up, outcome.detail
    provider.answers["/token"] = (200, body)
    provider.answers["/balance"] = (401, {})
    assert asked.collect().detail == "the login: gives.token is missing: nothing in the header x-session"


def test_a_login_has_no_more_time_than_what_comes_after_it(ask: Ask) -> None:
    asked, provider = ask({"/token": lambda peer, _: peer.hang()}, settings={"timeout": "300ms"}, **PARTS)
    outcome = asked.collect()
    assert outcome.reason is Reason.TIMEOUT
    assert outcome.detail.startswith("the login: ")
    assert provider.asked == ["/token"]


def test_another_secret_has_a_login_of_its_own(ask: Ask, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("one")
    asked, provider = ask(
        {"/token": {"access_token": TOKEN}, "/balance": only(TOKEN)},
        settings={"api_key_file": str(key), "api_key": None},
        **PARTS,
    )
    assert asked.collect().up
    key.write_text("two")
    assert asked.collect().up
    assert provider.asked == ["/token", "/balance"] * 2
    assert asked.revision == 2


def test_accounts_with_the_same_login_share_it_and_it_outlives_a_reload(ask: Ask) -> None:
    asked, provider = ask(
        {"/token": {"access_token": TOKEN}, "/balance": only(TOKEN)},
        **{**PARTS, "request": {"path": "/balance", "query": {"team": "${team}"}}},
        params={"team": {"description": "team"}},
    )
    accounts = tuple(replace(asked.account, name=name, params={"team": name}) for name in ("a", "b", "c"))
    other = replace(asked.account, name="d", secrets={"api_key": Secret(literal="another")})
    scraper = Scraper(Config("prepaid.yml", (*accounts, other)))
    assert {one.outcome and one.outcome.reason for one in scraper.scrape(None, 60)} == {None}
    assert sorted(path.partition("?")[0] for path in provider.asked) == [*["/balance"] * 4, *["/token"] * 2]
    changed = tuple(replace(account, params={"team": "x"}) for account in accounts)
    scraper.configure(Config("prepaid.yml", changed))
    assert {one.outcome and one.outcome.reason for one in scraper.scrape(None, 60)} == {None}
    assert provider.asked[6:] == ["/balance?team=x"] * 3


def test_who_has_more_time_fetches_a_token_that_another_had_no_time_for(ask: Ask) -> None:
    begun = threading.Event()

    def hanging(peer: Peer, _: Asked) -> None:
        begun.set()
        peer.hang()

    asked, _ = ask({"/token": [hanging, {"access_token": TOKEN}], "/balance": only(TOKEN)}, **PARTS)
    hasty = Collector(replace(asked.account, timeout=0.5), Client(), shared := login.Logins())
    patient = Collector(asked.account, Client(), shared)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(hasty.collect)
        assert begun.wait(PATIENCE)
        outcome = patient.collect()
    assert first.result().reason is Reason.TIMEOUT
    assert outcome.up, outcome.detail


def test_a_login_may_be_at_another_place(ask: Ask, upstream: MakeUpstream) -> None:
    other = upstream(lambda peer, _: peer.answer(json.dumps({"access_token": TOKEN}).encode()))
    declared = {**LOGIN, "base_url": "https://login.example.com/v1"}
    asked, provider = ask(
        {"/balance": only(TOKEN)},
        settings={"login_base_url": f"{other.url}/v2"},
        **{**PARTS, "login": declared},
    )
    assert asked.collect().up
    assert provider.asked == ["/balance"]
    assert [one.line for one in other.requests] == ["POST /v2/token HTTP/1.1"]


def test_a_token_is_counted_as_a_request_and_shown_nowhere(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    wallets = {"currency": {"literal": "EUR"}, "balance": "balance", "name": "name", "customer": "customer"}
    asked, provider = ask(
        {
            "/token": {"access_token": TOKEN},
            f"/balance/{TOKEN}": {"balance": 5, "name": f"your {TOKEN}", "customer": f"{KEY.upper()}!"},
        },
        **{**PARTS, "request": {"path": "/balance/${token}", "query": {"t": "${token}"}}},
        wallets=wallets,
    )
    scraper = Scraper(Config("prepaid.yml", (asked.account,)))
    (reading,) = scraper.scrape(None, 60)
    outcome = reading.outcome
    assert outcome
    assert scraper.upstream_requests() == {("acme", "acme"): 2}
    assert provider.asked == ["/token", f"/balance/{TOKEN}?t={TOKEN}"]
    (wallet,) = outcome.wallets
    assert (str(wallet.balance), wallet.name, wallet.customer) == ("5", "", "")
    assert [note.rpartition(" repeats")[0] for note in outcome.notes] == ["wallet.name", "wallet.customer"]
    shown = trace(reading) + repr(reading) + "".join(capsys.readouterr())
    assert asked.collect().up
    shown += repr(vars(asked)) + repr(vars(asked._login))  # noqa: SLF001
    assert TOKEN not in shown
    lines = [line for line in trace(reading).splitlines() if line.startswith(("request", "answer"))]
    base = provider.server.url
    assert [line.partition(", after")[0] for line in lines] == [
        f"request   POST {base}/token",
        "answer    HTTP status 200, 36 bytes",
        f"request   GET {base}/balance/***?t=***",
        "answer    HTTP status 200, 80 bytes",
    ]
