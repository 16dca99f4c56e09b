"""What is known of one account, the one call that may be under way, and whether a scrape needs another."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import ceil, isfinite
from threading import Lock

from exporter.config import Account
from exporter.model import FieldAnswers, Outcome, Reason, Wallet
from exporter.scrape.account_log import AccountLog
from exporter.scrape.collector import Collector
from exporter.scrape.field_memory import FieldMemory, Missing, missing_notes
from exporter.scrape.schedule import Schedule

LATE_ANSWER_AGE = 300.0
"""How old, in seconds, an answer that came after its scrape's deadline may be when the next scrape takes it.

As long as Prometheus itself holds on to a sample.
"""

_LOST_AFTER = 2.0
"""Seconds after which a call that no thread has begun is put in line again: there may have been no thread at all."""

Clock = Callable[[], float]
"""Monotonic seconds, by which the age of answers is told."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When an account was asked: in this scrape (`asked`) or before, `age` seconds ago; `next_in` seconds it is again.

    `age` is None where nobody was asked at all.
    """

    asked: bool
    age: float | None
    next_in: float


@dataclass(frozen=True, slots=True)
class Reading:
    """An account and what is known of it: the last outcome (None before the first) and the last success (Unix time).

    `last_wallets` are those of the last success. They are for people, with their age beside them: never a sample.
    `missing` names the optional fields that an earlier answer gave and the last good one lacks.
    `timing` is of a scrape, and no part of what is compared.
    """

    account: Account
    outcome: Outcome | None
    last_success: float | None
    last_wallets: tuple[Wallet, ...] = ()
    missing: Missing = field(default_factory=dict)
    timing: Timing | None = field(default=None, compare=False)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what is not right with a good answer."""
        if self.outcome is None:
            return ()
        return *self.outcome.notes, *missing_notes(self.outcome.wallets, self.missing)


