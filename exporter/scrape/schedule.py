"""When an account is asked again: for how long an answer is used, and how long a failing account waits.

Pure: it knows no clock and holds no lock. Every time is in seconds of one monotonic clock.
"""

from math import inf

from exporter.model import Outcome, Reason

_SOON = 60.0
"""Longest first wait, in seconds, after a failure that may be over at any moment."""

_LONGEST_WAIT = 300.0
_LONGEST_WAIT_RATE_LIMITED = 900.0

_NOT_SOON = frozenset({Reason.AUTH, Reason.RATE_LIMITED, Reason.EXHAUSTED, Reason.API_ERROR})
"""Failures that the provider means: it would say the same again, and counts the calls."""

_MOST_DOUBLINGS = 20


class Schedule:
    """The calls of one account: when the last one began, how many failed in a row, and what the provider asked for."""

    def __init__(self) -> None:
        self._begins = -inf
        self._begun = -inf
        self._failures = 0
        self._begins_anew = False
        self._retry_at = -inf

    def begin(self, now: float) -> None:
        """Note that a collection begins. Only its end says whether the provider was asked at all."""
        self._begins = now
        self._begins_anew = False

    def end(self, now: float, outcome: Outcome, *, changed: bool) -> None:
        """Note how a call ended; `changed` says that a secret or authority was not the last call's."""
        self._begun = self._begins
        if outcome.up or self._begins_anew:
            self._failures = 0
        else:
            self._failures = 1 if changed else self._failures + 1
        self._retry_at = now + (outcome.retry_after or -inf)

    def begin_anew(self) -> None:
        """Forget the failures, also that of a call under way; what the provider asked for stands."""
        self._failures = 0
        self._begins_anew = True

    def hold(self, until: float) -> None:
        """Ask nobody until the given time."""
        self._retry_at = until

    def is_young(self, now: float, min_interval: float) -> bool:
        """Return whether the last answer may be used again: its age counts from the begin of its call."""
        return now - self._begun < _almost(min_interval)

    def retry_after(self, now: float) -> float:
        """Return the seconds for which the provider still asks not to be called, 0 for none."""
        return max(self._retry_at - now, 0.0)

    def wait(self, now: float, reason: Reason, min_interval: float) -> float:
        """Return the seconds for which an account that failed for `reason` is not asked, 0 for none."""
        back_off = _almost(self._back_off(reason, min_interval)) if self._failures else 0.0
        return max(self._begun + back_off - now, self.retry_after(now), 0.0)

    def age(self, now: float) -> float:
        """Return the seconds since the last call began; endless before the first."""
        return now - self._begun

    def next_in(self, now: float, reason: Reason | None, min_interval: float) -> float:
        """Return the seconds until the next scrape asks; None for `reason` is a good answer, which is used again."""
        if reason is not None:
            return self.wait(now, reason, min_interval)
        return max(self._begun + _almost(min_interval) - now, self.retry_after(now), 0.0)

    def _back_off(self, reason: Reason, min_interval: float) -> float:
        first = min_interval if reason in _NOT_SOON else min(min_interval, _SOON)
        longest = _LONGEST_WAIT_RATE_LIMITED if reason is Reason.RATE_LIMITED else _LONGEST_WAIT
        doubled = first * 2.0 ** min(self._failures - 1, _MOST_DOUBLINGS)
        return min(doubled, max(min_interval, longest))


def _almost(seconds: float) -> float:
    """Take off a slack, so that an interval as long as the scrape's is over at every scrape, not every second one."""
    return seconds - min(seconds / 20, 2.0)
