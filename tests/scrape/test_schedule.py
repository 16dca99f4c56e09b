"""When an account is asked again, to the second: no clock, no provider, no thread."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Outcome, Reason
from exporter.scrape.schedule import Schedule

UP = Outcome(0.0, 0.0)
MEANT = [Reason.AUTH, Reason.API_ERROR, Reason.EXHAUSTED]
SOON = [reason for reason in Reason if reason not in (*MEANT, Reason.RATE_LIMITED)]


def failed(reason: Reason, retry_after: float | None = None) -> Outcome:
    return Outcome(0.0, 0.0, reason=reason, retry_after=retry_after)


def called(
    schedule: Schedule, now: float, outcome: Outcome, took: float = 0.0, *, changed: bool = False
) -> None:
    schedule.begin(now)
    schedule.end(now + took, outcome, changed=changed)


def waits(reason: Reason, min_interval: float, count: int) -> list[float]:
    """List how long an account waits that fails each time, as soon as it may be asked."""
    schedule, now, found = Schedule(), 1000.0, []
    for _ in range(count):
        called(schedule, now, failed(reason))
        found.append(schedule.wait(now, reason, min_interval))
        now += found[-1]
    return found


@pytest.mark.parametrize(
    ("min_interval", "age"),
    [(10, 9.5), (30, 28.5), (40, 38), (60, 58), (900, 898), (86400, 86398), (0.2, 0.19)],
)
def test_an_answer_is_used_again_until_a_twentieth_and_at_most_two_seconds_before_its_interval(
    min_interval: float, age: float
) -> None:
    schedule = Schedule()
    called(schedule, 1000, UP)
    assert schedule.is_young(1000 + age - 0.001, min_interval)
    assert not schedule.is_young(1000 + age + 0.001, min_interval)


def test_the_age_of_an_answer_counts_from_the_begin_of_its_call() -> None:
    schedule = Schedule()
    called(schedule, 1000, UP, took=20)
    assert schedule.is_young(1028, 30)
    assert not schedule.is_young(1029, 30)


def test_nothing_is_young_before_the_first_call_nor_at_an_interval_of_0() -> None:
    schedule = Schedule()
    assert not schedule.is_young(0.0, 3600)
    called(schedule, 1000, UP)
    assert not schedule.is_young(1000, 0)


@pytest.mark.parametrize("reason", SOON)
@pytest.mark.parametrize(
    ("min_interval", "expected"),
    [
        (15, [14.25, 28.5, 58, 118, 238, 298, 298]),
        (30, [28.5, 58, 118, 238, 298, 298]),
        (60, [58, 118, 238, 298, 298]),
        (300, [58, 118, 238, 298, 298]),
        (900, [58, 118, 238, 478, 898, 898]),
        (0, [0, 0, 0]),
    ],
)
def test_a_failure_that_may_be_over_at_any_moment_waits_a_minute_at_first_then_twice_as_long(
    reason: Reason, min_interval: float, expected: list[float]
) -> None:
    assert waits(reason, min_interval, len(expected)) == pytest.approx(expected)


@pytest.mark.parametrize("reason", MEANT)
@pytest.mark.parametrize(
    ("min_interval", "expected"),
    [
        (30, [28.5, 58, 118, 238, 298, 298]),
        (120, [118, 238, 298, 298]),
        (900, [898, 898]),
        (0, [0, 0, 0]),
    ],
)
def test_a_failure_that_the_provider_means_waits_min_interval_at_first(
    reason: Reason, min_interval: float, expected: list[float]
) -> None:
    assert waits(reason, min_interval, len(expected)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("min_interval", "expected"),
    [
        (30, [28.5, 58, 118, 238, 478, 898, 898]),
        (300, [298, 598, 898, 898]),
        (3600, [3598, 3598]),
        (0, [0, 0, 0]),
    ],
)
def test_too_many_calls_wait_up_to_a_quarter_of_an_hour(min_interval: float, expected: list[float]) -> None:
    assert waits(Reason.RATE_LIMITED, min_interval, len(expected)) == pytest.approx(expected)


def test_the_wait_counts_from_the_begin_of_the_call() -> None:
    schedule = Schedule()
    called(schedule, 1000, failed(Reason.TIMEOUT), took=10)
    assert schedule.wait(1010, Reason.TIMEOUT, 30) == pytest.approx(18.5)


def test_a_failure_that_lasts_for_months_still_has_a_wait() -> None:
    assert waits(Reason.UNREACHABLE, 30, 5000)[-1] == pytest.approx(298)


@pytest.mark.parametrize("ends", ["success", "reload", "change"])
def test_what_ends_a_row_of_failures(ends: str) -> None:
    schedule, reason = Schedule(), Reason.HTTP_STATUS
    for now in (1000, 1100, 1200):
        called(schedule, now, failed(reason))
    assert schedule.wait(1200, reason, 30) == pytest.approx(118)
    if ends == "success":
        called(schedule, 1300, UP)
    if ends == "reload":
        schedule.begin_anew()
        assert schedule.wait(1200, reason, 30) == 0
    called(schedule, 1400, failed(reason), changed=ends == "change")
    assert schedule.wait(1400, reason, 30) == pytest.approx(28.5)


def test_a_reload_during_a_call_counts_for_its_failure_too() -> None:
    schedule = Schedule()
    schedule.begin(1000)
    schedule.begin_anew()
    schedule.end(1001, failed(Reason.AUTH), changed=False)
    assert schedule.wait(1001, Reason.AUTH, 3600) == 0
    called(schedule, 1002, failed(Reason.AUTH))
    assert schedule.wait(1002, Reason.AUTH, 30) == pytest.approx(28.5)


@pytest.mark.parametrize(
    ("retry_after", "min_interval", "expected"),
    [(10, 30, 28.5), (600, 30, 600), (600, 0, 600), (600, 3600, 3598)],
)
def test_of_retry_after_and_back_off_the_later_counts(
    retry_after: float, min_interval: float, expected: float
) -> None:
    schedule = Schedule()
    called(schedule, 1000, failed(Reason.RATE_LIMITED, retry_after))
    assert schedule.wait(1000, Reason.RATE_LIMITED, min_interval) == pytest.approx(expected)


def test_a_retry_after_counts_from_the_answer_and_outlives_a_reload() -> None:
    schedule = Schedule()
    called(schedule, 1000, failed(Reason.RATE_LIMITED, 600), took=5)
    schedule.begin_anew()
    assert schedule.wait(1010, Reason.RATE_LIMITED, 30) == pytest.approx(595)
    assert schedule.retry_after(1605) == 0


@given(
    st.sampled_from(list(Reason)),
    st.integers(0, 86400),
    st.lists(st.tuples(st.booleans(), st.integers(0, 5000), st.none() | st.integers(0, 3600)), max_size=40),
)
def test_no_wait_is_endless_and_none_is_below_zero(
    reason: Reason, min_interval: float, calls: list[tuple[bool, float, float | None]]
) -> None:
    schedule, now = Schedule(), 0.0
    for changed, pause, retry_after in calls:
        now += pause
        called(schedule, now, failed(reason, retry_after), changed=changed)
        wait = schedule.wait(now, reason, min_interval)
        assert math.isfinite(wait)
        assert 0 <= wait <= max(min_interval, 900.0, retry_after or 0)
        assert schedule.wait(now + wait + 0.001, reason, min_interval) == 0
