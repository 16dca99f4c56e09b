"""Limits of time, held by one thread."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import pytest

from exporter.web.watchdog import Watchdog
from tests.programs import PATIENCE


@pytest.fixture
def watch() -> Watchdog:
    watch = Watchdog()
    watch.start()
    return watch


def test_what_ends_in_time_is_left_alone(watch: Watchdog) -> None:
    in_time = False
    while not in_time:
        late, begun = threading.Event(), time.monotonic()
        with watch.limit(0.2, late.set):
            pass
        in_time = time.monotonic() - begun < 0.2
    over = threading.Event()
    # What ends later is called later.
    with watch.limit(0.3, over.set):
        assert over.wait(PATIENCE)
    assert not late.is_set()


def test_what_does_not_end_in_time_is_called_back_once(watch: Watchdog) -> None:
    calls: list[float] = []
    late = threading.Event()

    def call() -> None:
        calls.append(time.monotonic())
        late.set()

    begun = time.monotonic()
    with watch.limit(0.2, call):
        assert late.wait(PATIENCE)
        with watch.limit(0.1, lambda: None):
            late.wait(0)
    assert calls[0] - begun > 0.19
    assert len(calls) == 1


def test_a_shorter_limit_does_not_wait_for_a_longer_one(watch: Watchdog) -> None:
    late = threading.Event()
    with watch.limit(PATIENCE * 6, lambda: None), watch.limit(0.1, late.set):
        assert late.wait(PATIENCE)


def test_any_number_of_limits_takes_no_further_thread(
    watch: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    starters: list[str] = []
    begin = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        starters.append(threading.current_thread().name)
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    late = threading.Event()
    with ExitStack() as limits:
        for _ in range(100):
            limits.enter_context(watch.limit(PATIENCE, lambda: None))
        limits.enter_context(watch.limit(0.1, late.set))
        assert late.wait(PATIENCE)
    # Threads that other tests left behind may start what they like.
    assert not {threading.current_thread().name, "watch"} & set(starters)
