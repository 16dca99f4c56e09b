"""Limits of time, held by one thread."""

from __future__ import annotations

import threading
import time

import pytest

from exporter.web.watch import Watch

PATIENCE = 10.0


@pytest.fixture
def watch() -> Watch:
    watch = Watch()
    watch.start()
    return watch


def test_what_ends_in_time_is_left_alone(watch: Watch) -> None:
    late = threading.Event()
    with watch.limit(0.2, late.set):
        pass
    assert not late.wait(0.4)


def test_what_does_not_end_in_time_is_called_back_once(watch: Watch) -> None:
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
    assert 0.19 < calls[0] - begun < PATIENCE / 2
    assert len(calls) == 1


def test_a_shorter_limit_does_not_wait_for_a_longer_one(watch: Watch) -> None:
    late = threading.Event()
    with watch.limit(PATIENCE * 6, lambda: None):
        begun = time.monotonic()
        with watch.limit(0.1, late.set):
            assert late.wait(PATIENCE)
        assert time.monotonic() - begun < PATIENCE / 2


def test_any_number_of_limits_takes_no_further_thread(watch: Watch) -> None:
    before = threading.active_count()
    for _ in range(100):
        with watch.limit(PATIENCE, lambda: None):
            assert threading.active_count() <= before
