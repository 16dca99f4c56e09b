"""What is known of one account: when to ask it, for how long an answer stands, and the one call under way."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

import structlog

from exporter.config import Account
from exporter.model import Outcome, Reason
from exporter.scrape.collector import Collector
from exporter.upstream.client import Client

LATE_ANSWER_AGE = 300.0
"""How old, in seconds, an answer that came after its scrape's deadline may be when the next scrape takes it.

As long as Prometheus itself holds on to a sample.
"""

FAILURE_AGE = 60.0
"""Longest time, in seconds, for which `min_interval` lets a failure be used again.

Who has corrected something wants to see that it helped, whatever the provider's quota for good answers.
"""

_LOST_AFTER = 2.0
"""Seconds after which a call that no thread has begun is put in line again: there may have been no thread at all."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reading:
    """An account and what is known of it: the last outcome (None before the first) and the last success (Unix time)."""

    account: Account
    outcome: Outcome | None
    last_success: float | None


class CachingCollector:
    """What is known of one account, and the call that may be under way."""

    def __init__(self, account: Account, client: Client, count: Callable[[str, Outcome], None]) -> None:
        self._collector = Collector(account, client)
        self._count = count
        self._lock = Lock()
        self._in_flight: Future[Outcome] | None = None
        self._submitted = 0.0
        self._ended = 0.0
        self._outcome: Outcome | None = None
        self._shown: Outcome | None = None
        self._served = True
        self._reloaded = False
        self._hold_until = 0.0
        self._noted: tuple[str, ...] = ()
        self._last_success: float | None = None

    @property
    def account(self) -> Account:
        """Give the account as it is configured now."""
        return self._collector.account

    def adopt(self, account: Account) -> bool:
        """Go on with a changed account where it is asked as before; tell whether it is."""
        if not account.same_request_as(self.account):
            return False
        with self._lock:
            self._collector.account = account
            self._reloaded = True
        return True

    def ask(self, submit: Callable[..., object]) -> Outcome | Future[Outcome]:
        """Give what may be used again, else the call under way, else begin one."""
        with self._lock:
            now = time.monotonic()
            if self._in_flight:
                if self._in_flight.running() or now - self._submitted < _LOST_AFTER:
                    return self._in_flight
            else:
                usable = self._usable(now)
                if usable:
                    return usable
                self._submitted = now
                self._in_flight = Future()
            # Where the machine gives no further thread, the call stays in line for one of those that there are.
            with suppress(RuntimeError):
                submit(self._call, self._in_flight)
            return self._in_flight

    def _usable(self, now: float) -> Outcome | None:
        """Give what can be said without looking at the secrets."""
        last = self._outcome
        if last is None:
            return None
        if now < self._hold_until:
            return self._held(last, self._hold_until - now)
        return last if last.up and self._fresh(last, now, self.account.min_interval) else None

    def _held(self, last: Outcome, seconds: float) -> Outcome:
        hints = self.account.provider.definition.hints
        return Outcome(
            last.at,
            last.duration,
            reason=Reason.RATE_LIMITED,
            detail=f"the provider asked not to be called for {seconds:.0f} s more",
            hint=hints.get(str(last.status)) or hints.get(Reason.RATE_LIMITED, ""),
            status=last.status,
        )

    def _fresh(self, last: Outcome, now: float, interval: float) -> bool:
        """Tell whether the last outcome is good for another scrape: it is young, or came too late for its own."""
        # Of a late timeout the scrape told already, and to tell it for ever would hide what a second call gives.
        late = not self._served and last.reason is not Reason.TIMEOUT
        return now - self._ended < (max(interval, LATE_ANSWER_AGE) if late else interval)

    def _standing(self, now: float) -> Outcome | None:
        """Give the last failure while it may be used again, unless the request is another by now."""
        last = self._outcome
        if last is None or last.up or not last.exchanges or self._reloaded:
            return None
        return last if self._fresh(last, now, min(self.account.min_interval, FAILURE_AGE)) else None

    def _call(self, future: Future[Outcome]) -> None:
        with self._lock:
            if future.running() or future.done():
                return
            future.set_running_or_notify_cancel()
            standing = self._standing(time.monotonic())
        if standing and self._collector.asks_as_before():
            self._finish(future, standing)
            return
        with self._lock:
            self._reloaded = False
        outcome = self._collector.collect()
        self._count(self.account.provider.name, outcome)
        with self._lock:
            before, self._outcome, self._ended = self._outcome, outcome, time.monotonic()
            self._served = False
            if outcome.up:
                self._last_success = outcome.at
            if outcome.retry_after:
                self._hold_until = self._ended + outcome.retry_after
        self._finish(future, outcome)
        self._tell(outcome, before.reason if before else None)

    def _finish(self, future: Future[Outcome], outcome: Outcome) -> None:
        with self._lock:
            self._shown = outcome
            self._in_flight = None
            if not future.done():
                future.set_result(outcome)

    def _tell(self, outcome: Outcome, before: Reason | None) -> None:
        """Log a change once, not at each scrape: down, another reason, up again, or something else left out."""
        log = _log.bind(account=self.account.name, provider=self.account.provider.name)
        if outcome.reason != before:
            if outcome.reason is None:
                log.info("account is up again")
            else:
                hint = {"hint": outcome.hint} if outcome.hint else {}
                log.warning("account is down", reason=str(outcome.reason), detail=outcome.detail, **hint)
        if outcome.up and outcome.notes != self._noted:
            self._noted = outcome.notes
            if outcome.notes:
                log.warning("a part of the answer cannot be read", notes="; ".join(outcome.notes))

    def reading(self, account: Account, answer: Outcome | Future[Outcome], begun: float) -> Reading:
        """Give the answer as a reading for `account`; one that is still under way has run out of time."""
        with self._lock:
            if isinstance(answer, Outcome):
                outcome = answer
            elif answer.done():
                outcome = answer.result()
            else:
                outcome = _unfinished(time.monotonic() - begun)
            self._served = self._served or outcome is self._outcome
            # A hurried scrape does not know more than the call that it did not wait for will say.
            if answer is outcome or self._shown is None:
                self._shown = outcome
            return Reading(account, outcome, self._last_success)

    def known(self) -> Reading:
        """Give what is known, without asking."""
        with self._lock:
            return Reading(self.account, self._shown, self._last_success)

    def release(self) -> None:
        """Let every scrape that waits for the account answer at once."""
        with self._lock:
            if self._in_flight and not self._in_flight.done():
                self._in_flight.set_result(_unfinished(time.monotonic() - self._submitted))


def _unfinished(duration: float) -> Outcome:
    return Outcome(time.time(), duration, reason=Reason.TIMEOUT, detail="not done by the scrape's deadline")
