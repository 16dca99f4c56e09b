"""Whatever providers answer and whoever scrapes and reloads meanwhile: every page is whole, true and in time."""

from __future__ import annotations

import gc
import gzip
import itertools
import os
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter import log
from exporter.model import Reason
from tests.programs import PATIENCE

if TYPE_CHECKING:
    from tests.desk import Desk, Eventually, MakeDesk, MakeUpstream, Page
    from tests.peers import Answer, Asked, Peer

pytestmark = [pytest.mark.slow, pytest.mark.unmeasured]

SECONDS = 4.0

STAYING, PASSING = 6, 3
GRANTED = 1.5
PRODUCT = f"{Path(log.__file__).parent}/"
FRAMES = 5
"""How far back an allocation is traced: from a library up to the product."""

OTHERS = 7
"""Accounts beside the one that stays as it is."""

LAPS = 60
LEAK = 10_000
"""Bytes; one number kept for each of these scrapes and accounts would be over 14 KB."""

BODY = b'{"success": true, "data": {"credits": 9, "api_credits": 9}}'
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)


class Moody:
    """A provider in a new mood at each request; it remembers what it ever said to whom."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)
        self._numbers = itertools.count(1)
        self.given: dict[str, set[float]] = {}
        self._moods: list[Answer] = [
            *[self._well] * 6,
            lambda peer, _: peer.answer(b"", status="401 X"),
            lambda peer, _: peer.answer(b"", status="429 X", Retry_After="1"),
            lambda peer, _: peer.answer(b"busy", status="503 X"),
            lambda peer, _: peer.answer(b"", status="302 X", Location="/"),
            lambda peer, _: peer.answer(b'{"success": false, "error": {"code": "quota"}}'),
            lambda peer, _: peer.answer(b"{"),
            lambda peer, _: peer.answer(gzip.compress(b" " * 3_000_000), Content_Encoding="gzip"),
            lambda peer, _: peer.send(b"nonsense\r\n"),
            lambda peer, _: peer.close(),
            lambda peer, _: peer.reset(),
            lambda peer, _: peer.send(GOOD[:-5]),
            self._slowly,
        ]

    def __call__(self, peer: Peer, asked: Asked) -> None:
        self._chance.choice(self._moods)(peer, asked)

    def _well(self, peer: Peer, asked: Asked) -> None:
        number = next(self._numbers)
        account = asked.line.split("/")[1]
        self.given.setdefault(account, set()).add(number)
        peer.answer(b'{"success": true, "data": {"api_credits": %d, "credits": null}}' % number)

    def _slowly(self, peer: Peer, asked: Asked) -> None:
        peer.over.wait(self._chance.uniform(0.1, 2))
        self._well(peer, asked)


def accounts(url: str, chance: Random) -> dict[str, dict[str, Any]]:
    """Return a configuration in which some accounts always are, some are at times, and some change."""
    names = [f"stays-{number}" for number in range(STAYING)]
    names += [f"passes-{number}" for number in range(PASSING) if chance.random() < 0.5]
    return {
        name: {
            "base_url": f"{url}/{name}",
            "timeout": chance.choice(["300ms", "1s", "3s"]),
            "min_interval": chance.choice(["0s", "0s", "200ms"]),
            "api_key": chance.choice(["one", "two"]) if name.endswith("0") else "same",
            "thresholds": {"critical": chance.randrange(100)},
        }
        for name in names
    }


def is_true(page: Page, moody: Moody, last: dict[str, float]) -> dict[str, float]:
    """Hold a page to the laws; return its counts of requests, none of which goes down while its account stays."""
    names = {dict(labels)["account"] for name, labels in page.samples if name == "prepaid_account_up"}
    assert {f"stays-{number}" for number in range(STAYING)} <= names
    for name in names:
        up, balance = page.up(name), page.balance(name)
        assert page.reason(name) in (None, *(set(Reason) - {Reason.INTERNAL, Reason.MISCONFIGURED}))
        assert (up, balance is None) in ((1, False), (0, True))
        assert bool(page.wallet_samples(name)) == bool(up)
        assert balance is None or balance in moody.given[name], "a number that the provider never gave"
        if up:
            assert page.one("prepaid_account_last_success_timestamp_seconds", account=name) is not None
    counts = {
        name: page.one("prepaid_exporter_upstream_requests_total", account=name) or 0
        for name in names
        if name.startswith("stays")
    }
    assert all(counts[name] >= count for name, count in last.items())
    return counts


def test_every_page_is_true_whatever_happens(upstream: MakeUpstream, desk: MakeDesk) -> None:
    seed = int.from_bytes(os.urandom(4))
    print(f"Random({seed})")  # noqa: T201 - shown when the test fails
    moody = Moody(seed)
    server = upstream(moody)
    running = desk(**accounts(server.url, Random(seed)))
    begun = time.monotonic()
    pages: list[float] = []
    reloads: list[None] = []

    def seen() -> tuple[bool, ...]:
        given = dict(moody.given)
        often = max(map(len, given.values()), default=0) > 3
        # Those that come late on a busy machine are the fewer; without a deadline they would be the most.
        in_time = sum(seconds < GRANTED + 1.5 for seconds in pages) > len(pages) / 2
        return len(reloads) > 10, len(pages) > 20, len(given) >= STAYING, often, in_time

    def goes_on() -> bool:
        spent = time.monotonic() - begun
        return spent < SECONDS or (not all(seen()) and spent < PATIENCE)

    def scrape(number: int) -> None:
        chance, counts = Random(seed + number), dict[str, float]()
        while goes_on():
            page = running.metrics(granted=chance.choice([0.5, GRANTED]))
            counts = is_true(page, moody, counts)
            pages.append(page.seconds)

    def reload() -> None:
        chance, pause = Random(seed), threading.Event()
        while goes_on():
            running.reload(accounts(server.url, chance))
            reloads.append(None)
            pause.wait(chance.uniform(0, 0.1))

    with ThreadPoolExecutor(7) as threads:
        for one in [threads.submit(reload), *(threads.submit(scrape, number) for number in range(6))]:
            one.result()
    assert seen() == (True,) * 5, "reloads, pages, accounts, one that was up now and then, in time"


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(max_size=3)), max_size=4),
    st.integers(0, len(GOOD)) | st.just(len(GOOD)),
)
def test_no_answer_is_a_bug_of_ours(
    upstream: MakeUpstream, desk: MakeDesk, changes: list[tuple[int, bytes]], length: int
) -> None:
    answer = bytearray(GOOD)
    for place, data in changes:
        answer[place : place + 1] = data
    cut = bytes(answer[:length])

    def send(peer: Peer, _: Asked) -> None:
        peer.send(cut)
        peer.close()

    server = upstream(send)
    page = desk(server.url).metrics()
    server.stop()
    assert page.reason() != "internal"
    assert (page.balance() is None) == (not page.up())


def laps(running: Desk, answers: list[Answer], server: Any, count: int) -> None:
    settings = {"base_url": server.url}
    for lap in range(count):
        server.answer = answers[lap % len(answers)]
        assert "prepaid_account_up" in running.exposition()
        server.requests.clear()
        if lap % 50 == 0:
            more = {"thresholds": {"critical": lap}, "api_key": str(lap)}
            running.reload({"mall": settings, **{f"other-{n}": {**settings, **more} for n in range(OTHERS)}})


@pytest.fixture
def traced() -> Any:
    """Count memory, without what a log's reader and a meter of coverage keep of each line and thread."""
    log.configure("error", "logfmt")
    trace = threading.gettrace()
    threading.settrace(None)
    tracemalloc.start(FRAMES)
    yield
    tracemalloc.stop()
    threading.settrace(trace)
    structlog.reset_defaults()


