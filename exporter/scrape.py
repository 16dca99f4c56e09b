"""All accounts at once, inside a deadline, with one call in flight per account. Nothing runs between scrapes."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

import structlog

from exporter.client import Client
from exporter.collector import Collector
from exporter.config import Account, Config
from exporter.model import Outcome, Reason

LATE_ANSWER_AGE = 300.0
"""How old, in seconds, an answer that came after its scrape's deadline may be when the next scrape takes it.

As long as Prometheus itself holds on to a sample.
"""

_THREADS = 4096

_KEPT_THREADS = 256
"""Most accounts in a scrape whose threads are kept for the next; a thousand idle threads would hold 40 MB."""

_LOST_AFTER = 2.0
"""Seconds after which a call that no thread has begun is put in line again: there may have been no thread at all."""

_SWITCH_INTERVAL = 0.05
"""Seconds after which a thread that waits for the interpreter wakes up to demand it.

With Python's own 5 ms, a thousand threads that wait spend a quarter of the processor time on that.
"""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reading:
    """An account and what is known of it: the last outcome (None before the first) and the last success (Unix time)."""

    account: Account
    outcome: Outcome | None
    last_success: float | None


class Scraper:
    """Asks accounts when a scrape wants them; safe to use from many threads."""

    def __init__(self, config: Config) -> None:
        self._client = Client()
        sys.setswitchinterval(_SWITCH_INTERVAL)
        self._threads = _threads()
        self._counts = _Counts()
        self._cells: dict[str, _Cell] = {}
        self._closed = False
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over a configuration: accounts that are asked as before keep what is known of them."""
        cells = {}
        for account in config.accounts:
            cell = self._cells.get(account.name)
            if cell is None or not cell.adopt(account):
                cell = _Cell(account, self._client, self._counts)
            cells[account.name] = cell
        self._cells = cells
        self.config = config

    def scrape(self, names: Collection[str] | None, timeout: float) -> list[Reading]:
        """Ask the named accounts (None: all) and give their readings after `timeout` seconds at the latest.

        An account that is not done by then is down with reason `timeout`.
        """
        begun = time.monotonic()
        cells = [cell for name, cell in self._cells.items() if names is None or name in names]
        threads = self._threads if len(cells) <= _KEPT_THREADS else _threads()
        asked = [(cell, cell.account, cell.ask(threads.submit)) for cell in cells]
        if threads is not self._threads:
            threads.shutdown(wait=False)
        if not self._closed:
            pending = [answer for _, _, answer in asked if isinstance(answer, Future)]
            wait(pending, timeout=max(0.0, begun + timeout - time.monotonic()))
        return [cell.reading(account, answer, begun) for cell, account, answer in asked]

    def known(self) -> list[Reading]:
        """Give what is known of every account, without asking any provider."""
        return [cell.known() for cell in self._cells.values()]

    def upstream_requests(self, providers: Iterable[str]) -> dict[str, int]:
        """Count the requests sent to each of the providers since the start."""
        return {name: self._counts.requests[name] for name in providers}

    def upstream_failures(self, providers: Iterable[str]) -> dict[tuple[str, Reason], int]:
        """Count the failed collections of each of the providers since the start, by every reason."""
        return {
            (name, reason): self._counts.failures[name, reason] for name in providers for reason in Reason
        }

    def release(self) -> None:
        """Let every scrape that is waiting answer at once with what it has, because the process ends."""
        self._closed = True
        for cell in self._cells.values():
            cell.release()


def _threads() -> ThreadPoolExecutor:
    # A thread for each account that is being asked: fewer would let slow providers hold up the others.
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="collect")


class _Counts:
    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.failures: Counter[tuple[str, Reason]] = Counter()
        self._lock = Lock()

    def add(self, provider: str, outcome: Outcome) -> None:
        with self._lock:
            self.requests[provider] += len(outcome.exchanges)
            if outcome.reason:
                self.failures[provider, outcome.reason] += 1


class _Cell:
    """What is known of one account, and the call that may be under way."""

    def __init__(self, account: Account, client: Client, counts: _Counts) -> None:
        self._collector = Collector(account, client)
        self._counts = counts
        self._lock = Lock()
        self._in_flight: Future[Outcome] | None = None
        self._begun = 0.0
        self._outcome: Outcome | None = None
        self._shown: Outcome | None = None
        self._served = True
        self._hold_until = 0.0
        self._last_success: float | None = None

    @property
    def account(self) -> Account:
        return self._collector.account

    def adopt(self, account: Account) -> bool:
        """Go on with a changed account where it is asked as before; tell whether it is."""
        if not account.asks_like(self.account):
            return False
        self._collector.account = account
        return True

    def ask(self, submit: Callable[..., object]) -> Outcome | Future[Outcome]:
        """Give what may be used again, else the call under way, else begin one."""
        with self._lock:
            now = time.monotonic()
            if self._in_flight:
                if self._in_flight.running() or now - self._begun < _LOST_AFTER:
                    return self._in_flight
            else:
                usable = self._usable(now)
                if usable:
                    return usable
                self._begun = now
                self._in_flight = Future()
            # Where the machine gives no further thread, the call stays in line for one of those that there are.
            with suppress(RuntimeError):
                submit(self._call, self._in_flight)
            return self._in_flight

    def _usable(self, now: float) -> Outcome | None:
        last = self._outcome
        if last is None:
            return None
        if now < self._hold_until:
            detail = f"the provider asked not to be called for {self._hold_until - now:.0f} s more"
            return Outcome(
                last.at, last.duration, reason=Reason.RATE_LIMITED, detail=detail, status=last.status
            )
        if last.exchanges and now - self._begun < self.account.min_interval:
            return last
        late = not self._served and last.up and time.time() - last.at < LATE_ANSWER_AGE
        return last if late else None

    def _call(self, future: Future[Outcome]) -> None:
        with self._lock:
            if future.running() or future.done():
                return
            future.set_running_or_notify_cancel()
        outcome = self._collector.collect()
        self._counts.add(self.account.provider.name, outcome)
        with self._lock:
            before = self._outcome.reason if self._outcome else None
            self._outcome = self._shown = outcome
            self._served = False
            self._in_flight = None
            if outcome.up:
                self._last_success = outcome.at
            if outcome.retry_after:
                self._hold_until = time.monotonic() + outcome.retry_after
            if not future.done():
                future.set_result(outcome)
        self._tell(outcome, before)

    def _tell(self, outcome: Outcome, before: Reason | None) -> None:
        """Log that the account went down, changed its reason or came up again: once, not at each scrape."""
        if outcome.reason == before:
            return
        log = _log.bind(account=self.account.name, provider=self.account.provider.name)
        if outcome.reason is None:
            log.info("account is up again")
        else:
            log.warning(
                "account is down", reason=str(outcome.reason), detail=outcome.detail, hint=outcome.hint
            )

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
            self._shown = outcome
            return Reading(account, outcome, self._last_success)

    def known(self) -> Reading:
        with self._lock:
            return Reading(self.account, self._shown, self._last_success)

    def release(self) -> None:
        with self._lock:
            if self._in_flight and not self._in_flight.done():
                self._in_flight.set_result(_unfinished(time.monotonic() - self._begun))


def _unfinished(duration: float) -> Outcome:
    return Outcome(time.time(), duration, reason=Reason.TIMEOUT, detail="not done by the scrape's deadline")
