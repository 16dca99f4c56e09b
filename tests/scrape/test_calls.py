"""No call too many: how often providers are asked, day by day, by a clock that the tests turn themselves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter import config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.desk import Desk, MakeDesk, MakeUpstream
    from tests.peers import Asked, Peer, Upstream

LIMITED, BROKEN, WRONG_KEY = "429 X", "500 X", "401 X"
API_ERROR = b'{"success": false, "error": {"code": "quota"}}'


def scrapes(running: Desk, seconds: float, count: int) -> list[str | None]:
    """Scrape so often, so many seconds apart; list the reasons, None where the account is up."""
    found = []
    for _ in range(count):
        found.append(running.metrics().reason())
        running.clock.advance(seconds)
    return found


def asked_at(running: Desk, server: Upstream, seconds: int, count: int) -> list[int]:
    """Scrape so often, so many seconds apart; list when the provider was asked."""
    found = []
    for number in range(count):
        before = len(server.requests)
        running.exposition()
        if len(server.requests) > before:
            found.append(number * seconds)
        running.clock.advance(seconds)
    return found


@pytest.fixture
def failing(upstream: MakeUpstream) -> Callable[..., Upstream]:
    """Start an upstream that fails in one way."""

    def start(status: str, body: bytes = b"", **headers: str) -> Upstream:
        return upstream(lambda peer, _: peer.answer(body, status=status, **headers))

    return start


@pytest.mark.parametrize(
    ("account", "defaults", "expected"),
    [
        ({}, {}, 30.0),
        ({"provider": "flexprice", "params": {"id": "1"}}, {}, 60.0),
        ({"provider": "flexprice", "params": {"id": "1"}}, {"min_interval": "45s"}, 45.0),
        ({}, {"min_interval": "45s"}, 45.0),
        ({"min_interval": "5m"}, {"min_interval": "45s"}, 300.0),
        ({"min_interval": "0s"}, {"min_interval": "45s"}, 0.0),
        ({"provider": "flexprice", "params": {"id": "1"}}, {"min_interval": "0s"}, 0.0),
    ],
)
def test_min_interval_is_the_account_s_or_the_defaults_or_the_recommended_one_or_30s(
    tmp_path: Path, account: dict[str, Any], defaults: dict[str, Any], expected: float
) -> None:
    entry = {"name": "a", "provider": "apimall", "api_key": "k", **account}
    file = tmp_path / "prepaid.yml"
    file.write_text(yaml.safe_dump({"defaults": defaults, "accounts": [entry]}))
    assert config.load(file).accounts[0].min_interval == expected


@pytest.mark.parametrize("seconds", [15, 30, 60, 900])
def test_an_interval_as_long_as_the_scrape_s_asks_at_every_scrape(
    upstream: MakeUpstream, desk: MakeDesk, seconds: int
) -> None:
    server = upstream()
    running = desk(mall={"base_url": server.url, "min_interval": f"{seconds}s"})
    for early in (0, 0.7, -0.7, 0, 0.7):
        running.metrics()
        running.clock.advance(seconds - early)
    assert len(server.requests) == 5


def test_an_answer_s_age_counts_from_the_begin_of_its_call(upstream: MakeUpstream, desk: MakeDesk) -> None:
    def slow(peer: Any, _: Any) -> None:
        running.clock.advance(20)
        peer.answer()

    server = upstream(slow)
    running = desk(mall={"base_url": server.url, "min_interval": "60s"})
    running.metrics()
    running.clock.advance(37)
    running.metrics()
    assert len(server.requests) == 1
    running.clock.advance(2)
    running.metrics()
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "body", "reason", "expected"),
    [
        (BROKEN, b"", "http_status", [0, 60, 180, 420, 900, 1800, 2700, 3600]),
        (LIMITED, b"", "rate_limited", [0, 900, 1800, 2700, 3600]),
        (WRONG_KEY, b"", "auth", [0, 900, 1800, 2700, 3600]),
        ("200 OK", API_ERROR, "api_error", [0, 900, 1800, 2700, 3600]),
        ("200 OK", b"{", "malformed", [0, 60, 180, 420, 900, 1800, 2700, 3600]),
        ("302 X", b"", "redirect", [0, 60, 180, 420, 900, 1800, 2700, 3600]),
    ],
)
def test_a_failing_account_is_asked_less_often_and_keeps_its_reason(
    failing: Callable[..., Upstream],
    desk: MakeDesk,
    status: str,
    body: bytes,
    reason: str,
    expected: list[int],
) -> None:
    server = failing(status, body)
    running = desk(mall={"base_url": server.url, "min_interval": "15m"})
    assert asked_at(running, server, 60, 61) == expected
    assert scrapes(running, 1, 5) == [reason] * 5


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (BROKEN, [0, 30, 90, 210, 450, 750, 1050, 1350, 1650]),
        (LIMITED, [0, 30, 90, 210, 450, 930, 1830]),
        (WRONG_KEY, [0, 30, 90, 210, 450, 750, 1050, 1350, 1650]),
    ],
)
def test_without_any_min_interval_a_failing_account_waits_all_the_same(
    failing: Callable[..., Upstream], desk: MakeDesk, status: str, expected: list[int]
) -> None:
    server = failing(status)
    running = desk(mall={"base_url": server.url, "min_interval": "30s"})
    assert asked_at(running, server, 15, 124) == expected


@pytest.mark.parametrize("status", [BROKEN, LIMITED, WRONG_KEY])
def test_0s_asks_at_every_scrape_whatever_happens(
    failing: Callable[..., Upstream], desk: MakeDesk, status: str
) -> None:
    server = failing(status)
    running = desk(mall={"base_url": server.url, "min_interval": "0s"})
    assert len(asked_at(running, server, 1, 10)) == 10


def test_0s_does_not_turn_off_what_the_provider_asks_for(
    failing: Callable[..., Upstream], desk: MakeDesk
) -> None:
    server = failing(LIMITED, Retry_After="45")
    running = desk(mall={"base_url": server.url, "min_interval": "0s"})
    assert asked_at(running, server, 20, 10) == [0, 60, 120, 180]


@pytest.mark.parametrize(
    ("status", "retry_after", "expected"),
    [
        (LIMITED, "45", [0, 60, 180, 420, 900]),
        (LIMITED, "600", [0, 600, 1200]),
        ("503 X", "100", [0, 100, 220, 460, 760, 1060]),
    ],
)
def test_of_retry_after_and_back_off_the_later_counts(
    failing: Callable[..., Upstream], desk: MakeDesk, status: str, retry_after: str, expected: list[int]
) -> None:
    server = failing(status, Retry_After=retry_after)
    running = desk(mall={"base_url": server.url, "min_interval": "1m"})
    assert asked_at(running, server, 20, 62) == expected


def test_a_success_begins_anew(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream(lambda peer, _: peer.answer(b"", status=BROKEN))
    running = desk(mall={"base_url": server.url, "min_interval": "1m"})
    assert asked_at(running, server, 60, 10) == [0, 60, 180, 420]
    server.answer = lambda peer, _: peer.answer()
    assert asked_at(running, server, 60, 5) == [120, 180, 240]
    server.answer = lambda peer, _: peer.answer(b"", status=BROKEN)
    assert asked_at(running, server, 60, 10) == [0, 60, 180, 420]


def test_a_reload_begins_anew(failing: Callable[..., Upstream], desk: MakeDesk) -> None:
    server = failing(BROKEN)
    account = {"base_url": server.url, "min_interval": "1m"}
    running = desk(mall=account)
    assert asked_at(running, server, 60, 10) == [0, 60, 180, 420]
    running.reload({"mall": account})
    assert asked_at(running, server, 60, 10) == [0, 60, 180, 420]


def test_a_changed_secret_begins_anew_and_an_unreadable_one_asks_nobody(
    failing: Callable[..., Upstream], desk: MakeDesk, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("first")
    server = failing(WRONG_KEY)
    running = desk(mall={"base_url": server.url, "min_interval": "1m", "api_key_file": str(key)})
    assert asked_at(running, server, 60, 10) == [0, 60, 180, 420]
    key.write_text("second")
    assert asked_at(running, server, 60, 10) == [0, 60, 180, 420]
    key.unlink()
    assert scrapes(running, 1, 3) == ["misconfigured"] * 3
    key.write_text("second")
    assert scrapes(running, 1, 3) == ["auth"] * 3, "nothing has changed since the provider was asked"
    assert len(server.requests) == 8
    key.write_text("third")
    assert asked_at(running, server, 60, 4) == [0, 60, 180]


def test_a_changed_secret_begins_anew_where_the_account_did_not_wait_any_more(
    failing: Callable[..., Upstream], desk: MakeDesk, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("first")
    server = failing(WRONG_KEY)
    running = desk(mall={"base_url": server.url, "min_interval": "1m", "api_key_file": str(key)})
    assert asked_at(running, server, 60, 10) == [0, 60, 180, 420]
    running.clock.advance(600)
    key.write_text("second")
    assert asked_at(running, server, 60, 10) == [0, 60, 180, 420]


def test_the_detail_of_a_failure_that_waits_says_for_how_long(
    failing: Callable[..., Upstream], desk: MakeDesk
) -> None:
    server = failing(WRONG_KEY)
    running = desk(mall={"base_url": server.url, "min_interval": "15m"})
    running.metrics()
    assert "detail    HTTP status 401; not asked again for 898 s more\n" in running.trace()
    running.clock.advance(600)
    (known,) = running.runtime.scraper.known()
    assert known.outcome
    assert known.outcome.detail == "HTTP status 401; not asked again for 298 s more"


def test_a_probe_and_a_scrape_share_calls(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream()
    running = desk(mall={"base_url": server.url, "min_interval": "1m"})
    assert "outcome   up\n" in running.trace()
    assert running.metrics().balance() == 120
    assert running.metrics(query="?account=mall").balance() == 120
    assert len(server.requests) == 1


def test_a_counter_goes_with_its_account_and_begins_anew_when_it_comes_back(
    upstream: MakeUpstream, desk: MakeDesk
) -> None:
    server = upstream()
    stays, goes = {"base_url": server.url}, {"base_url": server.url}
    running = desk(stays=stays, goes=goes)

    def counts() -> list[float | None]:
        page, name = running.metrics(), "prepaid_exporter_upstream_requests_total"
        return [page.one(name, provider="apimall", account=account) for account in ("stays", "goes")]

    assert [counts(), counts()] == [[1, 1], [2, 2]]
    running.reload({"stays": {**stays, "api_key": "another"}})
    assert counts() == [3, None]
    running.reload({"stays": stays, "goes": goes})
    assert counts() == [4, 1]


def test_a_call_that_ends_after_its_account_has_gone_is_not_counted(
    upstream: MakeUpstream,
    desk: MakeDesk,
    eventually: Callable[[Callable[[], bool]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened, written = threading.Event(), []

    def answer(peer: Peer, _: Asked) -> None:
        assert opened.wait(120)
        peer.answer(b"", status="500 X")

    def is_over() -> bool:
        written.append(capsys.readouterr().out)
        return "account=goes " in "".join(written)

    server, other = upstream(answer), upstream()
    running = desk(stays={"base_url": other.url}, goes={"base_url": server.url})
    assert running.metrics(granted=1).reason("goes") == "timeout"
    running.reload({"stays": {"base_url": other.url}})
    opened.set()
    eventually(is_over)
    page = running.metrics()
    assert page.one("prepaid_exporter_upstream_requests_total", account="goes") is None
    assert page.one("prepaid_exporter_upstream_failures_total", reason="http_status") == 1


def test_a_trace_says_whether_it_asked_now_and_when_the_provider_is_asked_next(
    upstream: MakeUpstream, desk: MakeDesk
) -> None:
    server = upstream()
    running = desk(mall={"base_url": server.url, "min_interval": "5m"})
    assert "asked     now, next request in 5 min\n" in running.trace()
    running.clock.advance(125)
    assert "asked     before: read 2 min ago, next request in 3 min\n" in running.trace()
    running.clock.advance(130)
    assert "next request in 43 s\n" in running.trace()
    assert len(server.requests) == 1
    running.clock.advance(60)
    assert "asked     now, next request in 5 min\n" in running.trace()
    assert len(server.requests) == 2


def test_a_trace_of_a_failure_says_when_it_failed(failing: Callable[..., Upstream], desk: MakeDesk) -> None:
    server = failing(WRONG_KEY)
    running = desk(mall={"base_url": server.url, "min_interval": "15m"})
    assert "asked     now, next request in 15 min\n" in running.trace()
    running.clock.advance(90)
    told = running.trace()
    assert "asked     before: failed 1 min ago, next request in 14 min\n" in told
    assert "request   GET " in told


def test_a_trace_says_where_every_scrape_asks_and_where_nobody_is_asked(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path
) -> None:
    server = upstream()
    running = desk(
        mall={"base_url": server.url}, lost={"base_url": server.url, "api_key_file": str(tmp_path / "no-key")}
    )
    assert "asked     now, next request at the next scrape\n" in running.trace()
    assert "asked     nobody; it is looked at anew at every scrape\n" in running.trace("lost")