@pytest.mark.usefixtures("traced")
def test_memory_threads_and_files_do_not_grow_with_scrapes(
    upstream: MakeUpstream, desk: MakeDesk, eventually: Eventually
) -> None:
    numbers = itertools.count()

    def well(peer: Peer, _: Asked) -> None:
        peer.answer(b'{"success": true, "data": {"api_credits": %d, "credits": 1}}' % next(numbers))

    server = upstream()
    answers: list[Answer] = [
        well,
        well,
        lambda peer, _: peer.answer(b"", status="500 X"),
        lambda peer, _: peer.answer(b"{"),
        lambda peer, _: peer.reset(),
    ]
    running = desk(server.url)

    def held() -> int:
        gc.collect()
        # What the product holds, directly or through a library: other tests' threads hold memory too.
        traces = tracemalloc.take_snapshot().traces
        return sum(
            trace.size
            for trace in traces
            if any(frame.filename.startswith(PRODUCT) for frame in trace.traceback)
        )

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    laps(running, answers, server, 60)
    memory, threads, files = held(), threading.active_count(), open_files()
    # A leak grows every time, what happens to be held at a moment does not.
    for _ in range(3):
        before = memory
        laps(running, answers, server, LAPS)
        memory = held()
        if memory - before < LEAK:
            break
    assert memory - before < LEAK
    # The upstream's ends of connections that are over may take a moment to be so.
    eventually(lambda: threading.active_count() <= threads + 3)
    eventually(lambda: open_files() <= files + 3)
