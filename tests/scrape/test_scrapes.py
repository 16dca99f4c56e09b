"""Scrapes: all accounts at once, inside the deadline, with one call in flight per account and none too many."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from exporter import log
from exporter.scrape import caching_collector
from exporter.web.application import Options
from tests.programs import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.desk import Desk, Eventually, MakeDesk, MakeUpstream, Page
    from tests.peers import Asked, Peer, Upstream

SCRAPES = 50
LONGEST = 3600
"""Seconds that no test waits for."""

Waiting = Callable[[], int]


class Gate:
    """An upstream that answers only once it is told to."""

    def __init__(self, upstream: MakeUpstream) -> None:
        self.opened = threading.Event()
        self.server: Upstream = upstream(self._answer)

    def _answer(self, peer: Peer, _: Asked) -> None:
        assert self.opened.wait(PATIENCE)
        peer.answer()


@pytest.fixture
def gate(upstream: MakeUpstream) -> Any:
    gate = Gate(upstream)
    yield gate
    gate.opened.set()


def together(
    scrape: Callable[[], Page], count: int = SCRAPES, when: Callable[[], None] | None = None
) -> list[Page]:
    """Scrape so many times at once, and do something while the scrapes are on their way."""
    start = threading.Barrier(count)

    def one() -> Page:
        start.wait(PATIENCE)
        return scrape()

    with ThreadPoolExecutor(count) as threads:
        scrapes = [threads.submit(one) for _ in range(count)]
        if when:
            when()
        return [future.result() for future in scrapes]


def test_all_accounts_are_asked_at_once(upstream: MakeUpstream, desk: MakeDesk) -> None:
    """Nobody is answered before all have asked: one after the other would never end."""
    everybody = threading.Barrier(40)

    def answer(peer: Peer, _: Asked) -> None:
        everybody.wait(PATIENCE)
        peer.answer()

    server = upstream(answer)
    page = desk(**{f"a{number}": {"base_url": server.url} for number in range(40)}).metrics()
    assert page.all("prepaid_account_up") == [1] * 40
    assert page.all("prepaid_balance") == [120] * 40


def test_a_slow_account_is_a_timeout_and_holds_up_no_other(
    upstream: MakeUpstream, desk: MakeDesk, gate: Gate, eventually: Eventually
) -> None:
    fast = upstream()
    running = desk(slow={"base_url": gate.server.url}, fast={"base_url": fast.url})

    def only_the_fast_one_is_up() -> bool:
        page = running.metrics(granted=1)
        assert page.seconds > 0.45
        assert page.reason("slow") == "timeout"
        assert not page.wallet_samples("slow")
        assert page.one("prepaid_account_http_status_code", account="slow") is None
        return page.balance("fast") == 120

    eventually(only_the_fast_one_is_up)


@pytest.mark.parametrize(
    ("granted", "least", "most"),
    [("1.2", 0.65, 1.2), ("0.6", 0.28, 0.6), ("nonsense", 0.85, 1.8), ("-1", 0.85, 1.8)],
)
def test_the_deadline_is_what_prometheus_grants(
    desk: MakeDesk, gate: Gate, eventually: Eventually, granted: Any, least: float, most: float
) -> None:
    running = desk(slow={"base_url": gate.server.url}, options=Options(scrape_timeout=0.9))

    def in_time() -> bool:
        page = running.metrics(granted=granted)
        assert page.reason("slow") == "timeout"
        assert page.seconds > least
        # A busy machine may take longer now and then, but a deadline that is a later one is missed each time.
        return page.seconds < most

    eventually(in_time)


def test_a_late_answer_serves_the_next_scrape_without_a_call(
    desk: MakeDesk, gate: Gate, eventually: Eventually
) -> None:
    running = desk(gate.server.url)
    assert running.metrics(granted=0.4).reason() == "timeout"
    gate.opened.set()
    eventually(running.over)
    page = running.metrics()
    assert page.balance() == 120
    assert len(gate.server.requests) == 1
    assert page.one("prepaid_exporter_upstream_requests_total") == 1
    success = page.one("prepaid_account_last_success_timestamp_seconds")
    assert success is not None
    assert time.time() - success < PATIENCE
    assert running.metrics().balance() == 120
    assert len(gate.server.requests) == 2, "it serves one scrape, not two"


def test_a_late_answer_is_not_served_when_it_is_too_old(
    desk: MakeDesk, gate: Gate, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = desk(gate.server.url)
    assert running.metrics(granted=0.4).reason() == "timeout"
    gate.opened.set()
    eventually(running.over)
    monkeypatch.setattr(caching_collector, "LATE_ANSWER_AGE", 0.0)
    assert running.metrics().balance() == 120
    assert len(gate.server.requests) == 2


def test_a_late_failure_tells_its_reason_to_the_next_scrape(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually
) -> None:
    opened = threading.Event()

    def answer(peer: Peer, _: Asked) -> None:
        assert opened.wait(PATIENCE)
        peer.answer(b"", status="401 X")

    server = upstream(answer)
    running = desk(server.url)
    assert running.metrics(granted=0.4).reason() == "timeout"
    opened.set()
    eventually(running.over)
    server.answer = lambda peer, _: peer.answer()
    assert running.metrics().reason() == "auth"
    assert len(server.requests) == 1
    assert running.metrics().balance() == 120, "it serves one scrape, not two"


def test_a_late_timeout_does_not_serve_the_next_scrape(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually
) -> None:
    server = upstream(lambda peer, _: peer.hang())
    running = desk(mall={"base_url": server.url, "timeout": "500ms"})
    assert running.metrics(granted=0.4).reason() == "timeout"
    eventually(running.over)
    server.answer = lambda peer, _: peer.answer()
    # The second call, too, may find half a second too short on a busy machine; what counts is that it is made.
    page = running.metrics()
    assert page.one("prepaid_exporter_upstream_requests_total") == 2
    assert page.reason() in (None, "timeout")
    eventually(lambda: running.metrics().balance() == 120)


def test_the_age_of_a_late_answer_does_not_hang_on_the_wall_clock(
    desk: MakeDesk, gate: Gate, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = desk(gate.server.url)
    assert running.metrics(granted=0.4).reason() == "timeout"
    gate.opened.set()
    eventually(running.over)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 86400)
    assert running.metrics().balance() == 120
    assert len(gate.server.requests) == 1


def test_a_scrape_joins_the_call_that_an_earlier_one_left_behind(
    desk: MakeDesk, gate: Gate, eventually: Eventually, waiting: Waiting
) -> None:
    running = desk(gate.server.url)
    for _ in range(3):
        assert running.metrics(granted=0.3).reason() == "timeout"
    eventually(lambda: len(gate.server.requests) == 1)
    with ThreadPoolExecutor(1) as threads:
        joins = threads.submit(running.metrics)
        eventually(lambda: waiting() == 4)
        gate.opened.set()
        assert joins.result().balance() == 120
    assert len(gate.server.requests) == 1


def test_fifty_scrapes_at_once_cost_one_call(
    upstream: MakeUpstream, desk: MakeDesk, gate: Gate, eventually: Eventually, waiting: Waiting
) -> None:
    other = upstream()
    running = desk(mall={"base_url": gate.server.url}, other={"base_url": other.url, "min_interval": "1h"})

    def let_go() -> None:
        eventually(lambda: waiting() == SCRAPES)
        gate.opened.set()

    pages = together(running.metrics, when=let_go)
    assert [page.balance() for page in pages] == [120] * SCRAPES
    assert [page.balance("other") for page in pages] == [120] * SCRAPES
    assert (len(gate.server.requests), len(other.requests)) == (1, 1)


def test_fifty_scrapes_at_once_share_a_failure_too(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually, waiting: Waiting
) -> None:
    opened = threading.Event()

    def answer(peer: Peer, _: Asked) -> None:
        assert opened.wait(PATIENCE)
        peer.answer(b"", status="401 X")

    def let_go() -> None:
        eventually(lambda: waiting() == SCRAPES)
        opened.set()

    server = upstream(answer)
    running = desk(server.url)
    pages = together(running.metrics, when=let_go)
    assert {page.reason() for page in pages} == {"auth"}
    assert len(server.requests) == 1
    assert running.metrics().one("prepaid_exporter_upstream_failures_total", reason="auth") == 2


def test_each_of_the_scrapes_at_once_has_its_own_deadline(
    desk: MakeDesk, gate: Gate, eventually: Eventually, waiting: Waiting
) -> None:
    running = desk(gate.server.url)
    with ThreadPoolExecutor(2) as threads:
        patient = threads.submit(running.metrics)
        hasty = threads.submit(running.metrics, 1)
        eventually(lambda: waiting() == 2)
        assert hasty.result().reason() == "timeout"
        assert not patient.done()
        gate.opened.set()
        assert patient.result().balance() == 120
    assert len(gate.server.requests) == 1


def test_an_answer_younger_than_min_interval_is_used_again(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream()
    running = desk(mall={"base_url": server.url, "min_interval": "1h"})
    pages = [running.metrics() for _ in range(5)]
    assert [page.balance() for page in pages] == [120] * 5
    assert len(server.requests) == 1
    assert len({page.one("prepaid_account_last_success_timestamp_seconds") for page in pages}) == 1


@pytest.mark.parametrize(
    ("status", "reason"), [("500 X", "http_status"), ("401 X", "auth"), ("302 X", "redirect")]
)
def test_a_failure_younger_than_min_interval_is_used_again(
    upstream: MakeUpstream, desk: MakeDesk, status: str, reason: str
) -> None:
    server = upstream(lambda peer, _: peer.answer(b"", status=status))
    running = desk(mall={"base_url": server.url, "min_interval": "1h"})
    assert [running.metrics().reason() for _ in range(5)] == [reason] * 5
    assert len(server.requests) == 1


def test_a_corrected_key_is_tried_at_the_next_scrape(
    upstream: MakeUpstream, desk: MakeDesk, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("wrong")

    def answer(peer: Peer, asked: Asked) -> None:
        peer.answer(status="200 OK" if asked.headers["authorization"] == "Bearer right" else "401 X")

    server = upstream(answer)
    running = desk(mall={"base_url": server.url, "min_interval": "1h", "api_key_file": str(key)})
    assert [running.metrics().reason() for _ in range(3)] == ["auth"] * 3
    assert len(server.requests) == 1
    key.write_text("right")
    assert [running.metrics().balance() for _ in range(3)] == [120] * 3
    key.unlink()
    assert running.metrics().balance() == 120, (
        "a good answer stands for min_interval, whatever becomes of the key"
    )
    assert len(server.requests) == 2


def test_a_provider_that_cannot_be_reached_is_spared_too(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream(lambda peer, _: peer.reset())
    running = desk(mall={"base_url": server.url, "min_interval": "1h"})
    assert [running.metrics().reason() for _ in range(5)] == ["unreachable"] * 5
    assert server.connections == 1


def test_the_provider_is_asked_again_after_min_interval(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream()
    running = desk(mall={"base_url": server.url, "min_interval": "1h"})
    running.metrics()
    running.clock.advance(3500)
    running.metrics()
    assert len(server.requests) == 1
    running.clock.advance(99)
    assert running.metrics().balance() == 120
    assert len(server.requests) == 2


def test_without_min_interval_every_scrape_asks(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream()
    running = desk(server.url)
    for number in range(1, 6):
        running.metrics()
        assert len(server.requests) == number


def test_nobody_is_asked_unless_a_scrape_wants_it(upstream: MakeUpstream, desk: MakeDesk) -> None:
    wanted, other = upstream(), upstream()
    running = desk(wanted={"base_url": wanted.url}, other={"base_url": other.url})
    page = running.metrics(query="?account=wanted")
    assert (page.balance("wanted"), page.up("other")) == (120, None)
    assert (len(wanted.requests), other.connections) == (1, 0)


def test_the_last_success_is_kept_while_failing_and_no_value_is(
    upstream: MakeUpstream, desk: MakeDesk
) -> None:
    server = upstream()
    running = desk(server.url)
    first = running.metrics()
    assert {"prepaid_balance", "prepaid_credit_breakdown", "prepaid_wallet_info"} <= first.wallet_samples()
    success = first.one("prepaid_account_last_success_timestamp_seconds")
    assert success is not None
    for answer in (
        lambda peer, _: peer.answer(b"", status="500 X"),
        lambda peer, _: peer.answer(b"{}"),
        lambda peer, _: peer.reset(),
    ):
        server.answer = answer
        page = running.metrics()
        assert page.up() == 0
        assert page.wallet_samples() == set()
        assert page.one("prepaid_account_last_success_timestamp_seconds") == success
    server.answer = lambda peer, _: peer.answer()
    healed = running.metrics()
    assert healed.balance() == 120
    assert (healed.one("prepaid_account_last_success_timestamp_seconds") or 0) > success


def test_before_the_first_success_there_is_none(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream(lambda peer, _: peer.answer(b"", status="500 X"))
    page = desk(server.url).metrics()
    assert page.one("prepaid_account_last_success_timestamp_seconds") is None


def test_requests_are_counted_by_account_and_failures_by_provider(
    upstream: MakeUpstream, desk: MakeDesk
) -> None:
    good, bad = upstream(), upstream(lambda peer, _: peer.answer(b"", status="401 X"))
    sms = upstream(lambda peer, _: peer.answer(b"", status="500 X"))
    running = desk(
        good={"base_url": good.url},
        bad={"base_url": bad.url},
        sms={"base_url": sms.url, "provider": "smspubli", "min_interval": "1h"},
    )
    for _ in range(3):
        running.metrics()
    page = running.metrics()

    def count(name: str, **labels: str) -> float | None:
        return page.one(f"prepaid_exporter_upstream_{name}_total", **labels)

    assert count("requests", provider="apimall", account="good") == 4
    assert count("requests", provider="apimall", account="bad") == 4
    assert count("failures", provider="apimall", reason="auth") == 4
    assert count("requests", provider="smspubli", account="sms") == 1
    assert count("failures", provider="smspubli", reason="http_status") == 1
    assert sum(page.all("prepaid_exporter_upstream_failures_total")) == 5


def shown(running: Desk) -> tuple[bool, str]:
    """Return what the status page would show: whether the account is up, and the reason."""
    (known,) = running.runtime.scraper.known()
    assert known.outcome
    return known.outcome.up, known.outcome.reason or ""


def test_a_hurried_scrape_takes_no_good_reading_from_the_status_page(
    upstream: MakeUpstream, desk: MakeDesk, gate: Gate, eventually: Eventually
) -> None:
    running = desk(upstream().url)
    assert running.metrics().balance() == 120
    running.reload({"mall": {"base_url": gate.server.url}})
    assert running.metrics(granted=0.3).reason() == "timeout"
    assert shown(running) == (False, "timeout"), "nothing better is known of the account as it is asked now"
    gate.opened.set()
    eventually(lambda: shown(running) == (True, ""))
    running.metrics()
    gate.opened.clear()
    assert running.metrics(granted=0.3).reason() == "timeout"
    assert shown(running) == (True, "")


def few_threads(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Let the machine give so many more threads for calls, as a limit on processes does in a container."""
    begin = threading.Thread.start
    left = iter(range(most))

    def limited(thread: threading.Thread) -> None:
        if "collect" in thread.name and next(left, None) is None:
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)


