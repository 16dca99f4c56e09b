"""A provider that asks not to be called is not called until then, and is called again afterwards."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.scrape.collector import MAX_RETRY_AFTER, retry_after

if TYPE_CHECKING:
    from pathlib import Path

    from tests.desk import Desk, MakeDesk, MakeUpstream
    from tests.peers import Upstream

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SMS = b'{"status": "ok", "result": {"balance": "7", "currency": "EUR"}}'
BUSY = ["429 Too Many Requests", "503 Service Unavailable"]


def http_date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def refuse(server: Upstream, status: str, after: str) -> None:
    server.answer = lambda peer, _: peer.answer(b"", status=status, Retry_After=after)


def reason_of(status: str) -> str:
    return "rate_limited" if status.startswith("429") else "http_status"


def held(running: Desk, server: Upstream, status: str) -> bool:
    """Return whether further scrapes leave the provider alone and keep the reason that it gave."""
    asked = len(server.requests)
    for _ in range(3):
        page = running.metrics()
        assert (page.reason(), page.balance()) == (reason_of(status), None)
    return len(server.requests) == asked


@pytest.mark.parametrize("status", BUSY)
@pytest.mark.parametrize("after", ["900", "999999999999", "9" * 400, 900, 10_000_000])
def test_the_provider_is_left_alone(
    upstream: MakeUpstream, desk: MakeDesk, status: str, after: str | int
) -> None:
    server = upstream()
    refuse(server, status, http_date(after) if isinstance(after, int) else after)
    running = desk(server.url)
    assert running.metrics().up() == 0
    server.answer = lambda peer, _: peer.answer()
    assert held(running, server, status)
    assert running.metrics().one("prepaid_account_http_status_code") == int(status[:3])
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", BUSY)
@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("min_interval", ["0s", "10s"])
def test_the_provider_is_asked_again_when_the_time_is_over(
    upstream: MakeUpstream, desk: MakeDesk, status: str, form: str, min_interval: str
) -> None:
    server = upstream()
    # A date has whole seconds only, and some time passes while the answer is on its way.
    refuse(server, status, "900" if form == "seconds" else http_date(900))
    running = desk(mall={"base_url": server.url, "min_interval": min_interval})
    assert running.metrics().up() == 0
    server.answer = lambda peer, _: peer.answer()
    running.clock.advance(600)
    assert held(running, server, status)
    running.clock.advance(301)
    assert running.metrics().balance() == 120
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", BUSY)
def test_the_detail_says_for_how_long_and_the_last_reason_stays(
    upstream: MakeUpstream, desk: MakeDesk, status: str
) -> None:
    server = upstream()
    refuse(server, status, "900")
    running = desk(server.url)
    running.metrics()
    running.clock.advance(300)
    detail = rf"detail +HTTP status {status[:3]}; the provider asked not to be called for (599|600) s more\n"
    assert re.search(detail, running.trace())
    assert f"down: {reason_of(status)}\n" in running.trace()
    assert len(server.requests) == 1


@pytest.mark.parametrize("other", [{"currency": "USD"}, {"params": {"user_name": "branch"}}])
def test_the_same_customer_waits_on_where_its_account_is_configured_otherwise(
    upstream: MakeUpstream, desk: MakeDesk, other: dict[str, Any]
) -> None:
    server = upstream()
    refuse(server, BUSY[0], "900")
    account = {"base_url": server.url, "provider": "smspubli"}
    running = desk(mall=account)
    running.metrics()
    server.answer = lambda peer, _: peer.answer(SMS)
    running.reload({"mall": {**account, **other}})
    assert held(running, server, BUSY[0])
    running.clock.advance(901)
    assert running.metrics().balance() == 7


def test_a_corrected_key_is_another_customer_before_the_time_is_over(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("first")
    server = upstream()
    refuse(server, BUSY[0], "900")
    running = desk(mall={"base_url": server.url, "api_key_file": str(key)})
    running.metrics()
    server.answer = lambda peer, _: peer.answer()
    assert held(running, server, BUSY[0])
    key.write_text("second")
    assert running.metrics().balance() == 120


@pytest.mark.parametrize("status", BUSY)
@pytest.mark.parametrize(
    "after",
    [
        "",
        "0",
        "-1",
        "1.5",
        "soon",
        "30 s",
        "Mon, 99 Foo 2026",
        "Sat, 01 Jan 2000 00:00:00 GMT",
        "²",
        "Mon, 99999999999999999999 Nov 2026 00:00:00 GMT",
        "Mon, 1 Jan 2026 00:00:00 +" + "9" * 30,
        "5, 6",
    ],
)
def test_a_time_that_is_past_or_none_is_passed_over(
    upstream: MakeUpstream, desk: MakeDesk, status: str, after: str
) -> None:
    server = upstream()
    refuse(server, status, after)
    running = desk(server.url)
    assert running.metrics().reason() == reason_of(status)
    server.answer = lambda peer, _: peer.answer()
    assert running.metrics().balance() == 120
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", ["200 OK", "500 X", "301 X", "403 X"])
def test_only_429_and_503_are_obeyed(upstream: MakeUpstream, desk: MakeDesk, status: str) -> None:
    server = upstream()
    refuse(server, status, "3600")
    running = desk(server.url)
    running.metrics()
    server.answer = lambda peer, _: peer.answer()
    assert running.metrics().balance() == 120


def test_a_held_account_holds_no_other(upstream: MakeUpstream, desk: MakeDesk) -> None:
    busy, free = upstream(), upstream()
    refuse(busy, BUSY[0], "900")
    running = desk(busy={"base_url": busy.url}, free={"base_url": free.url})
    pages = [running.metrics() for _ in range(3)]
    assert [page.reason("busy") for page in pages] == ["rate_limited"] * 3
    assert [page.balance("free") for page in pages] == [120] * 3
    assert (len(busy.requests), len(free.requests)) == (1, 3)


def test_a_reload_does_not_end_the_wait_of_an_account_that_stays(
    upstream: MakeUpstream, desk: MakeDesk
) -> None:
    server = upstream()
    refuse(server, BUSY[0], "900")
    running = desk(server.url)
    running.metrics()
    server.answer = lambda peer, _: peer.answer()
    running.reload({"mall": {"base_url": server.url, "thresholds": {"critical": 5}}})
    assert held(running, server, BUSY[0])


def test_another_key_is_another_customer_and_is_asked_at_once(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream()
    refuse(server, BUSY[0], "900")
    running = desk(server.url)
    running.metrics()
    server.answer = lambda peer, _: peer.answer()
    running.reload({"mall": {"base_url": server.url, "api_key": "another"}})
    assert running.metrics().balance() == 120


def test_what_was_read_before_is_not_shown_while_the_provider_is_left_alone(
    upstream: MakeUpstream, desk: MakeDesk
) -> None:
    server = upstream()
    running = desk(server.url)
    success = running.metrics().one("prepaid_account_last_success_timestamp_seconds")
    assert success is not None
    refuse(server, BUSY[0], "900")
    running.metrics()
    page = running.metrics()
    assert not page.wallet_samples()
    assert page.one("prepaid_account_last_success_timestamp_seconds") == success
    assert page.one("prepaid_exporter_upstream_requests_total") == 2
    assert page.one("prepaid_exporter_upstream_failures_total", reason="rate_limited") == 1


@given(st.integers(min_value=0, max_value=10**30))
def test_seconds_are_read_up_to_an_hour(seconds: int) -> None:
    assert retry_after(str(seconds), NOW) == min(seconds, MAX_RETRY_AFTER)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001 - in UTC below
def test_dates_are_read_as_seconds_from_now(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    expected = min(max((moment - NOW).total_seconds(), 0), MAX_RETRY_AFTER)
    assert retry_after(format_datetime(moment, usegmt=True), NOW) == expected


@given(st.text() | st.from_regex(r"\w{3}, [0-9]+ Nov [0-9]+ [0-9]+:[0-9]+:[0-9]+ [+-][0-9]+", fullmatch=True))
def test_no_text_is_more_than_a_sane_wait(text: str) -> None:
    read = retry_after(text, NOW)
    assert read is None or 0 <= read <= MAX_RETRY_AFTER


OWN = """\
title: Own
documentation: [https://own.example]
confidence: observed
credentials: {api_key: {description: key}}
base_url: https://own.example
request: {path: /balance}
auth: {type: bearer}
wallets: {currency: {literal: EUR}, balance: {path: balance}}
hints: {rate_limited: Ask less often., http_status: The provider is down.}
"""


@pytest.mark.parametrize("status", BUSY)
def test_the_provider_s_hint_is_given_as_long_as_it_is_left_alone(
    upstream: MakeUpstream, desk: MakeDesk, status: str
) -> None:
    server = upstream()
    refuse(server, status, "900")
    running = desk(server.url)
    (running.folder / "own.yml").write_text(OWN)
    running.reload({"mine": {"provider": "own", "base_url": server.url}}, "own.yml")
    running.metrics()
    trace = running.trace("mine")
    assert "the provider asked not to be called for " in trace
    assert f"hint      {'Ask less often.' if status == BUSY[0] else 'The provider is down.'}\n" in trace
    assert len(server.requests) == 1


def dated(status: str, skew: float, wait: float) -> str:
    now = datetime.now(UTC)
    date, after = (format_datetime(now + timedelta(seconds=s), usegmt=True) for s in (skew, skew + wait))
    return f"HTTP/1.1 {status}\r\nDate: {date}\r\nRetry-After: {after}\r\nContent-Length: 2\r\n\r\n{{}}"


@pytest.mark.parametrize("status", BUSY)
@pytest.mark.parametrize("skew", [-1500, 0, 1500])
def test_a_date_is_measured_by_the_clock_that_it_was_written_by(
    upstream: MakeUpstream, desk: MakeDesk, status: str, skew: float
) -> None:
    server = upstream(lambda peer, _: peer.send(dated(status, skew, 900).encode()))
    running = desk(server.url)
    outcome = waiting_time(running)
    assert outcome is not None
    assert 890 <= outcome <= 900


def waiting_time(running: Desk) -> float | None:
    running.metrics()
    (known,) = running.runtime.scraper.known()
    assert known.outcome is not None
    return known.outcome.retry_after


@pytest.mark.parametrize(
    ("lines", "wait"),
    [
        ("Retry-After: 600\r\nRetry-After: 600\r\n", 600),
        ("Retry-After: 600\r\nretry-after:  600 \r\n", 600),
        ("Retry-After: 600\r\nRetry-After: 7\r\n", None),
    ],
)
def test_lines_that_are_equal_count_once(
    upstream: MakeUpstream, desk: MakeDesk, lines: str, wait: float | None
) -> None:
    head = f"HTTP/1.1 {BUSY[0]}\r\n{lines}Content-Length: 2\r\n\r\n{{}}"
    server = upstream(lambda peer, _: peer.send(head.encode()))
    assert waiting_time(desk(server.url)) == wait
