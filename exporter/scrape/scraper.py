"""All accounts at once, inside a deadline. Nothing runs between scrapes."""

import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from weakref import WeakSet

from exporter.config import Account, Config
from exporter.model import Outcome, Reason
from exporter.scrape.caching_collector import CachingCollector, Clock, Reading
from exporter.scrape.collector import Collector
from exporter.scrape.login import Logins
from exporter.upstream.client import Client

__all__ = ["Reading", "Scraper"]

_THREADS = 4096

_KEPT_THREADS = 256
"""Most accounts in a scrape whose threads are kept for the next; a thousand idle threads would hold 40 MB."""

_SWITCH_INTERVAL = 0.01
"""Seconds after which a thread that waits for the interpreter wakes up to demand it.

With Python's own 5 ms, a thousand threads that wait spend a quarter of the processor time on that; with five times
as much as here, a hundred that open their connections keep each other waiting.
"""


class Scraper:
    """Asks accounts when a scrape wants them; safe to use from many threads.

    `clock` tells how old an answer is; how long a scrape waits goes by the machine's own.
    """

    def __init__(self, config: Config, clock: Clock = time.monotonic) -> None:
        self._client = Client()
        self._logins = Logins()
        self._clock = clock
        sys.setswitchinterval(_SWITCH_INTERVAL)
        self._threads = _threads()
        self._counts = _Counts()
        self._collectors: dict[str, CachingCollector] = {}
        self._alive: WeakSet[CachingCollector] = WeakSet()
        self._closed = False
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over a configuration: accounts that are asked as before keep what is known of them.

        A call that is under way for an account that is asked otherwise from now on ends beside the new one: it can
        neither be called back nor be waited for.
        """
        collectors = {account.name: self._collector(account) for account in config.accounts}
        self._counts.restrict(config.accounts)
        # A new set, since `release` may be iterating over the old one.
        self._alive = WeakSet([*self._alive, *collectors.values()])
        self._collectors = collectors
        self.config = config
        # Some connections lead to hosts that no account uses any more.
        self._client.close()

    def _collector(self, account: Account) -> CachingCollector:
        before = self._collectors.get(account.name)
        if before and before.reconfigure(account):
            return before
        collector = CachingCollector(
            Collector(account, self._client, self._logins), self._counts.add, self._clock
        )
        if before:
            before.hand_over(collector)
        return collector

    def scrape(self, names: Collection[str] | None, timeout: float) -> list[Reading]:
        """Ask the named accounts (None: all) and return their readings after `timeout` seconds at the latest.

        An account that is not done by then is down with reason `timeout`.
        """
        begun = time.monotonic()
        wanted = [one for name, one in self._collectors.items() if names is None or name in names]
        threads = self._threads if len(wanted) <= _KEPT_THREADS else _threads()
        asked = [(one, one.account, one.request(threads.submit)) for one in wanted]
        if threads is not self._threads:
            threads.shutdown(wait=False)
        if not self._closed:
            pending = [answer for _, _, answer in asked if isinstance(answer, Future)]
            wait(pending, timeout=max(0.0, begun + timeout - time.monotonic()))
        return [one.reading(account, answer, begun) for one, account, answer in asked]

    def known(self) -> list[Reading]:
        """Return what is known of every account, without asking any provider."""
        return [one.known() for one in self._collectors.values()]

    def upstream_requests(self) -> Mapping[tuple[str, str], int]:
        """Count the requests sent for each account, by provider and account, since it is configured."""
        return self._counts.requests

    def upstream_failures(self, providers: Iterable[str]) -> dict[tuple[str, Reason], int]:
        """Count the failed collections of each of the providers since the start, by every reason."""
        return {
            (name, reason): self._counts.failures[name, reason] for name in providers for reason in Reason
        }

    def release(self) -> None:
        """Let every scrape that is waiting answer at once with what it has, because the process ends."""
        self._closed = True
        # Also those that a reload replaced: an older scrape may still wait for them.
        for one in self._alive:
            one.release()


def _threads() -> ThreadPoolExecutor:
    # A thread for each account that is being asked: fewer would let slow providers hold up the others.
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="collect")


class _Counts:
    """Counts requests by provider and account, and failures by provider and reason."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str], int] = {}
        self.failures: Counter[tuple[str, Reason]] = Counter()
        self._lock = Lock()

    def restrict(self, accounts: Iterable[Account]) -> None:
        """Count requests for these accounts alone; those that are no longer there lose their count."""
        with self._lock:
            names = [(account.provider.name, account.name) for account in accounts]
            self.requests = {name: self.requests.get(name, 0) for name in names}

    def add(self, account: Account, outcome: Outcome) -> None:
        name = account.provider.name, account.name
        with self._lock:
            # A call may end after its account has gone.
            if name in self.requests:
                self.requests[name] += len(outcome.exchanges)
            if outcome.reason:
                self.failures[account.provider.name, outcome.reason] += 1