def test_what_is_left_out_of_a_good_answer_is_logged_once_a_change(
    upstream: MakeUpstream,
    desk: MakeDesk,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    log.configure("info", "logfmt")
    request.addfinalizer(structlog.reset_defaults)
    good = b'{"success": true, "data": {"credits": 120, "api_credits": 120}}'
    odd = good.replace(b'"credits": 120', b'"credits": "many"')
    server = upstream(lambda peer, _: peer.answer(odd))
    running = desk(odd={"base_url": server.url})
    # A scrape is answered before its line is written; with one thread it is written before the next call.
    few_threads(monkeypatch, 1)

    def logged() -> int:
        # Calls that other tests left behind may have something to say, too.
        return capsys.readouterr().err.count(
            'msg="the answer does not fit the definition or the configuration" account=odd '
        )

    assert [running.metrics().balance("odd") for _ in range(3)] == [120] * 3
    assert logged() == 1
    running.clock.advance(60)
    server.answer = lambda peer, _: peer.answer(good)
    running.metrics()
    assert logged() == 0
    server.answer = lambda peer, _: peer.answer(odd)
    for _ in range(3):
        running.metrics()
    assert logged() == 1


def test_a_machine_that_gives_no_more_threads_costs_no_page(
    upstream: MakeUpstream, desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = upstream()
    running = desk(**{f"a{number}": {"base_url": server.url} for number in range(10)})
    few_threads(monkeypatch, 3)
    for _ in range(3):
        page = running.metrics()
        assert page.all("prepaid_account_up") == [1] * 10
    assert len(server.requests) == 30


@pytest.mark.parametrize("count", [10, 300])
def test_calls_that_found_no_thread_are_made_when_there_are_threads_again(
    upstream: MakeUpstream,
    desk: MakeDesk,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
    count: int,
) -> None:
    server = upstream()
    running = desk(**{f"a{number}": {"base_url": server.url} for number in range(count)})
    with monkeypatch.context() as limited:
        few_threads(limited, 0)
        page = running.metrics(granted=0.5)
        assert page.all("prepaid_account_up") == [0] * count
        assert {page.reason(f"a{number}") for number in range(count)} == {"timeout"}
    # A slow machine needs a longer scrape to have them all up in one.
    granted = itertools.count(1)
    eventually(lambda: running.metrics(granted=next(granted)).all("prepaid_account_up") == [1] * count)
    keys = [asked.headers["authorization"] for asked in server.requests]
    assert len(set(keys)) == count


def test_an_end_lets_waiting_scrapes_answer(
    desk: MakeDesk, gate: Gate, eventually: Eventually, waiting: Waiting
) -> None:
    running = desk(gate.server.url)
    with ThreadPoolExecutor(1) as threads:
        scrape = threads.submit(running.metrics, LONGEST)
        eventually(lambda: waiting() == 1)
        running.runtime.scraper.release()
        assert scrape.result(PATIENCE).reason() == "timeout"


def test_an_end_reaches_scrapes_that_wait_for_an_account_as_it_was_before_a_reload(
    desk: MakeDesk, gate: Gate, eventually: Eventually
) -> None:
    running = desk(gate.server.url)
    with ThreadPoolExecutor(1) as threads:
        scrape = threads.submit(running.metrics, LONGEST)
        eventually(lambda: bool(gate.server.requests))
        running.reload({"mall": {"base_url": gate.server.url, "api_key": "another"}})
        running.runtime.scraper.release()
        assert scrape.result(PATIENCE).reason() == "timeout"
