"""All accounts at once, inside a deadline. Nothing runs between scrapes."""

import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from weakref import WeakSet

from exporter.config import Config
from exporter.model import Outcome, Reason
from exporter.scrape.caching_collector import CachingCollector, Reading
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
    """Asks accounts when a scrape wants them; safe to use from many threads."""

    def __init__(self, config: Config) -> None:
        self._client = Client()
        sys.setswitchinterval(_SWITCH_INTERVAL)
        self._threads = _threads()
        self._counts = _Counts()
        self._cells: dict[str, CachingCollector] = {}
        self._alive: WeakSet[CachingCollector] = WeakSet()
        self._closed = False
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over a configuration: accounts that are asked as before keep what is known of them.

        A call that is under way for an account that is asked otherwise from now on ends beside the new one: it can
        neither be called back nor be waited for.
        """
        cells = {}
        for account in config.accounts:
            cell = self._cells.get(account.name)
            if cell is None or not cell.adopt(account):
                cell = CachingCollector(account, self._client, self._counts.add)
            cells[account.name] = cell
        # A new set, since `release` may be going through the one that there is.
        self._alive = WeakSet([*self._alive, *cells.values()])
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
        # Those too that a reload replaced: a scrape that began before may still wait for them.
        for cell in self._alive:
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