class CachingCollector:
    """What is known of one account, and the call that may be under way.

    A scrape calls `request`. It gets the last good answer while that is young enough, or else the future of a call:
    of the one under way, or of a new one, which a thread makes. The thread first looks whether the account failed
    not long ago and still waits; if it does, and no secret or authority has changed, the last failure is the answer
    and nobody is asked. Else the account is collected, and the outcome kept. The scrape waits for the future up to
    its deadline, and then takes with `reading` what there is. A call that ends after that is kept for the next scrape.
    """

    def __init__(self, collector: Collector, count: Callable[[Account, Outcome], None], clock: Clock) -> None:
        self._collector = collector
        self._count = count
        self._clock = clock
        self._lock = Lock()
        self._schedule = Schedule()
        self._in_flight: Future[Outcome] | None = None
        self._submitted = 0.0
        self._ended = 0.0
        self._outcome: Outcome | None = None
        self._call_outcome: Outcome | None = None
        self._shown: Outcome | None = None
        self._served = True
        self._fields = FieldMemory()
        self._log = AccountLog()
        self._last_success: float | None = None
        self._last_wallets: tuple[Wallet, ...] = ()

    @property
    def account(self) -> Account:
        """Return the account as it is configured now."""
        return self._collector.account

    def reconfigure(self, account: Account) -> bool:
        """Go on with a changed account where its request stays the same; return whether it does."""
        if not account.same_request_as(self.account):
            return False
        with self._lock:
            self._collector.account = account
            self._schedule.begin_anew()
            self._fields.begin_anew()
            self._served = self._served or not (self._outcome and self._outcome.up)
        return True

    def hand_over(self, successor: "CachingCollector") -> None:
        """Let the collector of the account as it is asked from now on obey what its customer was told before."""
        with self._lock:
            failure, seconds = self._call_outcome, self._schedule.retry_after(self._clock())
        same_customer = successor.account.same_customer_as(self.account)
        if failure and seconds and same_customer and self._collector.asks_as_before():
            successor.hold(failure, seconds)

    def hold(self, failure: Outcome, seconds: float) -> None:
        """Ask nobody for some seconds; until then the account is down as it was with `failure`."""
        with self._lock:
            self._call_outcome = failure
            self._schedule.hold(self._clock() + seconds)

    def request(self, submit: Callable[..., object]) -> Outcome | Future[Outcome]:
        """Return the last answer if it may be used again, else the call under way, else begin one."""
        with self._lock:
            if self._in_flight:
                if self._in_flight.running() or time.monotonic() - self._submitted < _LOST_AFTER:
                    return self._in_flight
            else:
                now = self._clock()
                cached = self._cached(now)
                if cached:
                    if self._log.is_due(now):
                        # Not here: a scrape must not wait for a log that cannot be written.
                        with suppress(RuntimeError):
                            submit(self._write_log)
                    return cached
                self._submitted = time.monotonic()
                self._in_flight = Future()
            # Where the machine starts no more threads, the call waits for one of the existing threads.
            with suppress(RuntimeError):
                submit(self._call, self._in_flight)
            return self._in_flight

    def _cached(self, now: float) -> Outcome | None:
        """Return the last answer if it is good and may be used again; the secrets are not looked at."""
        last = self._outcome
        if last is None or not last.up:
            return None
        young = self._schedule.is_young(now, self.account.min_interval)
        return last if young or self._is_late(last, now) else None

    def _is_late(self, last: Outcome, now: float) -> bool:
        """Return whether an outcome came too late for its own scrape, and not too long ago for another."""
        # The scrape has reported a late timeout already; to repeat it would hide what a second call gives.
        unserved = last is self._outcome and not self._served and last.reason is not Reason.TIMEOUT
        return unserved and now - self._ended < LATE_ANSWER_AGE

    def _cached_failure(self, now: float) -> Outcome | None:
        """Return what the last call failed with while it may be used again; another secret makes it void."""
        last = self._call_outcome
        if last is None or last.up:
            return None
        return self._backing_off(last, now) or (last if self._is_late(last, now) else None)

    def _backing_off(self, last: Outcome, now: float) -> Outcome | None:
        """Return a failure that waits, with the words for how long it does; None where the account may be asked."""
        if last.reason is None:
            return None
        seconds = self._schedule.wait(now, last.reason, self.account.min_interval)
        if not seconds:
            return None
        told = "the provider asked not to be called" if self._schedule.retry_after(now) else "not asked again"
        return replace(last, detail=f"{last.detail}; {told} for {ceil(seconds)} s more")

    def _call(self, future: Future[Outcome]) -> None:
        with self._lock:
            if future.running() or future.done():
                return
            future.set_running_or_notify_cancel()
            failure = self._cached_failure(self._clock())
        if failure and self._collector.asks_as_before():
            with self._lock:
                self._served = True
                self._shown = self._call_outcome
            self._log.note(failure, ())
            self._finish(future, failure)
            self._write_log()
            return
        revision = self._collector.revision
        with self._lock:
            self._schedule.begin(self._clock())
        answers = FieldAnswers(self._fields.given)
        outcome = self._collector.collect(answers)
        self._count(self.account, outcome)
        with self._lock:
            self._keep(outcome, answers, changed=revision != self._collector.revision)
        if outcome.bug:
            # The log line comes first: whoever sees the bug on a page looks into the log at once.
            self._write_log()
        self._finish(future, outcome)
        self._write_log()

    def _keep(self, outcome: Outcome, answers: FieldAnswers, *, changed: bool) -> None:
        self._outcome = self._shown = outcome
        self._ended = self._clock()
        self._served = False
        if outcome.up:
            self._last_success, self._last_wallets = outcome.at, outcome.wallets
            self._fields.note(answers, self._ended)
        self._log.note(outcome, self._reading(self.account, outcome).notes)
        # A misconfigured account is checked in every scrape, and its schedule stays as it is.
        if outcome.exchanges:
            self._call_outcome = outcome
            self._schedule.end(self._ended, outcome, changed=changed)

    def _finish(self, future: Future[Outcome], outcome: Outcome) -> None:
        with self._lock:
            self._in_flight = None
            if not future.done():
                future.set_result(outcome)

    def _write_log(self) -> None:
        self._log.write(self.account, self._clock())

    def reading(self, account: Account, answer: Outcome | Future[Outcome], begun: float) -> Reading:
        """Return the answer as a reading for `account`; one that is still under way has run out of time.

        `begun` is when the scrape began, in seconds of `time.monotonic`.
        """
        with self._lock:
            if isinstance(answer, Outcome):
                outcome = answer
            elif answer.done():
                outcome = answer.result()
            else:
                outcome = _unfinished(time.monotonic() - begun)
            self._served = self._served or outcome is self._outcome
            asked = isinstance(answer, Future) and (outcome is self._outcome or not answer.done())
            # A scrape that did not wait for the call must not replace what an earlier call showed.
            if self._shown is None:
                self._shown = outcome
            return self._reading(account, outcome, self._timing(outcome, asked=asked))

    def _timing(self, outcome: Outcome, *, asked: bool) -> Timing:
        now = self._clock()
        next_in = self._schedule.next_in(now, outcome.reason, self.account.min_interval)
        if outcome.reason is Reason.MISCONFIGURED and not outcome.exchanges:
            return Timing(asked=False, age=None, next_in=0.0)
        age = self._schedule.age(now)
        # What was held for another configuration of the account was asked by that.
        return Timing(asked, age if isfinite(age) else max(time.time() - outcome.at, 0.0), next_in)

    def known(self) -> Reading:
        """Return what is known, without asking."""
        with self._lock:
            shown = self._shown
            if shown is not None and shown is self._call_outcome:
                shown = self._backing_off(shown, self._clock()) or shown
            return self._reading(self.account, shown)

    def _reading(self, account: Account, outcome: Outcome | None, timing: Timing | None = None) -> Reading:
        missing = self._fields.missing(self._clock()) if outcome and outcome.up else {}
        return Reading(account, outcome, self._last_success, self._last_wallets, missing, timing)

    def release(self) -> None:
        """Let every scrape that waits for the account answer at once."""
        with self._lock:
            if self._in_flight and not self._in_flight.done():
                self._in_flight.set_result(_unfinished(time.monotonic() - self._submitted))


def _unfinished(duration: float) -> Outcome:
    return Outcome(time.time(), duration, reason=Reason.TIMEOUT, detail="not done by the deadline")
